package sqlite

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/demo"
	"actionlog/internal/storetest"
)

// growth is how much there is: the first institution has half of the actions, the others
// share the rest; with one, it has all.
type growth struct{ actions, days, institutions int }

// growths are what BenchmarkGrowth measures: one thing changes at a time. Ten million are measured only with
// ACTIONLOG_BENCH_ACTIONS=10000000, which says the most.
func growths(most int) (list []growth) {
	for _, g := range []growth{
		{100_000, 93, 1}, {1_000_000, 93, 1}, {10_000_000, 93, 1},
		{1_000_000, 1, 1}, {1_000_000, 30, 1},
		{1_000_000, 93, 100}, {1_000_000, 93, 10_000},
	} {
		if g.actions <= most {
			list = append(list, g)
		}
	}
	return list
}

// BenchmarkGrowth: how what the store costs grows with actions, days and institutions.
// ACTIONLOG_BENCH_STORE names a folder in which the stores are kept, one each.
func BenchmarkGrowth(b *testing.B) {
	for _, g := range growths(storetest.BenchActions(b, 1_000_000)) {
		b.Run(fmt.Sprintf("actions=%d/days=%d/institutions=%d", g.actions, g.days, g.institutions), func(b *testing.B) { measureGrowth(b, g) })
	}
}

func measureGrowth(b *testing.B, g growth) {
	dir := b.TempDir()
	if kept := os.Getenv("ACTIONLOG_BENCH_STORE"); kept != "" {
		dir = fmt.Sprintf("%s/%d-%d-%d/store", kept, g.actions, g.days, g.institutions)
	}
	metrics := map[string]float64{}
	s, err := Open(b.Context(), dir, Options{})
	if err == nil && s.Len() == 0 {
		fill(b, s, g.documents(), metrics)
	}
	if err == nil {
		err = s.Close()
	}
	runtime.GC()
	start := time.Now()
	if err == nil {
		s, err = Open(b.Context(), dir, Options{})
	}
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	metrics["open_ms"] = float64(time.Since(start).Microseconds()) / 1000
	metrics["B/action"] = float64(s.Bytes()) / float64(g.actions)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, q := range scaleQuestions() {
		took := times(b, 200, 10*time.Second, func(i int) error { return q.ask(b.Context(), s, i) })
		metrics[q.name+"_p50_ms"], metrics[q.name+"_p99_ms"] = took.at(50), took.at(99)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	metrics["heap_MiB"] = float64(after.HeapAlloc) / (1 << 20)
	for name, v := range metrics {
		b.ReportMetric(v, name)
	}
	b.ReportMetric(0, "ns/op")
}

// documents are those of the demo, given to other institutions and other days.
func (g growth) documents() func(yield func([]byte) bool) {
	last := actionlog.DayOf(noon)
	return func(yield func([]byte) bool) {
		i := 0
		for doc := range demo.New(1, g.actions*51/50).Actions(noon) { // the last day is cut off at noon
			if i == g.actions || !yield(g.move(doc, i, last)) {
				return
			}
			i++
		}
	}
}

func (g growth) move(doc []byte, i int, last actionlog.Day) []byte {
	name := demo.Institution()
	if g.institutions > 1 && i%2 == 1 {
		name = fmt.Sprintf("institution-%05d", 1+i/2%(g.institutions-1))
	}
	doc = put(doc, `"institution":{"id":"`, name)
	at := before(doc, `"occurred_at":"`)
	day := last.Add(i*g.days/g.actions - g.days + 1)
	return put(doc, `"occurred_at":"`, day.String()+at[strings.IndexByte(at, 'T'):])
}

// before is the text behind a mark, up to the next quote.
func before(doc []byte, mark string) string {
	_, rest, _ := bytes.Cut(doc, []byte(mark))
	text, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(text)
}

// put puts another text behind a mark, up to the next quote.
func put(doc []byte, mark, text string) []byte {
	was := before(doc, mark)
	return bytes.Replace(doc, []byte(mark+was+`"`), []byte(mark+text+`"`), 1)
}

// sorted are durations, in order.
type sorted []time.Duration

// at is a percentile, in ms.
func (s sorted) at(percent int) float64 {
	return float64(s[len(s)*percent/100].Microseconds()) / 1000
}

// times asks at most so often and so long.
func times(b *testing.B, most int, long time.Duration, ask func(i int) error) (took sorted) {
	for i, until := 0, time.Now().Add(long); i < most && time.Now().Before(until); i++ {
		start := time.Now()
		if err := ask(i); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return took
}

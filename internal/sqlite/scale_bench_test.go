package sqlite

import (
	"context"
	"iter"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/demo"
	"actionlog/internal/storetest"
)

// BenchmarkScale: what the store costs with ACTIONLOG_BENCH_ACTIONS actions (default 200,000) of the demo's three
// institutions over 90 days, in their order and in batches of 4,000: writing them (parsed before), bytes on disk with the
// directory, and each kind of question, asked of the largest institution, which has three fifths of them.
// ACTIONLOG_BENCH_STORE names a folder to be kept, which is filled where it is empty.
func BenchmarkScale(b *testing.B) {
	n := storetest.BenchActions(b, 200_000)
	dir := os.Getenv("ACTIONLOG_BENCH_STORE")
	if dir == "" {
		dir = b.TempDir()
	}
	metrics := map[string]float64{}
	s, err := Open(context.Background(), dir, Options{})
	if err == nil && s.Len() == 0 {
		fillScale(b, s, n, metrics)
	}
	if err == nil {
		err = s.Close()
	}
	start := time.Now()
	if err == nil {
		s, err = Open(context.Background(), dir, Options{})
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	metrics["open_ms"] = float64(time.Since(start).Milliseconds())
	metrics["B/action"] = float64(s.Bytes()) / float64(n)
	metrics["directory_B/action"] = float64(fileSize(s.dir+"/"+directoryFile)) / float64(n)
	b.Run("fill", func(b *testing.B) {
		for name, v := range metrics {
			b.ReportMetric(v, name)
		}
		b.ReportMetric(0, "ns/op")
	})
	for _, q := range scaleQuestions() {
		b.Run(q.name, func(b *testing.B) { askScale(b, s, q) })
	}
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func fillScale(b *testing.B, s *Store, n int, metrics map[string]float64) {
	fill(b, s, demo.New(1, n).Actions(noon), metrics)
}

// timed measures what writing takes.
type timed struct {
	*Store
	wall, cpu time.Duration
}

func (t *timed) Write(ctx context.Context, items []actionlog.Item) ([]actionlog.Outcome, error) {
	start, used := time.Now(), processorTime()
	defer func() { t.wall, t.cpu = t.wall+time.Since(start), t.cpu+processorTime()-used }()
	return t.Store.Write(ctx, items)
}

// fill writes documents, parsed before, and closes the days.
func fill(b *testing.B, s *Store, documents iter.Seq[[]byte], metrics map[string]float64) {
	t := timed{Store: s}
	total := storetest.Load(b, &t, documents)
	start, used := time.Now(), processorTime()
	for _, d := range s.allDays() {
		if err := s.compactor.compact(b.Context(), d, true); err != nil {
			b.Fatal(err)
		}
	}
	metrics["written/s"] = float64(total) / t.wall.Seconds()
	metrics["cpu_us/action"] = float64(t.cpu.Microseconds()) / float64(total)
	metrics["closing_cpu_us/action"] = float64((processorTime() - used).Microseconds()) / float64(total)
	metrics["closing_s"] = time.Since(start).Seconds()
}

type scaleQuestion struct {
	name string
	ask  func(ctx context.Context, s *Store, i int) error
}

func scaleQuestions() []scaleQuestion {
	page := func(clauses ...actionlog.Clause) func(context.Context, *Store, int) error {
		return func(ctx context.Context, s *Store, i int) error {
			_, err := s.Page(ctx, actionlog.Query{Institution: demo.Institution(), Clauses: clauses}, actionlog.NewestFirst, "", 50)
			return err
		}
	}
	one := func(f actionlog.Field, v actionlog.Value) actionlog.Clause {
		return actionlog.Clause{Field: f, Values: []actionlog.Value{v}}
	}
	text := func(f actionlog.Field, v string) actionlog.Clause { return one(f, actionlog.Value{Text: v}) }
	facet := func(f actionlog.Field) func(context.Context, *Store, int) error {
		return func(ctx context.Context, s *Store, i int) error {
			_, err := s.Facet(ctx, actionlog.Query{Institution: demo.Institution()}, f, 10)
			return err
		}
	}
	return []scaleQuestion{
		{"page", page()},
		{"page_person", func(ctx context.Context, s *Store, i int) error {
			return page(one(actionlog.FieldPerson, actionlog.Value{Person: actionlog.PersonMatch{Words: []string{"melody", "wang"}}}))(ctx, s, i)
		}},
		{"page_action_course", page(text(actionlog.FieldAction, "course.administrator.removed"), one(actionlog.FieldCourse, actionlog.Value{Titled: actionlog.TitledMatch{Words: []string{"art"}}}))},
		{"page_method_code", page(text(actionlog.FieldMethod, "DELETE"), one(actionlog.FieldCode, actionlog.Value{Min: 409, Max: 409}))},
		{"page_any", page(one(actionlog.FieldAny, actionlog.Value{Words: []string{"melody"}}))},
		{"page_nothing", page(text(actionlog.FieldRequestID, "nothing has this"))},
		{"page_nothing_values", page(text(actionlog.FieldMethod, "DELETE"), text(actionlog.FieldOutcome, "success"), text(actionlog.FieldBatch, "none"))},
		{"facet_action", facet(actionlog.FieldAction)},
		{"facet_actor", facet(actionlog.FieldActor)},
		{"histogram", func(ctx context.Context, s *Store, i int) error {
			var edges []time.Time
			for d := -90; d <= 1; d++ {
				edges = append(edges, actionlog.DayOf(noon).Add(d).Start())
			}
			_, err := s.Histogram(ctx, actionlog.Query{Institution: demo.Institution()}, edges, actionlog.FieldOutcome)
			return err
		}},
		{"count_filtered", func(ctx context.Context, s *Store, i int) error {
			_, _, err := s.Count(ctx, actionlog.Query{Institution: demo.Institution(), Clauses: []actionlog.Clause{text(actionlog.FieldOutcome, "success")}}, 0)
			return err
		}},
	}
}

func askScale(b *testing.B, s *Store, q scaleQuestion) {
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		if err := q.ask(b.Context(), s, i); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50_us")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99_us")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkScan: all actions of an institution, as an export reads them.
func BenchmarkScan(b *testing.B) {
	s, err := Open(b.Context(), b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	fillScale(b, s, 100_000, map[string]float64{})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n, start := 0, time.Now()
	for b.Loop() {
		for _, err := range s.Scan(b.Context(), actionlog.Query{Institution: demo.Institution()}, actionlog.NewestFirst) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
	}
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(n)/time.Since(start).Seconds(), "actions/s")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(n), "allocs/action")
	b.ReportMetric(0, "ns/op")
}

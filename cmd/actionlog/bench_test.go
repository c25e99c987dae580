package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/demo"
	"actionlog/internal/storetest"
)

// syncedAppend is the yardstick of this machine: how many blocks of 4 KiB a
// second it appends to a file with a sync after each.
func syncedAppend(b *testing.B) float64 {
	f, err := os.Create(filepath.Join(b.TempDir(), "yardstick"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 4096)
	start, n := time.Now(), 0
	for ; time.Since(start) < time.Second; n++ {
		if _, err := f.Write(block); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	return float64(n) / time.Since(start).Seconds()
}

func benchItems(n int, spread time.Duration) []actionlog.Submission {
	lines := inventedLines(min(n, 20000), time.Now().Add(-time.Minute))
	batch := make([]actionlog.Submission, n)
	now := time.Now().Add(-time.Minute)
	for i := range batch {
		raw := string(lines[i%len(lines)])
		l, err := decodeLine([]byte(raw))
		if err != nil {
			panic(err)
		}
		id := "b" + strconv.Itoa(i)
		at := now.Add(-time.Duration(float64(spread) * float64(n-i) / float64(n))).UTC().Format("2006-01-02T15:04:05.000Z")
		raw = strings.Replace(strings.Replace(raw, l.at("id"), id, 1), l.at("occurred_at"), at, 1)
		category, _ := actionlog.ParseCategory(l.at("category"))
		batch[i] = actionlog.Submission{Institution: "invented", Category: category, ID: id, Document: []byte(raw)}
		copy(batch[i].Digest[:], fmt.Sprintf("%032d", i))
	}
	return batch
}

// demoItems are actions of the demo, as `actionlog generate` makes them, spread evenly over the days that end today.
func demoItems(n, days int) []actionlog.Submission {
	now := time.Now()
	items := make([]actionlog.Submission, 0, n)
	for doc := range demo.New(uint64(now.UnixNano()), n*51/50).Actions(now) { // today is cut off
		if len(items) == n {
			break
		}
		day := actionlog.DayOf(now).Add(len(items)*days/n - days + 1)
		at := bytes.Index(doc, []byte(`"occurred_at":"`)) + len(`"occurred_at":"`)
		copy(doc[at:], day.String()) // as long as what was there
		item, err := actionlog.Parse(doc, nil)
		if err != nil {
			panic(err)
		}
		items = append(items, actionlog.Submission{Institution: item.Institution, Category: item.Action.Category, ID: item.ID, Digest: item.Digest, Document: doc})
	}
	return items
}

func publishAll(b *testing.B, p actionlog.Publisher, all []actionlog.Submission) {
	for start := 0; start < len(all); start += 1000 {
		for i, r := range p.Publish(b.Context(), all[start:min(start+1000, len(all))]) {
			if r.Err != nil {
				b.Fatalf("publish %d: %v", start+i, r.Err)
			}
		}
	}
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkBulk: actions of the demo, from the first publish to the last searchable, synced, over
// NATS, in batches of 1,000, by one publisher; with an archive.
func BenchmarkBulk(b *testing.B) {
	for name, days := range map[string]int{"one_day": 1, "90_days": 90} {
		b.Run(name, func(b *testing.B) {
			n := storetest.BenchActions(b, 100_000)
			all := demoItems(n, days)
			yard := syncedAppend(b)
			s := startService(b)
			p := s.publisher
			b.ResetTimer()
			start, used := time.Now(), processorTime()
			publishAll(b, p, all)
			published := time.Since(start)
			s.settle(b)
			rate := float64(n) / time.Since(start).Seconds()
			b.ReportMetric(float64((processorTime()-used).Microseconds())/float64(n), "cpu_us/action")
			b.ReportMetric(rate, "actions/s")
			b.ReportMetric(float64(n)/published.Seconds(), "published/s")
			b.ReportMetric(rate/yard, "x_synced_4KiB_appends")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkLive: from publish to searchable at 500 actions a second for a
// minute (ACTIONLOG_BENCH_SECONDS), seen by a client that polls for ten of
// them a second.
func BenchmarkLive(b *testing.B) {
	seconds := 60
	if n, err := strconv.Atoi(os.Getenv("ACTIONLOG_BENCH_SECONDS")); err == nil {
		seconds = n
	}
	s := startService(b)
	p := s.publisher
	all := benchItems(seconds*500, 24*time.Hour)
	var mu sync.Mutex
	var delays []time.Duration
	var wg sync.WaitGroup
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := 0; i < len(all); i += 10 {
		<-tick.C
		batch := all[i : i+10]
		start := time.Now()
		for _, r := range p.Publish(b.Context(), batch) {
			if r.Err != nil {
				b.Fatal(r.Err)
			}
		}
		if i/10%5 == 0 {
			wg.Go(func() {
				d := s.untilFound(b, batch[0].ID, start)
				mu.Lock()
				delays = append(delays, d)
				mu.Unlock()
			})
		}
	}
	wg.Wait()
	reportLatencies(b, delays)
}

func (s *service) untilFound(b *testing.B, id string, start time.Time) time.Duration {
	for time.Since(start) < time.Minute {
		resp := s.do(b, "/v1/institutions/invented/actions/"+id)
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return time.Since(start)
		}
		time.Sleep(3 * time.Millisecond)
	}
	b.Errorf("%s was not found within a minute", id)
	return time.Minute
}

func reportLatencies(b *testing.B, delays []time.Duration) {
	slices.Sort(delays)
	at := func(q float64) float64 {
		return float64(delays[min(len(delays)-1, int(q*float64(len(delays))))].Microseconds()) / 1000
	}
	b.ReportMetric(at(0.5), "p50_ms")
	b.ReportMetric(at(0.99), "p99_ms")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkPage: a page of 50 with each filter on 1,000,000 actions over 85
// days, and the same export of all of them with the memory that it takes.
func BenchmarkPage(b *testing.B) {
	n := storetest.BenchActions(b, 1_000_000)
	s := startService(b)
	p := s.publisher
	for start := 0; start < n; start += 50_000 {
		all := benchItems(min(50_000, n-start), 85*24*time.Hour)
		for i := range all {
			id := "c" + strconv.Itoa(start+i)
			all[i].Document = []byte(strings.Replace(string(all[i].Document), `"id":"`+all[i].ID+`"`, `"id":"`+id+`"`, 1))
			all[i].ID = id
			copy(all[i].Digest[:], fmt.Sprintf("%032d", start+i))
		}
		publishAll(b, p, all)
	}
	s.settle(b)
	b.Run("filters", func(b *testing.B) { s.timeFilters(b) })
	b.Run("export", func(b *testing.B) { s.timeExport(b, n) })
}

func (s *service) timeFilters(b *testing.B) {
	var delays []time.Duration
	for _, c := range inventedCases() {
		query := url.Values{"from": {"now-92d"}, "to": {"now"}, "limit": {"50"}}
		for k, v := range c.query {
			query[k] = v
		}
		worst := time.Duration(0)
		for range 10 {
			start := time.Now()
			var page listAnswer
			s.get(b, "/v1/institutions/invented/actions?"+query.Encode(), &page)
			d := time.Since(start)
			delays = append(delays, d)
			worst = max(worst, d)
		}
		if worst > 50*time.Millisecond {
			b.Logf("%s: worst of ten %s", c, worst)
		}
	}
	reportLatencies(b, delays)
}

func (s *service) timeExport(b *testing.B, n int) {
	idle := residentMiB(b)
	peak, done := idle, make(chan bool)
	go func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(50 * time.Millisecond):
				peak = max(peak, residentMiB(b))
			}
		}
	}()
	start := time.Now()
	ids := s.lines(b, http.DefaultClient, "/v1/institutions/invented/export?format=ndjson&from=now-92d&to=now")
	took := time.Since(start)
	close(done)
	if ids != n {
		b.Errorf("%d of %d actions were exported", ids, n)
	}
	b.ReportMetric(float64(n)/took.Seconds(), "exported/s")
	b.ReportMetric(peak-idle, "MiB_over_idle")
	b.ReportMetric(0, "ns/op")
}

// lines is how many lines the answer to a GET has, asked by a client. It may be called beside the benchmark: what goes wrong
// is an error, and does not end it.
func (s *service) lines(b *testing.B, client *http.Client, path string) (lines int) {
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		b.Error(err)
		return 0
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	resp, err := client.Do(req)
	if err != nil {
		b.Error(err)
		return 0
	}
	defer resp.Body.Close()
	for buffer := make([]byte, 64<<10); err == nil; {
		var n int
		n, err = resp.Body.Read(buffer)
		lines += bytes.Count(buffer[:n], []byte("\n"))
	}
	if err != io.EOF || resp.StatusCode != http.StatusOK {
		b.Errorf("%s: %s: %v", path, resp.Status, err)
	}
	return lines
}

// residentMiB is the resident memory of this process (service and client).
func residentMiB(b *testing.B) float64 {
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skipf("no /proc on %s", runtime.GOOS)
	}
	pages, err := strconv.Atoi(strings.Fields(string(raw))[1])
	if err != nil {
		b.Fatal(err)
	}
	return float64(pages*os.Getpagesize()) / (1 << 20)
}

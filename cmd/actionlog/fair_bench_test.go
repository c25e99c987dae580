package main

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/storetest"
)

// BenchmarkFairness reports how much longer one institution's lists take while another
// exports everything eight times at once, and asks for what is dear six times at once:
// p50 and p99, over the same lists with nobody else there.
func BenchmarkFairness(b *testing.B) {
	s := startService(b, "--reads-per-institution", "0")
	greedy := benchItems(storetest.BenchActions(b, 100_000), 85*24*time.Hour)
	modest := make([]actionlog.Submission, 10_000)
	for i := range modest {
		modest[i] = greedy[i*len(greedy)/len(modest)]
		modest[i].Institution = "modest"
		modest[i].Document = []byte(strings.Replace(string(modest[i].Document), `"id":"invented"`, `"id":"modest"`, 1))
	}
	publishAll(b, s.publisher, greedy)
	publishAll(b, s.publisher, modest)
	s.settle(b)
	for b.Loop() {
		alone := s.modestly(b, 1000)
		ctx, cancel := context.WithCancel(b.Context())
		var load sync.WaitGroup
		dear := []string{"export?range=90d", "actions?range=90d&any=course&total=exact&limit=1000", "facets?field=actor&range=90d", "histogram?range=90d&by=category"}
		for i := range 14 {
			path := dear[0]
			if i >= 8 {
				path = dear[1+i%3]
			}
			load.Go(func() { s.hammer(ctx, "/v1/institutions/invented/"+path) })
		}
		time.Sleep(time.Second)
		beside := s.modestly(b, 1000)
		cancel()
		load.Wait()
		at := func(list []time.Duration, percent int) float64 { return float64(list[len(list)*percent/100]) }
		b.ReportMetric(at(alone, 50)/1e6, "ms-p50-alone")
		b.ReportMetric(at(alone, 99)/1e6, "ms-p99-alone")
		b.ReportMetric(at(beside, 50)/at(alone, 50), "p50-beside/alone")
		b.ReportMetric(at(beside, 99)/at(alone, 99), "p99-beside/alone")
	}
}

// modestly lists n times, and returns how long each took, in order.
func (s *service) modestly(b *testing.B, n int) []time.Duration {
	took := make([]time.Duration, n)
	for i := range took {
		words := []string{"course", "learner", "report", "added"}
		start := time.Now()
		var answer listAnswer
		s.get(b, "/v1/institutions/modest/actions?limit=50&"+url.Values{"range": {"90d"}, "any": {words[i%4]}}.Encode(), &answer)
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	return took
}

// hammer asks for the same again and again, as a process that leaves the processors to
// others: clients are elsewhere.
func (s *service) hammer(ctx context.Context, path string) {
	for ctx.Err() == nil {
		curl := exec.CommandContext(ctx, "nice", "-n", "19", "curl", "-s", "-o", os.DevNull, "-H", "@-", s.url+path)
		curl.Stdin = strings.NewReader("Authorization: Bearer " + s.token + "\n")
		_ = curl.Run() // cut off at the end
	}
}

package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"actionlog/internal/storetest"

	"github.com/klauspost/compress/zstd"
)

// BenchmarkFeed reads a year (400,000 actions, or ACTIONLOG_BENCH_ACTIONS) by the feed of a
// service that runs as a process of its own: three quarters are older than the store keeps.
// It reports pages of 1,000 of the far past and at the head, which are held against the
// store; the whole of it, and how long that takes against reading and decompressing the
// segments; and what memory the service has at most meanwhile, over what it has at rest.
func BenchmarkFeed(b *testing.B) {
	n := storetest.BenchActions(b, 400_000)
	dir := b.TempDir()
	p := &process{dir: dir, env: []string{"ACTIONLOG_TEST_MAIN=1"}, args: []string{os.Args[0], "serve", "--data", dir, "--listen", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0", "--archive-seal-age", "5s"}}
	p.start(b)
	s := connect(b, dir)
	publishAll(b, s.publisher, benchItems(n, 372*24*time.Hour))
	s.settle(b)
	eventually(b, "everything is sealed", func() bool {
		info, err := os.Stat(filepath.Join(dir, "archive", "open.ndjson"))
		return err == nil && info.Size() == 0
	})
	p.kill(b) // begun anew: a process that has just indexed has more than it needs
	p.start(b)
	s = connect(b, dir)
	s.settle(b)
	idle := resident(b, p.cmd.Process.Pid)
	most, done := idle, make(chan wholeFeed)
	go func() { done <- s.wholeFeed(b) }()
	var all wholeFeed
	for all.cursors == nil {
		select {
		case all = <-done:
		case <-time.After(5 * time.Millisecond):
			most = max(most, resident(b, p.cmd.Process.Pid))
		}
	}
	if all.count < n || all.count > n+1 || b.Failed() { // that it is read is an action too
		b.Fatalf("%d of %d actions were read", all.count, n)
	}
	b.ReportMetric(float64(n)/all.took.Seconds(), "read/s")
	b.ReportMetric(float64(all.bytes)/1e6/all.took.Seconds(), "MB/s")
	b.ReportMetric(all.took.Seconds()/rawSegments(b, dir).Seconds(), "x_raw_segments")
	b.ReportMetric(float64(most-idle)/1024, "MiB-over-idle")
	full := all.cursors[:len(all.cursors)-2] // before the last page, and behind it
	b.ReportMetric(s.medianPage(b, full[:min(30, len(full))]), "ms/past_page")
	b.ReportMetric(s.medianPage(b, full[max(0, len(full)-30):]), "ms/head_page")
	b.ReportMetric(0, "ns/op")
}

// wholeFeed is what was read of a feed from its beginning to its end.
type wholeFeed struct {
	cursors      []string // before each page, and behind the last
	count, bytes int
	took         time.Duration
}

func (s *service) wholeFeed(b *testing.B) wholeFeed {
	start, all, cursors := time.Now(), wholeFeed{}, []string{""}
	for more := true; more; {
		size, end, err := s.feedPage(b, cursors[len(cursors)-1])
		if err != nil {
			b.Error(err)
		}
		all.count, all.bytes, more = all.count+end.Count, all.bytes+size, end.More
		cursors = append(cursors, end.Next)
	}
	all.cursors, all.took = cursors, time.Since(start)
	return all
}

// feedPage reads a page of 1,000; it returns how many bytes of actions it has, and its end.
func (s *service) feedPage(b *testing.B, after string) (size int, end feedEnd, err error) {
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, s.url+"/v1/institutions/invented/feed?format=ndjson&end=line&limit=1000&after="+url.QueryEscape(after), nil)
	if err != nil {
		return 0, end, err
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	plain := http.Client{Transport: http.DefaultTransport} // not the one that holds answers to openapi.yaml
	resp, err := plain.Do(req)
	if err != nil {
		return 0, end, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return 0, end, fmt.Errorf("%s %w %.300s", resp.Status, err, body)
	}
	lines, end, err := cutEnd(body)
	return len(lines), end, err
}

// medianPage is how long the pages behind cursors take, in ms.
func (s *service) medianPage(b *testing.B, cursors []string) float64 {
	b.Helper()
	var took []time.Duration
	for _, after := range cursors {
		start := time.Now()
		if _, end, err := s.feedPage(b, after); err != nil || end.Count == 0 {
			b.Fatalf("a page of %d actions: %v", end.Count, err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return took[len(took)/2].Seconds() * 1000
}

// rawSegments is how long it takes to read and decompress all segments.
func rawSegments(b *testing.B, dir string) time.Duration {
	b.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "archive", "segments", "*.zst"))
	if err != nil || len(files) == 0 {
		b.Fatal(err, "no segments")
	}
	start := time.Now()
	for _, path := range files {
		if err := decompress(path); err != nil {
			b.Fatal(fmt.Errorf("%s: %w", path, err))
		}
	}
	return time.Since(start)
}

func decompress(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return err
	}
	defer z.Close()
	_, err = io.Copy(io.Discard, z)
	return err
}

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"actionlog/internal/demo"
	"actionlog/internal/sqlite"
	"actionlog/internal/storetest"
)

// BenchmarkMachine: one machine with ACTIONLOG_BENCH_ACTIONS actions (default 1,000,000) of the demo, by a service that is a
// process of its own, over HTTP, with nothing switched off but the rate limits: start to ready and memory at rest; pages;
// exports; batches of 1,000 over HTTP; these with 64 readers beside them; and from publish to searchable at 1,000 a second.
// ACTIONLOG_BENCH_STORE names a data folder to use (as BenchmarkGrowth of internal/sqlite makes them), which is written to.
func BenchmarkMachine(b *testing.B) {
	dir := os.Getenv("ACTIONLOG_BENCH_STORE")
	if dir == "" {
		dir = b.TempDir()
		fillFolder(b, dir, storetest.BenchActions(b, 1_000_000))
	}
	m := &machine{whole: b, process: &process{dir: dir, env: []string{"ACTIONLOG_TEST_MAIN=1"}, args: []string{os.Args[0], "serve", "--data", dir,
		"--listen", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0", "--rate-limit", "0", "--rate-limit-address", "0"}},
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}} // not the tests', which holds every answer to openapi.yaml
	m.start(b)
	m.kill(b) // the first start makes keys and streams
	for _, part := range []struct {
		name string
		run  func(b *testing.B)
	}{{"start", m.rest}, {"page", m.pages}, {"export_ndjson", m.export("ndjson")}, {"export_csv", m.export("csv")}, {"ingest", m.ingest}, {"live", m.live}} {
		b.Run(part.name, func(b *testing.B) {
			part.run(b)
			b.ReportMetric(0, "ns/op")
		})
	}
}

// machine is the service and who asks it.
type machine struct {
	*process
	*service
	whole  *testing.B // as long as it runs the service does
	client *http.Client
	sent   int // batches
}

// start starts the service and waits until it is ready.
func (m *machine) start(b *testing.B) {
	m.process.start(b)
	m.service = connect(b, m.process.dir)
}

// fillFolder writes a demo's actions to the store of a data folder.
func fillFolder(b *testing.B, dir string, n int) {
	s, err := sqlite.Open(b.Context(), filepath.Join(dir, "store"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	storetest.Load(b, s, demo.New(1, n).Actions(time.Now()))
}

// rest reports start to ready, and memory two seconds later: its own, and with the files that are mapped.
func (m *machine) rest(b *testing.B) {
	start := time.Now()
	m.start(m.whole)
	b.ReportMetric(float64(time.Since(start).Milliseconds()), "ready_ms")
	time.Sleep(2 * time.Second)
	b.ReportMetric(float64(resident(b, m.cmd.Process.Pid))/1024, "MiB")
}

// get asks for a path of the demo's largest institution and reads all of the answer.
func (m *machine) ask(ctx context.Context, path string) (size int64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.url+"/v1/institutions/"+demo.Institution()+"/"+path, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+m.token)
	resp, err := m.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if size, err = io.Copy(io.Discard, resp.Body); err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", path, resp.Status)
	}
	return size, err
}

// pages reports what a page of 50 takes by one reader.
func (m *machine) pages(b *testing.B) {
	var took []time.Duration
	for range 1000 {
		start := time.Now()
		if _, err := m.ask(b.Context(), "actions?range=90d&limit=50&total=none"); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	reportLatencies(b, took)
}

// export reports the rate of an export of everything, and the service's memory meanwhile over what it had before.
func (m *machine) export(format string) func(b *testing.B) {
	return func(b *testing.B) {
		idle := resident(b, m.cmd.Process.Pid)
		most, done := idle, make(chan int, 1)
		start := time.Now()
		go func() {
			done <- m.lines(b, m.client, "/v1/institutions/"+demo.Institution()+"/export?range=90d&format="+format)
		}()
		for count := -1; count < 0; {
			select {
			case count = <-done:
				b.ReportMetric(float64(count)/time.Since(start).Seconds(), "actions/s")
			case <-time.After(10 * time.Millisecond):
				most = max(most, resident(b, m.cmd.Process.Pid))
			}
		}
		b.ReportMetric(float64(most-idle)/1024, "MiB-over-idle")
	}
}

// batch is an NDJSON body of 1,000 new actions of now.
func (m *machine) batch(now time.Time) []byte {
	m.sent++
	var body bytes.Buffer
	n := 0
	for doc := range demo.New(uint64(now.UnixNano())+uint64(m.sent), 200_000).Actions(now.AddDate(0, 0, demo.Days-1)) { // begins with today
		if !bytes.Contains(doc, []byte(`"institution":{"id":"`+demo.Institution())) {
			continue
		}
		if body.Write(doc); n == 999 {
			return body.Bytes()
		}
		body.WriteByte('\n')
		n++
	}
	return body.Bytes()
}

// ingest reports batches of 1,000 over HTTP by four publishers, from the first request to the last action searchable; and
// the same with 64 readers, each of whom asks for a page of 50 four times a second.
func (m *machine) ingest(b *testing.B) {
	const batches = 60
	now := time.Now()
	bodies := make([][]byte, 2*batches)
	for i := range bodies {
		bodies[i] = m.batch(now)
	}
	alone := m.post(b, bodies[:batches])
	ctx, stop := context.WithCancel(b.Context())
	var readers sync.WaitGroup
	var mu sync.Mutex
	var took []time.Duration
	for i := range 64 {
		readers.Go(func() {
			time.Sleep(time.Duration(i) * 4 * time.Millisecond)
			for tick := time.NewTicker(250 * time.Millisecond); ctx.Err() == nil; <-tick.C {
				start := time.Now()
				_, err := m.ask(ctx, "actions?range=90d&limit=50&total=none")
				if ctx.Err() != nil {
					return
				}
				if err != nil {
					b.Error(err)
				}
				mu.Lock()
				took = append(took, time.Since(start))
				mu.Unlock()
			}
		})
	}
	beside := m.post(b, bodies[batches:])
	stop()
	readers.Wait()
	reportLatencies(b, took)
	b.ReportMetric(alone, "actions/s")
	b.ReportMetric(beside/alone, "beside/alone")
	b.ReportMetric(float64(len(took)), "pages")
}

// post sends bodies by four publishers; it returns actions a second, until all are searchable.
func (m *machine) post(b *testing.B, bodies [][]byte) (perSecond float64) {
	start := time.Now()
	work := make(chan []byte)
	var publishers sync.WaitGroup
	for range 4 {
		publishers.Go(func() {
			for body := range work {
				if err := m.postOne(b.Context(), body); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for _, body := range bodies {
		work <- body
	}
	close(work)
	publishers.Wait()
	m.settle(b)
	return float64(len(bodies)*1000) / time.Since(start).Seconds()
}

func (m *machine) postOne(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url+"/v1/institutions/"+demo.Institution()+"/actions", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+m.token)
	req.Header.Set("Content-Type", "application/x-ndjson")
	resp, err := m.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(bufio.NewReader(resp.Body))
	if err == nil && resp.StatusCode != http.StatusCreated {
		err = fmt.Errorf("%s: %.500s", resp.Status, answer)
	}
	return err
}

// live reports how long it takes from publish to searchable at 1,000 actions a second for 20 s, in messages of their own,
// as who asks for one of a hundred every 3 ms sees it.
func (m *machine) live(b *testing.B) {
	const rate, seconds = 1000, 20
	all := benchItems(rate*seconds, 24*time.Hour)
	run := "live-" + strconv.FormatInt(time.Now().UnixNano(), 36) + "-"
	for i := range all {
		a := &all[i]
		a.Document = bytes.Replace(a.Document, []byte(`"id":"`+a.ID+`"`), []byte(`"id":"`+run+a.ID+`"`), 1)
		a.Document = bytes.Replace(a.Document, []byte(`"id":"invented"`), []byte(`"id":"`+demo.Institution()+`"`), 1)
		a.Institution, a.ID, a.Digest = demo.Institution(), run+a.ID, sha256.Sum256(a.Document)
	}
	var mu sync.Mutex
	var delays []time.Duration
	var wg sync.WaitGroup
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for part := range slices.Chunk(all, rate/100) {
		<-tick.C
		start := time.Now()
		wg.Go(func() {
			for _, r := range m.publisher.Publish(b.Context(), part) {
				if r.Err != nil {
					b.Error(r.Err)
				}
			}
			if !strings.HasSuffix(part[0].ID, "00") {
				return
			}
			d := m.untilThere(b, part[0].ID, start)
			mu.Lock()
			delays = append(delays, d)
			mu.Unlock()
		})
	}
	wg.Wait()
	reportLatencies(b, delays)
}

func (m *machine) untilThere(b *testing.B, id string, start time.Time) time.Duration {
	for time.Since(start) < time.Minute {
		if _, err := m.ask(b.Context(), "actions/"+id); err == nil {
			return time.Since(start)
		}
		time.Sleep(3 * time.Millisecond)
	}
	b.Errorf("%s was not found within a minute", id)
	return time.Minute
}

package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/bus"
)

// service is an Action Log under test, in this process or in another.
type service struct {
	dir       string
	url       string
	token     string
	publisher actionlog.Publisher
	log       *logged // of a service in this process
}

// logged is what a service wrote to its standard error.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// startService runs `serve` in this process on a fresh folder until the test ends.
func startService(t testing.TB, args ...string) *service {
	t.Helper()
	s, stop := startServiceOn(t, t.TempDir(), append(engineArgs(t), args...))
	t.Cleanup(stop)
	return s
}

// startServiceOn runs `serve` in this process on a folder until stop is called, which may
// be done twice.
func startServiceOn(t testing.TB, dir string, args []string) (s *service, stop func()) {
	t.Helper()
	log, stop := startServing(t, dir, args)
	s = connect(t, dir)
	s.log = log
	profileBlocking()
	return s, stop
}

// profileBlocking lets a profile of blocking that was asked for go on: a NATS server in the
// process ends it.
func profileBlocking() {
	if asked := flag.Lookup("test.blockprofile"); asked == nil || asked.Value.String() == "" {
		return
	}
	if rate, err := strconv.Atoi(flag.Lookup("test.blockprofilerate").Value.String()); err == nil {
		runtime.SetBlockProfileRate(rate)
	}
}

// startServing is startServiceOn, and waits for nothing.
func startServing(t testing.TB, dir string, args []string) (stderr *logged, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan int, 1)
	stderr = &logged{}
	go func() {
		args := append([]string{"serve", "--data", dir, "--listen", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0", "--rate-limit", "0", "--rate-limit-address", "0", "--rate-limit-failures", "0"}, args...)
		done <- run(ctx, args, strings.NewReader(""), io.Discard, stderr)
	}()
	return stderr, sync.OnceFunc(func() {
		cancel()
		select {
		case code := <-done:
			if code != 0 {
				t.Errorf("serve ended with %d:\n%s", code, stderr.String())
			}
		case <-time.After(time.Minute):
			t.Error("serve did not stop")
		}
	})
}

// connect waits until the service on dir is ready, and is a publisher to it.
func connect(t testing.TB, dir string) *service {
	t.Helper()
	s := whenReady(t, dir)
	s.publisher = dialPublisher(t, s.file(t, "nats.addr"), s.file(t, "publisher.token"))
	return s
}

// whenReady waits until the service on dir is ready, and reads its credentials.
func whenReady(t testing.TB, dir string) *service {
	t.Helper()
	s := &service{dir: dir}
	eventually(t, "the service is ready", func() bool {
		address, err := os.ReadFile(filepath.Join(dir, "http.addr"))
		if err != nil {
			return false
		}
		token, err := os.ReadFile(filepath.Join(dir, "admin.token"))
		if err != nil {
			return false
		}
		s.url, s.token = strings.TrimSpace(string(address)), strings.TrimSpace(string(token))
		resp, err := http.Get(s.url + "/readyz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	contract.Watch(t, s.url)
	return s
}

// file reads a small file of the service's folder.
func (s *service) file(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// publish puts raw lines on the stream, as a foreign publisher would, and waits
// until all that the stream took is settled.
func (s *service) publish(t testing.TB, lines [][]byte) {
	t.Helper()
	for start := 0; start < len(lines); start += 1000 {
		var batch []actionlog.Submission
		for _, raw := range lines[start:min(start+1000, len(lines))] {
			l, err := decodeLine(raw)
			if err != nil {
				t.Fatal(err)
			}
			category, _ := actionlog.ParseCategory(l.at("category"))
			batch = append(batch, actionlog.Submission{Institution: l.at("institution.id"), Category: category,
				ID: l.at("id"), Digest: sha256.Sum256(raw), Document: raw})
		}
		for i, r := range s.publisher.Publish(t.Context(), batch) {
			if r.Err != nil {
				t.Fatalf("publish %s: %v", batch[i].ID, r.Err)
			}
		}
	}
	s.settle(t)
}

// settle waits until everything published before is searchable.
func (s *service) settle(t testing.TB) {
	t.Helper()
	eventually(t, "everything published is settled", s.settled(t))
}

// settled tells whether everything is settled that was published before this call. Who
// cannot tell just now, because the stream or the store is away, says so with 503.
func (s *service) settled(t testing.TB) func() bool {
	published := time.Now()
	return func() bool {
		resp := s.do(t, "/v1/institutions/any/actions?limit=1")
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err == nil && resp.StatusCode == http.StatusServiceUnavailable {
			return false
		}
		var answer struct {
			Meta struct {
				CompleteThrough time.Time `json:"complete_through"`
			} `json:"meta"`
		}
		if err = errors.Join(err, json.Unmarshal(body, &answer)); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s %v\n%.1000s", resp.Status, err, body)
		}
		return answer.Meta.CompleteThrough.After(published)
	}
}

// get decodes a JSON answer that must be 200.
func (s *service) get(t testing.TB, path string, into any) http.Header {
	t.Helper()
	resp := s.do(t, path)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s %v\n%.1000s", path, resp.Status, err, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		t.Fatalf("GET %s: %v\n%.1000s", path, err, body)
	}
	return resp.Header
}

func (s *service) do(t testing.TB, path string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

type listAnswer struct {
	Data []struct {
		ID       string          `json:"id"`
		Document json.RawMessage `json:"document"`
	} `json:"data"`
	Page struct {
		Next string `json:"next"`
	} `json:"page"`
	Meta struct {
		Total struct {
			Value    int64  `json:"value"`
			Relation string `json:"relation"`
		} `json:"total"`
	} `json:"meta"`
}

// list walks all pages of a list and counts how often each id came. Where a total is asked
// for, it is counted with the first page.
func (s *service) list(t testing.TB, institution string, query url.Values) (ids map[string]int, total int64) {
	t.Helper()
	ids = map[string]int{}
	for {
		var page listAnswer
		s.get(t, "/v1/institutions/"+institution+"/actions?"+query.Encode(), &page)
		for _, d := range page.Data {
			ids[d.ID]++
		}
		if page.Meta.Total.Relation == "eq" {
			total = page.Meta.Total.Value
		}
		if page.Page.Next == "" {
			return ids, total
		}
		query.Set("cursor", page.Page.Next)
		query.Set("total", "none")
	}
}

func (s *service) deadLetters(t testing.TB) int {
	t.Helper()
	var answer struct {
		Data []json.RawMessage `json:"data"`
	}
	s.get(t, "/v1/dead-letters", &answer)
	return len(answer.Data)
}

// long tells whether tests have the numbers of a night and not those of a CI run: make test-long.
func long() bool { return os.Getenv("ACTIONLOG_LONG") != "" }

// lacking skips a test that wants what this machine has not; with ACTIONLOG_TOOLS=required, as
// in CI, it fails it.
func lacking(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("ACTIONLOG_TOOLS") == "required" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// eventually polls until the condition holds; the minutes are for a slow machine,
// not a target.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	eventuallyWithin(t, 3*time.Minute, what, holds)
}

func eventuallyWithin(t testing.TB, most time.Duration, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(most); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("after %s, still not: %s", most, what)
}

// realLines reads a file of ../shared/data, with its times moved so that they
// cover the last days: the same arithmetic as its shift.py --squeeze.
// With max > 0 only the first lines. Without the data the test is skipped, in
// CI (ACTIONLOG_REAL_INPUT) it fails.
func realLines(t testing.TB, name string, max, days int) [][]byte {
	t.Helper()
	return squeeze(t, rawLines(t, name, max), time.Duration(days)*24*time.Hour, time.Now().Add(-time.Minute))
}

// rawLines reads a file of ../shared/data as it is.
func rawLines(t testing.TB, name string, max int) [][]byte {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", name))
	if err != nil {
		if os.Getenv("ACTIONLOG_REAL_INPUT") != "" {
			t.Fatal(err)
		}
		t.Skipf("the real input is not here: %v", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var lines [][]byte
	scanner := bufio.NewScanner(z)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() && (max == 0 || len(lines) < max) {
		lines = append(lines, []byte(scanner.Text()))
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

func squeeze(t testing.TB, lines [][]byte, most time.Duration, end time.Time) [][]byte {
	times := make([]time.Time, len(lines))
	var first, last time.Time
	for i, raw := range lines {
		l, err := decodeLine(raw)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, l.at("occurred_at"))
		if err != nil {
			continue // it stays as it is: it is part of the test
		}
		times[i] = at
		if first.IsZero() || at.Before(first) {
			first = at
		}
		if at.After(last) {
			last = at
		}
	}
	scale := min(1, float64(most)/float64(last.Sub(first)))
	for i, at := range times {
		if at.IsZero() {
			continue
		}
		moved := end.Add(-time.Duration(float64(last.Sub(at)) * scale)).UTC().Format("2006-01-02T15:04:05.000Z")
		l, _ := decodeLine(lines[i])
		lines[i] = []byte(strings.Replace(string(lines[i]), l.at("occurred_at"), moved, 1))
	}
	return lines
}

// dialPublisher connects to the NATS server of the service as its user publisher.
func dialPublisher(t testing.TB, address, password string) actionlog.Publisher {
	t.Helper()
	p, err := bus.DialPublisher(bus.DialOptions{URL: address, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

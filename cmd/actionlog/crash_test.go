package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/enginetest"
)

// TestMain lets this test's binary be the service itself, so that a test can
// kill it: with ACTIONLOG_TEST_MAIN set it runs the command line.
func TestMain(m *testing.M) {
	if os.Getenv("ACTIONLOG_TEST_MAIN") != "" {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	http.DefaultClient.Transport = contract
	enginetest.Main(m)
}

// startProcess runs `serve` on dir as a process of its own.
func startProcess(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, "nats.addr")); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	p := &process{dir: dir, env: []string{"ACTIONLOG_TEST_MAIN=1"},
		args: []string{os.Args[0], "serve", "--data", dir, "--listen", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0", "--archive-seal-age", "300ms"}}
	p.start(t)
	return p.cmd
}

// logTo is a file for a process's standard error, shown when the test fails.
func logTo(t testing.TB) *os.File {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "stderr")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if text, err := os.ReadFile(f.Name()); err == nil && t.Failed() {
			t.Logf("%s", text[max(0, len(text)-4000):]) // what came last
		}
		_ = f.Close()
	})
	return f
}

// Killed with SIGKILL at any moment under load, 20 times, and started again on
// the same folder: every action that was acknowledged to its publisher is
// there once, unaltered, and nothing that was not published is there; and the same
// of the archive, which is sealed three times a second meanwhile.
func TestKilledTwentyTimes(t *testing.T) {
	t.Parallel()
	rounds := 20
	if n, err := strconv.Atoi(os.Getenv("ACTIONLOG_KILLS")); err == nil {
		rounds = n
	}
	dir := t.TempDir()
	load := &loader{acked: map[string]bool{}, sent: map[string]string{}}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for round := range rounds {
		cmd := startProcess(t, dir)
		s := connect(t, dir)
		stop := load.start(t, s, round)
		time.Sleep(time.Duration(50+rng.IntN(350)) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		stop()
	}
	startProcess(t, dir)
	s := connect(t, dir)
	s.settle(t)
	load.verify(t, s)
	load.verifyArchive(t, s)
}

// loader publishes until its service dies and remembers what was acknowledged.
type loader struct {
	mu    sync.Mutex
	acked map[string]bool
	sent  map[string]string // document by id
	next  atomic.Int64
}

func (l *loader) start(t *testing.T, s *service, round int) (stop func()) {
	p := s.publisher
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if !l.batch(ctx, p, round) {
					return
				}
			}
		})
	}
	return func() { cancel(); wg.Wait() }
}

func (l *loader) batch(ctx context.Context, p actionlog.Publisher, round int) (goOn bool) {
	var batch []actionlog.Submission
	for range 40 {
		n := l.next.Add(1)
		at := time.Now().Add(-time.Duration(n%60) * 24 * time.Hour).UTC().Format(time.RFC3339Nano)
		doc := fmt.Sprintf(`{"id":"k%d","occurred_at":%q,"institution":{"id":"crash"},"category":"course","action":{"code":"a.b"},"actor":{"kind":"user","id":"u%d","name":"Killer Test %d"},"details":{"round":%d}}`, n, at, n%50, n%50, round)
		item, err := actionlog.Parse([]byte(doc), nil)
		if err != nil {
			panic(err)
		}
		l.mu.Lock()
		l.sent[item.ID] = doc
		l.mu.Unlock()
		batch = append(batch, actionlog.Submission{Institution: "crash", Category: "course", ID: item.ID, Digest: item.Digest, Document: []byte(doc)})
	}
	goOn = true
	for i, r := range p.Publish(ctx, batch) {
		if r.Err != nil {
			goOn = false
			continue
		}
		l.mu.Lock()
		l.acked[batch[i].ID] = true
		l.mu.Unlock()
	}
	return goOn
}

func (l *loader) verify(t *testing.T, s *service) {
	t.Helper()
	resp := s.do(t, "/v1/institutions/crash/export?format=ndjson&from=now-92d&to=now")
	defer resp.Body.Close()
	seen := map[string]int{}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var rec struct {
			ID       string          `json:"id"`
			Document json.RawMessage `json:"document"`
		}
		if err := json.Unmarshal(lines.Bytes(), &rec); err != nil {
			t.Fatal(err)
		}
		seen[rec.ID]++
		if string(rec.Document) != l.sent[rec.ID] {
			t.Errorf("%s was altered:\n%s\n%s", rec.ID, rec.Document, l.sent[rec.ID])
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	lost := 0
	for id := range l.acked {
		if seen[id] == 0 {
			lost++
		}
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s is there %d times", id, n)
		}
	}
	if lost > 0 || len(l.acked) == 0 {
		t.Errorf("%d of %d acknowledged actions are lost", lost, len(l.acked))
	}
	if dead := s.deadLetters(t); dead != 0 {
		t.Errorf("%d dead letters", dead)
	}
	t.Logf("%d sent, %d acknowledged, %d stored", len(l.sent), len(l.acked), len(seen))
}

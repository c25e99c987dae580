//go:build linux

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// recording is a service's life as the disk saw it, and what its publisher was told when.
type recording struct {
	calls  []call
	data   string // the service's folder then
	run    run
	begin  time.Time
	acks   []ack
	ledger *ledger // with every document
}

type ack struct {
	n  int
	at time.Time
}

// recorded runs a service under strace while documents are published to it; it seals what
// is archived after seal.
func recorded(t *testing.T, binary string, d time.Duration, seal string) *recording {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		if os.Getenv("ACTIONLOG_TOOLS") == "required" {
			t.Fatal(err)
		}
		t.Skipf("strace is not here: %v", err)
	}
	dir := t.TempDir()
	r := &recording{data: filepath.Join(dir, "data"), run: run{seed: uint64(time.Now().UnixNano()), start: time.Now().Truncate(time.Second), days: 10}, ledger: &ledger{}}
	if err := os.Mkdir(r.data, 0o700); err != nil {
		t.Fatal(err)
	}
	trace := filepath.Join(dir, "trace")
	wrapper := filepath.Join(dir, "traced")
	script := "#!/bin/sh\nexec " + strace + " " + strings.Join(straceArgs(trace), " ") + " " + binary + ` "$@"` + "\n"
	if err := os.WriteFile(wrapper, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	s := started(t, wrapper, r.data, "--archive-seal-age", seal)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.ready(ctx); err != nil {
		t.Fatal(err)
	}
	r.publish(t, s, d)
	if err := s.endTraced(); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if r.calls, err = calls(f); err != nil {
		t.Fatal(err)
	}
	return r
}

// started starts a service on a folder; what it writes goes elsewhere.
func started(t testing.TB, binary, dir string, args ...string) *service {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	s := newService(binary, dir, log, append([]string{"--listen", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0"}, args...)...)
	if err := s.start(""); err != nil {
		t.Fatal(err)
	}
	return s
}

// publisherOf publishes to a service until the test ends.
func publisherOf(t testing.TB, s *service) jetstream.JetStream {
	t.Helper()
	address, password := s.stream()
	nc, err := nats.Connect(address, nats.UserInfo("publisher", password))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// endTraced kills the service, not strace, which then ends.
func (s *service) endTraced() error {
	pid := s.cmd.Process.Pid
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return err
	}
	child, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	if err := syscall.Kill(child, syscall.SIGKILL); err != nil {
		return err
	}
	<-s.end
	return nil
}

// publish publishes ten documents ten times a second, each acknowledged alone.
func (r *recording) publish(t *testing.T, s *service, d time.Duration) {
	t.Helper()
	js := publisherOf(t, s)
	var mu sync.Mutex
	var waiting sync.WaitGroup
	r.begin = time.Now()
	for tick := time.Tick(100 * time.Millisecond); time.Since(r.begin) < d; <-tick {
		for range 10 {
			n := r.ledger.next()
			doc := r.run.document(n)
			answer, err := js.PublishMsgAsync(&nats.Msg{Subject: doc.subject(), Data: doc.text})
			if err != nil {
				t.Fatal(err)
			}
			waiting.Go(func() {
				select {
				case <-answer.Ok():
					mu.Lock()
					defer mu.Unlock()
					r.acks = append(r.acks, ack{n, time.Now()})
				case err := <-answer.Err():
					t.Error(err)
				}
			})
		}
	}
	waiting.Wait()
}

// after has the power fail at an instant, starts the service on what is left, and says
// what is wrong.
func (r *recording) after(t *testing.T, binary string, at time.Time) error {
	t.Helper()
	data := t.TempDir()
	if err := powerFails(r.calls, at).restore(r.data, data); err != nil {
		t.Fatal(err)
	}
	told := &ledger{}
	for range r.ledger.told {
		told.note(told.next(), unknown)
	}
	acknowledged := 0
	for _, a := range r.acks {
		if a.at.Before(at) {
			told.note(a.n, taken)
			acknowledged++
		}
	}
	s := started(t, binary, data, "--archive-seal-age", "2s")
	defer func() { _, _ = s.stop(syscall.SIGKILL, 10*time.Second) }() // at the end of everything
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	o := &oracle{run: r.run, ledger: told, service: s}
	err := s.ready(ctx)
	if err == nil {
		err = o.settled(ctx)
	}
	if err == nil {
		err = o.judge(ctx)
	}
	t.Logf("%v after the beginning: %d acknowledged; %v", at.Sub(r.begin).Round(time.Millisecond), acknowledged, err)
	return err
}

// The power fails: whatever the disk has forgotten that was not synced, all that was
// acknowledged by then is there, also what the stream has let go of already.
func TestPowerFailure(t *testing.T) {
	t.Chdir("../..")
	binary := sound(t)
	const lasts = 24 * time.Second // longer than it takes until the stream is trimmed twice
	r := recorded(t, binary, lasts, "2s")
	rng := rand.New(rand.NewPCG(r.run.seed, 0))
	t.Logf("seed %d, %d calls", r.run.seed, len(r.calls))
	for range 3 {
		if err := r.after(t, binary, r.acks[rng.IntN(len(r.acks))].at.Add(time.Duration(rng.IntN(20))*time.Millisecond)); err != nil {
			t.Error(err)
		}
	}
	if err := r.after(t, binary, r.begin.Add(lasts)); err != nil {
		t.Error(err)
	}
}

// syncs are those that are left out for TestPowerFailureControls.
var syncs = map[string]edit{
	"the stream is not synced":  {"internal/bus/process.go", "SyncAlways: true", "SyncAlways: false"},
	"a day is not synced":       {"internal/sqlite/schema.go", "synchronous=FULL", "synchronous=OFF"},
	"the archive is not synced": {"internal/archive/open.go", "\tif err == nil {\n\t\terr = o.file.Sync()\n\t}", ""},
}

// What would be lost without each of the syncs is found. (Long form.)
func TestPowerFailureControls(t *testing.T) {
	long(t)
	for name, e := range syncs {
		t.Run(name, func(t *testing.T) {
			t.Chdir("../..")
			binary, err := build(".", t.TempDir(), control{edits: []edit{e}})
			if err != nil {
				t.Fatal(err)
			}
			r := recorded(t, binary, 24*time.Second, "1h") // sealing would sync it
			if err := r.after(t, sound(t), r.begin.Add(24*time.Second)); err == nil {
				t.Error("nothing was missed")
			}
		})
	}
}

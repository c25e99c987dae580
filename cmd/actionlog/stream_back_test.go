package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"actionlog/internal/archive"
	"actionlog/internal/enginetest"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// some are n actions whose IDs begin with a name.
func some(name string, n int) (lines [][]byte) {
	for i := range n {
		lines = append(lines, []byte(acme(fmt.Sprint(name, "-", i), time.Duration(i)*time.Minute, "")))
	}
	return lines
}

// provesAll holds that all these actions are in the list once, and the archive, which is
// whole and accounts for all, proves them.
func (s *service) provesAll(t *testing.T, all ...[][]byte) {
	t.Helper()
	s.archived(t)
	ids, _ := s.list(t, "acme", url.Values{"limit": {"500"}})
	for _, lines := range all {
		for _, line := range lines {
			l, err := decodeLine(line)
			if err != nil {
				t.Fatal(err)
			}
			if id := l.at("id"); ids[id] != 1 {
				t.Errorf("%s is in the list %d times", id, ids[id])
			}
		}
		s.checkProof(t, lines[0])
		s.checkProof(t, lines[len(lines)-1])
	}
	s.settle(t) // to look is an action, too
	var a archive.Accounts
	s.get(t, "/v1/accounting", &a)
	if !a.Whole() {
		t.Errorf("the account does not add up: %+v", a)
	}
}

// TestStreamPutBack: the folder of the NATS server in the process is put back from an
// older copy. What is published then gets sequences that others had, and is taken for
// nothing that is archived or indexed already.
func TestStreamPutBack(t *testing.T) {
	t.Parallel()
	dir, args := t.TempDir(), append(engineArgs(t), "--archive-seal-age", "200ms")
	run := func(do func(s *service)) (log string) {
		s, stop := startServiceOn(t, dir, args)
		defer stop()
		do(s)
		return s.log.String()
	}
	first, second, third, fourth := some("first", 20), some("second", 20), some("third", 8), some("fourth", 40)
	run(func(s *service) { s.publish(t, first); s.archived(t) })
	nats, older := filepath.Join(dir, "nats"), filepath.Join(t.TempDir(), "nats")
	if err := os.CopyFS(older, os.DirFS(nats)); err != nil {
		t.Fatal(err)
	}
	if log := run(func(s *service) { s.publish(t, second); s.provesAll(t, first, second) }); strings.Contains(log, "went back") {
		t.Error("an ordinary restart is taken for a stream that went back")
	}
	putBack(t, older, nats)
	if log := run(func(s *service) { s.publish(t, third); s.provesAll(t, first, second, third) }); !strings.Contains(log, "went back") {
		t.Error("nobody was told that the stream went back")
	}
	putBack(t, older, nats)
	run(func(s *service) { s.publish(t, fourth); s.provesAll(t, first, second, third, fourth) })
}

func putBack(t *testing.T, older, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, os.DirFS(older)); err != nil {
		t.Fatal(err)
	}
}

// foreign is a NATS server beside the service.
type foreign struct {
	*server.Server
	dir  string
	port int
}

// startForeign starts one, and returns how a service is told of it: --nats, its address, and the rest.
func startForeign(t *testing.T) (f *foreign, args []string) {
	t.Helper()
	ports, err := enginetest.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	f = &foreign{dir: t.TempDir(), port: ports[0]}
	f.start(t)
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte(natsPassword), 0o600); err != nil {
		t.Fatal(err)
	}
	return f, []string{"--nats", fmt.Sprintf("nats://127.0.0.1:%d", f.port), "--nats-password-file", password, "--nats-durable"}
}

func (f *foreign) start(t *testing.T) {
	t.Helper()
	s, err := server.NewServer(&server.Options{ServerName: "foreign", Host: "127.0.0.1", Port: f.port, JetStream: true, StoreDir: f.dir, SyncAlways: true,
		MaxPayload: 2 << 20, Username: "publisher", Password: natsPassword, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(30 * time.Second) {
		t.Fatal("the NATS server is not ready")
	}
	f.Server = s
}

func (f *foreign) stop() {
	f.Shutdown()
	f.WaitForShutdown()
}

// TestForeignStreamWentBack: the same of a NATS server elsewhere, while the service runs;
// and a server whose folder was emptied. Either is noticed within ten seconds of a machine
// that has the time: the stream is looked at at least that often.
func TestForeignStreamWentBack(t *testing.T) {
	t.Parallel()
	if longest := nats.DefaultReconnectWait + nats.DefaultReconnectJitter + watchEvery + watchEvery/2; longest > 8*time.Second {
		t.Errorf("a stream that went back may be noticed only after %v", longest)
	}
	f, to := startForeign(t)
	defer func() { f.stop() }()
	args := slices.Concat(engineArgs(t), to, []string{"--archive-seal-age", "200ms"})
	dir := t.TempDir()
	serve := func() (*service, func()) {
		log, stop := startServing(t, dir, args)
		s := whenReady(t, dir)
		s.log, s.publisher = log, dialPublisher(t, to[1], natsPassword)
		return s, stop
	}
	s, stop := serve()
	defer func() { stop() }()
	first, second, third, fourth := some("first", 20), some("second", 20), some("third", 30), some("fourth", 10)
	s.publish(t, first)
	s.archived(t)
	f.stop()
	older := filepath.Join(t.TempDir(), "nats")
	if err := os.CopyFS(older, os.DirFS(f.dir)); err != nil {
		t.Fatal(err)
	}
	f.start(t)
	s.publish(t, second)
	s.provesAll(t, first, second)
	f.stop()
	putBack(t, older, f.dir)
	f.start(t)
	s.says(t, "went back")
	s.publish(t, third)
	s.provesAll(t, first, second, third)
	f.stop()
	putBack(t, t.TempDir(), f.dir)
	f.start(t)
	s.says(t, "the stream is gone")
	stop()
	s, stop = serve() // the tokens were on the server, too
	s.publish(t, fourth)
	s.provesAll(t, first, second, third, fourth)
}

// says holds that the service says something.
func (s *service) says(t *testing.T, what string) {
	t.Helper()
	eventually(t, what, func() bool { return strings.Contains(s.log.String(), what) })
}

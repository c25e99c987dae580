package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"actionlog"
)

// command runs a command line on a service's folder and returns what it wrote.
func (s *service) command(t *testing.T, want int, args ...string) string {
	t.Helper()
	var out strings.Builder
	args = append([]string{args[0], "--data", s.dir}, args[1:]...)
	if got := run(t.Context(), args, strings.NewReader(""), &out, &out); got != want {
		t.Fatalf("%v: status %d, not %d\n%s", args, got, want, out.String())
	}
	return out.String()
}

// TestBackup is docs/backup.md: a service under load is backed up, lost, and put back on a
// fresh machine. What it had acknowledged before the backup began is there, tokens are good,
// the archive proves itself, and everything is accounted for.
func TestBackup(t *testing.T) {
	t.Parallel()
	dir, backup := t.TempDir(), filepath.Join(t.TempDir(), "backup")
	s, stop := startServiceOn(t, dir, []string{"--archive-seal-age", "1s"})
	before := inventedLines(300, time.Now())
	s.publish(t, before)
	made := strings.Split(strings.TrimSpace(s.command(t, statusDone, "token", "create", "--name", "siem", "--institution", "crash")), "\n")
	token := made[len(made)-1]
	s.publishInvalid(t)
	s.settle(t)
	s.command(t, statusDone, "backup", backup) // an older one, which is brought up to date

	l := &loader{acked: map[string]bool{}, sent: map[string]string{}}
	end := l.start(t, s, 1)
	eventually(t, "there is load", func() bool { return l.count() > 500 })
	acked := l.ids()
	said := s.command(t, statusDone, "backup", backup)
	end()
	if !strings.Contains(said, "is whole") || !strings.Contains(said, `"dead_letters": 1`) {
		t.Errorf("backup: %s", said)
	}
	if at := s.metric(t, "actionlog_backup_timestamp_seconds"); at == "0" || at == "" {
		t.Errorf("the metric of the last backup is %q", at)
	}
	stop()
	if err := os.RemoveAll(dir); err != nil { // the machine burns down
		t.Fatal(err)
	}
	var out strings.Builder
	if status := run(t.Context(), []string{"archive", "verify", filepath.Join(backup, "archive")}, strings.NewReader(""), &out, &out); status != statusDone {
		t.Errorf("the backup's archive: %s", out.String())
	}

	fresh := filepath.Join(t.TempDir(), "data")
	if text, err := exec.Command("cp", "-a", backup, fresh).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v %s", err, text)
	}
	s, stop = startServiceOn(t, fresh, []string{"--archive-seal-age", "1s"})
	t.Cleanup(stop)
	s.command(t, statusDone, "reindex", "--all")
	for _, id := range acked {
		if status, _, body := s.send(t, token, http.MethodGet, "/v1/institutions/crash/actions/"+id, "", "", nil); status != http.StatusOK {
			t.Fatalf("%s was acknowledged before the backup: %d %s", id, status, body)
		}
	}
	if ids, _ := s.list(t, "invented", map[string][]string{"range": {"90d"}, "limit": {"1000"}}); len(ids) != len(before) {
		t.Errorf("%d of %d actions are there", len(ids), len(before))
	}
	s.publish(t, inventedLines(310, time.Now())[300:]) // and it goes on
	s.archived(t)
	s.command(t, statusDone, "check")
}

// TestBackupRefuses: what cannot be whole is not called one, and what is there stays.
func TestBackupRefuses(t *testing.T) {
	t.Parallel()
	s := startService(t, "--archive-seal-age", "200ms")
	s.publish(t, inventedLines(10, time.Now()))
	s.archived(t)
	backup := filepath.Join(t.TempDir(), "backup")
	s.command(t, statusDone, "backup", backup)
	other := startService(t, "--archive-seal-age", "200ms")
	other.publish(t, inventedLines(20, time.Now()))
	other.archived(t)
	if said := other.command(t, statusFailed, "backup", backup); !strings.Contains(said, "another archive") {
		t.Error(said)
	}
	stopped := &service{dir: t.TempDir()}
	if err := os.MkdirAll(filepath.Join(stopped.dir, "archive"), 0o700); err != nil {
		t.Fatal(err)
	}
	if said := stopped.command(t, statusFailed, "backup", "--url", "http://127.0.0.1:1", "--token", "x", filepath.Join(t.TempDir(), "b")); !strings.Contains(said, "copy the whole folder") {
		t.Error(said)
	}
	if _, err := os.Stat(filepath.Join(stopped.dir, backupMark)); err == nil {
		t.Error("a backup that failed is noted as one")
	}
}

// TestBackupOfAnArchiveElsewhere: it is found where the options of serve say; where it, its
// key or the state is not found, there is no backup.
func TestBackupOfAnArchiveElsewhere(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	place, key := filepath.Join(elsewhere, "archive"), filepath.Join(elsewhere, "key")
	s, stop := startServiceOn(t, dir, []string{"--archive", place, "--archive-key", key, "--archive-seal-age", "200ms"})
	t.Cleanup(stop)
	s.publish(t, inventedLines(10, time.Now()))
	eventually(t, "the archive has them", func() bool { return s.metric(t, "actionlog_archive_behind_messages") == "0" })
	backup := filepath.Join(t.TempDir(), "backup")
	aside := func(path string) func() {
		if err := os.Rename(path, path+".aside"); err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := os.Rename(path+".aside", path); err != nil {
				t.Fatal(err)
			}
		}
	}
	refused := func(why string, args ...string) {
		t.Helper()
		if said := s.command(t, statusFailed, append([]string{"backup", backup}, args...)...); !strings.Contains(said, why) {
			t.Error(said)
		}
		for _, at := range []string{dir, backup} {
			if _, err := os.Stat(filepath.Join(at, backupMark)); err == nil {
				t.Fatalf("a backup that failed is noted as one in %s", at)
			}
		}
	}
	refused("give --archive as serve has it")
	refused("give --archive-key as serve has it", "--archive", place)
	config := filepath.Join(elsewhere, "actionlog.yaml")
	if err := os.WriteFile(config, []byte("serve:\n  archive: "+place+"\n  archive_key: "+key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	back := aside(filepath.Join(dir, "state.sqlite"))
	refused("--nats where the state", "--config", config)
	s.command(t, statusDone, "backup", filepath.Join(t.TempDir(), "other"), "--config", config, "--nats", "nats://127.0.0.1:4222")
	back()
	s.command(t, statusDone, "backup", filepath.Join(t.TempDir(), "another"), "--no-archive")
	if said := s.command(t, statusDone, "backup", backup, "--config", config); !strings.Contains(said, `"segments": `) {
		t.Error(said)
	}
	for _, name := range []string{"archive/open.ndjson", "archive.key", "state.sqlite", backupMark} {
		if _, err := os.Stat(filepath.Join(backup, name)); err != nil {
			t.Error(err)
		}
	}
}

// TestBackupGoesByPositions: what a copy holds is compared with what the stream had taken by
// positions, and no clock matters.
func TestBackupGoesByPositions(t *testing.T) {
	for _, c := range []struct {
		incarnation string
		last        int
		whole       bool
	}{{"s1", 1, true}, {"s1", 2, false}, {"s2", 1, false}} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, "actionlog_archive_behind_messages 5\nactionlog_stream_last_sequence %d\nactionlog_stream_info{incarnation=%q} 1\n", c.last, c.incarnation)
		}))
		defer server.Close()
		for _, clock := range []time.Duration{-time.Hour, time.Hour} {
			s := &settings{Data: t.TempDir(), URL: server.URL, Token: "x"}
			archivedDay(t, s.Data, time.Now().Add(clock), actionlog.DayOf(time.Now()))
			client, err := s.client()
			if err != nil {
				t.Fatal(err)
			}
			var report backupReport
			err = (&backupCmd{To: t.TempDir()}).copyArchive(t.Context(), client, s, &console{}, &report)
			if c.whole != (err == nil) || c.whole != (report.Archive != nil) || err != nil && !strings.Contains(err.Error(), "5 messages behind") {
				t.Errorf("%+v, a clock that is off by %s: %v", c, clock, err)
			}
		}
	}
}

// count and ids are of what was acknowledged so far.
func (l *loader) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

func (l *loader) ids() (ids []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id := range l.acked {
		ids = append(ids, id)
	}
	return ids
}

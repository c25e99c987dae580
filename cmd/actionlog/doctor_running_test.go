package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"actionlog/internal/doctor"
	"actionlog/internal/sqlite"
)

// TestDoctorOfARunningService: what the service says of itself is told: a day that is
// damaged, a webhook that was stopped.
func TestDoctorOfARunningService(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, stop := startServiceOn(t, dir, []string{"--archive-seal-age", "200ms"})
	s.publish(t, inventedLines(50, time.Now()))
	s.archived(t)
	s.command(t, statusDone, "webhook", "create", "--institution", "invented", "--name", "SIEM", "--deliver-to", "https://siem.example.org/hook")
	stop()
	stopWebhook(t, filepath.Join(dir, "state.sqlite"))
	days, err := filepath.Glob(filepath.Join(dir, "store", "actions-*.sqlite"))
	if err != nil || len(days) < 5 {
		t.Fatal(days, err)
	}
	text, err := os.ReadFile(days[2])
	if err == nil {
		err = os.WriteFile(days[2], garbled(text), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	s, stop = startServiceOn(t, dir, []string{"--archive-seal-age", "200ms"})
	t.Cleanup(stop)
	eventually(t, "the damaged day was set aside", func() bool {
		resp := s.do(t, "/v1/institutions/invented/actions?range=90d&missing_days=allow&total=exact")
		resp.Body.Close()
		aside, err := filepath.Glob(filepath.Join(dir, "store", "*.damaged-*"))
		return err == nil && len(aside) > 0
	})
	found, status := examine(t, dir)
	finds(t, found, "service store", doctor.Warning, "set aside")
	finds(t, found, "days", doctor.Warning, "set aside")
	finds(t, found, "days", doctor.Wrong, "that the store has not")
	finds(t, found, "webhooks", doctor.Warning, "1 were stopped")
	if status != statusFailed {
		t.Error(status)
	}
	if got := s.metric(t, "actionlog_store_missing"); got != "1" {
		t.Errorf("%s parts of the store are missing", got)
	}
}

// stopWebhook gives the only webhook of a state the status stopped.
func stopWebhook(t *testing.T, path string) {
	t.Helper()
	state, err := sqlite.OpenState(path)
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	keys, err := state.List(t.Context(), "webhooks")
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	text, revision, err := state.Get(t.Context(), "webhooks", keys[0])
	if err != nil {
		t.Fatal(err)
	}
	other := bytes.Replace(text, []byte(`"status":"active"`), []byte(`"status":"stopped"`), 1)
	if bytes.Equal(other, text) {
		t.Fatalf("%s", text)
	}
	if _, err := state.Put(t.Context(), "webhooks", keys[0], other, revision); err != nil {
		t.Fatal(err)
	}
}

// TestDoctorOfAnothersFolder: one that belongs to somebody else, and one that cannot be
// written to.
func TestDoctorOfAnothersFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	if os.Geteuid() != 0 {
		found, _ := examine(t, dir)
		finds(t, found, "folder", doctor.Wrong, "cannot be written to")
		return
	}
	if err := os.Chown(dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	found, _ := examine(t, dir)
	finds(t, found, "folder", doctor.Warning, "belongs to user 65534")
	mounts, err := os.ReadFile("/proc/mounts") // whom rights do not stop, a mount does
	if err != nil {
		lacking(t, "%v", err)
	}
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line)
		if info, err := os.Stat(fields[1]); strings.HasPrefix(fields[3]+",", "ro,") && err == nil && info.IsDir() {
			found, _ := examine(t, fields[1])
			finds(t, found, "folder", doctor.Wrong, "cannot be written to")
			return
		}
	}
	t.Log("nothing is mounted read-only here: a folder that cannot be written to was not looked at")
}

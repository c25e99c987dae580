package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"actionlog"

	"golang.org/x/sys/unix"
)

// The disk fills up under load, in the stream as in the store and the archive: publishing is
// refused, what is there can be searched, /readyz says what is wrong; and when
// there is room again everything goes on by itself, with every acknowledged
// action there once. (A limit on the size of files stands for the disk.)
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := startProcess(t, dir)
	s := connect(t, dir)
	limitFiles(t, cmd.Process.Pid, 5_000_000)
	load := &loader{acked: map[string]bool{}, sent: map[string]string{}}
	for n := 0; load.large(t, s.publisher, n); n += 50 {
		if n > 5000 {
			t.Fatal("files of 5 MB took 5,000 actions of 8 KB")
		}
	}
	eventually(t, "/readyz names the stream", func() bool { return s.readiness(t, "stream") == "failed" })
	var page listAnswer
	s.get(t, "/v1/institutions/crash/actions?total=exact", &page)
	if page.Meta.Total.Value == 0 {
		t.Error("nothing can be searched while the disk is full")
	}
	limitFiles(t, cmd.Process.Pid, unix.RLIM_INFINITY)
	eventually(t, "/readyz is well again", func() bool { return s.readiness(t, "stream") == "ok" && s.readiness(t, "indexer") == "ok" })
	eventually(t, "publishing goes on", func() bool { return load.large(t, s.publisher, 100_000) })
	s.settle(t)
	load.verify(t, s)
	load.verifyArchive(t, s)
}

// limitFiles sets the soft limit on the size of a process's files.
func limitFiles(t *testing.T, pid int, bytes uint64) {
	t.Helper()
	if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}, nil); err != nil {
		t.Fatal(err)
	}
}

// large publishes 50 actions of 8 KB that compress badly.
func (l *loader) large(t *testing.T, p actionlog.Publisher, first int) (taken bool) {
	t.Helper()
	var batch []actionlog.Submission
	for i := range 50 {
		var noise strings.Builder
		rng := rand.New(rand.NewPCG(uint64(first+i), 1))
		for noise.Len() < 8000 {
			fmt.Fprintf(&noise, "%x", rng.Uint64())
		}
		at := time.Now().UTC().Format(time.RFC3339Nano)
		doc := fmt.Sprintf(`{"id":"l%d","occurred_at":%q,"institution":{"id":"crash"},"category":"course","action":{"code":"a.b"},"actor":{"kind":"user"},"details":{"noise":%q}}`, first+i, at, noise.String())
		if sent, ok := l.sent[fmt.Sprint("l", first+i)]; ok {
			doc = sent
		}
		item, err := actionlog.Parse([]byte(doc), nil)
		if err != nil {
			t.Fatal(err)
		}
		l.sent[item.ID] = doc
		batch = append(batch, actionlog.Submission{Institution: "crash", Category: "course", ID: item.ID, Digest: item.Digest, Document: []byte(doc)})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	taken = true
	for i, r := range p.Publish(ctx, batch) {
		if r.Err != nil {
			taken = false
			continue
		}
		l.acked[batch[i].ID] = true
	}
	return taken
}

// readiness is the status of a check of /readyz.
func (s *service) readiness(t *testing.T, check string) string {
	t.Helper()
	resp := s.do(t, "/readyz")
	defer resp.Body.Close()
	var answer struct {
		Checks []struct{ Name, Status, Missing string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	for _, c := range answer.Checks {
		if c.Name == check {
			if c.Status == "failed" && resp.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("/readyz answers %d with %s failed", resp.StatusCode, check)
			}
			return c.Status
		}
	}
	t.Fatalf("/readyz has no check %s", check)
	return ""
}

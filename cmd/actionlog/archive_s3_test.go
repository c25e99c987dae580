package main

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/archive"
	"actionlog/internal/enginetest"
)

// TestArchiveInS3: the archive in real S3-compatible storage, which is down for a while:
// the stream keeps what is not sealed there, and nothing is missing or doubled.
func TestArchiveInS3(t *testing.T) {
	t.Parallel()
	s3 := enginetest.StartS3(t)
	address := s3.Address("log")
	s := startService(t, "--archive", address, "--archive-seal-age", "500ms")
	lines := inventedLines(600, time.Now())
	s.publish(t, lines[:200])
	storage, err := archive.NewS3(address)
	if err != nil {
		t.Fatal(err)
	}
	sealed := func(n uint64) func() bool {
		return func() bool {
			status, err := (&archive.Reader{Storage: storage}).Status(t.Context())
			return err == nil && status.Actions >= n
		}
	}
	first, next := s.feedOf(t, "invented", "", "") // sealed or not
	eventually(t, "the first actions are sealed", sealed(200))
	s3.Stop()
	s.publish(t, lines[200:400])
	if resp := s.do(t, "/v1/institutions/invented/feed"); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("the feed while the archive cannot be read: %s", resp.Status)
	}
	eventually(t, "the service says that nothing is archived", func() bool { return s.readiness(t, "archive") == "warning" })
	s3.Start(t)
	s.publish(t, lines[400:])
	rest, _ := s.feedOf(t, "invented", next, "")
	counted := map[string]int{}
	for _, id := range withoutRecords(append(first, rest...)) {
		counted[id]++
	}
	if len(first) == 0 || len(counted) != 600 || len(withoutRecords(append(first, rest...))) != 600 {
		t.Errorf("the feed has %d actions and %d more, %d different ones", len(first), len(rest), len(counted))
	}
	const all = 601 // and that the feed was read
	eventually(t, "everything is sealed", sealed(all))
	report, err := archive.Verify(t.Context(), storage, archive.VerifyOptions{Key: s.send1(t, "/v1/archive/key")})
	if err != nil || len(report.Findings) > 0 || report.Actions != all {
		t.Errorf("%+v, %v", report, err)
	}
	s.checkProof(t, lines[0])
	var out, errs strings.Builder
	if code := run(t.Context(), []string{"archive", "verify", address}, strings.NewReader(""), &out, &errs); code != 0 || !strings.Contains(out.String(), "601 actions") {
		t.Errorf("verify: %d\n%s%s", code, out.String(), errs.String())
	}
	eventually(t, "every position is accounted for", func() bool {
		return strings.Contains(s.send1(t, "/v1/accounting"), `"indexed":601,`)
	})
	s.publish(t, [][]byte{[]byte(`{"id":"old","occurred_at":"2025-03-01T10:00:00Z","institution":{"id":"invented"},"category":"course","action":{"code":"a.b"},"actor":{"kind":"user"}}`)})
	s3.Stop()
	var r actionlog.Restore
	s.call(t, http.MethodPost, "/v1/institutions/invented/restores", `{"from":"2025-01-01","reason":"test"}`, &r)
	time.Sleep(time.Second) // it cannot be read now
	s3.Start(t)
	eventually(t, "what is in S3 is restored once that is there again", func() bool {
		s.get(t, "/v1/institutions/invented/restores/"+r.ID, &r)
		return r.Status == actionlog.RestoreReady && r.Progress.Restored == 1
	})
}

// TestS3Storage: what a Storage promises, of a folder and of a real S3 server.
func TestS3Storage(t *testing.T) {
	t.Parallel()
	s3 := enginetest.StartS3(t)
	bucket, err := archive.NewS3(s3.Address("a/b"))
	if err != nil {
		t.Fatal(err)
	}
	if err := bucket.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	folder, err := archive.NewFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, storage := range []archive.Storage{bucket, folder} {
		checkStorage(t, storage)
	}
	s3.Stop()
	if _, err := bucket.Read(t.Context(), "checkpoint"); !errors.Is(err, actionlog.ErrUnavailable) {
		t.Errorf("a server that is down: %v", err)
	}
	for _, bad := range []string{"s3://", "s3://user:pw@bucket", "s3://b?endpoint=nohost", "http://b"} {
		if _, err := archive.NewS3(bad); err == nil {
			t.Errorf("%s is an address", bad)
		}
	}
}

func checkStorage(t *testing.T, s archive.Storage) {
	t.Helper()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "content")
	if err := os.WriteFile(path, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Create(ctx, "segments/one", archive.Content{Path: path, Bytes: 10}); err != nil {
		t.Fatal(err)
	}
	if err := s.Create(ctx, "segments/one", archive.Content{Path: path, Bytes: 10}); !errors.Is(err, archive.ErrExists) {
		t.Errorf("%s: created twice: %v", s, err)
	}
	if err := errors.Join(s.Put(ctx, "checkpoint", []byte("a")), s.Put(ctx, "checkpoint", []byte("bc")), s.Put(ctx, "segments/two", nil)); err != nil {
		t.Fatal(err)
	}
	if text, err := s.Read(ctx, "checkpoint"); err != nil || string(text) != "bc" {
		t.Errorf("%s: %q, %v", s, text, err)
	}
	if text, err := s.ReadRange(ctx, "segments/one", 3, 4); err != nil || string(text) != "3456" {
		t.Errorf("%s: %q, %v", s, text, err)
	}
	for _, at := range []int64{8, 10, 11} {
		if text, err := s.ReadRange(ctx, "segments/one", at, 3); err == nil || errors.Is(err, actionlog.ErrUnavailable) {
			t.Errorf("%s: read behind the end: %q, %v", s, text, err)
		}
	}
	if _, err := s.Read(ctx, "none"); !errors.Is(err, actionlog.ErrNotFound) {
		t.Errorf("%s: %v", s, err)
	}
	if _, err := s.ReadRange(ctx, "segments/none", 0, 1); !errors.Is(err, actionlog.ErrNotFound) {
		t.Errorf("%s: %v", s, err)
	}
	if err := errors.Join(s.Remove(ctx, "none"), s.Remove(ctx, "checkpoint")); err != nil {
		t.Errorf("%s: %v", s, err)
	}
	var names []string
	for f, err := range s.List(ctx, "segments/") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, f.Name)
	}
	if got := strings.Join(names, " "); got != "segments/one segments/two" {
		t.Errorf("%s lists %q", s, got)
	}
}

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/archive"
	"actionlog/internal/enginetest"
	"actionlog/search"
)

// exportLines are n actions of an institution, oldest first.
func exportLines(institution string, n int) (lines [][]byte) {
	start := time.Now().UTC().Add(-time.Duration(n) * time.Second)
	for i := range n {
		lines = append(lines, fmt.Appendf(nil, `{"id":"e%d","occurred_at":%q,"institution":{"id":%q},"category":"course","action":{"code":"a.b"},"actor":{"kind":"user","id":"u%d","name":"Ann %d"},"summary":"number %d, \"quoted\""}`,
			i, start.Add(time.Duration(i)*time.Second).Format(time.RFC3339Nano), institution, i%50, i%50, i))
	}
	return lines
}

// exportFile fetches the file of a job, and holds it against what is said of it.
func (s *service) exportFile(t *testing.T, x *actionlog.Export) []byte {
	t.Helper()
	resp := s.do(t, "/v1/institutions/"+x.Institution+"/exports/"+x.ID+"/content")
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %v %.300s", resp.Status, err, body)
	}
	n, err := search.CountRecords(x.Format, bytes.NewReader(body))
	if sum := sha256.Sum256(body); err != nil || n != *x.Count || int64(len(body)) != *x.Bytes || hex.EncodeToString(sum[:]) != x.SHA256 {
		t.Errorf("%d actions in %d bytes, %v; of them is said: %+v", n, len(body), err, x)
	}
	return body
}

// Killed with SIGKILL at any moment of some jobs, and started again on the same folder:
// each comes to its end, its file is whole, and its end is recorded once.
func TestExportsKilled(t *testing.T) {
	t.Parallel()
	const actions, jobs, kills = 12000, 4, 4
	dir := t.TempDir()
	cmd := startProcess(t, dir)
	s := connect(t, dir)
	s.publish(t, exportLines("crash", actions))
	path := "/v1/institutions/crash/exports"
	var made [jobs]actionlog.Export
	for i := range made {
		s.call(t, http.MethodPost, path, `{"format":"`+[]string{"csv", "json", "ndjson"}[i%3]+`","filter":{"range":"90d","category":"course"},"order":"oldest"}`, &made[i])
	}
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	for range kills {
		time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		cmd = startProcess(t, dir)
		s = connect(t, dir)
	}
	for i := range made {
		var x actionlog.Export
		eventually(t, "the job is ready", func() bool {
			s.get(t, path+"/"+made[i].ID, &x)
			if x.Status.Over() {
				t.Fatalf("%+v", x)
			}
			return x.Status == actionlog.ExportReady
		})
		if body := s.exportFile(t, &x); *x.Count != actions || !x.From.Equal(made[i].From) || !x.To.Equal(made[i].To) || bytes.Index(body, []byte("number 0,")) > bytes.Index(body, []byte("number 11999,")) {
			t.Errorf("%+v", x)
		}
	}
	eventually(t, "the ends are recorded", func() bool { return s.codes(t, "crash")["institution.actionlog.exported"] >= jobs })
	if codes := s.codes(t, "crash"); codes["institution.actionlog.exported"] != jobs || codes["institution.actionlog.export_started"] != jobs {
		t.Errorf("%v", codes)
	}
	for folder, want := range map[string]int{"exports": jobs, "exports-open": 0} {
		if entries, err := os.ReadDir(filepath.Join(dir, folder)); err != nil || len(entries) != want {
			t.Errorf("%s: %v %v", folder, entries, err)
		}
	}
}

// A connection that breaks again and again goes on where it was: the file is whole, and is
// not begun anew.
func TestExportOverABreakingConnection(t *testing.T) {
	t.Parallel()
	s := startService(t)
	s.publish(t, exportLines("acme", 3000))
	target, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	var sent, parts atomic.Int64
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = target.Host },
		ErrorLog: log.New(io.Discard, "", 0),
		ModifyResponse: func(r *http.Response) error {
			if strings.HasSuffix(r.Request.URL.Path, "/content") {
				parts.Add(1)
				r.Body = &breaking{r.Body, 100_000, &sent}
			}
			return nil
		}})
	defer proxy.Close()
	for _, format := range []string{"csv", "ndjson", "ecs"} {
		sent.Store(0)
		parts.Store(0)
		file := filepath.Join(t.TempDir(), "file")
		var stderr bytes.Buffer
		code := run(t.Context(), []string{"export", "--job", "--url", proxy.URL, "--token", s.token, "--institution", "acme", "--category", "course", "--range", "7d", "-f", format, "-o", file}, strings.NewReader(""), io.Discard, &stderr)
		text, err := os.ReadFile(file)
		n, countErr := search.CountRecords(format, bytes.NewReader(text))
		if code != 0 || err != nil || countErr != nil || n != 3000 || parts.Load() < 5 || sent.Load() > 2*int64(len(text)) {
			t.Errorf("%s: status %d, %d actions in %d parts, %d bytes for %d, %v %v\n%s", format, code, n, parts.Load(), sent.Load(), len(text), err, countErr, stderr.String())
		}
	}
}

// breaking is a body whose connection breaks after some bytes.
type breaking struct {
	io.ReadCloser
	left int
	sent *atomic.Int64
}

func (b *breaking) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	b.sent.Add(int64(n))
	return n, err
}

// A file that is more than S3 takes at once goes there in parts.
func TestLargeFileInS3(t *testing.T) {
	s3 := enginetest.StartS3(t)
	storage, err := archive.NewS3(s3.Address("log/large"))
	if err != nil {
		t.Fatal(err)
	}
	storage.Whole, storage.Part = 6<<20, 5<<20
	text := make([]byte, 17<<20)
	for i := range text {
		text[i] = byte(i * 7 >> 8)
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if err := storage.Create(t.Context(), "a", archive.Content{Path: path, Bytes: int64(len(text))}); (err == nil) != (i == 0) || err != nil && !errors.Is(err, archive.ErrExists) {
			t.Fatalf("time %d: %v", i, err)
		}
	}
	if got, err := storage.ReadRange(t.Context(), "a", 5<<20-100, 200); err != nil || !bytes.Equal(got, text[5<<20-100:5<<20+100]) {
		t.Error(err)
	}
	if got, err := storage.Read(t.Context(), "a"); err != nil || !bytes.Equal(got, text) {
		t.Error(len(got), err)
	}
}

// The files of jobs in S3, for several processes: they are fetched by parts, and go when
// they are dropped.
func TestExportsInS3(t *testing.T) {
	t.Parallel()
	s3 := enginetest.StartS3(t)
	s := startService(t, "--exports", s3.Address("log/exports"))
	s.publish(t, exportLines("acme", 3000))
	path := "/v1/institutions/acme/exports"
	var x actionlog.Export
	s.call(t, http.MethodPost, path, `{"format":"csv","filter":{"range":"7d","category":"course"}}`, &x)
	eventually(t, "the job is ready", func() bool { s.get(t, path+"/"+x.ID, &x); return x.Status == actionlog.ExportReady })
	if s.exportFile(t, &x); *x.Count != 3000 {
		t.Errorf("%+v", x)
	}
	storage, err := storageAt(s3.Address("log/exports"))
	if err != nil {
		t.Fatal(err)
	}
	files := func() (n int) {
		for _, err := range storage.List(t.Context(), "") {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		return n
	}
	if files() != 1 {
		t.Errorf("%d files", files())
	}
	s3.Stop()
	if status, _, body := s.send(t, s.token, "GET", path+"/"+x.ID+"/content", "", "", nil); status != http.StatusServiceUnavailable {
		t.Errorf("S3 is down: %d %.300s", status, body)
	}
	s3.Start(t)
	var dropped json.RawMessage
	s.call(t, http.MethodDelete, path+"/"+x.ID, "", &dropped)
	eventually(t, "the file is gone", func() bool { return files() == 0 })
}

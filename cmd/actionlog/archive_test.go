package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/archive"

	"github.com/klauspost/compress/zstd"
)

// archived waits until all that the stream took is archived and sealed, and verifies the
// archive.
func (s *service) archived(t *testing.T) *archive.Report {
	t.Helper()
	folder, err := archive.OpenFolder(filepath.Join(s.dir, "archive"))
	if err != nil {
		t.Fatal(err)
	}
	var seen string
	defer func() {
		if t.Failed() {
			t.Log("the archive, as last seen: " + seen)
		}
	}()
	eventually(t, "everything is archived and sealed", func() bool {
		behind := s.metric(t, "actionlog_archive_behind_messages") // first: what is archived by then, the status counts
		status, err := (&archive.Reader{Storage: folder}).Status(t.Context())
		seen = fmt.Sprintf("behind %s, %+v, %v", behind, status, err)
		return err == nil && status.Unsealed == 0 && status.Segments > 0 && behind == "0"
	})
	key := s.send1(t, "/v1/archive/key")
	report, err := archive.Verify(t.Context(), folder, archive.VerifyOptions{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Findings) > 0 {
		t.Errorf("the archive: %v", report.Findings)
	}
	return report
}

// send1 is the body of a GET that succeeds.
func (s *service) send1(t *testing.T, path string) string {
	t.Helper()
	status, _, body := s.send(t, s.token, http.MethodGet, path, "", "", nil)
	if status != http.StatusOK {
		t.Fatalf("%s: %d %s", path, status, body)
	}
	return string(body)
}

// metric is the value of a metric without labels.
func (s *service) metric(t *testing.T, name string) string {
	t.Helper()
	for line := range strings.Lines(s.send1(t, "/metrics")) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// archivedDocuments are the documents of an institution in the archive, by ID.
func (s *service) archivedDocuments(t *testing.T, institution string) map[string][]string {
	t.Helper()
	folder, err := archive.OpenFolder(filepath.Join(s.dir, "archive"))
	if err != nil {
		t.Fatal(err)
	}
	documents := map[string][]string{}
	for l, err := range (&archive.Reader{Storage: folder}).Actions(t.Context(), archive.Selection{Institution: institution}) {
		if err != nil {
			t.Fatal(err)
		}
		item, err := actionlog.Parse(l.Document, nil)
		if err != nil {
			t.Fatal(err)
		}
		documents[item.ID] = append(documents[item.ID], string(l.Document))
	}
	return documents
}

// verifyArchive holds the archive against what was acknowledged.
func (l *loader) verifyArchive(t *testing.T, s *service) {
	t.Helper()
	s.archived(t)
	documents := s.archivedDocuments(t, "crash")
	for id := range l.acked {
		if len(documents[id]) == 0 {
			t.Errorf("%s was acknowledged and is not archived", id)
		}
	}
	for id, copies := range documents {
		if strings.HasPrefix(id, "log-") { // that the test exported
			continue
		}
		for _, text := range copies { // one a position: a repeat has its own
			if text != l.sent[id] {
				t.Errorf("%s was altered in the archive:\n%s\n%s", id, text, l.sent[id])
			}
		}
	}
}

// TestArchive: what the stream took is in the archive, old, repeated and poisonous
// messages included, without credentials; the stream lets go of it; and a proof of an
// action holds.
func TestArchive(t *testing.T) {
	t.Parallel()
	s := startService(t, "--archive-seal-age", "500ms")
	lines := inventedLines(400, time.Now())
	lines = append(lines,
		[]byte(`{"id":"old","occurred_at":"2019-05-06T07:08:09Z","institution":{"id":"invented"},"category":"course","action":{"code":"course.opened"},"actor":{"kind":"user"}}`),
		[]byte(`{"id":"secret","occurred_at":"`+time.Now().UTC().Format(time.RFC3339)+`","institution":{"id":"invented"},"category":"api","action":{"code":"api.called"},"actor":{"kind":"api_key"},"request":{"url":"/x?api_key=HUNTER2"}}`))
	s.publish(t, lines)
	poison := actionlog.Submission{Institution: "invented", Category: "course", ID: "poison", Document: []byte("{\"id\":\"poison\",\"password\":\"HUNTER2\",\n\xff")}
	if r := s.publisher.Publish(t.Context(), []actionlog.Submission{poison}); r[0].Err != nil {
		t.Fatal(r[0].Err)
	}
	s.settle(t)
	report := s.archived(t)
	if report.Actions != uint64(len(lines)+1) || report.Dead != 1 {
		t.Errorf("%d lines and %d dead in the archive, of %d messages", report.Actions, report.Dead, len(lines)+1)
	}
	documents := s.archivedDocuments(t, "invented")
	for _, line := range lines {
		item, err := actionlog.Parse(line, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := documents[item.ID]; len(got) != 1 || got[0] != string(item.Document) {
			t.Errorf("%s is archived as %q", item.ID, got)
		}
	}
	paths, _ := filepath.Glob(filepath.Join(s.dir, "archive", "*", "*.zst"))
	for _, path := range paths {
		if text := zstdText(t, path); bytes.Contains(text, []byte("HUNTER2")) {
			t.Errorf("%s holds a credential", path)
		}
	}
	s.checkProof(t, lines[0])
	s.readPlainly(t, len(lines))
	s.readByDuckDB(t, len(lines))
}

// readByDuckDB reads the archive as docs/archive.md says, with DuckDB's package for Python
// (of the interpreter ACTIONLOG_TEST_PYTHON, or python3).
func (s *service) readByDuckDB(t *testing.T, actions int) {
	t.Helper()
	python := first(os.Getenv("ACTIONLOG_TEST_PYTHON"), "python3")
	if err := exec.CommandContext(t.Context(), python, "-c", "import duckdb").Run(); err != nil && os.Getenv("ACTIONLOG_TOOLS") != "required" {
		t.Logf("%s has no duckdb: reading with it is not tested (%v)", python, err)
		return
	}
	docs, err := os.ReadFile(filepath.Join("..", "..", "docs", "archive.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, query, found := strings.Cut(string(docs), "```sql\n")
	query, _, ended := strings.Cut(query, "```")
	if !found || !ended {
		t.Fatal("docs/archive.md has no query")
	}
	script := fmt.Sprintf(`import duckdb; print(sum(r[2] for r in duckdb.sql(%q).fetchall() if r[0] == "invented" and r[1]))`, query)
	read := exec.CommandContext(t.Context(), python, "-c", script)
	read.Dir = filepath.Join(s.dir, "run")
	if err := os.MkdirAll(read.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(s.dir, filepath.Join(read.Dir, "data")); err != nil {
		t.Fatal(err)
	}
	out, err := read.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != strconv.Itoa(actions) {
		t.Errorf("DuckDB: %q instead of %d, %v", out, actions, err)
	}
}

// readPlainly reads the archive as docs/archive.md says, with the tools that everybody has.
func (s *service) readPlainly(t *testing.T, actions int) {
	t.Helper()
	for _, tool := range []string{"sh", "zstdcat", "jq"} {
		if _, err := exec.LookPath(tool); err != nil && os.Getenv("ACTIONLOG_TOOLS") != "required" {
			t.Logf("%s is not here: reading with it is not tested", tool)
			return
		}
	}
	read := exec.CommandContext(t.Context(), "sh", "-c", `zstdcat archive/segments/*.zst | jq -r 'select(.institution == "invented" and .dead == null) | .document.id' | sort -u | wc -l`)
	read.Dir = s.dir
	out, err := read.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != strconv.Itoa(actions) {
		t.Errorf("zstdcat | jq: %q instead of %d, %v", out, actions, err)
	}
}

// zstdText is what a file holds, as zstdcat shows it.
func zstdText(t *testing.T, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := zstd.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// checkProof asks for the proof of an action and has the command line check it.
func (s *service) checkProof(t *testing.T, line []byte) {
	t.Helper()
	item, err := actionlog.Parse(line, nil)
	if err != nil {
		t.Fatal(err)
	}
	path := "/v1/institutions/" + item.Institution + "/actions/" + item.ID + "/proof"
	proof, key := filepath.Join(t.TempDir(), "proof"), filepath.Join(t.TempDir(), "key")
	if err := errors.Join(os.WriteFile(proof, []byte(s.send1(t, path)), 0o600), os.WriteFile(key, []byte(s.send1(t, "/v1/archive/key")), 0o600)); err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	if code := run(t.Context(), []string{"archive", "verify", "--data", s.dir, "--proof", proof, "--key", key}, strings.NewReader(""), &out, &errs); code != 0 || strings.TrimSpace(out.String()) != string(item.Document) {
		t.Errorf("verify --proof: %d\n%s%s", code, out.String(), errs.String())
	}
	if status, _, body := s.send(t, s.token, http.MethodGet, strings.Replace(path, item.Institution, "somebody-else", 1), "", "", nil); status != http.StatusNotFound {
		t.Errorf("the proof for another institution: %d %s", status, body)
	}
	var p archive.Proof
	if err := json.Unmarshal([]byte(s.send1(t, path)), &p); err != nil {
		t.Fatal(err)
	}
	p.Statement = strings.Replace(p.Statement, `"id"`, `"Id"`, 1)
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(proof, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if code := run(t.Context(), []string{"archive", "verify", "--data", s.dir, "--proof", proof, "--key", key}, strings.NewReader(""), &out, &errs); code != 1 || !strings.Contains(errs.String(), "NOT PROVEN") {
		t.Errorf("verify of a forged proof: %d\n%s", code, errs.String())
	}
}

// TestArchiveDown: while the archive cannot be written the stream keeps everything and
// the service says so; afterwards nothing is missing.
func TestArchiveDown(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.WriteFile(dir, []byte("a file, not a folder"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startService(t, "--archive", dir, "--archive-seal-age", "500ms")
	lines := inventedLines(300, time.Now())
	s.publish(t, lines)
	eventually(t, "the service says that nothing is archived", func() bool { return s.readiness(t, "archive") == "warning" })
	time.Sleep(trimEvery + time.Second)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	s.publish(t, inventedLines(300, time.Now())[200:]) // repeats
	eventually(t, "the archive is written again", func() bool { return s.readiness(t, "archive") == "ok" })
	if err := os.Symlink(dir, filepath.Join(s.dir, "archive")); err != nil {
		t.Fatal(err)
	}
	if report := s.archived(t); report.Actions < 300 {
		t.Errorf("%d of 300 actions are archived", report.Actions)
	}
	if documents := s.archivedDocuments(t, "invented"); len(documents) != 300 {
		t.Errorf("%d of 300 actions are archived", len(documents))
	}
}

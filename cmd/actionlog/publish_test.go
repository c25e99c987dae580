package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"actionlog"
)

func document(id string) string {
	return `{"id":"` + id + `","occurred_at":"2026-01-02T03:04:05Z","institution":{"id":"acme"},"category":"course","action":{"code":"a.b"},"actor":{"kind":"user"}}`
}

// memory is a stream that remembers, and that can fail for a while.
type memory struct {
	taken  map[string]int
	order  []string
	fail   []error // of the next attempts; nil is none
	broken int     // how many of a failing attempt are taken before it fails
}

func (m *memory) Publish(ctx context.Context, submissions []actionlog.Submission) []actionlog.Receipt {
	var failure error
	if len(m.fail) > 0 {
		failure, m.fail = m.fail[0], m.fail[1:]
	}
	receipts := make([]actionlog.Receipt, len(submissions))
	for i, s := range submissions {
		if failure != nil && i >= m.broken {
			receipts[i].Err = failure
			continue
		}
		if m.taken == nil {
			m.taken = map[string]int{}
		}
		if m.taken[s.ID]++; m.taken[s.ID] > 1 {
			receipts[i].Duplicate = true
			continue
		}
		m.order = append(m.order, string(s.Document))
		if failure != nil {
			receipts[i].Err = failure // taken, but nobody hears of it
		}
	}
	return receipts
}

func publishTo(t *testing.T, p actionlog.Publisher, cmd publishCmd, stdin io.Reader) (tally, string, error) {
	t.Helper()
	var errs bytes.Buffer
	if cmd.MaxLine == 0 {
		cmd.MaxLine = defaultMaxLine
	}
	if cmd.Files == nil {
		cmd.Files = []string{"-"}
	}
	r := &publication{cmd: &cmd, to: p, out: &console{in: stdin, out: io.Discard, err: &errs}, backOff: time.Microsecond}
	err := r.all(t.Context())
	if n := r.tally; n.Read != n.Taken+n.Duplicates+n.Refused+n.Skipped+n.Unsent {
		t.Errorf("the count does not add up: %+v", n)
	}
	return r.tally, errs.String(), err
}

func TestPublishJudgesLines(t *testing.T) {
	secret := strings.Replace(document("3"), `"actor"`, `"request":{"url":"/x?api_key=s3cret"},"actor"`, 1)
	badTime := strings.Replace(document("4"), "2026-01-02T03:04:05Z", "-", 1)
	in := strings.Join([]string{
		"\ufeff" + document("1"), "", "  \t", document("2") + "\r", secret, badTime, document("1"),
		`{"id":"5"`, `[]`, strings.Replace(document("6"), "acme", "a/b", 1), strings.Replace(document("7"), "course", "other", 1),
		strings.Repeat("x", 5000), document("8"),
	}, "\n") // no line end at the end
	m := &memory{}
	got, said, err := publishTo(t, m, publishCmd{MaxLine: 1000}, strings.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(tally{Read: 11, Taken: 5, Duplicates: 1, Refused: 4, Skipped: 1}, got); d != "" {
		t.Errorf("%s\n%s", d, said)
	}
	want := []string{document("1"), document("2"), strings.Replace(secret, "s3cret", "REDACTED", 1), badTime, document("8")}
	if d := cmp.Diff(want, m.order); d != "" {
		t.Error(d)
	}
	for _, line := range []string{"standard input:8: is not valid JSON", "standard input:9: is not a JSON object",
		"standard input:10: /institution/id: is not", "standard input:11: /category", "standard input:12: longer than 1000 bytes, skipped"} {
		if !strings.Contains(said, line) {
			t.Errorf("does not say %q:\n%s", line, said)
		}
	}
}

func TestPublishFiles(t *testing.T) {
	dir := t.TempDir()
	var text bytes.Buffer
	const each = 2500
	for i := range each {
		fmt.Fprintln(&text, document(fmt.Sprint(i)))
	}
	var zipped, zstded bytes.Buffer
	g := gzip.NewWriter(&zipped)
	z, err := zstd.NewWriter(&zstded)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []io.WriteCloser{g, z} {
		w.Write(text.Bytes())
		w.Close()
	}
	files := map[string]string{"a.ndjson": text.String(), "a.ndjson.gz": zipped.String(), "a.ndjson.zst": zstded.String()}
	for name, content := range files {
		path := filepath.Join(dir, name)
		write(t, path, content)
		m := &memory{}
		got, said, err := publishTo(t, m, publishCmd{Files: []string{path, path}}, nil)
		if d := cmp.Diff(tally{Read: 2 * each, Taken: each, Duplicates: each}, got); d != "" || err != nil {
			t.Errorf("%s: %v %s %s", name, err, said, d)
		}
		if got := strings.Join(m.order, "\n") + "\n"; got != text.String() {
			t.Errorf("%s: what was published is not what is in the file", name)
		}
	}
	cut := filepath.Join(dir, "cut.ndjson.gz")
	write(t, cut, zipped.String()[:zipped.Len()/2])
	got, _, err := publishTo(t, &memory{}, publishCmd{Files: []string{cut}}, nil)
	if !errors.Is(err, io.ErrUnexpectedEOF) || got.Taken == 0 || got.Refused != 0 {
		t.Errorf("a file that is cut: %v %+v", err, got)
	}
	if _, _, err := publishTo(t, &memory{}, publishCmd{Files: []string{filepath.Join(dir, "none")}}, nil); err == nil {
		t.Error("a file that is not there is no error")
	}
}

// A connection that is lost, for a while or with acknowledgements under way,
// costs time only; the count stays true.
func TestPublishResumes(t *testing.T) {
	lost := fmt.Errorf("connection lost: %w", actionlog.ErrUnavailable)
	var in strings.Builder
	for i := range 1500 {
		fmt.Fprintln(&in, document(fmt.Sprint(i)))
	}
	m := &memory{fail: []error{lost, lost, nil, lost, lost}, broken: 100}
	got, said, err := publishTo(t, m, publishCmd{GiveUpAfter: time.Minute}, strings.NewReader(in.String()))
	if err != nil || got.Read != 1500 || got.Taken+got.Duplicates != 1500 || len(m.order) != 1500 || got.Duplicates == 0 {
		t.Errorf("%v %+v %s", err, got, said)
	}
	forever := &memory{fail: make([]error, 1000)}
	for i := range forever.fail {
		forever.fail[i] = lost
	}
	got, said, err = publishTo(t, forever, publishCmd{GiveUpAfter: time.Millisecond}, strings.NewReader(in.String()))
	if !errors.Is(err, actionlog.ErrUnavailable) || got.Unsent == 0 || !strings.Contains(said, "standard input:1 and what follows") {
		t.Errorf("giving up: %v %+v %s", err, got, said)
	}
	stop := &memory{fail: []error{errors.New("the token is not accepted")}}
	got, _, err = publishTo(t, stop, publishCmd{GiveUpAfter: time.Hour}, strings.NewReader(document("1")))
	if err == nil || got.Unsent != 1 {
		t.Errorf("a token that is not accepted: %v %+v", err, got)
	}
}

// An interrupt ends publish also while standard input stays silent.
func TestPublishIsInterrupted(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	m := &memory{}
	p := &publication{cmd: &publishCmd{Files: []string{"-"}, MaxLine: 1000}, to: m, out: &console{in: r, out: io.Discard, err: io.Discard}, backOff: time.Microsecond}
	done := make(chan error)
	go func() { done <- p.all(ctx) }()
	if _, err := io.WriteString(w, document("1")+"\n"); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestPublishOverHTTP(t *testing.T) {
	requests := 0
	server := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if requests++; requests == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		answer := ingestAnswer{}
		status := http.StatusMultiStatus
		lines := bufio.NewScanner(r.Body)
		for i := 0; lines.Scan(); i++ {
			result := ingestResult{Index: i, Status: 201}
			if strings.Contains(lines.Text(), `"id":"dup"`) {
				result.Status, result.Duplicate = 200, true
			}
			if strings.Contains(lines.Text(), `"id":"bad"`) {
				result = ingestResult{Index: i, Status: 422, Error: &problem{Pointer: "/actor/kind", Detail: "is missing"}}
			}
			if r.URL.Path != "/v1/institutions/acme/actions" {
				result = ingestResult{Index: i, Status: 422, Error: &problem{Detail: "all are refused"}}
				status = http.StatusUnprocessableEntity
			}
			answer.Results = append(answer.Results, result)
		}
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(answer)
	})
	in := strings.Join([]string{document("1"), document("dup"), strings.Replace(document("bad"), "user", "", 1), strings.Replace(document("4"), "acme", "other", 1), `{}`, `{`}, "\n")
	status, stdout, stderr := execute(t, server, in, "publish", "--http", "-f", "json")
	want := `{"read":6,"taken":3,"duplicates":1,"refused":2,"skipped":0,"unsent":0}` + "\n"
	if status != statusFailed || stdout != want || !strings.Contains(stderr, "standard input:3: /actor/kind: is missing") || !strings.Contains(stderr, "standard input:4: all are refused") {
		t.Errorf("status %d, %s%s", status, stdout, stderr)
	}
	for _, answer := range []string{`{"results":[]}`, `{"results":[{"index":1,"status":201}]}`} {
		short := answering(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, answer) })
		if status, stdout, stderr := execute(t, short, document("1"), "publish", "--http"); status != statusFailed || !strings.Contains(stdout, "not sent 1") {
			t.Errorf("%s: status %d, %s%s", answer, status, stdout, stderr)
		}
	}
}

// The filter hands on the same bytes as long as no line is too long, however
// small the pieces are.
func FuzzLineFilter(f *testing.F) {
	f.Add([]byte("ab\n\ncdefghijk\nx"), 4)
	f.Add([]byte("\r\n\xef\xbb\xbf"), 16)
	f.Fuzz(func(t *testing.T, in []byte, max int) {
		if max < 1 || max > 1<<10 {
			return
		}
		skipped := map[int64]bool{}
		filter := &lineFilter{r: bufio.NewReaderSize(bytes.NewReader(in), max+2), max: max, skip: func(line int64) { skipped[line] = true }}
		got, err := io.ReadAll(filter)
		if err != nil {
			t.Fatal(err)
		}
		want := bytes.SplitAfter(bytes.TrimPrefix(in, []byte("\xef\xbb\xbf")), []byte("\n"))
		for i, line := range bytes.SplitAfter(got, []byte("\n")) {
			switch {
			case skipped[int64(i+1)]:
				if len(bytes.TrimRight(want[i], "\r\n")) <= max-4 && len(want[i]) <= max {
					t.Fatalf("line %d was skipped", i+1)
				}
			case i >= len(want):
				if len(line) > 0 {
					t.Fatalf("a line too many: %q", line)
				}
			case !bytes.Equal(line, want[i]):
				t.Fatalf("line %d: %q, want %q", i+1, line, want[i])
			}
		}
	})
}

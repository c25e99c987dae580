package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
)

// send makes a request as the holder of token and returns status, headers, body.
func (s *service) send(t testing.TB, token, method, path, contentType, encoding string, body []byte) (int, http.Header, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if encoding != "" {
		req.Header.Set("Content-Encoding", encoding)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range resp.Trailer {
		resp.Header[k] = v
	}
	return resp.StatusCode, resp.Header, answer
}

// post ingests a JSON body of institution acme.
func (s *service) post(t testing.TB, contentType string, body string) (int, []byte) {
	t.Helper()
	status, _, answer := s.send(t, s.token, "POST", "/v1/institutions/acme/actions", contentType, "", []byte(body))
	return status, answer
}

// acme makes a document of institution acme that occurred some time ago.
func acme(id string, ago time.Duration, more string) string {
	if more != "" {
		more = "," + more
	}
	return fmt.Sprintf(`{"id":%q,"occurred_at":%q,"institution":{"id":"acme"},"category":"course","action":{"code":"x.y"},"actor":{"kind":"user"}%s}`,
		id, time.Now().Add(-ago).UTC().Format(time.RFC3339Nano), more)
}

func TestIngest(t *testing.T) {
	s := startService(t)
	ok := acme("a1", time.Hour, "")
	tests := []struct {
		name, contentType, body string
		status                  int
		holds                   string
	}{
		{"object", "application/json", ok, 201, `"position":`},
		{"object again", "application/json; charset=utf-8", " " + ok + "\n", 200, `"duplicate":true`},
		{"array", "application/json", "[" + acme("a2", 0, "") + ",\n" + acme("a3", 0, `"origin":{"ip":"x"}`) + "]", 201, `origin.ip: not an IP address`},
		{"NDJSON", "application/x-ndjson", acme("a4", 0, "") + "\r\n\n" + acme("a5", 0, ""), 201, `"taken":2`},
		{"mixed", "application/x-ndjson", acme("a6", 0, "") + "\n{\n" + acme("", 0, ""), 207, `"pointer":"/id"`},
		{"all refused", "application/x-ndjson", "{\n[]", 422, `"refused":2`},
		{"refused object", "application/json", acme("a b", 0, ""), 422, `"pointer":"/id"`},
		{"other institution", "application/json", strings.Replace(ok, "acme", "other", 1), 422, `"pointer":"/institution/id"`},
		{"future", "application/json", acme("a7", -25*time.Hour, ""), 422, `"pointer":"/occurred_at"`},
		{"nothing", "application/json", "", 422, "not valid JSON"},
		{"empty array", "application/json", "[]", 422, "holds no document"},
		{"broken array", "application/json", "[" + acme("a8", 0, "") + ",{", 400, `"taken":1`},
		{"trailing", "application/json", "[" + acme("a9", 0, "") + "] x", 400, "behind the array"},
		{"media type", "text/plain", ok, 415, "text/plain"},
		{"too large", "application/json", acme("a10", 0, `"summary":"`+strings.Repeat("x", 300000)+`"`), 422, "at most 262144"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			status, body := s.post(t, test.contentType, test.body)
			if status != test.status || !strings.Contains(string(body), test.holds) {
				t.Errorf("%d, want %d with %s: %.500s", status, test.status, test.holds, body)
			}
		})
	}
	t.Run("compressed", func(t *testing.T) {
		var z bytes.Buffer
		g := gzip.NewWriter(&z)
		_, _ = g.Write([]byte(acme("g1", 0, "")))
		_ = g.Close()
		e, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		for encoding, body := range map[string][]byte{"gzip": z.Bytes(), "zstd": e.EncodeAll([]byte(acme("z1", 0, "")), nil)} {
			if status, _, answer := s.send(t, s.token, "POST", "/v1/institutions/acme/actions", "application/json", encoding, body); status != 201 {
				t.Errorf("%s: %d %s", encoding, status, answer)
			}
		}
		if status, _, _ := s.send(t, s.token, "POST", "/v1/institutions/acme/actions", "application/json", "br", nil); status != 415 {
			t.Errorf("br: %d", status)
		}
	})
	s.settle(t)
	if dead := s.deadLetters(t); dead != 0 {
		t.Errorf("%d dead letters: what is refused is not one", dead)
	}
	var page listAnswer
	s.get(t, "/v1/institutions/acme/actions?total=exact&range=7d", &page)
	if page.Meta.Total.Value != 10 {
		t.Errorf("%d actions were kept", page.Meta.Total.Value)
	}
}

// JSONTestSuite: what is not JSON is refused, and nothing breaks the service.
func TestJSONTestSuite(t *testing.T) {
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", "formats", "jsontestsuite_parsing.tar.gz"))
	if err != nil {
		needData(t, err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	s := startService(t)
	files := 0
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(h.Name)
		status, answer := s.post(t, "application/json", string(body))
		files++
		if status >= 500 || strings.HasPrefix(name, "n_") && (status < 400 || status > 499) {
			t.Errorf("%s: %d %.300s", name, status, answer)
		}
		// The same inside a document: y_ is kept, n_ is not.
		if status, answer = s.post(t, "application/json", acme("x", 0, `"details":{"v":`+string(body)+`}`)); status >= 500 || strings.HasPrefix(name, "y_") && status >= 400 {
			t.Errorf("%s within a document: %d %.300s", name, status, answer)
		}
	}
	if files != 318 {
		t.Errorf("%d files", files)
	}
}

// Every naughty string comes back unchanged from NDJSON and JSON, and
// recognisable from CSV, where no cell is a formula.
func TestNaughtyStrings(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", "formats", "blns.json"))
	if err != nil {
		needData(t, err)
	}
	var naughty []string
	if err := json.Unmarshal(raw, &naughty); err != nil {
		t.Fatal(err)
	}
	s := startService(t)
	var lines [][]byte
	for i, text := range naughty {
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, []byte(acme(fmt.Sprintf("n%d", i), time.Hour, fmt.Sprintf(`"summary":%s,"course":{"id":%s,"title":%s}`, quoted, quoted, quoted))))
	}
	s.publish(t, lines)
	want := map[string]string{}
	for i, text := range naughty {
		want[fmt.Sprintf("n%d", i)] = text
	}
	_, _, body := s.send(t, s.token, "GET", "/v1/institutions/acme/export?format=json&"+withoutExports, "", "", nil)
	var all []exported
	if err := json.Unmarshal(body, &all); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, summaries(t, all)); d != "" {
		t.Error(d)
	}
	_, header, body := s.send(t, s.token, "GET", "/v1/institutions/acme/export?format=ndjson&"+withoutExports, "", "", nil)
	all = nil
	for line := range strings.SplitSeq(strings.TrimSpace(string(body)), "\n") {
		var d exported
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	if d := cmp.Diff(want, summaries(t, all)); d != "" {
		t.Error(d)
	}
	sum := sha256.Sum256(body)
	if header.Get("Actionlog-Count") != fmt.Sprint(len(naughty)) || header.Get("Actionlog-Sha256") != hex.EncodeToString(sum[:]) {
		t.Errorf("trailers: %v", header)
	}
	checkNaughtyCSV(t, s, want)
	checkNaughtyFilters(t, s, naughty)
}

func summaries(t *testing.T, documents []exported) map[string]string {
	t.Helper()
	got := map[string]string{}
	for _, d := range documents {
		var doc struct{ Summary string }
		if err := json.Unmarshal(d.Document, &doc); err != nil {
			t.Fatal(err)
		}
		got[d.ID] = doc.Summary
	}
	return got
}

// checkNaughtyFilters: as a filter none breaks the service.
func checkNaughtyFilters(t *testing.T, s *service, naughty []string) {
	t.Helper()
	for i, text := range naughty {
		if strings.HasPrefix(t.Name(), onOpenSearch) && i%6 != 0 {
			continue // each is five searches
		}
		for _, filter := range []string{"user", "course", "any", "response_url", "action"} {
			status, _, body := s.send(t, s.token, "GET", "/v1/institutions/acme/actions?limit=1&"+filter+"="+urlEscape(text), "", "", nil)
			if status >= 500 {
				t.Errorf("%s=%q (%d): %d %s", filter, text, i, status, body)
			}
		}
	}
}

func checkNaughtyCSV(t *testing.T, s *service, want map[string]string) {
	t.Helper()
	_, _, body := s.send(t, s.token, "GET", "/v1/institutions/acme/export?format=csv&"+withoutExports, "", "", nil)
	rows, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	summary := -1
	for i, name := range rows[0] {
		if name == "summary" {
			summary = i
		}
	}
	for _, row := range rows[1:] {
		text := want[row[0]]
		plain := strings.NewReplacer("\r\n", "\n", "\x00", "\ufffd").Replace(text)
		if got := row[summary]; got != plain && got != "'"+plain {
			t.Errorf("%s: %q became %q", row[0], text, got)
		}
		for i, c := range row {
			if c != "" && strings.ContainsRune("=+-@\t\r", rune(c[0])) {
				t.Errorf("%s, %s: the cell %q is a formula", row[0], rows[0][i], c)
			}
		}
	}
	if len(rows) != len(want)+1 {
		t.Errorf("%d rows", len(rows))
	}
}

// needData ends a test that lacks ../shared/data: in CI it fails.
func needData(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("ACTIONLOG_REAL_INPUT") != "" {
		t.Fatal(err)
	}
	t.Skipf("the real input is not here: %v", err)
}

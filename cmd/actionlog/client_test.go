package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

// execute runs the command line against a server that is not the service: for
// what a true one never does.
func execute(t *testing.T, server *httptest.Server, stdin string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	args = append(args, "--url", server.URL, "--token", "al_test", "--institution", "acme", "--data", t.TempDir())
	status = run(t.Context(), args, strings.NewReader(stdin), &out, &errs)
	return status, out.String(), errs.String()
}

func answering(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

const threeLines = `{"id":"1","document":{}}
{"id":"2","document":{"x":"` + "\u2028" + `"}}
{"id":"3","document":{}}
`

func endOf(body string, count int) string {
	return fmt.Sprintf(`{"end":{"count":%d,"sha256":"%x","complete_through":null}}`+"\n", count, sha256.Sum256([]byte(body)))
}

// An export is handed over only when it is whole; whatever is wrong with it
// ends in an error, and the file does not appear under its name.
func TestExportIsWholeOrAnError(t *testing.T) {
	long := `{"id":"long","document":"` + strings.Repeat("x", 200_000) + "\"}\n"
	tests := []struct {
		name, body string
		abort      bool
		says       string // "" is whole
		count      int
	}{
		{"whole", threeLines + endOf(threeLines, 3), false, "", 3},
		{"nothing found", endOf("", 0), false, "", 0},
		{"a line longer than any buffer", long + endOf(long, 1), false, "", 1},
		{"connection aborted", threeLines, true, "broke off after 3 actions", 0},
		{"aborted within a line", threeLines[:40], true, "broke off after 1 actions", 0},
		{"ends without its end", threeLines, false, "broke off after 3 actions", 0},
		{"empty body", "", false, "broke off", 0},
		{"one is missing", threeLines + endOf(threeLines, 4), false, "3 actions came, 4 were sent", 0},
		{"altered", strings.Replace(threeLines, `"2"`, `"9"`, 1) + endOf(threeLines, 3), false, "altered on its way", 0},
		{"something after the end", threeLines + endOf(threeLines, 3) + "{}\n", false, "something follows", 0},
		{"an end that cannot be read", threeLines + `{"end":3}` + "\n", false, "cannot be read", 0},
		{"a cut end", threeLines + strings.TrimSuffix(endOf(threeLines, 3), "\n"), false, "broke off", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := answering(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("end") != "line" || r.URL.Path != "/v1/institutions/acme/export" {
					t.Errorf("asked for %s", r.URL)
				}
				io.WriteString(w, test.body)
				if test.abort {
					w.(http.Flusher).Flush()
					panic(http.ErrAbortHandler)
				}
			})
			file := filepath.Join(t.TempDir(), "out.ndjson")
			status, _, stderr := execute(t, server, "", "export", "-o", file)
			got, err := os.ReadFile(file)
			if test.says != "" {
				if status != statusFailed || !strings.Contains(stderr, test.says) || err == nil {
					t.Fatalf("status %d, file %v, says %q", status, err, stderr)
				}
				return
			}
			want, _, _ := strings.Cut(test.body, `{"end"`)
			if status != statusDone || string(got) != want || !strings.Contains(stderr, fmt.Sprintf("%d actions exported", test.count)) {
				t.Fatalf("status %d, %v, says %q, file %.200q", status, err, stderr, got)
			}
			if _, err := os.Stat(file + ".part"); !os.IsNotExist(err) {
				t.Errorf("%s.part: %v", file, err)
			}
		})
	}
}

func TestExportChecksTrailers(t *testing.T) {
	const body = "id,day\r\n1,2026-01-01\r\n"
	digest := fmt.Sprintf("%x", sha256.Sum256([]byte(body)))
	for name, test := range map[string]struct {
		count, digest string
		abort, whole  bool
	}{
		"whole":       {"1", digest, false, true},
		"no trailers": {"", "", false, false},
		"no count":    {"", digest, false, false},
		"altered":     {"1", strings.Repeat("0", 64), false, false},
		"aborted":     {"1", digest, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := answering(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Trailer", trailerCount+", "+trailerDigest)
				io.WriteString(w, body)
				w.(http.Flusher).Flush()
				if test.abort {
					panic(http.ErrAbortHandler)
				}
				w.Header().Set(trailerCount, test.count)
				w.Header().Set(trailerDigest, test.digest)
			})
			for _, args := range [][]string{{"export", "-f", "csv"}, {"get", "1", "-f", "csv"}, {"search", "-f", "csv", "--all"}} {
				status, stdout, stderr := execute(t, server, "", args...)
				if test.whole != (status == statusDone) || test.whole && stdout != body {
					t.Errorf("%v: status %d, %q, says %q", args, status, stdout, stderr)
				}
			}
		})
	}
}

// A list longer than one page is walked to what was asked for, and not beyond.
func TestSearchWalksPages(t *testing.T) {
	const all = 2345
	server := answering(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		var limit, from int
		fmt.Sscan(q.Get("limit"), &limit)
		fmt.Sscan(q.Get("cursor"), &from)
		if limit < 1 || limit > maxPage || q.Get("response_code") != "2xx" || q.Get("any") != "a, b" {
			t.Errorf("asked for %s", r.URL)
		}
		var page listPage
		for i := from; i < min(from+limit, all); i++ {
			page.Data = append(page.Data, json.RawMessage(fmt.Sprintf(`{"id":"%d"}`, i)))
		}
		if from+limit < all {
			page.Page.Next = fmt.Sprint(from + limit)
		}
		json.NewEncoder(w).Encode(page)
	})
	for _, test := range []struct {
		args []string
		want int
	}{{nil, 50}, {[]string{"--limit", "1001"}, 1001}, {[]string{"--limit", "9999"}, all}, {[]string{"--all"}, all}} {
		args := append([]string{"search", "--response-code", "2xx", "--any", "a, b"}, test.args...)
		status, stdout, stderr := execute(t, server, "", args...)
		lines := strings.Split(strings.TrimSpace(stdout), "\n")
		if status != 0 || len(lines) != test.want || lines[len(lines)-1] != fmt.Sprintf(`{"id":"%d"}`, test.want-1) {
			t.Errorf("%v: status %d, %d lines, %q", test.args, status, len(lines), stderr)
		}
		_, stdout, _ = execute(t, server, "", append(args, "-f", "json")...)
		var list []json.RawMessage
		if err := json.Unmarshal([]byte(stdout), &list); err != nil || len(list) != test.want {
			t.Errorf("%v: json: %v, %d", test.args, err, len(list))
		}
	}
}

// What the service says about a parameter is said about the option.
func TestProblems(t *testing.T) {
	tests := []struct {
		name, answer string
		status, want int
		says         string
	}{
		{"a parameter", `{"detail":"response_code: \"abc\" is not a code","parameter":"response_code"}`, 400, statusUsage, `--response-code: "abc" is not a code`},
		{"unavailable", `{"title":"Unavailable","detail":"day 2026-01-01 is damaged"}`, 503, statusFailed, "day 2026-01-01 is damaged"},
		{"not an explanation", `<html>`, 502, statusFailed, "502 Bad Gateway"},
		{"token", ``, 401, statusFailed, "the token is not accepted"},
		{"elsewhere", ``, 302, statusFailed, "302 Found"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := answering(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(test.status)
				io.WriteString(w, test.answer)
			})
			status, stdout, stderr := execute(t, server, "", "search")
			if status != test.want || !strings.Contains(stderr, test.says) || stdout != "" {
				t.Errorf("status %d, %q, %q", status, stdout, stderr)
			}
		})
	}
}

func TestInstitutionIsFoundOrAskedFor(t *testing.T) {
	for list, says := range map[string]string{
		`{"data":[]}`:                        "no actions of any institution",
		`{"data":[{"id":"a"},{"id":"b"}]}`:   "--institution: is missing; the token may see these:\n  a\n  b",
		`{"data":[{"id":"acme","name":""}]}`: "",
	} {
		server := answering(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v1/institutions" {
				io.WriteString(w, list)
				return
			}
			fmt.Fprintf(w, `{"data":[{"id":%q}]}`, r.URL.Path)
		})
		var out, errs bytes.Buffer
		status := run(t.Context(), []string{"search", "--url", server.URL, "--token", "x"}, nil, &out, &errs)
		if says == "" && (status != 0 || !strings.Contains(out.String(), "/institutions/acme/")) {
			t.Errorf("one: %d %s", status, errs.String())
		}
		if says != "" && (status != statusUsage || !strings.Contains(errs.String(), says)) {
			t.Errorf("%s: %d %q", list, status, errs.String())
		}
	}
}

// The administrator's token of this machine is for this machine's service.
func TestTokenStaysOnThisMachine(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "admin.token"), "al_secret\n")
	write(t, filepath.Join(dir, "http.addr"), "http://10.1.2.3:8080\n")
	for url, want := range map[string]string{
		"http://127.0.0.1:9": "al_secret", "http://localhost:9": "al_secret", "https://[::1]:9": "al_secret", "": "al_secret",
		"https://actions.example": "", "http://10.1.2.4:8080": "", "http://127.0.0.1.example:80": "",
	} {
		c, err := (&settings{Data: dir, URL: url}).client()
		if err != nil || c.token != want {
			t.Errorf("%q: token %q, %v", url, c.token, err)
		}
	}
}

func TestConfiguration(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "actionlog.yaml")
	server := answering(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"data":[{"id":%q}]}`, r.URL.Path+" "+r.Header.Get("Authorization"))
	})
	tests := []struct {
		name, text, env string
		args            []string
		status          int
		says            string
	}{
		{"file", "institution: fromfile\ntoken: t1", "", nil, 0, "fromfile/actions Bearer t1"},
		{"JSON", `{"institution":"fromfile","token":"t1"}`, "", nil, 0, "fromfile/actions Bearer t1"},
		{"a command's own", "token: t1\ninstitution: all\nsearch: {institution: own}\nserve: {listen: '127.0.0.1:1'}", "", nil, 0, "own/actions"},
		{"the environment wins", "institution: fromfile\ntoken: t1", "fromenv", nil, 0, "fromenv/actions Bearer t1"},
		{"the command line wins", "institution: fromfile\ntoken: t1", "fromenv", []string{"--institution=typed"}, 0, "typed/actions"},
		{"misspelt", "institutoin: x", "", nil, statusUsage, `"institutoin" is not an option`},
		{"not of this command", "search: {listen: x}", "", nil, statusUsage, `"listen" is not an option of this command`},
		{"no command", "find: {limit: 3}", "", nil, statusUsage, `"find" is not a command`},
		{"a filter", "search: {user: ann}", "", nil, statusUsage, `"user" is not an option`},
		{"not YAML", "a: b: c", "", nil, statusUsage, "actionlog.yaml"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			write(t, file, test.text)
			if test.env != "" {
				t.Setenv("ACTIONLOG_INSTITUTION", test.env)
			}
			t.Setenv("ACTIONLOG_CONFIG", file)
			var out, errs bytes.Buffer
			status := run(context.Background(), append([]string{"search", "--url", server.URL}, test.args...), nil, &out, &errs)
			if status != test.status || !strings.Contains(out.String()+errs.String(), test.says) {
				t.Errorf("status %d, %s%s", status, out.String(), errs.String())
			}
		})
	}
	if status := run(t.Context(), []string{"check", "--config", filepath.Join(dir, "none")}, nil, io.Discard, io.Discard); status != statusUsage {
		t.Errorf("a configuration that is not there: status %d", status)
	}
}

// Texts of actions are foreign: they steer no terminal.
func TestTablesAreHarmless(t *testing.T) {
	server := answering(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"data":[{"id":"1","document":{"occurred_at":"2026-01-02t03:04:05+01:00","actor":{"name":"\u001b[2J\u202eevil\u009b"},"course":{"title":17},"targets":[{"name":"A"},{"id":"b"}],"response":{"code":"x"}}}]}`)
	})
	status, stdout, stderr := execute(t, server, "", "search", "-f", "table", "--tz", "Asia/Kolkata")
	if status != 0 || strings.ContainsAny(stdout, "\u001b\u202e\u009b") || !strings.Contains(stdout, "2026-01-02 07:34:05") || !strings.Contains(stdout, "A +1") {
		t.Errorf("status %d, %q %s", status, stdout, stderr)
	}
	if d := cmp.Diff(`"a\u009bb\u202e"`, string(escapeControls([]byte("\"a\u009bb\u202e\"")))); d != "" {
		t.Error(d)
	}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Every filter of the API is an option, and no option is a filter that the API
// does not have.
func TestFiltersAreTheAPIs(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	type parameter struct {
		Name string `yaml:"name"`
		In   string `yaml:"in"`
		Ref  string `yaml:"$ref"`
	}
	var api struct {
		Paths map[string]struct {
			Parameters []parameter `yaml:"parameters"`
			Get        struct {
				Parameters []parameter `yaml:"parameters"`
			} `yaml:"get"`
		} `yaml:"paths"`
		Components struct {
			Parameters map[string]parameter `yaml:"parameters"`
		} `yaml:"components"`
	}
	if err := yaml.Unmarshal(text, &api); err != nil {
		t.Fatal(err)
	}
	parser, err := kong.New(&commands{}, kong.Vars{"maxLine": "1"})
	if err != nil {
		t.Fatal(err)
	}
	for command, path := range map[string]string{"search": "actions", "export": "export"} {
		at := api.Paths["/v1/institutions/{institution}/"+path]
		documented := map[string]bool{}
		for _, p := range append(at.Parameters, at.Get.Parameters...) {
			if p.Ref != "" {
				p = api.Components.Parameters[filepath.Base(p.Ref)]
			}
			if p.In == "query" {
				documented[p.Name] = true
			}
		}
		// These are not filters; the command line sets them itself, or not.
		// q is what stands without an option: testdata/query.txt.
		for _, own := range []string{"q", "limit", "cursor", "order", "total", "format", "end", "bom"} {
			delete(documented, own)
		}
		options := map[string]bool{}
		for _, n := range parser.Model.Children {
			for _, f := range n.Flags {
				if n.Name == command && f.Group != nil && f.Group.Key == filterGroup {
					options[parameterName(f.Name)] = true
				}
			}
		}
		if d := cmp.Diff(documented, options); d != "" {
			t.Errorf("%s: -openapi.yaml +options\n%s", command, d)
		}
	}
}

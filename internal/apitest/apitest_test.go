package apitest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const small = `
openapi: 3.1.0
paths:
  /things/{id}:
    get:
      parameters:
        - {name: id, in: path, required: true, schema: {type: string, pattern: '^[a-z]+$'}}
        - {name: most, in: query, schema: {type: integer}}
        - {name: also, in: query, schema: {type: array, items: {enum: [a, b]}}}
      responses:
        '200': {$ref: '#/components/responses/Lines'}
        '4XX': {$ref: '#/components/responses/Problem'}
  /things/new:
    post:
      requestBody: {required: true, content: {application/json: {schema: {type: object, required: [name]}}}}
      responses:
        '204': {description: Done.}
        4XX: {$ref: '#/components/responses/Problem'}
components:
  responses:
    Lines:
      description: A line each.
      headers: {Sum: {x-trailer: true, schema: {type: integer}}, Trailer: {required: true, schema: {const: Sum}}}
      content: {application/x-ndjson: {schema: {type: string}, x-line: {type: object, required: [n], properties: {at: {type: string, format: date-time}}}}}
    Problem:
      description: A problem.
      content: {application/problem+json: {schema: {type: object, required: [title]}}}
`

// toldOf is a test that keeps what it is told.
type toldOf struct {
	testing.TB
	said []string
}

func (r *toldOf) Helper() {}
func (r *toldOf) Errorf(format string, args ...any) {
	r.said = append(r.said, fmt.Sprintf(format, args...))
}

// lines answers with lines and a trailer; with broken in the query, and with none of it.
func lines(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Trailer", "Sum")
	for _, line := range strings.Split(r.Header.Get("Lines"), ";") {
		_, _ = io.WriteString(w, line+"\n")
		_ = http.NewResponseController(w).Flush()
	}
	if r.Header.Get("Broken") != "" {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Sum", r.Header.Get("Sum"))
}

var exchanges = []struct {
	name, method, path, lines, sum, broken, body, want string
}{
	{name: "all is well", path: "/things/a?most=5&also=a&also=b", lines: `{"n":1};{"n":2,"at":"2026-01-01T00:00:00Z"}`, sum: "3"},
	{name: "a line", path: "/things/a", lines: `{"n":1};{"m":2}`, sum: "3", want: "GET /things/{id}: 200: a line of the answer: - at '': missing property 'n'"},
	{name: "a format", path: "/things/a", lines: `{"n":1,"at":"yesterday"}`, sum: "3", want: "at '/at'"},
	{name: "no sum", path: "/things/a", lines: `{"n":1}`, want: "the header Sum"},
	{name: "broken off", path: "/things/a", lines: `{"n":1};{"m"`, broken: "yes"},
	{name: "no number", path: "/things/a?most=many", lines: `{"n":1}`, sum: "3", want: "the parameter most was taken"},
	{name: "twice", path: "/things/a?most=1&most=2", lines: `{"n":1}`, sum: "3", want: "several times"},
	{name: "not of the list", path: "/things/a?also=a&also=c", lines: `{"n":1}`, sum: "3", want: "the parameter also was taken"},
	{name: "a path", path: "/things/A", lines: `{"n":1}`, sum: "3", want: "the parameter id was taken"},
	{name: "another address", path: "/things", lines: `{"n":1}`, sum: "3", want: "GET /things (not described)"},
	{name: "taken", method: "POST", path: "/things/new", body: `{"name":"x"}`},
	{name: "taken wrongly", method: "POST", path: "/things/new", body: `{}`, want: "POST /things/new: 204: the request: - at '': missing property 'name'"},
	{name: "taken empty", method: "POST", path: "/things/new", want: "the request"},
}

// What a handler says, and what a client is told, is judged alike.
func TestExchanges(t *testing.T) {
	c, err := New([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range exchanges {
		inside, outside := &toldOf{TB: t}, &toldOf{TB: t}
		server := httptest.NewServer(c.Handler(inside, http.HandlerFunc(lines)))
		tr := &Transport{Contract: c, Base: http.DefaultTransport}
		tr.Watch(outside, server.URL)
		req, err := http.NewRequestWithContext(t.Context(), x.method, server.URL+x.path, strings.NewReader(x.body))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"Lines": x.lines, "Sum": x.sum, "Broken": x.broken} {
			req.Header.Set(name, value)
		}
		resp, err := (&http.Client{Transport: tr}).Do(req)
		if err != nil {
			t.Fatalf("%s: %v", x.name, err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); (err != nil) != (x.broken != "") {
			t.Errorf("%s: %v", x.name, err)
		}
		resp.Body.Close()
		server.Close() // the handler has reported
		for side, told := range map[string]*toldOf{"inside": inside, "outside": outside} {
			text := strings.Join(told.said, "\n")
			if (x.want == "") != (text == "") || !strings.Contains(text, x.want) {
				t.Errorf("%s, %s: want %q: %s", x.name, side, x.want, text)
			}
		}
	}
	if got := strings.Join(c.Unanswered(), ", "); got != "POST /things/new: never a problem, GET /things/{id}: never a problem" {
		t.Error(got)
	}
}

// A description that is not understood holds nobody to anything.
func TestNewRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":             "",
		"no operation":        "paths: {}",
		"another method":      strings.Replace(small, "    post:", "    fetch:", 1),
		"a lost response":     strings.Replace(small, "responses/Lines", "responses/Line", 1),
		"a lost parameter":    strings.Replace(small, "{name: id,", "{name: it,", 1),
		"a parameter of none": strings.Replace(small, "in: query", "in: cookie", 1),
		"a schema":            strings.Replace(small, "pattern: '^[a-z]+$'", "pattern: '['", 1),
	} {
		if _, err := New([]byte(text)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

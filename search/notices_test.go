package search

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"actionlog"
	"actionlog/internal/apitest"
)

// reported is what a contract said.
type reported []string

func (*reported) Helper() {}
func (r *reported) Errorf(format string, args ...any) {
	*r = append(*r, fmt.Sprintf(format, args...))
}

// tampered is an answer that may be changed before it is sent.
type tampered struct{ *httptest.ResponseRecorder }

func (a tampered) replace(old, new string) {
	text := a.Body.String()
	a.Body.Reset()
	a.Body.WriteString(strings.Replace(text, old, new, 1))
}

// tampering is one way to answer otherwise than openapi.yaml says, and what is to be said
// of it.
type tampering struct {
	name, method, path, body, want string
	change                         func(a tampered)
}

const uniPath = "/v1/institutions/uni"

var tamperings = []tampering{
	{"nothing", "GET", uniPath + "/actions", "", "", func(tampered) {}},
	{"a member is missing", "GET", uniPath + "/actions", "", "GET /v1/institutions/{institution}/actions: 200: the answer: - at '/data/0': validation failed\n\t  - at '/data/0': missing property 'day'", func(a tampered) { a.replace(`"day"`, `"xday"`) }},
	{"a member too many", "GET", uniPath + "/actions/a1", "", "additional properties 'shard' not allowed", func(a tampered) { a.replace(`{"id"`, `{"shard":1,"id"`) }},
	{"one too many of a schema of two", "GET", uniPath + "/facets?field=action", "", "at '/meta/shard'", func(a tampered) { a.replace(`"took_ms"`, `"shard":1,"took_ms"`) }},
	{"a member of another type", "GET", uniPath + "/histogram", "", "at '/data/0/count': got string, want integer", func(a tampered) { a.replace(`"count":0`, `"count":"0"`) }},
	{"what is no time", "GET", uniPath + "/actions", "", "at '/meta/from'", func(a tampered) { a.replace(`"from":"`, `"from":"x`) }},
	{"a secret in the list of tokens", "GET", "/v1/tokens", "", "at '/data/0/token'", func(a tampered) { a.replace(`{"id"`, `{"token":"s","id"`) }},
	{"a status", "GET", "/v1/tokens", "", "GET /v1/tokens: 203: the status is not described", func(a tampered) { a.Code = 203 }},
	{"a problem as JSON", "GET", uniPath + "/actions?colour=red", "", "400: the Content-Type application/json of the answer is not described", func(a tampered) { a.Header().Set("Content-Type", "application/json") }},
	{"an export as another type", "GET", uniPath + "/export", "", "the Content-Type text/plain of the answer is not described", func(a tampered) { a.Header().Set("Content-Type", "text/plain") }},
	{"a line of an export", "GET", uniPath + "/export", "", "a line of the answer", func(a tampered) { a.replace(`"day"`, `"xday"`) }},
	{"no digest behind an export", "GET", uniPath + "/export", "", "the header Actionlog-Sha256 is missing", func(a tampered) { a.Header().Del(trailerDigest) }},
	{"no ID", "GET", "/healthz", "", "the header X-Request-Id is missing", func(a tampered) { a.Header().Del("X-Request-Id") }},
	{"a header that nobody knows of", "GET", "/healthz", "", "the header X-Powered-By is not described", func(a tampered) { a.Header().Set("X-Powered-By", "x") }},
	{"no Retry-After", "GET", uniPath + "/actions", "", "503: the header Retry-After is missing", func(a tampered) {
		a.Code = 503
		a.Header().Set("Content-Type", "application/problem+json")
		a.Body.Reset()
		a.Body.WriteString(`{"type":"about:blank","title":"x","status":503,"detail":"x"}`)
	}},
	{"a body that is none", "DELETE", "/v1/tokens/t1", "", "the answer has a body", func(a tampered) { a.Body.WriteString("gone") }},
	{"no JSON", "GET", "/v1/institutions", "", "no JSON", func(a tampered) { a.replace("}", "") }},
	{"an address that is not described", "GET", "/v1/secret", "", "the operation is not described", func(a tampered) { a.Code = 200 }},
	{"a request that should be refused", "GET", uniPath + "/actions?colour=red", "", "the parameter colour was taken and is not described", func(a tampered) { a.Code = 207 }},
	{"a body that should be refused", "POST", "/v1/tokens/t1/rotate", `{"overlap":5}`, "the request: - at '/overlap': got number, want string", func(a tampered) { a.Code = 201 }},
	{"a value that should be refused", "GET", uniPath + "/actions?order=wrong", "", "the parameter order was taken", func(a tampered) { a.Code = 200 }},
}

// The real API's answers, each changed in one way, do not pass; unchanged they do.
func TestContractNotices(t *testing.T) {
	api := every(t, nil).(held).inner
	contract, err := apitest.New(actionlog.OpenAPI()) // another: what is tampered with counts for nothing
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range tamperings {
		var said reported
		handler := contract.Handler(&said, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a := tampered{httptest.NewRecorder()}
			api.ServeHTTP(a, r)
			c.change(a)
			trailer := http.Header{}
			for name, values := range a.Header() {
				if name == trailerCount || name == trailerDigest {
					trailer[name] = values
				} else {
					w.Header()[name] = values
				}
			}
			w.WriteHeader(a.Code)
			_, _ = w.Write(bytes.Clone(a.Body.Bytes()))
			for name, values := range trailer {
				w.Header()[name] = values
			}
		}))
		req := httptest.NewRequestWithContext(t.Context(), c.method, c.path, strings.NewReader(c.body))
		req.Header.Set("Authorization", "Bearer all")
		handler.ServeHTTP(httptest.NewRecorder(), req)
		text := strings.Join(said, "\n")
		if (c.want == "") != (text == "") || !strings.Contains(text, c.want) {
			t.Errorf("%s: want %q: %s", c.name, c.want, text)
		}
	}
}

package elastic

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// bodies are the schemas of requests, by the last part of their path, from the
// engine's own description of its API.
type bodies map[string]*jsonschema.Schema

// schemaFile is the description, where the real input lies beside the clone: closed,
// so that a member that the engine does not know is an error.
var schemaFile = filepath.Join("..", "..", "..", "shared", "data", "formats", "opensearch_openapi_subset_strict.json")

var readSchemas = sync.OnceValues(func() (bodies, error) {
	f, err := os.Open(schemaFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	doc, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("file:///opensearch.json", doc); err != nil {
		return nil, err
	}
	all := bodies{}
	for path, name := range map[string]string{"_search": "search", "scroll": "scroll", "DELETE scroll": "clear_scroll"} {
		if all[path], err = c.Compile("file:///opensearch.json#/components/requestBodies/" + name + "/content/application~1json/schema"); err != nil {
			return nil, err
		}
	}
	all["_bulk"], err = c.Compile("file:///opensearch.json#/components/schemas/_core.bulk___OperationContainer")
	return all, err
})

// schemas returns the schemas, or nil where the file is not there; where the real
// input is required that is a failure.
func schemas(t testing.TB) bodies {
	t.Helper()
	all, err := readSchemas()
	if err != nil && (!os.IsNotExist(err) || os.Getenv("ACTIONLOG_REAL_INPUT") == "required") {
		t.Fatal(err)
	}
	return all
}

// validating is a connection that compares every body with its schema.
type validating struct {
	testing.TB
	bodies
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (v validating) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil && v.bodies != nil {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		v.check(req, body)
	}
	return v.next.RoundTrip(req)
}

func (v validating) check(req *http.Request, body []byte) {
	last := req.URL.Path[strings.LastIndexByte(req.URL.Path, '/')+1:]
	name := last
	if req.Method == http.MethodDelete {
		name = req.Method + " " + last
	}
	schema := v.bodies[name]
	switch {
	case schema == nil:
		return
	case last != "_bulk":
		v.validate(schema, req, body)
		return
	}
	operation := true
	for line := range bytes.Lines(body) {
		if operation {
			v.validate(schema, req, line)
		}
		operation = !operation || bytes.HasPrefix(line, []byte(`{"delete"`))
	}
}

func (v validating) validate(schema *jsonschema.Schema, req *http.Request, body []byte) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err == nil {
		err = schema.Validate(value)
	}
	if err != nil {
		v.Errorf("%s %s: %v\n%s", req.Method, req.URL.Path, err, brief(string(body)))
	}
}

// The validation itself finds what the engine does not know.
func TestSchemasAreClosed(t *testing.T) {
	all := schemas(t)
	if all == nil {
		t.Skip("the engine's description is not beside this clone")
	}
	for name, body := range map[string]string{
		"_search": `{"query":{"bool":{"filters":[]}}}`, "scroll": `{"scroll":"5m","id":"x"}`, "DELETE scroll": `{"scroll_id":7}`, "_bulk": `{"create":{"_index":7}}`,
	} {
		var value any
		if err := json.Unmarshal([]byte(body), &value); err != nil {
			t.Fatal(err)
		}
		if all[name].Validate(value) == nil {
			t.Errorf("%s: %s passes", name, body)
		}
	}
}

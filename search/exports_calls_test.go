package search

import (
	"context"
	"encoding/json"
	"iter"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"actionlog"
)

// files are an ExportStorage in memory.
type files map[string][]byte

func (f files) Create(_ context.Context, name, path string, _ int64) (err error) {
	f[name], err = os.ReadFile(path)
	return err
}

func (f files) ReadRange(_ context.Context, name string, offset, length int64) ([]byte, error) {
	b, there := f[name]
	if !there {
		return nil, actionlog.ErrNotFound
	}
	return b[offset : offset+length], nil
}

func (f files) List(_ context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, name := range slices.Sorted(maps.Keys(f)) {
			if strings.HasPrefix(name, prefix) && !yield(name, nil) {
				return
			}
		}
	}
}

func (f files) Remove(_ context.Context, name string) error {
	delete(f, name)
	return nil
}

// An export from being asked for to its end: what is answered of it, of its file and of its
// parts is as openapi.yaml says. The test does the jobs' work itself, in between.
func TestExportOperations(t *testing.T) {
	for _, format := range []string{"ndjson", "json", "csv", "ecs"} {
		var exports *Exports
		handler := every(t, func(o *Options) { exports = o.Exports })
		ask := func(status int, method, path, body string, header ...string) *httptest.ResponseRecorder {
			t.Helper()
			w, req := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), method, "/v1/institutions/uni/exports"+path, strings.NewReader(body))
			req.Header.Set("Authorization", "Bearer all")
			for i := 0; i < len(header); i += 2 {
				req.Header.Set(header[i], header[i+1])
			}
			handler.ServeHTTP(w, req)
			if w.Code != status {
				t.Fatalf("%s: %s %s: %d %s", format, method, path, w.Code, w.Body)
			}
			return w
		}
		var x actionlog.Export
		if err := json.Unmarshal(ask(201, "POST", "", `{"format":"`+format+`","filter":{"range":"7d","category":["institution"]}}`).Body.Bytes(), &x); err != nil {
			t.Fatal(err)
		}
		at := "/" + x.ID
		ask(409, "GET", at+"/content", "")
		if err := exports.work(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(ask(200, "GET", at, "").Body.Bytes(), &x); err != nil || x.Status != actionlog.ExportReady || *x.Count != 1 {
			t.Fatalf("%s: %v %+v", format, err, x)
		}
		whole := ask(200, "GET", at+"/content", "")
		if int64(whole.Body.Len()) != *x.Bytes {
			t.Errorf("%s: %d bytes of %d", format, whole.Body.Len(), *x.Bytes)
		}
		tag := whole.Header().Get("ETag")
		if part := ask(206, "GET", at+"/content", "", "Range", "bytes=1-4", "If-Range", tag); part.Body.String() != whole.Body.String()[1:5] {
			t.Errorf("%s: a part is %q", format, part.Body)
		}
		ask(200, "GET", at+"/content", "", "Range", "bytes=1-4", "If-Range", `"x"`)
		ask(304, "GET", at+"/content", "", "If-None-Match", tag)
		ask(412, "GET", at+"/content", "", "If-Match", `"x"`)
		ask(416, "GET", at+"/content", "", "Range", "bytes=100000000-")
		ask(201, "POST", "", `{}`)
		ask(200, "GET", "?limit=1", "")
		ask(200, "DELETE", at, "")
		ask(409, "DELETE", at, "")
		ask(http.StatusGone, "GET", at+"/content", "")
		ask(400, "POST", "", `{"format":"xml"}`)
		ask(404, "GET", "/none", "")
	}
}

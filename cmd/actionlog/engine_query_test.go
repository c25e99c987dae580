package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// actor is an engine that knows Melody Wang (u1) and nothing else, and remembers what
// it was asked for actions.
type actor struct {
	mu    sync.Mutex
	asked []byte // the last list
}

func (a *actor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	const frame = `{"timed_out":false,"_shards":{"total":1,"successful":1,"failed":0},"hits":{"total":{"value":0,"relation":"eq"},"hits":[%s]},"aggregations":{"keys":{"buckets":{}}}}`
	switch {
	case r.URL.Path == "/":
		fmt.Fprint(w, `{"version":{"number":"3.5.0","distribution":"opensearch"}}`)
	case r.Method == http.MethodGet && !strings.Contains(r.URL.Path, "_cat"):
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":{"type":"x"}}`)
	case strings.Contains(r.URL.Path, "_cat"):
		fmt.Fprint(w, `[]`)
	case !strings.HasSuffix(r.URL.Path, "_search"):
		fmt.Fprint(w, `{}`)
	case strings.Contains(r.URL.Path, "-directory") && bytes.Contains(body, []byte("collapse")) && bytes.Contains(body, []byte("melody")):
		fmt.Fprintf(w, frame, `{"_id":"e","_source":{"entry":"e"}}`)
	case strings.Contains(r.URL.Path, "-directory") && bytes.Contains(body, []byte(`"entry":["e"]`)):
		fmt.Fprintf(w, frame, `{"_id":"1","_source":{"entry":"e","fact":"1","type":"entry","raw_key":"id:u1","text":"u1"}},{"_id":"2","_source":{"entry":"e","fact":"2","type":"name","text":"Melody Wang"}}`)
	default:
		if bytes.Contains(body, []byte(`"sort":[{"occurred_at"`)) {
			a.mu.Lock()
			a.asked = body
			a.mu.Unlock()
		}
		fmt.Fprintf(w, frame, "")
	}
}

// Filter in, JSON out: what each filter of the page asks an engine. The golden file is
// written anew with ACTIONLOG_UPDATE=1; read its difference.
func TestFiltersAsQueries(t *testing.T) {
	engine := &actor{}
	server := httptest.NewServer(engine)
	t.Cleanup(server.Close)
	s := startService(t, "--engine", server.URL)
	path := filepath.Join("testdata", "engine", "queries.txtar")
	golden, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range golden.Files {
		engine.asked = nil
		status, _, body := s.send(t, s.token, "GET", "/v1/institutions/uni/actions?total=none&from=2026-11-01T00:00:00Z&to=2026-11-08T00:00:00Z&"+f.Name, "", "", nil)
		if status != http.StatusOK || engine.asked == nil {
			t.Errorf("%s: %d %s", f.Name, status, body)
			continue
		}
		var asked struct{ Query any }
		if err := json.Unmarshal(engine.asked, &asked); err != nil {
			t.Fatal(err)
		}
		text, err := json.MarshalIndent(asked.Query, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		got := string(text) + "\n"
		if os.Getenv("ACTIONLOG_UPDATE") != "" {
			golden.Files[i].Data = []byte(got)
		} else if d := cmp.Diff(string(f.Data), got); d != "" {
			t.Errorf("%s (-golden +asked):\n%s", f.Name, d)
		}
	}
	if os.Getenv("ACTIONLOG_UPDATE") != "" {
		if err := os.WriteFile(path, txtar.Format(golden), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

package elastic

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"actionlog"
	"actionlog/mappings"

	"github.com/elastic/go-elasticsearch/v8/typedapi/ilm/putlifecycle"
)

// lifecycle is a server that has ILM, or ISM, or neither, and remembers what it was
// told.
type lifecycle struct {
	distribution, path string // "": it has neither
	mu                 sync.Mutex
	there              bool
	told               map[string]string // body by method and path
}

func (l *lifecycle) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.distribution == "" {
		w.Header().Set(product, "Elasticsearch")
	}
	policy := strings.Contains(r.URL.Path, "policy") || strings.Contains(r.URL.Path, "policies")
	switch {
	case r.URL.Path == "/":
		fmt.Fprintf(w, `{"version":{"number":"8.19.21","distribution":%q}}`, l.distribution)
	case policy && (l.path == "" || !strings.HasPrefix(r.URL.Path, l.path)):
		w.WriteHeader(http.StatusBadRequest) // as a server without the plugin
		fmt.Fprintf(w, `{"error":"no handler found for uri [%s] and method [%s]"}`, r.URL.Path, r.Method)
	case policy && r.Method == http.MethodGet && !l.there:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":{"type":"resource_not_found_exception","reason":"Lifecycle policy not found: actionlog"},"status":404}`)
	case r.Method == http.MethodGet && !policy:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":{"type":"x"}}`)
	default:
		if r.Method != http.MethodGet {
			l.told[r.Method+" "+r.URL.Path] = string(body)
		}
		l.there = l.there || policy && r.Method == http.MethodPut
		fmt.Fprint(w, `{"acknowledged":true}`)
	}
}

func (l *lifecycle) open(t *testing.T, want Retention) (*Store, error) {
	t.Helper()
	l.told = map[string]string{}
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	s, err := Open(t.Context(), Options{Addresses: []string{server.URL}, RefreshEvery: time.Millisecond, Retention: want}, slog.New(slog.DiscardHandler))
	if err == nil {
		t.Cleanup(func() { _ = s.Close() })
	}
	return s, err
}

// What drops days is probed for, installed once, and given a day only when it is told
// to.
func TestRetentionIsProbed(t *testing.T) {
	day, err := actionlog.ParseDay("2026-08-01")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		server *lifecycle
		want   Retention
		policy string // what is put where
		attach string
	}{
		"Elasticsearch":         {&lifecycle{path: "/_ilm/"}, RetentionILM, "PUT " + ilmPath, "PUT /actions-2026.08.01/_settings"},
		"OpenSearch":            {&lifecycle{path: "/_plugins/_ism/", distribution: "opensearch"}, RetentionISM, "PUT " + ismPath, "POST /_plugins/_ism/add/actions-2026.08.01"},
		"Elasticsearch without": {&lifecycle{}, RetentionSweep, "", ""},
		"OpenSearch without":    {&lifecycle{distribution: "opensearch"}, RetentionSweep, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := test.server.open(t, RetentionAuto)
			if err != nil {
				t.Fatal(err)
			}
			if s.Retention() != string(test.want) {
				t.Errorf("days go by %s", s.Retention())
			}
			test.server.heard(t, test.policy, true)
			test.server.heard(t, test.attach, false)
			if err := s.Attach(t.Context(), day); err != nil {
				t.Error(err)
			}
			test.server.heard(t, test.attach, true)
			if !strings.Contains(test.server.told[test.attach], mappings.Policy) && test.attach != "" {
				t.Errorf("the day was given to %q", test.server.told[test.attach])
			}
			// What is there, an operator may have changed: it stays.
			again, err := test.server.open(t, RetentionAuto)
			if err != nil || again.Retention() != string(test.want) {
				t.Errorf("again: %v", err)
			}
			test.server.heard(t, test.policy, false)
			test.server.heard(t, test.attach, false)
		})
	}
	if _, err := (&lifecycle{}).open(t, RetentionISM); err == nil || !strings.Contains(err.Error(), "ism") {
		t.Errorf("a server without ISM: %v", err)
	}
}

// heard compares whether the server was told something; "" is nothing to be told.
func (l *lifecycle) heard(t *testing.T, request string, want bool) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, told := l.told[request]; request != "" && told != want {
		t.Errorf("it was told %s: %v; want %v", request, told, want)
	}
}

// The policy is what the client's own types can say, and keeps days for as long as the
// service says.
func TestPolicies(t *testing.T) {
	var strict putlifecycle.Request
	if err := json.Unmarshal(mappings.ILM(), &strict); err != nil {
		t.Fatal(err)
	}
	if strict.Policy == nil || strict.Policy.Phases.Delete == nil || fmt.Sprint(strict.Policy.Phases.Delete.MinAge) != fmt.Sprintf("%dd", actionlog.KeepDays) || strict.Policy.Phases.Delete.Actions.Delete == nil {
		t.Errorf("the ILM policy is read as %+v", strict.Policy)
	}
	var policy struct {
		Policy struct {
			Default string `json:"default_state"`
			States  []struct {
				Name        string
				Actions     []map[string]any
				Transitions []struct {
					State      string            `json:"state_name"`
					Conditions map[string]string `json:"conditions"`
				}
			}
		}
	}
	if err := json.Unmarshal(mappings.ISM(), &policy); err != nil {
		t.Fatal(err)
	}
	p := policy.Policy
	if len(p.States) != 2 || p.States[0].Name != p.Default || len(p.States[0].Transitions) != 1 || p.States[0].Transitions[0].State != p.States[1].Name ||
		p.States[0].Transitions[0].Conditions["min_index_age"] != fmt.Sprintf("%dd", actionlog.KeepDays+1) || p.States[1].Actions[0]["delete"] == nil {
		t.Errorf("the ISM policy is %+v", p)
	}
}

package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/storetest"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"gopkg.in/yaml.v3"
)

// memory is the ports that the API needs besides a store, in memory.
type memory struct{ values map[string][]byte }

func (m memory) Get(_ context.Context, bucket, key string) ([]byte, uint64, error) {
	if v, ok := m.values[bucket+"/"+key]; ok {
		return v, 1, nil
	}
	return nil, 0, actionlog.ErrNotFound
}

func (m memory) Put(_ context.Context, bucket, key string, value []byte, _ uint64) (uint64, error) {
	m.values[bucket+"/"+key] = value
	return 1, nil
}

// Publish keeps what is recorded, by the ID of the action.
func (m memory) Publish(_ context.Context, all []actionlog.Submission) []actionlog.Receipt {
	receipts := make([]actionlog.Receipt, len(all))
	for i, s := range all {
		m.values["published/"+s.Institution+"/"+s.ID] = s.Document
		receipts[i].Position = actionlog.Position{Stream: "s1", Sequence: uint64(i + 1)}
	}
	return receipts
}

func (m memory) Delete(_ context.Context, bucket, key string) error {
	delete(m.values, bucket+"/"+key)
	return nil
}

func (m memory) List(_ context.Context, bucket string) (keys []string, err error) {
	for name := range m.values {
		if key, is := strings.CutPrefix(name, bucket+"/"); is {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys, nil
}

func (m memory) Settled(context.Context) (time.Time, error)                    { return time.Unix(1, 0), nil }
func (m memory) Institutions(context.Context) ([]actionlog.Institution, error) { return nil, nil }

// everybody may do everything.
type everybody struct{ Access }

func (everybody) Check(context.Context, string) (actionlog.Principal, error) {
	return actionlog.Principal{ID: "t", Grants: []actionlog.Grant{{All: true, Roles: actionlog.Roles[:]}}}, nil
}

// nobodySignedIn is Sessions without any.
type nobodySignedIn struct{ Sessions }

func (nobodySignedIn) List(context.Context) ([]Session, error) { return nil, nil }
func (nobodySignedIn) Check(context.Context, string) (actionlog.Principal, error) {
	return actionlog.Principal{}, actionlog.ErrNotFound
}
func (nobodySignedIn) End(context.Context, string) (Session, actionlog.Principal, error) {
	return Session{}, actionlog.Principal{}, actionlog.ErrNotFound
}

// newServer is the API on the naive store with n actions of institution uni.
func newServer(t *testing.T, n int) (*httptest.Server, *storetest.Model) {
	t.Helper()
	store := storetest.NewModel()
	var items []actionlog.Item
	for i := range n {
		doc := fmt.Sprintf(`{"id":"a%d","occurred_at":%q,"institution":{"id":"uni"},"category":"course","action":{"code":"x"},"actor":{"kind":"user"}}`,
			i, time.Now().Add(-time.Hour).UTC().Format(time.RFC3339))
		item, err := actionlog.Parse([]byte(doc), nil)
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, item)
	}
	if _, err := store.Write(t.Context(), items); err != nil {
		t.Fatal(err)
	}
	handler, err := newAPI(t, options(store))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server, store
}

func options(store *storetest.Model) Options {
	m := memory{map[string][]byte{}}
	registry := prometheus.NewRegistry()
	return Options{tailing: pace{time.Millisecond, 20 * time.Millisecond}, Page: aPage(), Licences: "MIT, somebody's", Searcher: store, Scanner: store, Directory: store, Institutions: m, Progress: m, State: m, Publisher: m, Sessions: nobodySignedIn{}, Access: everybody{}, Registerer: registry, Metrics: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), OpenAPI: actionlog.OpenAPI(), Log: slog.New(slog.DiscardHandler)}
}

func get(t *testing.T, server *httptest.Server, path string) (*http.Response, []byte, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/v1/institutions/uni/"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer x")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

// An export whose store fails half-way ends in a broken body without trailers,
// in every format; one that fails from the start is a problem.
func TestBrokenExport(t *testing.T) {
	for _, format := range []string{"ndjson", "ndjson&end=line", "json", "csv", "ecs", "ecs&end=line"} {
		server, store := newServer(t, 3000)
		left := 2000
		store.Fault = func(call string) error {
			if call == "record" {
				if left--; left < 0 {
					return fmt.Errorf("disk: %w", actionlog.ErrUnavailable)
				}
			}
			return nil
		}
		resp, body, err := get(t, server, "export?format="+format)
		if resp.StatusCode != http.StatusOK || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %s, the body ends with %v after %d bytes", format, resp.Status, err, len(body))
		}
		if resp.Trailer.Get(trailerDigest) != "" || strings.Contains(string(body), `{"end":`) || strings.HasSuffix(string(body), "]\n") {
			t.Errorf("%s: a broken export looks whole", format)
		}
		left = 0
		resp, body, err = get(t, server, "export?format="+format)
		if err != nil || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: a failure from the start: %s %s %v", format, resp.Status, body, err)
		}
	}
}

// A whole export has its trailers, also when it is empty.
func TestWholeExport(t *testing.T) {
	for _, n := range []int{0, 1, 2500} {
		server, _ := newServer(t, n)
		for _, format := range []string{"ndjson", "json", "csv", "ecs"} {
			resp, body, err := get(t, server, "export?format="+format)
			if err != nil || resp.Trailer.Get(trailerCount) != fmt.Sprint(n) || len(resp.Trailer.Get(trailerDigest)) != 64 {
				t.Errorf("%d as %s: %v %v, %d bytes", n, format, err, resp.Trailer, len(body))
			}
		}
	}
}

// A client that leaves stops the scan.
func TestClientLeaves(t *testing.T) {
	server, store := newServer(t, 20000)
	records, stopped := 0, make(chan int, 1)
	store.Fault = func(call string) error {
		if call == "record" {
			records++
			if records == 200 {
				time.Sleep(50 * time.Millisecond) // the client is gone by now
			}
		}
		return nil
	}
	ctx, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/v1/institutions/uni/export", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer x")
	resp, err := http.DefaultClient.Do(req)
	if err == nil {
		leave()
		resp.Body.Close()
	}
	leave()
	go func() { server.Close(); stopped <- records }() // waits for the request
	select {
	case n := <-stopped:
		if n >= 20000 {
			t.Errorf("all %d records were read for nobody", n)
		}
	case <-time.After(time.Minute):
		t.Error("the export went on")
	}
}

// A failing store is 503 everywhere, never a short answer.
func TestStoreFails(t *testing.T) {
	server, store := newServer(t, 5)
	store.Fault = func(string) error { return fmt.Errorf("engine: %w", actionlog.ErrUnavailable) }
	for _, path := range []string{"actions", "actions/a1", "actions/a1/export", "export", "histogram", "facets?field=actor", "people?q=x", "courses?q=x", "actions?user=x", "actions?q=target:x", "completions?q=user:x", "completions?q=xy"} {
		resp, body, err := get(t, server, path)
		if err != nil || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %s %s %v", path, resp.Status, body, err)
		}
	}
}

// Every route is documented, and every documented path is a route; so is every line of the
// table of roles.
func TestOpenAPIKnowsEveryRoute(t *testing.T) {
	var api struct {
		Paths map[string]map[string]any `yaml:"paths"`
	}
	if err := yaml.Unmarshal(actionlog.OpenAPI(), &api); err != nil {
		t.Fatal(err)
	}
	var documented, served []string
	for path, methods := range api.Paths {
		for method := range methods {
			documented = append(documented, strings.ToUpper(method)+" "+path)
		}
	}
	handler, err := newAPI(t, options(storetest.NewModel()))
	if err != nil {
		t.Fatal(err)
	}
	parameter := regexp.MustCompile(`:(\w+)`)
	for _, r := range routesOf(handler) {
		served = append(served, r.Method+" "+parameter.ReplaceAllString(r.Path, "{$1}"))
	}
	var decided []string
	for route := range routeRoles {
		decided = append(decided, parameter.ReplaceAllString(route, "{$1}"))
	}
	slices.Sort(documented)
	slices.Sort(served)
	slices.Sort(decided)
	if d := cmp.Diff(documented, served); d != "" {
		t.Errorf("-openapi.yaml +routes\n%s", d)
	}
	if d := cmp.Diff(documented, decided); d != "" {
		t.Errorf("-openapi.yaml +table of roles\n%s", d)
	}
	for name := range filters {
		if !strings.Contains(string(actionlog.OpenAPI()), "parameters/"+name+"'") {
			t.Errorf("openapi.yaml does not use the filter %s", name)
		}
	}
}

// Looking up says how each was matched: the same words, near ones, a name in
// common; and how many actions name them.
func TestLookups(t *testing.T) {
	server, store := newServer(t, 0)
	for i, who := range []string{`"id":"u1","name":"Melody Wang"`, `"id":"u2","name":"Mélodie Wang"`, `"id":"u3","name":"Melody Okafor"`, `"id":"u4","name":"王小明"`, `"id":"u1","name":"Melody Wang"`} {
		item, err := actionlog.Parse([]byte(fmt.Sprintf(`{"id":"p%d","occurred_at":%q,"institution":{"id":"uni"},"category":"course","action":{"code":"x"},"actor":{"kind":"user",%s}}`,
			i, time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), who)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Write(t.Context(), []actionlog.Item{item}); err != nil {
			t.Fatal(err)
		}
	}
	for q, want := range map[string]string{
		"wang+melody":  "u1 exact 2, u2 near 1, u3 part 1, u4 part 1",
		"MELODIE+WANG": "u2 exact 1, u1 near 2, u4 part 1, u3 part 1",
		"meldoy+wang":  "u1 near 2, u2 part 1, u3 part 1, u4 part 1",
		"xiaoming":     "u4 near 1",
		"zzyzx+quux":   "",
		"u3":           "u3 exact 1",
	} {
		_, body, err := get(t, server, "people?q="+q)
		if err != nil {
			t.Fatal(err)
		}
		var answer struct{ Data []found }
		if err := json.Unmarshal(body, &answer); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range answer.Data {
			got = append(got, fmt.Sprintf("%s %s %d", f.ID, f.Match, f.Actions))
		}
		if s := strings.Join(got, ", "); s != want {
			t.Errorf("%s: %s; want %s", q, s, want)
		}
	}
}

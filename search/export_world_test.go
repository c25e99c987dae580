package search

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/storetest"

	"github.com/prometheus/client_golang/prometheus"
)

// exportWorld is a service whose jobs a test begins and stops.
type exportWorld struct {
	*testing.T
	store   *storetest.Model
	state   *stateInMemory
	files   *filesInMemory
	stream  *recorder
	now     *clock
	handler http.Handler
	exports *Exports
	dir     string
	stopped func()
}

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) get() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }
func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// recorder is a stream that keeps what is recorded by its ID.
type recorder struct {
	mu     sync.Mutex
	all    map[string]testimony
	times  map[string]int
	refuse bool
}

func (r *recorder) Publish(_ context.Context, all []actionlog.Submission) []actionlog.Receipt {
	r.mu.Lock()
	defer r.mu.Unlock()
	receipts := make([]actionlog.Receipt, len(all))
	for i, s := range all {
		if r.refuse {
			receipts[i].Err = fmt.Errorf("full: %w", actionlog.ErrUnavailable)
			continue
		}
		var d testimony
		if err := json.Unmarshal(s.Document, &d); err != nil {
			receipts[i].Err = err
		}
		r.all[s.ID] = d
		r.times[s.ID]++
	}
	return receipts
}

// codes counts what is recorded of an institution.
func (r *recorder) codes(institution string) map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := map[string]int{}
	for _, d := range r.all {
		if d.Institution.ID == institution {
			n[strings.TrimPrefix(d.Action.Code, "institution.actionlog.")+" "+d.Outcome]++
		}
	}
	return n
}

func (r *recorder) refuses(yes bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = yes
}

// newExportWorld has n actions of uni, and some of other's with the same names.
func newExportWorld(t *testing.T, n int) *exportWorld {
	t.Helper()
	w := &exportWorld{T: t, store: storetest.NewModel(), state: newState(), files: &filesInMemory{files: map[string][]byte{}},
		stream: &recorder{all: map[string]testimony{}, times: map[string]int{}}, now: &clock{t: time.Now().UTC()}, dir: t.TempDir(), stopped: func() {}}
	var items []actionlog.Item
	for i := range n + 3 {
		institution, kind := "uni", []string{"user", "staff", "api_key"}[i%3]
		if i >= n {
			institution = "other"
		}
		doc := fmt.Sprintf(`{"id":"a%d","occurred_at":%q,"institution":{"id":%q},"category":"course","action":{"code":"x.%d"},"actor":{"kind":%q,"id":"u%d","name":"Ann Lee %d"},"summary":"=1+1, \"quoted\"\nüber"}`,
			i, w.now.get().Add(-time.Duration(i)*time.Minute).Format(time.RFC3339), institution, i%2, kind, i%5, i%5)
		item, err := actionlog.Parse([]byte(doc), nil)
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, item)
	}
	if _, err := w.store.Write(t.Context(), items); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.stopped() })
	w.process("one", nil)
	return w
}

// process makes the service anew on what it kept, as another process or the same one after
// it was killed. Its jobs do not run yet.
func (w *exportWorld) process(name string, change func(o *Options)) {
	w.Helper()
	w.exports = &Exports{Storage: w.files, Dir: w.dir + "/" + name, Name: name, lease: 300 * time.Millisecond, beat: 20 * time.Millisecond, rest: 10 * time.Millisecond, look: 20 * time.Millisecond}
	o := options(w.store)
	o.State, o.Publisher, o.Access, o.Exports, o.Now, o.Registerer = w.state, w.stream, asRole{}, w.exports, w.now.get, prometheus.NewRegistry()
	if change != nil {
		change(&o)
	}
	var err error
	if w.handler, err = newAPI(w, o); err != nil {
		w.Fatal(err)
	}
}

// run runs the jobs until stop.
func (w *exportWorld) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	e := w.exports
	go func() {
		defer close(done)
		if err := e.Run(ctx); err != nil {
			w.Error(err)
		}
	}()
	w.stopped = func() { cancel(); <-done }
}

func (w *exportWorld) stop() { w.stopped(); w.stopped = func() {} }

func (w *exportWorld) ask(method, path, token, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRecorder()
	req := httptest.NewRequestWithContext(w.Context(), method, "/v1/institutions/"+path, strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	func() {
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				panic(p)
			}
		}()
		w.handler.ServeHTTP(r, req)
	}()
	return r
}

// make makes a job of uni's admin.
func (w *exportWorld) make(body string) actionlog.Export {
	w.Helper()
	r := w.ask("POST", "uni/exports", "admin", body)
	x := w.decode(r, http.StatusCreated)
	if r.Header().Get("Location") != "/v1/institutions/uni/exports/"+x.ID {
		w.Errorf("Location %s", r.Header().Get("Location"))
	}
	return x
}

func (w *exportWorld) decode(r *httptest.ResponseRecorder, status int) (x actionlog.Export) {
	w.Helper()
	if err := json.Unmarshal(r.Body.Bytes(), &x); err != nil || r.Code != status {
		w.Fatalf("%d %s %v", r.Code, r.Body, err)
	}
	return x
}

func (w *exportWorld) show(id string) actionlog.Export {
	w.Helper()
	return w.decode(w.ask("GET", "uni/exports/"+id, "admin", ""), http.StatusOK)
}

// until waits for something of a job.
func (w *exportWorld) until(id, what string, yes func(x actionlog.Export) bool) actionlog.Export {
	w.Helper()
	for range 3000 {
		if x := w.show(id); yes(x) {
			return x
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.Fatalf("not %s in time: %+v", what, w.show(id))
	return actionlog.Export{}
}

func (w *exportWorld) untilStatus(id string, status actionlog.ExportStatus) actionlog.Export {
	w.Helper()
	return w.until(id, string(status), func(x actionlog.Export) bool { return x.Status == status })
}

// eventually waits for what is in no answer.
func (w *exportWorld) eventually(what string, yes func() bool) {
	w.Helper()
	for range 3000 {
		if yes() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.Fatal("not in time: " + what)
}

// scratch is what lies in the folders of the processes.
func (w *exportWorld) scratch() (left []string) {
	for _, name := range []string{"one", "two"} {
		entries, _ := os.ReadDir(w.dir + "/" + name) // one that is not there has none
		for _, e := range entries {
			left = append(left, e.Name())
		}
	}
	return left
}

package search

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/storetest"

	"github.com/gin-gonic/gin"
)

// busy counts who is worked on at a time, by institution, and lets nobody go on before it
// is told to.
type busy struct {
	*storetest.Model
	mu   sync.Mutex
	now  map[string]int
	most map[string]int
	gate chan struct{}
}

func (b *busy) Page(ctx context.Context, q actionlog.Query, o actionlog.Order, m actionlog.Mark, limit int) (actionlog.Page, error) {
	b.mu.Lock()
	b.now[q.Institution]++
	b.most[q.Institution] = max(b.most[q.Institution], b.now[q.Institution])
	b.mu.Unlock()
	if q.Institution == "greedy" {
		<-b.gate
	}
	b.mu.Lock()
	b.now[q.Institution]--
	b.mu.Unlock()
	return b.Model.Page(ctx, q, o, m, limit)
}

// However much one institution asks for, so many of its requests are worked on at a time,
// and another's are answered meanwhile; all are answered in the end, but for those that are
// too many to wait.
func TestFair(t *testing.T) {
	store := &busy{Model: storetest.NewModel(), now: map[string]int{}, most: map[string]int{}, gate: make(chan struct{})}
	o := options(store.Model)
	o.Searcher, o.Reads = store, 2
	handler, err := newAPI(t, o)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(institution string) int {
		r := httptest.NewRecorder()
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/institutions/"+institution+"/actions", nil)
		req.Header.Set("Authorization", "Bearer x")
		handler.ServeHTTP(r, req)
		return r.Code
	}
	statuses := make(chan int, 400)
	var greedy sync.WaitGroup
	for range 400 {
		greedy.Go(func() { statuses <- ask("greedy") })
	}
	refused := 0
	for refused < 400-maxWaiting-2 { // those who find no room are told at once
		if status := <-statuses; status != http.StatusTooManyRequests {
			t.Fatalf("%d while nobody may go on", status)
		}
		refused++
	}
	for range 20 {
		if status := ask("modest"); status != http.StatusOK {
			t.Fatalf("another institution: %d", status)
		}
	}
	close(store.gate)
	greedy.Wait()
	close(statuses)
	counts := map[int]int{}
	for status := range statuses {
		counts[status]++
	}
	if counts[http.StatusOK] != maxWaiting+2 || len(counts) != 1 {
		t.Errorf("%v, and %d were refused before", counts, refused)
	}
	if store.most["greedy"] != 2 {
		t.Errorf("%d at a time", store.most["greedy"])
	}
}

// A client that reads slowly keeps nobody waiting: its turn goes to others while it is
// written to. Nothing is left behind when all are gone.
func TestTurns(t *testing.T) {
	f := newFair(1)
	one, _ := f.enter("a")
	one.dear = true
	if err := one.wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	reading, wrote := make(chan struct{}), make(chan error)
	slow := &polite{writerFunc(func(p []byte) (int, error) { <-reading; return len(p), nil }), t.Context(), one}
	go func() { _, err := slow.Write([]byte("x")); wrote <- err }()
	two, _ := f.enter("a")
	two.dear = true
	if err := two.wait(t.Context()); err != nil { // while the first is being written to
		t.Fatal(err)
	}
	close(reading)
	select {
	case err := <-wrote:
		t.Fatalf("it went on without a turn: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	two.leave()
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	three, _ := f.enter("a")
	three.dear = true
	if three.wait(gone) == nil {
		t.Error("two have the only turn")
	}
	three.leave()
	one.leave()
	if len(f.shares) != 0 {
		t.Error(fmt.Sprint("left behind: ", f.shares))
	}
}

// A list waits for no count, however many there are; a count waits for its turn.
func TestQuickTurns(t *testing.T) {
	for _, each := range []int{1, 2} { // one of two is for what is quick; one alone is for all else
		f := newFair(each)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		first, _ := f.enter("a")
		first.dear = true
		if err := first.wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		second, _ := f.enter("a")
		second.dear = true
		if second.wait(gone) == nil {
			t.Errorf("%d: two counts at a time", each)
		}
		list, _ := f.enter("a")
		if err := list.wait(gone); err != nil {
			t.Errorf("%d: a list waits for a count: %v", each, err)
		}
		other, _ := f.enter("a")
		if other.wait(gone) == nil {
			t.Errorf("%d: three at a time", each)
		}
		for _, all := range []*turn{first, second, list, other} {
			all.leave()
		}
		if len(f.shares) != 0 {
			t.Errorf("left behind: %v", f.shares)
		}
	}
}

// Each request is what it should be: those that read all that they find are dear.
func TestDear(t *testing.T) {
	dear := map[string]bool{}
	engine := gin.New()
	for _, path := range []string{"/actions", "/query", "/people", "/histogram", "/facets", "/export", "/exports", "/exports/:id/content"} {
		engine.Any(institutionPath+path, func(c *gin.Context) { dear[c.Request.Method+" "+c.Request.URL.String()] = isDear(c) })
	}
	for request, want := range map[string]bool{
		"GET /actions": false, "GET /actions?total=some": false, "GET /actions?total=exact": true, "GET /query?q=x": false, "GET /people": false, "GET /histogram": true,
		"GET /facets?field=actor": true, "GET /export": true, "GET /exports": false, "POST /exports": true, "GET /exports/x/content": true,
	} {
		method, path, _ := strings.Cut(request, " ")
		path = "/v1/institutions/uni" + path
		engine.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), method, path, nil))
		if got, ok := dear[method+" "+path]; !ok || got != want {
			t.Errorf("%s: %v %v", request, got, ok)
		}
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

package elastic

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"actionlog"
	"actionlog/internal/enginetest"
	"actionlog/mappings"
)

// losing loses the answer to what changes aliases, or the request itself.
type losing struct {
	request, answer *atomic.Bool
}

// RoundTrip implements http.RoundTripper.
func (l losing) RoundTrip(req *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(req.URL.Path, "/_aliases") {
		return http.DefaultTransport.RoundTrip(req)
	}
	if l.request.Load() {
		return nil, io.ErrUnexpectedEOF
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err == nil && l.answer.Load() {
		drain(resp)
		return nil, io.ErrUnexpectedEOF
	}
	return resp, err
}

// Whatever becomes of the exchange of a day, nothing of the day is lost, and it can be
// written to.
func TestRebuildWithoutAnAnswer(t *testing.T) {
	var request, answer atomic.Bool
	s := openTest(t, enginetest.URL(t, enginetest.OpenSearch3), Options{transport: losing{&request, &answer}})
	items := itemsOf(t, "a", "b", "c", "d")
	day := items[0].Day()
	write := func(w actionlog.Writer, items []actionlog.Item) {
		t.Helper()
		outcomes, err := w.Write(t.Context(), items)
		if err != nil || outcomes[0].Kind != actionlog.OutcomeNew {
			t.Errorf("%v, %v", outcomes, err)
		}
	}
	rebuild := func() error {
		return s.Rebuild(t.Context(), day, func(w actionlog.Writer) error {
			write(w, items[:1])
			return nil
		})
	}
	holds := func(want int64) {
		t.Helper()
		if n, _, err := s.Count(t.Context(), actionlog.Query{Institution: "uni"}, 0); n != want || err != nil {
			t.Errorf("%d actions, %v; want %d", n, err, want)
		}
	}
	write(s, items[1:2])
	request.Store(true)
	if err := rebuild(); err == nil {
		t.Error("a day is rebuilt although the engine was not told")
	}
	holds(1)
	write(s, items[2:3]) // it is not blocked
	request.Store(false)
	answer.Store(true)
	if err := rebuild(); err != nil {
		t.Errorf("the engine did it, and its answer was lost: %v", err)
	}
	holds(3)
	answer.Store(false)
	// Who rebuilt it was killed while nobody could write.
	there, err := s.indicesOf(t.Context(), day)
	if err != nil || len(there) != 1 {
		t.Fatal(there, err)
	}
	if err := s.client.call(t.Context(), http.MethodPut, "/"+there[0].Index+"/_block/write", nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := rebuild(); err != nil {
		t.Error(err)
	}
	write(s, items[3:])
	holds(4)
	var left []indexInfo
	if err := s.client.call(t.Context(), http.MethodGet, "/_cat/indices/"+s.prefix+rebuiltName+"*?format=json", nil, nil, &left); err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// meanwhile lets something happen between looking at a day and exchanging it, once.
type meanwhile struct {
	happens *atomic.Pointer[func()]
}

// RoundTrip implements http.RoundTripper.
func (m meanwhile) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.HasSuffix(req.URL.Path, "/_aliases") {
		if f := m.happens.Swap(nil); f != nil {
			(*f)()
		}
	}
	return http.DefaultTransport.RoundTrip(req)
}

// A day of which there is nothing may be written to while it is made anew: what is written
// makes an index in its place. Both are there then.
func TestRebuildOfADayThatComesMeanwhile(t *testing.T) {
	var happens atomic.Pointer[func()]
	s := openTest(t, enginetest.URL(t, enginetest.OpenSearch3), Options{transport: meanwhile{&happens}})
	items := itemsOf(t, "a", "b")
	write := func() {
		if outcomes, err := s.Write(t.Context(), items[1:]); err != nil || outcomes[0].Kind != actionlog.OutcomeNew {
			t.Errorf("%v, %v", outcomes, err)
		}
	}
	happens.Store(&write)
	err := s.Rebuild(t.Context(), items[0].Day(), func(w actionlog.Writer) error {
		_, err := w.Write(t.Context(), items[:1])
		return err
	})
	if err != nil || happens.Load() != nil {
		t.Fatal(err)
	}
	if n, _, err := s.Count(t.Context(), actionlog.Query{Institution: "uni"}, 0); n != 2 || err != nil {
		t.Errorf("%d actions, %v", n, err)
	}
}

// Of a day of several shards one is lost, and another would go on taking actions. Nothing of
// such a day is copied: it takes none from before it is filled, and afterwards again.
func TestRebuildOfADayThatLostAShard(t *testing.T) {
	s := openTest(t, enginetest.URL(t, enginetest.OpenSearch3), Options{})
	items := itemsOf(t, "a", "b", "c", "d", "e", "f", "g", "h")
	day := items[0].Day()
	body := mappings.Body(mappings.Actions, mappings.Settings{Shards: 2})
	body["settings"].(map[string]any)["index"].(map[string]any)["routing.allocation.total_shards_per_node"] = 1 // there is one node
	q := url.Values{"wait_for_active_shards": {"0"}}
	if err := s.client.call(t.Context(), http.MethodPut, "/"+s.dayIndex(day), q, body, nil); err != nil {
		t.Fatal(err)
	}
	// takes tells which actions the day takes, each asked for once.
	takes := func() (taken []string) {
		for i := range items {
			op := bulkOp{index: s.dayIndex(day), id: docID("uni", items[i].ID)}
			q := url.Values{"op_type": {"index"}, "timeout": {"1ms"}}
			if err := s.client.call(t.Context(), http.MethodPut, "/"+op.index+"/_doc/"+url.PathEscape(op.id), q, obj{"institution": "uni", "id": items[i].ID}, nil); err == nil {
				taken = append(taken, items[i].ID)
			}
		}
		return taken
	}
	if n := len(takes()); n == 0 || n == len(items) {
		t.Fatalf("a day of which one of two shards is lost took %d of %d", n, len(items))
	}
	filled := false
	err := s.Rebuild(t.Context(), day, func(w actionlog.Writer) error {
		filled = true
		if taken := takes(); len(taken) > 0 {
			t.Errorf("while it is filled it takes %v, which will be lost", taken)
		}
		_, err := w.Write(t.Context(), items[:3])
		return err
	})
	if err != nil || !filled {
		t.Fatal(err)
	}
	outcomes, err := s.Write(t.Context(), items)
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range outcomes {
		if want := (map[bool]actionlog.OutcomeKind{true: actionlog.OutcomeRepeat, false: actionlog.OutcomeNew})[i < 3]; o.Kind != want {
			t.Errorf("%s: %v, want %v", items[i].ID, o.Kind, want)
		}
	}
}

// itemsOf makes actions of a day.
func itemsOf(t *testing.T, ids ...string) (items []actionlog.Item) {
	t.Helper()
	for _, id := range ids {
		item, err := actionlog.Parse([]byte(`{"id":"`+id+`","occurred_at":"2026-11-20T12:00:00Z","institution":{"id":"uni"},"category":"course","action":{"code":"x"},"actor":{"kind":"user","id":"u1"}}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, item)
	}
	return items
}

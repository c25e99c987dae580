package search

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/storetest"
)

// stream is a Progress that a test moves.
type stream struct{ at time.Time }

func (c *stream) Settled(context.Context) (time.Time, error) { return c.at, nil }

// following is a log that comes in while it is followed.
type following struct {
	*testing.T
	store    *storetest.Model
	progress *stream
	log      memory
	handler  http.Handler
	begin    time.Time
	n        uint64
}

func newFollowing(t *testing.T, change func(o *Options)) *following {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Second)
	f := &following{T: t, store: storetest.NewModel(), progress: &stream{now}, log: memory{map[string][]byte{}}, begin: now}
	o := options(f.store)
	o.Access, o.Progress, o.Publisher, o.tailing = asRole{}, f.progress, f.log, pace{every: time.Millisecond}
	if change != nil {
		change(&o)
	}
	var err error
	if f.handler, err = newAPI(t, o); err != nil {
		t.Fatal(err)
	}
	return f
}

// comes in at so many seconds after the beginning.
func (f *following) comes(at int, institution, id, more string) {
	f.Helper()
	f.n++
	item, err := actionlog.Parse(fmt.Appendf(nil, `{"id":%q,"occurred_at":%q,"institution":{"id":%q},"category":"course","action":{"code":"x"},"actor":{"kind":"user","id":"u1","name":"Ann"}%s}`,
		id, f.begin.Add(-time.Hour).Format(time.RFC3339), institution, more), nil)
	if err != nil {
		f.Fatal(err)
	}
	item.ReceivedAt, item.Position = f.begin.Add(time.Duration(at)*time.Second), actionlog.Position{Stream: "s1", Sequence: f.n}
	if _, err := f.store.Write(f.Context(), []actionlog.Item{item}); err != nil {
		f.Fatal(err)
	}
}

type event struct {
	id, kind string
	said     tailed
	ids      []string
}

// leaving is a client that leaves after some events.
type leaving struct {
	*httptest.ResponseRecorder
	after int
	leave func()
}

func (l *leaving) Flush() {
	l.ResponseRecorder.Flush()
	if l.after--; l.after == 0 {
		l.leave()
	}
}

// events are the first of a tail that begins when so many seconds are settled.
func (f *following) events(most, settled int, token, query, last string) (events []event) {
	f.Helper()
	f.progress.at = f.begin.Add(time.Duration(settled) * time.Second)
	ctx, cancel := context.WithCancel(f.Context())
	defer cancel()
	w, req := &leaving{httptest.NewRecorder(), most, cancel}, httptest.NewRequestWithContext(ctx, "GET", "/v1/institutions/uni/tail?"+query, nil)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Last-Event-ID", last)
	f.handler.ServeHTTP(w, req)
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/event-stream; charset=utf-8" {
		f.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	for text := range strings.SplitSeq(strings.TrimSuffix(w.Body.String(), "\n\n"), "\n\n") {
		var e event
		for line := range strings.SplitSeq(text, "\n") {
			switch name, value, _ := strings.Cut(line, ": "); name {
			case "id":
				e.id = value
			case "event":
				e.kind = value
			case "data":
				if err := json.Unmarshal([]byte(value), &e.said); err != nil {
					f.Fatal(err)
				}
			}
		}
		for _, record := range e.said.Data {
			var r struct{ ID string }
			if err := json.Unmarshal(record, &r); err != nil {
				f.Fatal(err)
			}
			e.ids = append(e.ids, r.ID)
		}
		slices.Sort(e.ids)
		events = append(events, e)
	}
	return events
}

func (f *following) one(settled int, token, query, last string, want ...string) event {
	f.Helper()
	all := f.events(1, settled, token, query, last)
	if len(all) != 1 || all[0].kind != "actions" || !slices.Equal(all[0].ids, want) {
		f.Fatalf("%+v, want one with %v", all, want)
	}
	return all[0]
}

// Whoever comes back is sent what came in meanwhile: nothing twice, nothing not, and
// nothing of others. A process that knows less changes nothing about it.
func TestTail(t *testing.T) {
	f := newFollowing(t, nil)
	f.comes(-5, "uni", "old", "")
	f.comes(1, "uni", "a1", "")
	f.comes(1, "other", "b1", "")
	f.comes(2, "uni", "a2", `,"outcome":"failure"`)
	f.comes(3, "uni", "a3", "")
	f.one(0, "admin", "", "")
	since := "since=" + url.QueryEscape(f.begin.Format(time.RFC3339))
	e := f.one(2, "admin", since, "", "a1", "a2")
	if f.one(2, "admin", since+"&outcome=failure", "", "a2"); !e.said.CompleteThrough.Equal(f.begin.Add(2 * time.Second)) {
		t.Error(e.said.CompleteThrough)
	}
	less := f.one(1, "admin", since, e.id)
	f.one(3, "admin", since, less.id, "a3")
	f.one(3, "admin", "since="+url.QueryEscape(e.id), "", "a3")
	f.one(3, "admin", "q="+url.QueryEscape("nobody")+"&"+since, "")
	if got := f.one(3, "admin", since+"&range=7d", "", "a1", "a2", "a3"); got.said.More {
		t.Error("there is more")
	}
}

// A tail looks again, and sends nothing twice.
func TestTailGoesOn(t *testing.T) {
	f := newFollowing(t, nil)
	f.comes(1, "uni", "a1", "")
	sent := 0
	for i, e := range f.events(3, 1, "admin", "since="+f.begin.Format(time.RFC3339), "") {
		if sent += len(e.ids); len(e.ids) > 0 && i > 0 {
			t.Errorf("event %d has %v", i, e.ids)
		}
	}
	if sent != 1 {
		t.Errorf("sent %d times", sent)
	}
}

// What came in at once and is too much is said to be more.
func TestTailMore(t *testing.T) {
	f := newFollowing(t, nil)
	for i := range tailMost + 1 {
		f.comes(1, "uni", fmt.Sprint("a", i), "")
	}
	if e := f.events(1, 1, "admin", "since="+f.begin.Format(time.RFC3339), "")[0]; len(e.ids) != tailMost || !e.said.More {
		t.Errorf("%d, more %v", len(e.ids), e.said.More)
	}
}

// A store that is away is said to be, and what it missed comes then.
func TestTailUnavailable(t *testing.T) {
	f := newFollowing(t, nil)
	f.comes(1, "uni", "a1", "")
	left := 3
	f.store.Fault = func(call string) error {
		if left--; left > 0 {
			return fmt.Errorf("disk: %w", actionlog.ErrUnavailable)
		}
		return nil
	}
	events := f.events(5, 1, "admin", "since="+f.begin.Format(time.RFC3339), "")
	if events[0].kind != "unavailable" || events[0].id != "" {
		t.Errorf("%+v", events[0])
	}
	var ids []string
	for _, e := range events {
		ids = append(ids, e.ids...)
	}
	if !slices.Equal(ids, []string{"a1"}) {
		t.Error(ids)
	}
}

// Staff are recorded when they begin, once, and have another name.
func TestTailOfStaff(t *testing.T) {
	f := newFollowing(t, nil)
	f.comes(1, "uni", "s1", "")
	f.comes(1, "uni", "s2", `,"actor":{"kind":"staff","id":"jo","name":"Jo Operator"}`)
	since := "since=" + f.begin.Format(time.RFC3339)
	recorded := func() int {
		return len(slices.DeleteFunc(slices.Collect(maps.Keys(f.log.values)), func(name string) bool { return !strings.HasPrefix(name, "published/uni/") }))
	}
	e := f.one(1, "admin", since, "", "s1", "s2")
	if text := fmt.Sprintf("%s", e.said.Data); strings.Contains(text, "Jo Operator") || !strings.Contains(text, "OpenLearning System") || recorded() != 0 {
		t.Errorf("recorded %d times: %s", recorded(), text)
	}
	if f.events(4, 1, "support", since, ""); recorded() != 1 {
		t.Errorf("recorded %d times", recorded())
	}
}

func TestTailRefuses(t *testing.T) {
	f := newFollowing(t, nil)
	for query, parameter := range map[string]string{"to=now": "to", "since=yesterday": "since", "cursor=x": "cursor", "outcome=x": "outcome", "q=to:now": "q"} {
		w := said(t, f.handler, "admin", "GET", "/v1/institutions/uni/tail?"+query, "")
		if w.Code != 400 || !strings.Contains(w.Body.String(), `"parameter":"`+parameter+`"`) {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
	}
	if w := said(t, f.handler, "publisher", "GET", "/v1/institutions/uni/tail", ""); w.Code != http.StatusForbidden {
		t.Error(w.Code, w.Body)
	}
}

// So many may follow an institution and no more; who follows another is not disturbed, and
// all are let go when the service begins to stop.
func TestTailsOfAnInstitution(t *testing.T) {
	stopping := make(chan struct{})
	f := newFollowing(t, func(o *Options) { o.Stopping, o.tailing = stopping, pace{every: time.Hour} })
	ended := make(chan int, tailsAtMost+1)
	for range tailsAtMost + 1 {
		go func() { ended <- said(t, f.handler, "admin", "GET", "/v1/institutions/uni/tail", "").Code }()
	}
	next := func() int {
		select {
		case code := <-ended:
			return code
		case <-time.After(20 * time.Second):
			t.Fatal("nobody more is let go")
			return 0
		}
	}
	if code := next(); code != http.StatusTooManyRequests {
		t.Errorf("the first to be let go: %d", code)
	}
	close(stopping)
	for range tailsAtMost {
		if code := next(); code != http.StatusOK {
			t.Error(code)
		}
	}
}

func TestGuests(t *testing.T) {
	g := &guests{most: 2, of: map[string]int{}}
	leave, _ := g.enter("uni")
	g.enter("uni")
	if _, ok := g.enter("uni"); ok {
		t.Error("a third one")
	}
	if _, ok := g.enter("other"); !ok {
		t.Error("another institution's waits")
	}
	leave()
	if _, ok := g.enter("uni"); !ok {
		t.Error("nobody may come once one has left")
	}
}

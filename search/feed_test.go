package search

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/storetest"

	"github.com/prometheus/client_golang/prometheus"
)

// feedOf is a feed of a store, in the order of time: a place is how many are read.
type feedOf struct{ store *storetest.Model }

// Start implements Feed.
func (f feedOf) Start(_ context.Context, since time.Time) (string, error) {
	if since.Before(time.Now().Add(-time.Hour)) {
		return "0", nil
	}
	return "2", nil
}

// Page implements Feed.
func (f feedOf) Page(ctx context.Context, q actionlog.Query, at string, most int) (page FeedPage, err error) {
	n, _ := strconv.Atoi(at) // "" is the beginning
	i := 0
	for r, err := range f.store.Scan(ctx, q, actionlog.OldestFirst) {
		if err != nil {
			return page, err
		}
		if i++; i <= n {
			continue
		}
		if len(page.Records) == most {
			page.More = true
			break
		}
		page.Records, page.Behind = append(page.Records, r), append(page.Behind, strconv.Itoa(i))
	}
	page.Next = strconv.Itoa(n + len(page.Records))
	return page, nil
}

// feedAPI is an API with a feed of n actions.
func feedAPI(t *testing.T, n int, change func(*Options)) (*httptest.Server, *storetest.Model) {
	t.Helper()
	store := storetest.NewModel()
	addTo(t, store, 0, n)
	o := options(store)
	o.Feed = feedOf{store}
	if change != nil {
		change(&o)
	}
	handler, err := newAPI(t, o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server, store
}

func addTo(t *testing.T, store *storetest.Model, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		doc := fmt.Appendf(nil, `{"id":"f%d","occurred_at":%q,"institution":{"id":"uni"},"category":"course","action":{"code":"x"},"actor":{"kind":"staff","name":"Petra Real"}}`, i, time.Now().Add(time.Duration(i)*time.Millisecond).UTC().Format(time.RFC3339Nano))
		item, err := actionlog.Parse(doc, nil)
		if err == nil {
			_, err = store.Write(t.Context(), []actionlog.Item{item})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// followed is an answer of the feed.
type followed struct {
	Data []struct {
		ID       string
		Masked   bool `json:"actor_masked"`
		Document json.RawMessage
	}
	Page struct {
		Next string
		More bool
	}
}

func (f *followed) ids() (ids []string) {
	for _, d := range f.Data {
		ids = append(ids, d.ID)
	}
	return ids
}

func ofFeed(t *testing.T, server *httptest.Server, query string) (*http.Response, followed) {
	t.Helper()
	resp, body, err := get(t, server, "feed?"+query)
	if err != nil {
		t.Fatal(err)
	}
	var f followed
	if resp.StatusCode == http.StatusOK {
		if err := json.Unmarshal(body, &f); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
	} else {
		t.Logf("%s: %s", query, body)
	}
	return resp, f
}

// Each page says where the next begins, an empty one too; staff have their display name.
func TestFeedPages(t *testing.T) {
	server, store := feedAPI(t, 5, nil)
	var got []string
	next := ""
	for range 3 {
		resp, f := ofFeed(t, server, "limit=2&after="+next)
		got = append(got, f.ids()...)
		if next = f.Page.Next; next == "" || resp.Header.Get(headerNext) != next || !strings.Contains(resp.Header.Get("Link"), next) {
			t.Fatalf("the next page is %q, by the headers %q", next, resp.Header)
		}
		for _, d := range f.Data {
			if !d.Masked || strings.Contains(string(d.Document), "Petra") {
				t.Errorf("%s shows who it was", d.ID)
			}
		}
	}
	if want := []string{"f0", "f1", "f2", "f3", "f4"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	_, f := ofFeed(t, server, "after="+next)
	if len(f.Data) != 0 || f.Page.Next == "" || f.Page.More {
		t.Errorf("at the end: %+v", f)
	}
	addTo(t, store, 5, 7)
	if _, f = ofFeed(t, server, "after="+f.Page.Next); !slices.Equal(f.ids(), []string{"f5", "f6"}) {
		t.Errorf("what came since: %q", f.ids())
	}
	if _, f := ofFeed(t, server, "since=now"); !slices.Equal(f.ids()[:1], []string{"f2"}) {
		t.Errorf("since: %q", f.ids())
	}
	if resp, _ := ofFeed(t, server, "after="+next+"x"); resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a cursor that is none: %d", resp.StatusCode)
	}
	for _, wrong := range []string{"range=7d", "wait=2m", "wait=x", "wait=-1", "end=line", "format=csv", "since=yesterday", "limit=1001", "cursor=x", "near=maybe", "q=outcom:x"} {
		if resp, _ := ofFeed(t, server, wrong); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d", wrong, resp.StatusCode)
		}
	}
}

// Who waits is answered when something comes, or when the time is over.
func TestFeedWaits(t *testing.T) {
	server, store := feedAPI(t, 1, nil)
	_, f := ofFeed(t, server, "")
	begun := time.Now()
	if _, empty := ofFeed(t, server, "wait=1&after="+f.Page.Next); len(empty.Data) != 0 || time.Since(begun) < time.Second {
		t.Errorf("%d actions after %v", len(empty.Data), time.Since(begun))
	}
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if _, f := ofFeed(t, server, "wait=60s&after="+f.Page.Next); !slices.Equal(f.ids(), []string{"f1"}) {
			t.Errorf("what came: %q", f.ids())
		}
	})
	time.Sleep(20 * time.Millisecond)
	addTo(t, store, 1, 2)
	waiting.Wait()
}

// As NDJSON: a record a line, and with end=line where it goes on.
func TestFeedLines(t *testing.T) {
	for format, begin := range map[string]string{feedNDJSON: `{"id":"f0",`, formatECS: `{"@timestamp":"`} {
		t.Run(format, func(t *testing.T) { feedLines(t, format, begin) })
	}
}

func feedLines(t *testing.T, format, begin string) {
	server, _ := feedAPI(t, 3, nil)
	resp, body, err := get(t, server, "feed?end=line&limit=2&format="+format)
	if err != nil || resp.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Fatal(resp.Header, err)
	}
	lines := strings.Split(strings.TrimSpace(string(body)), "\n")
	var end struct {
		End struct {
			Count int
			Next  string
			More  bool
		}
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &end); err != nil || len(lines) != 3 || end.End.Count != 2 || !end.End.More || end.End.Next != resp.Header.Get(headerNext) || !strings.HasPrefix(lines[0], begin) {
		t.Errorf("%s: %v", body, err)
	}
	if strings.Contains(string(body), "Petra") {
		t.Errorf("staff are shown: %s", body)
	}
}

// Events of ECS as server-sent events, whose ids are cursors as ever.
func TestFeedEventsOfECS(t *testing.T) {
	server, _ := feedAPI(t, 2, func(o *Options) { o.tailing = pace{10 * time.Millisecond, 100 * time.Millisecond} })
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/v1/institutions/uni/feed?format=ecs", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {"Bearer x"}, "Accept": {"text/event-stream"}}
	resp, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var ids []string
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		var e struct {
			Event struct{ ID, Original string }
		}
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && json.Unmarshal([]byte(data), &e) == nil && e.Event.Original != "" {
			ids = append(ids, e.Event.ID)
		}
	}
	if !slices.Equal(ids, []string{"f0", "f1"}) {
		t.Errorf("%q", ids)
	}
}

// As events: an action each, with the cursor behind it; who comes back with the id of one
// goes on with the next.
func TestFeedEvents(t *testing.T) {
	server, store := feedAPI(t, 3, func(o *Options) { o.tailing = pace{20 * time.Millisecond, 300 * time.Millisecond} })
	events := func(last string) (ids, cursors []string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/v1/institutions/uni/feed", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer x")
		req.Header.Set("Accept", "text/event-stream")
		req.Header.Set("Last-Event-ID", last)
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var id, event string
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				id = value
			case "event":
				event = value
			case "data":
				var r struct{ ID string }
				if event == "action" && json.Unmarshal([]byte(value), &r) == nil {
					ids, cursors = append(ids, r.ID), append(cursors, id)
				}
			}
		}
		return ids, cursors
	}
	go func() {
		time.Sleep(100 * time.Millisecond)
		addTo(t, store, 3, 4)
	}()
	ids, cursors := events("")
	if !slices.Equal(ids, []string{"f0", "f1", "f2", "f3"}) {
		t.Fatalf("%q", ids)
	}
	if ids, _ := events(cursors[1]); !slices.Equal(ids, []string{"f2", "f3"}) {
		t.Errorf("behind the second: %q", ids)
	}
}

// That the feed is read is recorded when somebody begins, and not with each page: it would
// be in the feed.
func TestFeedIsRecorded(t *testing.T) {
	var m memory
	now := time.Now()
	server, _ := feedAPI(t, 3, func(o *Options) {
		m = o.State.(memory)
		o.Now = func() time.Time { return now }
	})
	records := func() (n int) {
		for key, v := range m.values {
			if strings.HasPrefix(key, "published/uni/") && strings.Contains(string(v), codeFeedRead) {
				n++
			}
		}
		return n
	}
	for range 5 {
		ofFeed(t, server, "limit=1")
	}
	if n := records(); n != 1 {
		t.Errorf("%d records of five pages", n)
	}
	ofFeed(t, server, "outcome=failure")
	if n := records(); n != 2 {
		t.Errorf("%d records of two filters", n)
	}
	now = now.Add(25 * time.Hour)
	ofFeed(t, server, "limit=1")
	if n := records(); n != 3 {
		t.Errorf("%d records, a day later", n)
	}
}

// Who leaves while they wait is not counted as a failure of the service.
func TestLeavingAWaitingFeed(t *testing.T) {
	store := storetest.NewModel()
	o := options(store)
	o.Feed = feedOf{store}
	api, err := newAPI(t, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { time.Sleep(20 * time.Millisecond); cancel() }()
	req := httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/institutions/uni/feed?wait=30", nil)
	req.Header.Set("Authorization", "Bearer x")
	api.ServeHTTP(httptest.NewRecorder(), req)
	families, err := o.Registerer.(*prometheus.Registry).Gather()
	if err != nil {
		t.Fatal(err)
	}
	var counted []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "actionlog_http_seconds" {
				for _, l := range m.GetLabel() {
					counted = append(counted, l.GetValue())
				}
			}
		}
	}
	if want := []string{"GET", "/v1/institutions/:institution/feed", "499"}; !slices.Equal(counted, want) {
		t.Errorf("counted as %q, and not %q", counted, want)
	}
}

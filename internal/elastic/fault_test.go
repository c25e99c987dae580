package elastic

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
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
)

// fake is a server that says it is an engine, and answers bulk requests as it is
// told. What else it is asked it answers as an empty engine.
type fake struct {
	*httptest.Server
	mu sync.Mutex
	// bulk answers the items of a bulk request to days; nil: all are created.
	bulk func(w http.ResponseWriter, attempt int, ids []string) bool
	// other answers other requests; false: the default.
	other    func(w http.ResponseWriter, r *http.Request) bool
	attempts int
	sent     [][]string // the ids of each bulk request
	digest   string     // of what is there
}

func newFake(t *testing.T) *fake {
	f := &fake{}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

func (f *fake) open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{Addresses: []string{f.URL}, RefreshEvery: time.Millisecond, Bulk: 1}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/json")
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.other != nil && f.other(w, r):
	case r.URL.Path == "/":
		fmt.Fprint(w, `{"version":{"number":"3.5.0","distribution":"opensearch"}}`)
	case strings.HasSuffix(r.URL.Path, "/_bulk"):
		f.answerBulk(w, body)
	case r.URL.Path == "/_mget":
		fmt.Fprintf(w, `{"docs":[{"found":true,"_source":{"digest":%q}}]}`, f.digest)
	case strings.HasSuffix(r.URL.Path, "/_search"):
		fmt.Fprint(w, `{"_shards":{"total":1,"successful":1,"failed":0},"timed_out":false,"hits":{"total":{"value":0,"relation":"eq"},"hits":[]}}`)
	case r.Method == http.MethodGet:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":{"type":"not_found","reason":"nothing"},"status":404}`)
	default:
		fmt.Fprint(w, `{"_shards":{"total":1,"successful":1,"failed":0}}`)
	}
}

func (f *fake) answerBulk(w http.ResponseWriter, body []byte) {
	var ids []string
	days := false
	lines := bufio.NewScanner(strings.NewReader(string(body)))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var op struct {
			Create *struct {
				ID string `json:"_id"`
			}
		}
		if json.Unmarshal(lines.Bytes(), &op) == nil && op.Create != nil {
			days = true
			ids = append(ids, strings.TrimPrefix(op.Create.ID, "uni:"))
		} else if strings.HasPrefix(lines.Text(), `{"index"`) {
			ids = append(ids, "")
		}
	}
	if days {
		f.attempts++
		f.sent = append(f.sent, ids)
		if f.bulk != nil && f.bulk(w, f.attempts, ids) {
			return
		}
	}
	items(w, ids, func(string) (int, string) { return 201, "" })
}

// items writes the answer to a bulk request.
func items(w io.Writer, ids []string, of func(id string) (status int, errorType string)) {
	var all []string
	for _, id := range ids {
		status, why := of(id)
		if why == "" {
			all = append(all, fmt.Sprintf(`{"create":{"status":%d}}`, status))
		} else {
			all = append(all, fmt.Sprintf(`{"create":{"status":%d,"error":{"type":%q,"reason":"because"}}}`, status, why))
		}
	}
	fmt.Fprintf(w, `{"took":1,"errors":true,"items":[%s]}`, strings.Join(all, ","))
}

func faultItems(t *testing.T, ids ...string) (list []actionlog.Item) {
	t.Helper()
	for _, id := range ids {
		item, err := actionlog.Parse(fmt.Appendf(nil, `{"id":%q,"occurred_at":"2026-11-10T12:00:00Z","institution":{"id":"uni"},"category":"course","action":{"code":"x"},"actor":{"kind":"user"}}`, id), nil)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, item)
	}
	return list
}

const (
	isNew, isRepeat, isCollision, isRetry, isRefused = actionlog.OutcomeNew, actionlog.OutcomeRepeat, actionlog.OutcomeCollision, actionlog.OutcomeRetry, actionlog.OutcomeRefused
)

// Each item of a bulk request is judged by itself, and only what the engine was too
// busy for is sent again.
func TestBulkItemByItem(t *testing.T) {
	f := newFake(t)
	statuses := map[string]struct {
		status int
		why    string
		want   actionlog.OutcomeKind
	}{
		"created": {201, "", isNew}, "there": {409, "version_conflict_engine_exception", isRepeat},
		"busy": {429, "es_rejected_execution_exception", isRetry}, "down": {503, "unavailable_shards_exception", isRetry},
		"blocked": {403, "cluster_block_exception", isRetry}, "full": {429, "cluster_block_exception", isRetry}, "gone": {404, "index_not_found_exception", isRetry},
		"shards": {400, "validation_exception", isRetry}, "broken": {500, "illegal_state_exception", isRetry},
		"wrong": {400, "mapper_parsing_exception", isRefused}, "wrong8": {400, "document_parsing_exception", isRefused}, "huge": {400, "illegal_argument_exception", isRefused},
	}
	f.bulk = func(w http.ResponseWriter, _ int, ids []string) bool {
		items(w, ids, func(id string) (int, string) { return statuses[id].status, statuses[id].why })
		return true
	}
	var ids []string
	for id := range statuses {
		ids = append(ids, id)
	}
	batch := faultItems(t, ids...)
	for i := range batch {
		if batch[i].ID == "there" {
			f.digest = fmt.Sprintf("%x", batch[i].Digest)
		}
	}
	outcomes, err := f.open(t).Write(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range outcomes {
		if want := statuses[ids[i]].want; o.Kind != want || (o.Err == nil) != (want == isNew || want == isRepeat) || want == isRetry && !errors.Is(o.Err, actionlog.ErrUnavailable) {
			t.Errorf("%s: outcome %d, %v; want %d", ids[i], o.Kind, o.Err, want)
		}
	}
	if len(f.sent) != attempts {
		t.Errorf("%d requests; want %d", len(f.sent), attempts)
	}
	for _, again := range f.sent[1:] {
		if len(again) != 3 { // busy, down, full
			t.Errorf("sent again: %q; want only what it was too busy for", again)
		}
	}
}

// What was refused once and taken then is new.
func TestBulkRetriesTheItemAlone(t *testing.T) {
	f := newFake(t)
	f.bulk = func(w http.ResponseWriter, attempt int, ids []string) bool {
		items(w, ids, func(id string) (int, string) {
			if id == "b" && attempt == 1 {
				return 429, "es_rejected_execution_exception"
			}
			return 201, ""
		})
		return true
	}
	outcomes, err := f.open(t).Write(t.Context(), faultItems(t, "a", "b", "c"))
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range outcomes {
		if o.Kind != isNew || o.Err != nil {
			t.Errorf("item %d: %d %v", i, o.Kind, o.Err)
		}
	}
	if len(f.sent) != 2 || len(f.sent[1]) != 1 || f.sent[1][0] != "b" {
		t.Errorf("requests: %q", f.sent)
	}
}

// A request that is answered with nonsense, too little, or not at all is one that may
// be written again: nothing is said of any item.
func TestBulkWithoutAnAnswer(t *testing.T) {
	for name, bulk := range map[string]func(w http.ResponseWriter, attempt int, ids []string) bool{
		"HTML": func(w http.ResponseWriter, _ int, _ []string) bool { fmt.Fprint(w, "<html>proxy</html>"); return true },
		"HTML error": func(w http.ResponseWriter, _ int, _ []string) bool {
			w.WriteHeader(500)
			fmt.Fprint(w, "<html>")
			return true
		},
		"too few": func(w http.ResponseWriter, _ int, _ []string) bool {
			fmt.Fprint(w, `{"items":[{"create":{"status":201}}]}`)
			return true
		},
		"breaks off": func(http.ResponseWriter, int, []string) bool { panic(http.ErrAbortHandler) },
		"half": func(w http.ResponseWriter, _ int, _ []string) bool {
			fmt.Fprint(w, `{"items":[{"create":{"status":201}},{"cre`)
			panic(http.ErrAbortHandler)
		},
		"busy": func(w http.ResponseWriter, _ int, _ []string) bool {
			w.WriteHeader(429)
			fmt.Fprint(w, `{}`)
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.bulk = bulk
			outcomes, err := f.open(t).Write(t.Context(), faultItems(t, "a", "b"))
			if err != nil {
				t.Fatal(err)
			}
			for i, o := range outcomes {
				if o.Kind != isRetry || !errors.Is(o.Err, actionlog.ErrUnavailable) {
					t.Errorf("item %d: %d %v", i, o.Kind, o.Err)
				}
			}
		})
	}
}

// A server that hangs is given up when the caller's time is over, and holds nobody
// else up.
func TestBulkHangs(t *testing.T) {
	f := newFake(t)
	release := make(chan struct{})
	f.bulk = func(http.ResponseWriter, int, []string) bool {
		f.mu.Unlock()
		<-release
		f.mu.Lock()
		return false
	}
	s := f.open(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := s.Write(ctx, faultItems(t, "a")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Write: %v", err)
	}
	if _, err := s.Page(t.Context(), actionlog.Query{Institution: "uni"}, actionlog.NewestFirst, "", 10); err != nil {
		t.Errorf("Page meanwhile: %v", err)
	}
	close(release)
}

// A request that is too large for the server is halved until it fits.
func TestBulkTooLarge(t *testing.T) {
	f := newFake(t)
	f.bulk = func(w http.ResponseWriter, _ int, ids []string) bool {
		if len(ids) <= 2 {
			return false
		}
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		fmt.Fprint(w, `{"error":"too large"}`)
		return true
	}
	outcomes, err := f.open(t).Write(t.Context(), faultItems(t, "a", "b", "c", "d", "e", "f", "g"))
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range outcomes {
		if o.Kind != isNew {
			t.Errorf("item %d: %d %v", i, o.Kind, o.Err)
		}
	}
}

// An identity that is there with other content is a collision.
func TestBulkCollision(t *testing.T) {
	f := newFake(t)
	f.bulk = func(w http.ResponseWriter, _ int, ids []string) bool {
		items(w, ids, func(string) (int, string) { return 409, "version_conflict_engine_exception" })
		return true
	}
	f.digest = "another"
	outcomes, err := f.open(t).Write(t.Context(), faultItems(t, "a"))
	if err != nil || outcomes[0].Kind != isCollision {
		t.Errorf("%v, %v", outcomes, err)
	}
}

// An answer of which a shard is missing, or that took too long, is no answer.
func TestAnswersAreWhole(t *testing.T) {
	for name, answer := range map[string]string{
		"failed shard": `{"timed_out":false,"_shards":{"total":2,"successful":1,"failed":1,"failures":[{"index":"x","reason":{"type":"t","reason":"r"}}]},"hits":{"hits":[]}}`,
		"timed out":    `{"timed_out":true,"_shards":{"total":1,"successful":1,"failed":0},"hits":{"hits":[]}}`,
		"late failure": `{"hits":{"total":{"value":0},"hits":[]},"_shards":{"total":2,"successful":1,"failed":1}}`,
		"cut":          `{"timed_out":false,"_shards":{"total":1,"successful":1,"failed":0},"hits":{"hits":[`,
		"HTML":         `<html>`,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			s := f.open(t)
			f.mu.Lock()
			f.other = func(w http.ResponseWriter, r *http.Request) bool {
				if strings.HasSuffix(r.URL.Path, "/_search") {
					fmt.Fprint(w, answer)
				}
				return strings.HasSuffix(r.URL.Path, "/_search")
			}
			f.mu.Unlock()
			q := actionlog.Query{Institution: "uni"}
			if p, err := s.Page(t.Context(), q, actionlog.NewestFirst, "", 10); !errors.Is(err, actionlog.ErrUnavailable) {
				t.Errorf("Page: %v, %v", p, err)
			}
			if n, _, err := s.Count(t.Context(), q, 0); !errors.Is(err, actionlog.ErrUnavailable) {
				t.Errorf("Count: %d, %v", n, err)
			}
			failed := false
			for _, err := range s.Scan(t.Context(), q, actionlog.NewestFirst) {
				failed = errors.Is(err, actionlog.ErrUnavailable)
			}
			if !failed {
				t.Error("Scan ends without an error")
			}
		})
	}
}

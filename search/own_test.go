package search

import (
	"context"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"actionlog"
	"actionlog/internal/storetest"

	"github.com/prometheus/client_golang/prometheus"
)

// leaking is a store that returns a record of another institution, or another's document
// under the institution's name.
type leaking struct {
	actionlog.Store
	record actionlog.Record
}

func (l leaking) Page(context.Context, actionlog.Query, actionlog.Order, actionlog.Mark, int) (actionlog.Page, error) {
	return actionlog.Page{Records: []actionlog.Record{l.record}}, nil
}

func (l leaking) Get(context.Context, string, string, actionlog.Day) ([]actionlog.Record, error) {
	return []actionlog.Record{l.record}, nil
}

func (l leaking) Scan(context.Context, actionlog.Query, actionlog.Order) iter.Seq2[actionlog.Record, error] {
	return func(yield func(actionlog.Record, error) bool) { yield(l.record, nil) }
}

// Whatever a store returns, nothing of another institution leaves the service: the answer
// is a 500 or breaks off, and it is counted.
func TestForeignRecordsAreHeldBack(t *testing.T) {
	for name, r := range map[string]actionlog.Record{
		"record":   {Institution: "other", ID: "a", Document: []byte(`{"institution":{"id":"other"},"summary":"SECRET"}`)},
		"document": {Institution: "uni", ID: "a", Document: []byte(`{"institution":{"id":"other"},"summary":"SECRET"}`)},
		"mark":     {Institution: "other", ID: "a", Document: []byte(`{"institution":{"id":"other"},"target":"uni","summary":"SECRET"}`)},
	} {
		store := leaking{storetest.NewModel(), r}
		o := options(storetest.NewModel())
		o.Searcher, o.Scanner = store, store
		handler, err := newAPI(t, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"actions", "actions/a", "actions/a/export", "export", "export?format=csv"} {
			w, broken := httptest.NewRecorder(), false
			req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/institutions/uni/"+path, nil)
			req.Header.Set("Authorization", "Bearer x")
			func() {
				defer func() { broken = recover() == http.ErrAbortHandler }()
				handler.ServeHTTP(w, req)
			}()
			if w.Code != http.StatusInternalServerError && !broken || strings.Contains(w.Body.String(), "SECRET") {
				t.Errorf("%s, %s: %d, broken off %v: %s", name, path, w.Code, broken, w.Body)
			}
		}
		counted := 0.0
		metrics, err := o.Registerer.(*prometheus.Registry).Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range metrics {
			if m.GetName() == "actionlog_foreign_records_total" {
				counted = m.GetMetric()[0].GetCounter().GetValue()
			}
		}
		if counted != 5 {
			t.Errorf("%s: %v are counted", name, counted)
		}
	}
}

// An ID that a document writes with escapes is the institution's all the same.
func TestNamesEscaped(t *testing.T) {
	for document, want := range map[string]bool{`{"institution":{"id":"uni"}}`: true, `{"institution":{"id":"\u0075ni"}}`: true, `{"institution":{"id":"other"}}`: false, `{}`: false, ``: false} {
		if names([]byte(document), "uni") != want {
			t.Errorf("%s: %v", document, !want)
		}
	}
}

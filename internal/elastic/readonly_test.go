package elastic

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"actionlog"
	"actionlog/internal/enginetest"
)

// reading fails a test where anything but reading is asked for.
type reading struct{ testing.TB }

// RoundTrip implements http.RoundTripper.
func (r reading) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet && req.Method != http.MethodHead && !strings.HasSuffix(req.URL.Path, "/_search") && !strings.HasSuffix(req.URL.Path, "/_search/scroll") {
		r.Errorf("%s %s is no reading", req.Method, req.URL.Path)
	}
	return http.DefaultTransport.RoundTrip(req)
}

// A process that only reads makes nothing, and finds what others made.
func TestReadOnly(t *testing.T) {
	address := enginetest.URL(t, enginetest.OpenSearch3)
	s := openTest(t, address, Options{})
	looker := func() *Store {
		t.Helper()
		l, err := Open(t.Context(), Options{Addresses: []string{address}, Prefix: s.prefix, ReadOnly: true, transport: reading{t}}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return l
	}
	early, err := Open(t.Context(), Options{Addresses: []string{address}, Prefix: s.prefix + "none-", ReadOnly: true, transport: reading{t}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer early.Close()
	match := actionlog.DirectoryMatch{ID: "u1"}
	if _, _, err := early.Lookup(t.Context(), "uni", actionlog.DirectoryPeople, match, 5); !errors.Is(err, actionlog.ErrUnavailable) {
		t.Errorf("a lookup where there is no directory yet: %v", err)
	}
	item, err := actionlog.Parse([]byte(`{"id":"a","occurred_at":"2026-11-20T12:00:00Z","institution":{"id":"uni"},"category":"course","action":{"code":"x"},"actor":{"kind":"user","id":"u1","name":"Ann"}}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(t.Context(), []actionlog.Item{item}); err != nil {
		t.Fatal(err)
	}
	l := looker()
	page, err := l.Page(t.Context(), actionlog.Query{Institution: "uni"}, actionlog.NewestFirst, "", 5)
	if err != nil || len(page.Records) != 1 {
		t.Errorf("%v, %v", page, err)
	}
	if found, _, err := l.Lookup(t.Context(), "uni", actionlog.DirectoryPeople, match, 5); err != nil || len(found) != 1 {
		t.Errorf("%v, %v", found, err)
	}
	for _, err := range l.Scan(t.Context(), actionlog.Query{Institution: "uni"}, actionlog.OldestFirst) {
		if err != nil {
			t.Error(err)
		}
	}
}

package elastic

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"actionlog"
	"actionlog/internal/enginetest"
)

// killed lets so many requests through that change something, and none of any kind after
// them; negative: all. Or it loses the answer to the next change only.
type killed struct {
	after *atomic.Int64
	loses *atomic.Bool
}

// RoundTrip implements http.RoundTripper.
func (k killed) RoundTrip(req *http.Request) (*http.Response, error) {
	for {
		n, loses := k.after.Load(), k.loses.Load()
		if n == 0 && !loses {
			return nil, io.ErrUnexpectedEOF
		}
		changes := req.Method == http.MethodPut || req.Method == http.MethodDelete || strings.HasSuffix(req.URL.Path, "/_bulk")
		if n == 0 && changes && k.after.CompareAndSwap(0, -1) {
			if resp, err := http.DefaultTransport.RoundTrip(req); err == nil {
				drain(resp)
			}
			return nil, io.ErrUnexpectedEOF
		}
		if n <= 0 || !changes || k.after.CompareAndSwap(n, n-1) {
			return http.DefaultTransport.RoundTrip(req)
		}
	}
}

// Whoever drops a day may be killed after each of its changes, or the answer to each be lost: once the day is dropped
// again, nothing is left of those whom only it named, and all of those whom others name.
func TestForgetKilled(t *testing.T) {
	after, loses := &atomic.Int64{}, &atomic.Bool{}
	after.Store(-1)
	s := openTest(t, enginetest.URL(t, enginetest.OpenSearch3), Options{transport: killed{after, loses}})
	item := func(id, day, user, name string) actionlog.Item {
		item, err := actionlog.Parse([]byte(`{"id":"`+id+`","occurred_at":"`+day+`T12:00:00Z","institution":{"id":"uni"},"category":"course","action":{"code":"x"},"actor":{"kind":"user","id":"`+user+`","name":"`+name+`","email":"`+user+`@example.org"}}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		return item
	}
	gone, stays := item("a", "2026-11-20", "user1", "Ann Leaving"), item("b", "2026-11-21", "user2", "Ben Staying")
	write := func() {
		t.Helper()
		if _, err := s.Write(t.Context(), []actionlog.Item{gone, stays}); err != nil {
			t.Fatal(err)
		}
	}
	write()
	whole := directoryOf(t, s)
	if len(whole["user1"]) == 0 || len(whole["leaving"]) == 0 {
		t.Fatalf("nothing to forget: %v", whole)
	}
	again := func(what string) {
		t.Helper()
		if err := s.Drop(t.Context(), gone.Day()); err != nil {
			t.Fatalf("again, %s: %v", what, err)
		}
		left := directoryOf(t, s)
		for _, text := range []string{"user1", "ann", "leaving"} {
			if len(left[text]) > 0 {
				t.Errorf("%s: of %s is left %v", what, text, left[text])
			}
		}
		for _, text := range []string{"user2", "ben", "staying"} {
			if len(left[text]) != len(whole[text]) {
				t.Errorf("%s: of %s is left %v, and was %v", what, text, left[text], whole[text])
			}
		}
	}
	for _, lost := range []bool{false, true} {
		ended := false
		for n := int64(1); !ended; n++ {
			if n > 100 {
				t.Fatal("it does not end")
			}
			write()
			loses.Store(lost)
			after.Store(n)
			err := s.Drop(t.Context(), gone.Day())
			ended = after.Load() > 0
			after.Store(-1)
			if ended && err != nil {
				t.Fatal(err)
			}
			again(fmt.Sprintf("after change %d (an answer lost: %t)", n, lost))
		}
	}
}

// directoryOf is what the directory and its words hold, by the texts that documents have.
func directoryOf(t *testing.T, s *Store) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, index := range []string{s.directoryIndex(), s.wordsIndex()} {
		if err := s.refresher.refresh(t.Context(), []string{index}); err != nil {
			t.Fatal(err)
		}
		a, err := s.client.search(t.Context(), index, nil, obj{"query": obj{"term": obj{"institution": "uni"}}, "size": 1000})
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range a.Hits.Hits {
			source, err := json.Marshal(h.Source)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{"user1", "user2", "ann", "ben", "leaving", "staying"} {
				if strings.Contains(strings.ToLower(string(source)), text) {
					found[text] = append(found[text], string(source))
				}
			}
		}
	}
	return found
}

package elastic

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/enginetest"
)

// openContexts asks the server how many scrolls are open.
func openContexts(t *testing.T, s *Store) (open int) {
	t.Helper()
	var stats struct {
		Nodes map[string]struct {
			Indices struct {
				Search struct {
					Open int `json:"open_contexts"`
				}
			}
		}
	}
	if err := s.client.call(t.Context(), http.MethodGet, "/_nodes/stats/indices/search", nil, nil, &stats); err != nil {
		t.Fatal(err)
	}
	for _, n := range stats.Nodes {
		open += n.Indices.Search.Open
	}
	return open
}

// writeDays writes so many actions on each of so many days, and returns how many.
func writeDays(t *testing.T, s *Store, days, each int) int {
	t.Helper()
	start := time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)
	var items []actionlog.Item
	for i := range days * each {
		item, err := actionlog.Parse(fmt.Appendf(nil, `{"id":"a%d","occurred_at":%q,"institution":{"id":"uni"},"category":"course","action":{"code":"x"},"actor":{"kind":"user"}}`,
			i, start.AddDate(0, 0, i%days).Add(time.Duration(i)*time.Second).Format(time.RFC3339)), nil)
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, item)
	}
	outcomes, err := s.Write(t.Context(), items)
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range outcomes {
		if o.Kind != actionlog.OutcomeNew {
			t.Fatalf("item %d: %d %v", i, o.Kind, o.Err)
		}
	}
	return len(items)
}

// Forty exports at a time hold forty views open and not forty times the days, and none
// is left, also of those whose client leaves.
func TestExportsCloseTheirViews(t *testing.T) {
	s := openTest(t, enginetest.URL(t, enginetest.OpenSearch3), Options{})
	const exports = 40
	total := writeDays(t, s, 12, 120)
	before := openContexts(t, s)
	var group sync.WaitGroup
	most := 0
	var mu sync.Mutex
	for i := range exports {
		group.Go(func() {
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			n := 0
			for _, err := range s.Scan(ctx, actionlog.Query{Institution: "uni"}, actionlog.OldestFirst) {
				if err != nil {
					if i%4 != 1 {
						t.Errorf("export %d: %v", i, err)
					}
					return
				}
				n++
				switch {
				case i%4 == 1 && n == 300:
					leave() // the client leaves
				case i%4 == 2 && n == 300:
					return // it has seen enough
				case i == 0 && n%200 == 0:
					open := openContexts(t, s)
					mu.Lock()
					most = max(most, open-before)
					mu.Unlock()
				}
			}
			if i%4 == 0 && n != total {
				t.Errorf("export %d has %d of %d", i, n, total)
			}
		})
	}
	group.Wait()
	if most == 0 || most > exports {
		t.Errorf("%d views were open for %d exports", most, exports)
	}
	if left := openContexts(t, s) - before; left != 0 {
		t.Errorf("%d views are left open", left)
	}
}

package search

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/storetest"
)

// usageOfMany answers as a log of n institutions, each with an action a day.
func usageOfMany(n int, asked *actionlog.UsageQuery) func(context.Context, actionlog.UsageQuery) (actionlog.UsagePage, error) {
	return func(_ context.Context, q actionlog.UsageQuery) (page actionlog.UsagePage, err error) {
		*asked = q
		for i := range n {
			for day := q.From; !q.To.Before(day); day = day.Add(1) {
				key := actionlog.UsageKey{Institution: fmt.Sprintf("u%d", i), From: day}
				if key.Compare(q.After) <= 0 {
					continue
				}
				if page.More = len(page.Rows) == q.Limit; page.More {
					return page, nil
				}
				page.Rows = append(page.Rows, actionlog.Usage{Institution: key.Institution, From: day, To: day, Actions: 1})
			}
		}
		return page, nil
	}
}

type usageAnswer struct {
	Data []struct {
		Institution, From, To string
		Actions               int
		Archived, Bytes       *int
	}
	Page struct{ Next string }
	Meta struct{ From, To, By string }
}

// Usage is for operators; its pages are those of one question, whatever day it is by then.
func TestUsage(t *testing.T) {
	var asked actionlog.UsageQuery
	now := time.Date(2026, 11, 30, 23, 59, 0, 0, time.UTC)
	o := options(storetest.NewModel())
	o.Access, o.Usage, o.Now = asRole{o.Access}, usageOfMany(5, &asked), func() time.Time { return now }
	handler, err := newAPI(t, o)
	if err != nil {
		t.Fatal(err)
	}
	get := func(query string) (a usageAnswer) {
		t.Helper()
		w := said(t, handler, "operator", http.MethodGet, "/v1/usage?"+query, "")
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", query, w.Code, w.Body)
		}
		return a
	}
	a := get("limit=40")
	now = now.Add(time.Hour) // December
	seen, first := len(a.Data), a
	for a.Page.Next != "" {
		a = get("limit=40&cursor=" + a.Page.Next)
		seen += len(a.Data)
	}
	if seen != 150 || first.Meta.From != "2026-11-01" || a.Meta != first.Meta || a.Meta.To != "2026-11-30" || a.Meta.By != "day" || first.Data[0].Archived != nil || first.Data[0].Bytes != nil {
		t.Errorf("%d rows of %+v", seen, a.Meta)
	}
	if get(""); asked.From.String() != "2026-12-01" || asked.To.String() != "2026-12-01" || asked.Limit != 1000 {
		t.Errorf("%+v is asked", asked)
	}
	for query, want := range map[string]string{
		"from=November": "2025-01-31", "from=2026-12-02": "2026-12-02 is after 2026-12-01", "by=week": "day, month or total", "limit=1001": "1 to 1000", "cursor=x": "cursor",
		"by=month&cursor=" + first.Page.Next: "belongs to other filters", "institution=u1": "is not a parameter", "from=2026-11-01&from=2026-11-02": "more than once",
	} {
		if w := said(t, handler, "operator", http.MethodGet, "/v1/usage?"+query, ""); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
	}
	for _, role := range []string{"admin", "auditor", "support", "compliance", "publisher"} {
		if w := said(t, handler, role, http.MethodGet, "/v1/usage", ""); w.Code != http.StatusForbidden {
			t.Errorf("%s: %d %s", role, w.Code, w.Body)
		}
	}
}

package sqlite

import (
	"fmt"
	"testing"

	"actionlog"
)

// Merging makes one segment of many, changes no answer, and is not done again
// until many spellings have come.
func TestMergeNames(t *testing.T) {
	s := reopen(t, t.TempDir())
	for i := range 30 {
		item, err := actionlog.Parse(fmt.Appendf(nil, `{"id":"m%d","occurred_at":"2026-11-20T12:00:00Z","institution":{"id":"uni"},"category":"course","action":{"code":"x"},"actor":{"kind":"user","id":"u%d","name":"Ann Nr%d"}}`, i, i, i), nil)
		if err != nil {
			t.Fatal(err)
		}
		mustWrite(t, s, []actionlog.Item{item})
	}
	people := func() int {
		found, _, err := s.Lookup(t.Context(), "uni", actionlog.DirectoryPeople, actionlog.DirectoryMatch{Words: []string{"ann"}}, 100)
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	segments := func() int64 {
		n, err := number(s.people.conn, "SELECT count(DISTINCT segid) FROM names_idx")
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if people() != 30 || segments() < 2 {
		t.Fatalf("%d people in %d segments", people(), segments())
	}
	if err := s.people.mergeNames(nil); err != nil || segments() != 1 || people() != 30 {
		t.Errorf("%d people in %d segments, %v", people(), segments(), err)
	}
	if again, err := s.people.mergeOnce(-mergeStep); again || err != nil || s.people.unmerged != 0 {
		t.Errorf("merged again, %v; %d are said to be unmerged", err, s.people.unmerged)
	}
}

package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"actionlog"
)

// walk collects all pages of a list. It fails where the pages contradict each
// other: a page that is too long, or empty although the one before named a next.
func walk(s actionlog.Store, q actionlog.Query, order actionlog.Order, size int) (all []actionlog.Record, err error) {
	var after actionlog.Mark
	for {
		page, err := s.Page(context.Background(), q, order, after, size)
		switch {
		case err != nil:
			return all, err
		case len(page.Records) > size:
			return all, fmt.Errorf("a page of %d has %d records", size, len(page.Records))
		case len(page.Records) < size && page.Next != "":
			return all, fmt.Errorf("a page of %d has %d records and names a next one", size, len(page.Records))
		case len(page.Records) == 0 && after != "":
			return all, fmt.Errorf("the page behind a Next is empty")
		}
		all = append(all, page.Records...)
		if page.Next == "" {
			return all, inOrder(all, order)
		}
		after = page.Next
	}
}

// scan collects a scan.
func scan(s actionlog.Store, q actionlog.Query, order actionlog.Order) (all []actionlog.Record, err error) {
	for r, err := range s.Scan(context.Background(), q, order) {
		if err != nil {
			return all, err
		}
		all = append(all, r)
	}
	return all, inOrder(all, order)
}

// inOrder says where records are not in the order of time, or one is twice.
func inOrder(records []actionlog.Record, order actionlog.Order) error {
	seen := make(map[identity]bool, len(records))
	for i := range records {
		r := &records[i]
		if key := (identity{r.Institution, r.ID, r.Day()}); seen[key] {
			return fmt.Errorf("%s of %s is there twice", r.ID, r.Day())
		} else {
			seen[key] = true
		}
		if i == 0 {
			continue
		}
		before := records[i-1].OccurredAt.Compare(r.OccurredAt)
		if before > 0 && order == actionlog.OldestFirst || before < 0 && order == actionlog.NewestFirst {
			return fmt.Errorf("%s (%s) stands before %s (%s)", records[i-1].ID, stamp(records[i-1].OccurredAt), r.ID, stamp(r.OccurredAt))
		}
	}
	return nil
}

func idsOf(records []actionlog.Record) []string {
	ids := make([]string, len(records))
	for i := range records {
		ids[i] = records[i].ID
	}
	return ids
}

// difference compares two lists as multisets.
func difference(want, got []string) (missing, extra []string) {
	count := map[string]int{}
	for _, s := range want {
		count[s]++
	}
	for _, s := range got {
		if count[s]--; count[s] < 0 {
			extra = append(extra, s)
		}
	}
	for _, s := range want {
		if count[s] > 0 {
			count[s]--
			missing = append(missing, s)
		}
	}
	return missing, extra
}

// brief prints the beginning of a list.
func brief(ids []string) string {
	if len(ids) == 0 {
		return "nothing"
	}
	if len(ids) > 20 {
		return strings.Join(ids[:20], " ") + fmt.Sprintf(" … (%d)", len(ids))
	}
	return strings.Join(ids, " ")
}

// reversed returns the list backwards.
func reversed[T any](list []T) []T {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

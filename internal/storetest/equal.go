package storetest

import (
	"slices"
	"strings"
	"time"

	"actionlog"
	"actionlog/internal/people"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// diffRecord says how a record differs from the one that was written.
func diffRecord(want, got actionlog.Record) string {
	return cmp.Diff(want, got, sameInstant(), bytesAsText(), cmpopts.EquateEmpty())
}

// sameInstant compares times as instants and their zones not at all.
func sameInstant() cmp.Option {
	return cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })
}

func bytesAsText() cmp.Option {
	return cmp.Transformer("text", func(b []byte) string { return string(b) })
}

// sortRecords puts records in an order that does not depend on the store.
func sortRecords(records []actionlog.Record) []actionlog.Record {
	return slices.SortedFunc(slices.Values(records), func(a, b actionlog.Record) int {
		if c := a.OccurredAt.Compare(b.OccurredAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
}

// diffEntry says how directory entries differ. Spellings that were seen last at
// the same time have no order, and of an address only what is compared counts.
func diffEntry(want, got actionlog.DirectoryEntry) string {
	plain := func(e actionlog.DirectoryEntry) actionlog.DirectoryEntry {
		e.Names = slices.Sorted(slices.Values(e.Names))
		emails := map[string]bool{}
		for _, s := range e.Emails {
			emails[people.FoldEmail(s)] = true
		}
		e.Emails = nil
		for s := range emails {
			e.Emails = append(e.Emails, s)
		}
		slices.Sort(e.Emails)
		return e
	}
	return cmp.Diff(plain(want), plain(got), sameInstant(), cmpopts.EquateEmpty())
}

package storetest

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"actionlog"
)

// Page implements actionlog.Searcher.
func (m *Model) Page(ctx context.Context, q actionlog.Query, order actionlog.Order, after actionlog.Mark, limit int) (actionlog.Page, error) {
	if err := m.fault(ctx, "Page"); err != nil {
		return actionlog.Page{}, err
	}
	if limit < 1 || limit > 1000 {
		return actionlog.Page{}, actionlog.Invalidf("limit", "is not 1 to 1000")
	}
	from, err := parsePlace(after)
	if err != nil {
		return actionlog.Page{}, err
	}
	found, missing, err := m.matches(&q, order)
	if err != nil {
		return actionlog.Page{}, err
	}
	if after != "" {
		found = slices.DeleteFunc(found, func(k *kept) bool {
			c := placeOf(k).compare(from)
			return c == 0 || (c < 0) == (order == actionlog.OldestFirst)
		})
	}
	page := actionlog.Page{MissingDays: missing}
	for i, k := range found {
		if i == limit {
			page.Next = placeOf(found[i-1]).mark()
			break
		}
		page.Records = append(page.Records, copyOf(k.Record))
	}
	return page, nil
}

// place is where an item stands in the order of time.
type place struct{ ms, number int64 }

func placeOf(k *kept) place { return place{k.OccurredAt.UnixMilli(), k.number} }

func (p place) compare(o place) int {
	return cmp.Or(cmp.Compare(p.ms, o.ms), cmp.Compare(p.number, o.number))
}

func (p place) mark() actionlog.Mark {
	return actionlog.Mark(strconv.FormatInt(p.ms, 36) + "_" + strconv.FormatInt(p.number, 36))
}

func parsePlace(m actionlog.Mark) (p place, err error) {
	if m == "" {
		return p, nil
	}
	ms, number, ok := strings.Cut(string(m), "_")
	p.ms, err = strconv.ParseInt(ms, 36, 64)
	if err == nil {
		p.number, err = strconv.ParseInt(number, 36, 64)
	}
	if err != nil || !ok {
		return p, actionlog.Invalidf("cursor", "is not a mark of this store")
	}
	return p, nil
}

// Get implements actionlog.Searcher.
func (m *Model) Get(ctx context.Context, institution, id string, day actionlog.Day) ([]actionlog.Record, error) {
	if err := m.fault(ctx, "Get"); err != nil {
		return nil, err
	}
	q := actionlog.Query{Institution: institution, MissingDays: day.IsZero()}
	if !day.IsZero() {
		q.From, q.To = day.Start(), day.End()
	}
	found, missing, err := m.matches(&q, actionlog.NewestFirst)
	if err != nil {
		return nil, err
	}
	var records []actionlog.Record
	for _, k := range found {
		if k.ID == id {
			records = append(records, copyOf(k.Record))
		}
	}
	switch {
	case len(records) > 0:
		return records, nil
	case len(missing) > 0:
		return nil, fmt.Errorf("day %s is set aside as damaged: %w", missing[0], actionlog.ErrUnavailable)
	}
	return nil, fmt.Errorf("action %s: %w", id, actionlog.ErrNotFound)
}

// Scan implements actionlog.Scanner.
func (m *Model) Scan(ctx context.Context, q actionlog.Query, order actionlog.Order) iter.Seq2[actionlog.Record, error] {
	return func(yield func(actionlog.Record, error) bool) {
		err := m.fault(ctx, "Scan")
		var found []*kept
		if err == nil {
			found, _, err = m.matches(&q, order)
		}
		for _, k := range found {
			if err = m.fault(ctx, "record"); err != nil {
				break
			}
			if !yield(copyOf(k.Record), nil) {
				return
			}
		}
		if err != nil {
			yield(actionlog.Record{}, err)
		}
	}
}

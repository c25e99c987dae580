package search

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"actionlog"
)

// days is a range of UTC days, both included.
type days = actionlog.Days

// reach says which days of a query are older than what is searchable: those that are
// back, and those that nothing covers.
func (s *server) reach(ctx context.Context, a *asked) error {
	oldest := actionlog.OldestKept(a.start)
	if !a.query.From.Before(oldest.Start()) {
		return nil
	}
	asked := days{From: actionlog.DayOf(a.query.From), To: min2(actionlog.DayOf(a.query.To.Add(-time.Nanosecond)), oldest.Add(-1))}
	there := []days{}
	if s.Restores != nil {
		covered, err := s.Restores.Covered(ctx, a.institution)
		if err != nil {
			return err
		}
		for _, r := range covered {
			if r.To.Before(asked.From) || asked.To.Before(r.From) {
				continue
			}
			a.meta.Restored = append(a.meta.Restored, r)
			if within(a.asks, r.Filter) {
				there = append(there, days{From: r.From, To: r.To})
			}
		}
	}
	if s.Held != nil {
		held, err := s.Held(ctx, oldest)
		if err != nil {
			return err
		}
		for _, d := range held {
			there = append(there, days{From: d, To: d})
		}
	}
	a.meta.Missing = uncovered(asked, there)
	return nil
}

// reachedStill makes sure that what an answer says of its reach was so while it was made:
// nothing that it takes to be there has gone.
func (s *server) reachedStill(ctx context.Context, a *asked) error {
	if !a.query.From.Before(actionlog.OldestKept(a.start).Start()) {
		return nil
	}
	now := *a
	now.meta.Restored, now.meta.Missing = nil, nil
	if err := s.reach(ctx, &now); err != nil {
		return err
	}
	for _, r := range a.meta.Restored {
		if !slices.ContainsFunc(now.meta.Restored, func(n actionlog.Restored) bool { return n.ID == r.ID && n.Token == r.Token }) {
			return fmt.Errorf("a restore ended meanwhile: %w", actionlog.ErrUnavailable)
		}
	}
	for _, d := range now.meta.Missing {
		if len(uncovered(d, slices.Clone(a.meta.Missing))) > 0 {
			return fmt.Errorf("a day left the store meanwhile: %w", actionlog.ErrUnavailable)
		}
	}
	return nil
}

// leftOut is the days of the search that missing_days=allow leaves out.
func (s *server) leftOut(ctx context.Context, a *asked) ([]actionlog.Day, error) {
	if !a.query.MissingDays {
		return nil, nil
	}
	page, err := s.Searcher.Page(ctx, a.query, actionlog.NewestFirst, "", 1)
	return page.MissingDays, err
}

// leaveOut says of what is taken away that it is without the days that missing_days=allow leaves out.
func (s *server) leaveOut(ctx context.Context, a *asked) error {
	left, err := s.leftOut(ctx, a)
	for _, d := range left {
		a.meta.Missing = append(a.meta.Missing, days{From: d, To: d})
	}
	return err
}

// leftOutStill tells whether no more is left out than leaveOut said.
func (s *server) leftOutStill(ctx context.Context, a *asked) error {
	left, err := s.leftOut(ctx, a)
	for _, d := range left {
		if !slices.Contains(a.meta.Missing, days{From: d, To: d}) {
			return fmt.Errorf("day %s cannot be read any more: %w", d, actionlog.ErrUnavailable)
		}
	}
	return err
}

// countedWithout says of counts that they are without the days that missing_days=allow leaves out.
func (s *server) countedWithout(ctx context.Context, a *asked) error {
	left, err := s.leftOut(ctx, a)
	for _, d := range left {
		a.meta.MissingDays = append(a.meta.MissingDays, d.String())
	}
	return err
}

func min2(a, b actionlog.Day) actionlog.Day {
	if b.Before(a) {
		return b
	}
	return a
}

// uncovered is what remains of a range without others.
func uncovered(of days, there []days) (rest []days) {
	slices.SortFunc(there, func(a, b days) int { return cmp.Compare(a.From.Start().Unix(), b.From.Start().Unix()) })
	at := of.From
	for _, d := range there {
		if at.Before(d.From) && !of.To.Before(at) {
			rest = append(rest, days{From: at, To: min2(d.From.Add(-1), of.To)})
		}
		if next := d.To.Add(1); at.Before(next) {
			at = next
		}
	}
	if !of.To.Before(at) {
		rest = append(rest, days{From: at, To: of.To})
	}
	return rest
}

// within tells whether a search asks for nothing beyond a filter: it has each of its
// parameters, with no other values. Of a filter that looks for people, courses or classes
// it cannot be told: whom a name, an address or an ID means follows from the actions that
// are there, which are others in the two.
func within(values url.Values, filter map[string][]string) bool {
	for name, allowed := range filter {
		spec, known := filters[name]
		if !known || spec.kind != "" {
			return false
		}
		asked, allowed := split(values[name], spec.list), split(allowed, spec.list)
		if len(allowed) == 0 {
			continue
		}
		only := func(a, b []string) bool {
			return !slices.ContainsFunc(a, func(v string) bool { return !slices.Contains(b, v) })
		}
		excludes := slices.ContainsFunc(slices.Concat(asked, allowed), func(s string) bool { return strings.HasPrefix(s, "-") })
		if len(asked) == 0 || !only(asked, allowed) || excludes && !only(allowed, asked) {
			return false
		}
	}
	return true
}

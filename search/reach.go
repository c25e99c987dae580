package search

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"actionlog"
)

// days is a range of UTC days, both included.
type days struct {
	From actionlog.Day `json:"from"`
	To   actionlog.Day `json:"to"`
}

// reach says which days of a query are older than what is searchable: those that are
// back, and those that nothing covers.
func (s *server) reach(ctx context.Context, a *asked) error {
	oldest := actionlog.OldestKept(a.start)
	if !a.query.From.Before(oldest.Start()) {
		return nil
	}
	asked := days{actionlog.DayOf(a.query.From), min2(actionlog.DayOf(a.query.To.Add(-time.Nanosecond)), oldest.Add(-1))}
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
			if within(a.values, r.Filter) {
				there = append(there, days{r.From, r.To})
			}
		}
	}
	if s.Held != nil {
		held, err := s.Held(ctx, oldest)
		if err != nil {
			return err
		}
		for _, d := range held {
			there = append(there, days{d, d})
		}
	}
	a.meta.Missing = uncovered(asked, there)
	return nil
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
			rest = append(rest, days{at, min2(d.From.Add(-1), of.To)})
		}
		if next := d.To.Add(1); at.Before(next) {
			at = next
		}
	}
	if !of.To.Before(at) {
		rest = append(rest, days{at, of.To})
	}
	return rest
}

// within tells whether a search asks for nothing beyond a filter: it has each of its
// parameters, with no other values.
func within(values url.Values, filter map[string][]string) bool {
	for name, allowed := range filter {
		if name == "user_role" || name == "near" {
			continue
		}
		asked := values[name]
		excludes := slices.ContainsFunc(slices.Concat(asked, allowed), func(s string) bool { return strings.HasPrefix(s, "-") })
		if len(asked) == 0 || excludes && len(asked) != len(allowed) {
			return false
		}
		for _, v := range asked {
			if !slices.Contains(allowed, v) {
				return false
			}
		}
	}
	if filter["user"] != nil && cmp.Or(values.Get("user_role"), "any") != cmp.Or(url.Values(filter).Get("user_role"), "any") {
		return false
	}
	return values.Get("near") == nearExclude || url.Values(filter).Get("near") == nearInclude || !slices.ContainsFunc(namesIn(filter), mayBeNear)
}

// namesIn are the values of the filters that look for names.
func namesIn(filter map[string][]string) []string {
	return slices.Concat(filter["user"], filter["course"], filter["class"])
}

// mayBeNear tells whether a value is a name, for which near ones are searched unless a
// search says that they are not.
func mayBeNear(value string) bool {
	return !strings.Contains(value, "@") && !strings.HasPrefix(value, "id:")
}

package restore

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"actionlog"
)

// maxValues is how many values of a field are counted where days are restored: those of
// two stores can be added only if all are known.
const maxValues = 1_000_000

// Facet implements actionlog.Searcher.
func (u *Union) Facet(ctx context.Context, q actionlog.Query, field actionlog.Field, limit int) (sum actionlog.Facet, err error) {
	back, err := u.back(ctx, &q)
	if err != nil {
		return sum, err
	}
	parts := cut(&q, back.Spans)
	if len(parts) == 1 {
		sum, err = u.store(&parts[0]).Facet(ctx, parts[0].of(q), field, limit)
	} else {
		sum, err = u.facets(ctx, &q, parts, field, limit)
	}
	if err == nil {
		err = u.still(ctx, &q, back)
	}
	if err != nil {
		return actionlog.Facet{}, err
	}
	return sum, nil
}

func (u *Union) facets(ctx context.Context, q *actionlog.Query, parts []part, field actionlog.Field, limit int) (actionlog.Facet, error) {
	sum := facetSum{at: map[facetValue]int{}}
	for i := len(parts) - 1; i >= 0; i-- { // the newest first: its labels count
		for ask := max(limit, 1000); ; ask *= 10 {
			f, err := u.store(&parts[i]).Facet(ctx, parts[i].of(*q), field, ask)
			if err != nil {
				return f, err
			}
			if f.Other == 0 {
				sum.add(&f)
			}
			if ask >= maxValues && f.Other > 0 || len(sum.Values) > maxValues {
				return f, actionlog.Invalidf("field", "has more than %d values in this time: ask for a shorter one", maxValues)
			}
			if f.Other == 0 {
				break
			}
		}
	}
	return sum.top(limit), nil
}

// facetValue identifies a value.
type facetValue struct {
	text  string
	staff bool
}

// facetSum adds up facets that have all values.
type facetSum struct {
	actionlog.Facet
	at map[facetValue]int
}

func (sum *facetSum) add(f *actionlog.Facet) {
	sum.Missing += f.Missing
	for _, v := range f.Values {
		i, there := sum.at[facetValue{v.Value, v.Staff}]
		if !there {
			sum.at[facetValue{v.Value, v.Staff}] = len(sum.Values)
			sum.Values = append(sum.Values, v)
			continue
		}
		sum.Values[i].Count += v.Count
		if !named(sum.Values[i]) && named(v) {
			sum.Values[i].Label = v.Label
		}
	}
}

func (sum *facetSum) top(limit int) actionlog.Facet {
	slices.SortFunc(sum.Values, func(a, b actionlog.FacetValue) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Value, b.Value))
	})
	if len(sum.Values) > limit {
		for _, v := range sum.Values[limit:] {
			sum.Other += v.Count
		}
		sum.Values = sum.Values[:limit]
	}
	return sum.Facet
}

// named tells whether a value's label is a name, and not the address or ID that stands
// for one.
func named(v actionlog.FacetValue) bool {
	_, id, _ := strings.Cut(v.Value, ":")
	return v.Label != "" && v.Label != id && !strings.Contains(v.Label, "@")
}

// both asks the directories of both stores, that of the restored one where something of
// the institution is back.
func (u *Union) both(ctx context.Context, institution string, ask func(d actionlog.Directory) error) error {
	q := actionlog.Query{Institution: institution}
	back, err := u.back(ctx, &q)
	if err == nil {
		err = ask(u.Live)
	}
	if err == nil && len(back.Spans) > 0 {
		err = ask(u.Restored)
	}
	if err != nil {
		return err
	}
	return u.still(ctx, &q, back)
}

// Lookup implements actionlog.Directory. An entry that only one of the directories finds
// may stand in the other as well, by another name: it is looked up there by its key.
func (u *Union) Lookup(ctx context.Context, institution string, kind actionlog.DirectoryKind, m actionlog.DirectoryMatch, limit int) (entries []actionlog.DirectoryEntry, more bool, err error) {
	var found [][]actionlog.DirectoryEntry
	var asked []actionlog.Directory
	err = u.both(ctx, institution, func(d actionlog.Directory) error {
		list, left, err := d.Lookup(ctx, institution, kind, m, limit)
		found, asked, more = append(found, list), append(asked, d), more || left
		return err
	})
	if err != nil {
		return nil, false, err
	}
	if len(found) == 1 {
		return found[0], more, nil
	}
	half := func(of int, key string) (actionlog.DirectoryEntry, error) {
		for _, e := range found[of] {
			if e.Key == key {
				return e, nil
			}
		}
		other, _, err := asked[of].Lookup(ctx, institution, kind, actionlog.DirectoryMatch{Key: key}, 1)
		if err != nil || len(other) == 0 {
			return actionlog.DirectoryEntry{}, err
		}
		return other[0], nil
	}
	seen := map[string]bool{}
	for _, e := range slices.Concat(found...) {
		if seen[e.Key] {
			continue
		}
		seen[e.Key] = true
		live, err := half(0, e.Key)
		if err != nil {
			return nil, false, err
		}
		restored, err := half(1, e.Key)
		if err != nil {
			return nil, false, err
		}
		entries = append(entries, joined(live, restored))
	}
	slices.SortStableFunc(entries, func(a, b actionlog.DirectoryEntry) int {
		return cmp.Or(b.LastSeen.Compare(a.LastSeen), strings.Compare(a.Key, b.Key))
	})
	if len(entries) > limit {
		entries, more = entries[:limit], true
	}
	return entries, more, nil
}

// joined is an entry of two directories, one of which may not have it: the first has the
// newer names.
func joined(a, b actionlog.DirectoryEntry) actionlog.DirectoryEntry {
	add := func(into, from []string) []string {
		into = slices.Clip(into)
		for _, s := range from {
			if !slices.Contains(into, s) {
				into = append(into, s)
			}
		}
		return into
	}
	a.Names, a.Emails = add(a.Names, b.Names), add(a.Emails, b.Emails)
	a.Key = cmp.Or(a.Key, b.Key)
	a.ID, a.ExternalID, a.Staff = cmp.Or(a.ID, b.ID), cmp.Or(a.ExternalID, b.ExternalID), a.Staff || b.Staff
	if b.LastSeen.After(a.LastSeen) {
		a.LastSeen = b.LastSeen
	}
	return a
}

// Vocabulary implements actionlog.Directory.
func (u *Union) Vocabulary(ctx context.Context, institution string, kind actionlog.DirectoryKind, keys []string, limit int) (words []actionlog.DirectoryWord, more bool, err error) {
	at := map[string]int{}
	err = u.both(ctx, institution, func(d actionlog.Directory) error {
		found, left, err := d.Vocabulary(ctx, institution, kind, keys, limit)
		more = more || left
		for _, w := range found {
			if i, there := at[w.Text]; there {
				words[i].Uses += w.Uses
				continue
			}
			at[w.Text] = len(words)
			words = append(words, w)
		}
		return err
	})
	if err != nil {
		return nil, false, err
	}
	if len(words) > limit {
		words, more = words[:limit], true
	}
	return words, more, nil
}

// Mentions implements actionlog.Directory.
func (u *Union) Mentions(ctx context.Context, institution string, kind actionlog.DirectoryKind, keys []string, missingDays bool) (sum []actionlog.Mentions, err error) {
	err = u.both(ctx, institution, func(d actionlog.Directory) error {
		found, err := d.Mentions(ctx, institution, kind, keys, missingDays)
		if sum == nil || err != nil {
			sum = found
			return err
		}
		for i, m := range found {
			sum[i].Actions += m.Actions
			if m.Last.After(sum[i].Last) {
				sum[i].Last = m.Last
			}
		}
		return nil
	})
	return sum, err
}

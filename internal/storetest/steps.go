package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"actionlog"

	"github.com/google/go-cmp/cmp"
)

type writeStep struct {
	name  string
	items []actionlog.Item
}

func (s writeStep) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d", s.name, len(s.items))
	for _, item := range s.items {
		b.WriteString("\n       " + string(item.Document))
	}
	return b.String()
}

func (s writeStep) run(model *Model, store actionlog.Store) error {
	want, _ := model.Write(context.Background(), s.items)
	got, err := store.Write(context.Background(), s.items)
	if err != nil || len(got) != len(want) {
		return fmt.Errorf("%d outcomes for %d items, %w", len(got), len(want), err)
	}
	for i := range want {
		if got[i] != want[i] {
			return fmt.Errorf("item %d (%s): %s %v, want %s", i, s.items[i].ID, kindName(got[i].Kind), got[i].Err, kindName(want[i].Kind))
		}
	}
	return nil
}

// sameRecords compares answers but for the order among equal times.
func sameRecords(want, got []actionlog.Record) error {
	want, got = sortRecords(want), sortRecords(got)
	if missing, extra := difference(idsOf(want), idsOf(got)); len(missing)+len(extra) > 0 {
		return fmt.Errorf("leaves out %s, finds besides %s", brief(missing), brief(extra))
	}
	for i := range want {
		if d := diffRecord(want[i], got[i]); d != "" {
			return fmt.Errorf("%s is not as it was written (-want +got):\n%s", want[i].ID, d)
		}
	}
	return nil
}

type walkStep struct {
	query actionlog.Query
	order actionlog.Order
	size  int
}

func (s walkStep) String() string {
	return fmt.Sprintf("walk %s, %s, pages of %d", describe(s.query), describeOrder(s.order), s.size)
}

func (s walkStep) run(model *Model, store actionlog.Store) error {
	want, err := walk(model, s.query, s.order, s.size)
	if err != nil {
		return err
	}
	got, err := walk(store, s.query, s.order, s.size)
	if err != nil {
		return err
	}
	back, err := walk(store, s.query, 1-s.order, 1000)
	if err != nil {
		return err
	}
	if !slices.Equal(idsOf(got), reversed(idsOf(back))) {
		return fmt.Errorf("%s is not the reverse of %s", brief(idsOf(got)), brief(idsOf(back)))
	}
	return sameRecords(want, got)
}

// scanStep stops after so many records; 0 is at the end.
type scanStep struct {
	query actionlog.Query
	order actionlog.Order
	stop  int
}

func (s scanStep) String() string {
	if s.stop == 0 {
		return fmt.Sprintf("scan %s, %s", describe(s.query), describeOrder(s.order))
	}
	return fmt.Sprintf("scan %s, %s, stop after %d", describe(s.query), describeOrder(s.order), s.stop)
}

func (s scanStep) run(model *Model, store actionlog.Store) error {
	want, err := scan(model, s.query, s.order)
	if err != nil {
		return err
	}
	pages, err := walk(store, s.query, s.order, 1000)
	if err != nil {
		return err
	}
	var got []actionlog.Record
	for r, err := range store.Scan(context.Background(), s.query, s.order) {
		if err != nil {
			return err
		}
		if got = append(got, r); len(got) == s.stop {
			break
		}
	}
	if s.stop > 0 {
		pages = pages[:min(s.stop, len(pages))]
	} else if err := sameRecords(want, got); err != nil {
		return err
	}
	if !slices.Equal(idsOf(pages), idsOf(got)) {
		return fmt.Errorf("%s; the pages have %s", brief(idsOf(got)), brief(idsOf(pages)))
	}
	return nil
}

type countStep struct {
	query actionlog.Query
	max   int64
}

func (s countStep) String() string { return fmt.Sprintf("count %s, max %d", describe(s.query), s.max) }

func (s countStep) run(model *Model, store actionlog.Store) error {
	total, _, err := model.Count(context.Background(), s.query, 0)
	if err != nil {
		return err
	}
	n, exact, err := store.Count(context.Background(), s.query, s.max)
	if err != nil || exact && n != total || !exact && (s.max == 0 || n != s.max || total < s.max) {
		return fmt.Errorf("%d, exact %v, %v; there are %d", n, exact, err, total)
	}
	return nil
}

type getStep struct {
	institution, id string
	day             actionlog.Day
}

func (s getStep) String() string {
	if s.day.IsZero() {
		return fmt.Sprintf("get %s %s", s.institution, s.id)
	}
	return fmt.Sprintf("get %s %s of %s", s.institution, s.id, s.day)
}

func (s getStep) run(model *Model, store actionlog.Store) error {
	want, wantErr := model.Get(context.Background(), s.institution, s.id, s.day)
	got, err := store.Get(context.Background(), s.institution, s.id, s.day)
	if errors.Is(wantErr, actionlog.ErrNotFound) != errors.Is(err, actionlog.ErrNotFound) || err != nil && wantErr == nil {
		return fmt.Errorf("%d records, %v; want %d, %v", len(got), err, len(want), wantErr)
	}
	if d := diffAll(want, got); d != "" {
		return fmt.Errorf("(-want +got):\n%s", d)
	}
	return nil
}

// diffAll compares records of one id, which are of different days.
func diffAll(want, got []actionlog.Record) string {
	if len(want) != len(got) {
		return fmt.Sprintf("%d records, want %d", len(got), len(want))
	}
	for i := range want {
		if d := diffRecord(want[i], got[i]); d != "" {
			return d
		}
	}
	return ""
}

type histogramStep struct {
	query actionlog.Query
	edges []time.Time
	by    actionlog.Field
}

func (s histogramStep) String() string {
	var edges []string
	for _, e := range s.edges {
		edges = append(edges, stamp(e))
	}
	return fmt.Sprintf("histogram %s by %q, edges %s", describe(s.query), s.by, strings.Join(edges, " "))
}

func (s histogramStep) run(model *Model, store actionlog.Store) error {
	want, err := model.Histogram(context.Background(), s.query, s.edges, s.by)
	if err != nil {
		return err
	}
	got, err := store.Histogram(context.Background(), s.query, s.edges, s.by)
	if err != nil {
		return err
	}
	for i := range got {
		if s.by != "" {
			got[i].By = nonZero(got[i].By)
		}
	}
	if d := cmp.Diff(want, got, sameInstant()); d != "" {
		return fmt.Errorf("(-want +got):\n%s", d)
	}
	return nil
}

type facetStep struct {
	query actionlog.Query
	field actionlog.Field
	limit int
}

func (s facetStep) String() string {
	return fmt.Sprintf("facet %s of %s, limit %d", s.field, describe(s.query), s.limit)
}

func (s facetStep) run(model *Model, store actionlog.Store) error {
	want, err := model.Facet(context.Background(), s.query, s.field, s.limit)
	if err != nil {
		return err
	}
	got, err := store.Facet(context.Background(), s.query, s.field, s.limit)
	if err != nil {
		return err
	}
	names, instead := model.labels(s.query.Institution, s.field)
	for i := range min(len(got.Values), len(want.Values)) {
		g, w := got.Values[i], want.Values[i]
		if g.Value != w.Value || g.Label == w.Label {
			continue
		}
		// Of several names which is the newest is checked where times differ, in
		// the cases: here any name that the value has in the institution will do.
		at := labelOf{g.Value, g.Label}
		if !names[at] && (names[labelOf{w.Value, w.Label}] || !instead[at]) {
			return fmt.Errorf("the label of %q is %q, which it never had", g.Value, g.Label)
		}
		got.Values[i].Label = w.Label
	}
	if d := cmp.Diff(want, got); d != "" {
		return fmt.Errorf("(-want +got):\n%s", d)
	}
	return nil
}

type labelOf struct{ value, label string }

// labels returns the names that values have in an institution, and what may
// stand for the name where there is none.
func (m *Model) labels(institution string, field actionlog.Field) (names, instead map[labelOf]bool) {
	names, instead = map[labelOf]bool{}, map[labelOf]bool{}
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, k := range m.items {
		if k.Institution != institution {
			continue
		}
		v, name, other := facetValue(&k.Action, field)
		if name != "" {
			names[labelOf{v.Value, name}] = true
		}
		if other != "" {
			instead[labelOf{v.Value, other}] = true
		}
	}
	return names, instead
}

type lookupStep struct {
	institution string
	kind        actionlog.DirectoryKind
	match       actionlog.DirectoryMatch
	limit       int
}

func (s lookupStep) String() string {
	return fmt.Sprintf("lookup %s in %s of %q, limit %d", describeLookup(s.match), s.kind, s.institution, s.limit)
}

func (s lookupStep) run(model *Model, store actionlog.Store) error {
	all, _, err := model.Lookup(context.Background(), s.institution, s.kind, s.match, 1000)
	if err != nil {
		return err
	}
	got, more, err := store.Lookup(context.Background(), s.institution, s.kind, s.match, s.limit)
	if err != nil {
		return err
	}
	if len(got) != min(len(all), s.limit) || more != (len(all) > s.limit) {
		return fmt.Errorf("%d entries, more %v; there are %d", len(got), more, len(all))
	}
	byKey := map[string]actionlog.DirectoryEntry{}
	for _, e := range all {
		byKey[e.Key] = e
	}
	for i, e := range got {
		want, ok := byKey[e.Key]
		if !ok {
			return fmt.Errorf("finds %q besides, or twice", e.Key)
		}
		delete(byKey, e.Key)
		if d := diffEntry(want, e); d != "" {
			return fmt.Errorf("entry %q (-want +got):\n%s", e.Key, d)
		}
		if !e.LastSeen.Equal(all[i].LastSeen) {
			return fmt.Errorf("entry %d is %q, last seen %s; want one of %s", i, e.Key, stamp(e.LastSeen), stamp(all[i].LastSeen))
		}
	}
	return nil
}

type dropStep struct{ day actionlog.Day }

func (s dropStep) String() string { return "drop " + s.day.String() }

func (s dropStep) run(model *Model, store actionlog.Store) error {
	_ = model.Drop(context.Background(), s.day)
	if err := store.Drop(context.Background(), s.day); err != nil {
		return err
	}
	want, _ := model.Days(context.Background())
	got, err := store.Days(context.Background())
	if err != nil {
		return err
	}
	for _, days := range [][]actionlog.DayInfo{want, got} {
		for i := range days {
			days[i].Bytes = 0 // the engine's own
		}
	}
	if !slices.Equal(want, got) {
		return fmt.Errorf("days %v, want %v", got, want)
	}
	return nil
}

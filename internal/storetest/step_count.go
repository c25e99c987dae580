package storetest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"actionlog"

	"github.com/google/go-cmp/cmp"
)

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

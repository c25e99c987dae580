package storetest

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"actionlog"
	"actionlog/internal/match"
	"actionlog/internal/people"
)

// Count implements actionlog.Searcher.
func (m *Model) Count(ctx context.Context, q actionlog.Query, max int64) (n int64, exact bool, err error) {
	if err := m.fault(ctx, "Count"); err != nil {
		return 0, false, err
	}
	found, _, err := m.matches(&q, actionlog.NewestFirst)
	if err != nil {
		return 0, false, err
	}
	if n = int64(len(found)); max > 0 && n > max {
		return max, false, nil
	}
	return n, true, nil
}

// splits are the fields that a histogram may be split by.
var splits = [...]actionlog.Field{
	actionlog.FieldCategory, actionlog.FieldOutcome, actionlog.FieldActorKind, actionlog.FieldChannel,
}

// Histogram implements actionlog.Searcher.
func (m *Model) Histogram(ctx context.Context, q actionlog.Query, edges []time.Time, by actionlog.Field) ([]actionlog.Bucket, error) {
	if err := m.fault(ctx, "Histogram"); err != nil {
		return nil, err
	}
	if len(edges) < 2 || !slices.IsSortedFunc(edges, time.Time.Compare) {
		return nil, actionlog.Invalidf("edges", "are not two or more ascending times")
	}
	if by != "" && !slices.Contains(splits[:], by) {
		return nil, actionlog.Invalidf("by", "%q is not a field that a histogram can be split by", by)
	}
	found, _, err := m.matches(&q, actionlog.OldestFirst)
	if err != nil {
		return nil, err
	}
	buckets := make([]actionlog.Bucket, len(edges)-1)
	for i := range buckets {
		b := &buckets[i]
		b.From, b.To = edges[i], edges[i+1]
		if by != "" {
			b.By = map[string]int64{}
		}
		for _, k := range found {
			if !match.Within(k.OccurredAt, b.From, b.To) {
				continue
			}
			b.Count++
			if by != "" {
				b.By[match.Text(&k.Action, by)]++
			}
		}
	}
	return buckets, nil
}

// facets are the fields that Facet counts.
var facets = [...]actionlog.Field{
	actionlog.FieldCategory, actionlog.FieldAction, actionlog.FieldOutcome, actionlog.FieldActorKind,
	actionlog.FieldChannel, actionlog.FieldMethod, actionlog.FieldCode, actionlog.FieldContentType,
	actionlog.FieldIP, actionlog.FieldActor, actionlog.FieldCourse, actionlog.FieldClass,
}

// Facet implements actionlog.Searcher.
func (m *Model) Facet(ctx context.Context, q actionlog.Query, field actionlog.Field, limit int) (actionlog.Facet, error) {
	if err := m.fault(ctx, "Facet"); err != nil {
		return actionlog.Facet{}, err
	}
	if !slices.Contains(facets[:], field) {
		return actionlog.Facet{}, actionlog.Invalidf("field", "%q is not a field that values can be counted of", field)
	}
	if limit < 1 {
		return actionlog.Facet{}, actionlog.Invalidf("limit", "is not positive")
	}
	found, _, err := m.matches(&q, actionlog.NewestFirst)
	if err != nil {
		return actionlog.Facet{}, err
	}
	return facetOf(found, field, limit, q.Staff), nil
}

// facetOf counts values of items, which come newest first.
func facetOf(found []*kept, field actionlog.Field, limit int, view actionlog.StaffView) actionlog.Facet {
	var f actionlog.Facet
	values := map[actionlog.FacetValue]*labelled{} // by Value and Staff
	for _, k := range found {
		v, name, instead := facetValue(&k.Action, field)
		if field == actionlog.FieldActor && view != actionlog.StaffShown && k.Action.Actor.Kind == actionlog.KindStaff {
			v, name, instead = actionlog.FacetValue{Staff: true}, "", ""
		}
		if v == (actionlog.FacetValue{}) {
			f.Missing++
			continue
		}
		l := values[v]
		if l == nil {
			l = &labelled{}
			values[v] = l
		}
		l.count++
		l.name = cmp.Or(l.name, name)
		l.instead = cmp.Or(l.instead, instead)
	}
	for v, l := range values {
		v.Count, v.Label = l.count, cmp.Or(l.name, l.instead)
		f.Values = append(f.Values, v)
	}
	slices.SortFunc(f.Values, func(a, b actionlog.FacetValue) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Value, b.Value))
	})
	for len(f.Values) > limit {
		f.Other += f.Values[len(f.Values)-1].Count
		f.Values = f.Values[:len(f.Values)-1]
	}
	return f
}

// labelled is how often a value occurs, its newest name, and what stands for
// the name where there is none.
type labelled struct {
	count         int64
	name, instead string
}

// facetValue is an action's value of a field, zero for none, its name, and what
// stands for the name.
func facetValue(a *actionlog.Action, field actionlog.Field) (v actionlog.FacetValue, name, instead string) {
	switch field {
	case actionlog.FieldActor:
		p := a.Actor
		return actionlog.FacetValue{Value: people.Key(p)}, p.Name, cmp.Or(p.Email, p.ID, p.ExternalID)
	case actionlog.FieldCourse:
		return actionlog.FacetValue{Value: people.TitledKey(a.Course)}, a.Course.Title, a.Course.ID
	case actionlog.FieldClass:
		return actionlog.FacetValue{Value: people.TitledKey(a.Class)}, a.Class.Title, a.Class.ID
	case actionlog.FieldAction:
		return actionlog.FacetValue{Value: a.Code}, a.Label, ""
	case actionlog.FieldCode:
		if a.Response != nil {
			v.Value = strconv.Itoa(*a.Response)
		}
	case actionlog.FieldIP:
		if a.Origin.IP.IsValid() {
			v.Value = a.Origin.IP.String()
		}
	default:
		v.Value = match.Text(a, field)
	}
	return v, "", ""
}

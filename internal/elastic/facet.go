package elastic

import (
	"cmp"
	"container/heap"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"actionlog"
	"actionlog/internal/people"
)

var facetFields = map[actionlog.Field]string{
	actionlog.FieldCategory: "category", actionlog.FieldAction: "action.code", actionlog.FieldOutcome: "outcome",
	actionlog.FieldActorKind: "actor.kind", actionlog.FieldChannel: "origin.channel", actionlog.FieldMethod: "request.method",
	actionlog.FieldCode: "response.code", actionlog.FieldContentType: "request.content_type", actionlog.FieldIP: "origin.ip",
	actionlog.FieldActor: "actor.key", actionlog.FieldCourse: "course.key", actionlog.FieldClass: "class.key",
}

// facetPage is how many values one request counts.
const facetPage = 10_000

// Facet implements actionlog.Searcher. All values are counted (a composite
// aggregation, page by page), because the engine's own choice of the most frequent
// ones is a guess where there are several shards; only as many as are asked for are
// kept.
func (s *Store) Facet(ctx context.Context, q actionlog.Query, field actionlog.Field, limit int) (f actionlog.Facet, err error) {
	name := facetFields[field]
	if name == "" {
		return f, actionlog.Invalidf("field", "%q is not a field that values can be counted of", field)
	}
	if limit < 1 {
		return f, actionlog.Invalidf("limit", "is not positive")
	}
	top := topValues{limit: limit}
	others := q
	if field == actionlog.FieldActor && q.Staff != actionlog.StaffShown {
		staff := actionlog.Clause{Field: actionlog.FieldActor, Values: []actionlog.Value{{Person: actionlog.PersonMatch{Staff: true}}}}
		others.Clauses = append(slices.Clone(q.Clauses), staff)
		n, _, err := s.Count(ctx, others, 0)
		if err != nil {
			return f, err
		}
		if n > 0 {
			top.add(actionlog.FacetValue{Staff: true, Count: n})
		}
		others.Clauses[len(others.Clauses)-1].Not = true
	}
	err = s.eachValue(ctx, &others, name, func(value string, n int64) {
		if value == "" {
			f.Missing += n
			return
		}
		top.add(actionlog.FacetValue{Value: value, Count: n})
	})
	if err != nil {
		return f, err
	}
	f.Values, f.Other = top.sorted(), top.other
	return f, s.label(ctx, &others, field, f.Values)
}

// topValues keeps the most frequent values; among equals, those that come first.
type topValues struct {
	limit int
	other int64
	heap  valueHeap
}

func (t *topValues) add(v actionlog.FacetValue) {
	heap.Push(&t.heap, v)
	if len(t.heap) > t.limit {
		t.other += heap.Pop(&t.heap).(actionlog.FacetValue).Count
	}
}

func (t *topValues) sorted() []actionlog.FacetValue {
	slices.SortFunc(t.heap, byFrequency)
	return t.heap
}

func byFrequency(a, b actionlog.FacetValue) int {
	return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Value, b.Value))
}

// valueHeap has the value on top that would be left out first.
type valueHeap []actionlog.FacetValue

func (h valueHeap) Len() int           { return len(h) }
func (h valueHeap) Less(i, j int) bool { return byFrequency(h[i], h[j]) > 0 }
func (h valueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *valueHeap) Push(v any) { *h = append(*h, v.(actionlog.FacetValue)) }

// Pop implements heap.Interface.
func (h *valueHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// eachValue counts each value of a field once, in no order of frequency; "" is
// none.
func (s *Store) eachValue(ctx context.Context, q *actionlog.Query, field string, each func(value string, n int64)) error {
	query, sc, err := s.plan(q)
	if err != nil {
		return err
	}
	composite := obj{"size": facetPage, "sources": list{obj{"value": obj{"terms": obj{"field": field, "missing_bucket": true}}}}}
	for {
		a, err := s.client.search(ctx, sc.indices, sc.query, obj{"query": query, "size": 0, "track_total_hits": false, "aggs": obj{"values": obj{"composite": composite}}})
		if err != nil {
			return s.judge(ctx, err)
		}
		var answer struct {
			After   json.RawMessage `json:"after_key"`
			Buckets []struct {
				Key struct{ Value json.RawMessage }
				N   int64 `json:"doc_count"`
			}
		}
		if err := a.aggregation("values", &answer); err != nil {
			return err
		}
		for _, b := range answer.Buckets {
			value, err := textOf(b.Key.Value)
			if err != nil {
				return err
			}
			each(value, b.N)
		}
		if len(answer.Buckets) < facetPage || answer.After == nil {
			return nil
		}
		composite["after"] = answer.After
	}
}

// textOf is a value of an aggregation as text: a string, a number, or null.
func textOf(raw json.RawMessage) (string, error) {
	if len(raw) == 0 || raw[0] != '"' {
		return strings.TrimSuffix(string(raw), "null"), nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", unreadable(err)
	}
	return text, nil
}

func isHash(value string) bool { return strings.HasPrefix(value, mark+"=") }

// label gives values their names, and those that are hashes themselves.
func (s *Store) label(ctx context.Context, q *actionlog.Query, field actionlog.Field, values []actionlog.FacetValue) error {
	query, sc, err := s.plan(q)
	if err != nil {
		return err
	}
	if nameFields[field][0] != "" {
		for part := range slices.Chunk(values, 200) {
			if err := s.nameValues(ctx, sc, query, field, part); err != nil {
				return err
			}
		}
	}
	for i := range values {
		v := &values[i]
		if !isHash(v.Value) && !isHash(v.Label) {
			continue
		}
		action, err := s.example(ctx, sc, query, facetFields[field], v.Value)
		if err != nil {
			return err
		}
		v.Value = plainValue(action, field)
		if isHash(v.Label) {
			v.Label = plainName(action, field)
		}
	}
	return nil
}

// nameFields say where a document keeps the name of a value, and what stands for
// it where it has none.
var nameFields = map[actionlog.Field][2]string{
	actionlog.FieldAction: {"action.label", ""}, actionlog.FieldActor: {"actor.name", "actor.name_or"},
	actionlog.FieldCourse: {"course.name", "course.name_or"}, actionlog.FieldClass: {"class.name", "class.name_or"},
}

// nameValues gives each value its newest name, or what stands for it.
func (s *Store) nameValues(ctx context.Context, sc scope, query obj, field actionlog.Field, values []actionlog.FacetValue) error {
	from, filters := nameFields[field], obj{}
	for i, v := range values {
		if !v.Staff {
			filters["v"+strconv.Itoa(i)] = obj{"term": obj{facetFields[field]: v.Value}}
		}
	}
	if len(filters) == 0 {
		return nil
	}
	newest := func(source string) obj {
		return obj{"newest": obj{"top_hits": obj{"size": 1, "sort": sorted(actionlog.NewestFirst), "_source": []string{source}}}}
	}
	aggs := obj{"named": obj{"filter": obj{"exists": obj{"field": from[0]}}, "aggs": newest(from[0])}}
	if from[1] != "" {
		aggs["unnamed"] = obj{"filter": obj{"bool": obj{"must_not": list{obj{"exists": obj{"field": from[0]}}}}}, "aggs": newest(from[1])}
	}
	a, err := s.client.search(ctx, sc.indices, sc.query, obj{"query": query, "size": 0, "track_total_hits": false,
		"aggs": obj{"values": obj{"filters": obj{"filters": filters}, "aggs": aggs}}})
	if err != nil {
		return s.judge(ctx, err)
	}
	type one struct {
		Newest struct{ Hits struct{ Hits []hit } }
	}
	var answer struct {
		Buckets map[string]struct{ Named, Unnamed one }
	}
	if err := a.aggregation("values", &answer); err != nil {
		return err
	}
	for i := range values {
		bucket := answer.Buckets["v"+strconv.Itoa(i)]
		for k, o := range []one{bucket.Unnamed, bucket.Named} {
			if hits := o.Newest.Hits.Hits; len(hits) > 0 {
				if name := member(hits[0].Source, from[1-k]); name != "" {
					values[i].Label = name
				}
			}
		}
	}
	return nil
}

// member is a string of a document, by its path.
func member(source json.RawMessage, path string) (text string) {
	for key := range strings.SplitSeq(path, ".") {
		var object map[string]json.RawMessage
		if json.Unmarshal(source, &object) != nil {
			return ""
		}
		source = object[key]
	}
	_ = json.Unmarshal(source, &text)
	return text
}

// example returns the newest action that has a value.
func (s *Store) example(ctx context.Context, sc scope, query obj, field, value string) (*actionlog.Action, error) {
	body := obj{"query": obj{"bool": obj{"filter": list{query, obj{"term": obj{field: value}}}}}, "sort": sorted(actionlog.NewestFirst), "size": 1, "track_total_hits": false}
	h, err := s.client.searchHits(ctx, sc.indices, sc.query, body)
	if err != nil {
		return nil, s.judge(ctx, err)
	}
	defer h.close()
	var found *stored
	for d := range h.hits {
		found = d
	}
	if err := h.err(); err != nil {
		return nil, s.judge(ctx, err)
	}
	if found == nil {
		return nil, fmt.Errorf("engine: an action went while it was counted: %w", actionlog.ErrUnavailable)
	}
	item, err := actionlog.Parse([]byte(found.Document), nil)
	return &item.Action, err
}

// plainValue is an action's value of a field.
func plainValue(a *actionlog.Action, f actionlog.Field) string {
	switch f {
	case actionlog.FieldAction:
		return a.Code
	case actionlog.FieldOutcome:
		return a.Outcome
	case actionlog.FieldActorKind:
		return a.Actor.Kind
	case actionlog.FieldChannel:
		return a.Origin.Channel
	case actionlog.FieldMethod:
		return a.Request.Method
	case actionlog.FieldContentType:
		return a.Request.MediaType()
	case actionlog.FieldActor:
		return people.Key(a.Actor)
	case actionlog.FieldCourse:
		return people.TitledKey(a.Course)
	case actionlog.FieldClass:
		return people.TitledKey(a.Class)
	}
	return string(a.Category)
}

// plainName is the name of an action's value of a field.
func plainName(a *actionlog.Action, f actionlog.Field) string {
	switch f {
	case actionlog.FieldActor:
		return cmp.Or(a.Actor.Name, a.Actor.Email, a.Actor.ID, a.Actor.ExternalID)
	case actionlog.FieldCourse:
		return cmp.Or(a.Course.Title, a.Course.ID)
	case actionlog.FieldClass:
		return cmp.Or(a.Class.Title, a.Class.ID)
	}
	return a.Label
}

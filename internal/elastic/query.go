package elastic

import (
	"time"

	"actionlog"
)

// maxLeaves is how many conditions a query may have: engines refuse 1,024 and more.
const maxLeaves = 1020

// nearEnough is less than what lies between the names of two targets
// (position_increment_gap), and no less than any name has words.
const nearEnough = 131071

// builder makes a bool query of filters of a Query.
type builder struct {
	view   actionlog.StaffView
	leaves int
}

// queryOf is the bool query of a Query: every condition is a filter, the
// institution the first of them.
func queryOf(q *actionlog.Query) (obj, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	b := builder{view: q.Staff}
	filter := list{obj{"term": obj{"institution": q.Institution}}}
	var not list
	if times := timeRange(q.From, q.To); times != nil {
		filter = append(filter, obj{"range": obj{"occurred_at": times}})
	}
	for _, c := range q.Clauses {
		x := b.clause(c)
		if b.leaves > maxLeaves {
			return nil, actionlog.Invalidf(string(c.Field), "asks for too much at once")
		}
		switch {
		case !c.Not:
			filter = append(filter, x)
		case x["match_none"] == nil:
			not = append(not, x)
		}
	}
	query := obj{"filter": filter}
	if len(not) > 0 {
		query["must_not"] = not
	}
	return obj{"bool": query}, nil
}

// plan is what a query asks, and of which indices.
func (s *Store) plan(q *actionlog.Query) (query obj, sc scope, err error) {
	if query, err = queryOf(q); err == nil {
		sc, err = s.scopeOf(q)
	}
	return query, sc, err
}

// stamp writes a time as the engines read it; between two milliseconds it is the
// later.
func stamp(t time.Time) string {
	if rest := t.Nanosecond() % 1e6; rest != 0 {
		t = t.Add(time.Duration(1e6 - rest))
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

func timeRange(from, to time.Time) obj {
	times := obj{}
	if !from.IsZero() {
		times["gte"] = stamp(from)
	}
	if !to.IsZero() {
		times["lt"] = stamp(to)
	}
	if len(times) == 0 {
		return nil
	}
	return times
}

// anyOf are alternatives. Those that are keywords of one field are one condition.
type anyOf struct {
	fields []string // in the order of their first keyword
	terms  map[string][]string
	other  list
}

func (a *anyOf) term(field, value string) {
	if value == "" {
		return
	}
	if a.terms == nil {
		a.terms = map[string][]string{}
	}
	if a.terms[field] == nil {
		a.fields = append(a.fields, field)
	}
	a.terms[field] = append(a.terms[field], value)
}

func (a *anyOf) add(query obj) { a.other = append(a.other, query) }

// query is the alternatives as one query.
func (a *anyOf) query(b *builder) obj {
	var all list
	for _, f := range a.fields {
		if v := a.terms[f]; len(v) == 1 {
			all = append(all, obj{"term": obj{f: v[0]}})
		} else {
			all = append(all, obj{"terms": obj{f: v}})
		}
	}
	b.leaves += len(all)
	all = append(all, a.other...)
	switch len(all) {
	case 0:
		return obj{"match_none": obj{}}
	case 1:
		return all[0].(obj)
	}
	return obj{"bool": obj{"should": all, "minimum_should_match": 1}}
}

// leaf counts a condition.
func (b *builder) leaf(query obj) obj {
	b.leaves++
	return query
}

// heavy counts a condition that the engine has two ways to answer, and counts twice.
func (b *builder) heavy(query obj) obj {
	b.leaves++
	return b.leaf(query)
}

// all is the AND of conditions.
func all(conditions list) obj {
	if len(conditions) == 1 {
		return conditions[0].(obj)
	}
	return obj{"bool": obj{"filter": conditions}}
}

var textFields = map[actionlog.Field]string{
	actionlog.FieldID: "id", actionlog.FieldCategory: "category", actionlog.FieldAction: "action.code",
	actionlog.FieldOutcome: "outcome", actionlog.FieldActorKind: "actor.kind", actionlog.FieldChannel: "origin.channel",
	actionlog.FieldMethod: "request.method", actionlog.FieldContentType: "request.content_type",
	actionlog.FieldBatch: "trace.batch_id", actionlog.FieldRequestID: "trace.request_id",
}

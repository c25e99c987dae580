package storetest

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"actionlog"
)

// defective is a model with a defect. Each field replaces what it is named
// after, where set.
type defective struct {
	*Model
	query     func(*actionlog.Query) // changes every query
	records   func([]actionlog.Record) []actionlog.Record
	outcomes  func([]actionlog.Outcome)
	count     func(n int64, exact bool) (int64, bool)
	facet     func(*actionlog.Facet)
	edges     func([]time.Time) []time.Time
	entries   func(entries []actionlog.DirectoryEntry, more bool) ([]actionlog.DirectoryEntry, bool)
	dropFails bool
}

func (d defective) asked(q actionlog.Query) actionlog.Query {
	if d.query != nil {
		q.Clauses = slices.Clone(q.Clauses)
		d.query(&q)
	}
	return q
}

func (d defective) Write(ctx context.Context, items []actionlog.Item) ([]actionlog.Outcome, error) {
	outcomes, err := d.Model.Write(ctx, items)
	if d.outcomes != nil {
		d.outcomes(outcomes)
	}
	return outcomes, err
}

func (d defective) Page(ctx context.Context, q actionlog.Query, order actionlog.Order, after actionlog.Mark, limit int) (actionlog.Page, error) {
	p, err := d.Model.Page(ctx, d.asked(q), order, after, limit)
	if d.records != nil {
		p.Records = d.records(p.Records)
	}
	return p, err
}

func (d defective) Scan(ctx context.Context, q actionlog.Query, order actionlog.Order) iter.Seq2[actionlog.Record, error] {
	return d.Model.Scan(ctx, d.asked(q), order)
}

func (d defective) Count(ctx context.Context, q actionlog.Query, max int64) (int64, bool, error) {
	n, exact, err := d.Model.Count(ctx, d.asked(q), max)
	if d.count != nil {
		n, exact = d.count(n, exact)
	}
	return n, exact, err
}

func (d defective) Facet(ctx context.Context, q actionlog.Query, field actionlog.Field, limit int) (actionlog.Facet, error) {
	f, err := d.Model.Facet(ctx, d.asked(q), field, limit)
	if d.facet != nil {
		d.facet(&f)
	}
	return f, err
}

func (d defective) Histogram(ctx context.Context, q actionlog.Query, edges []time.Time, by actionlog.Field) ([]actionlog.Bucket, error) {
	if d.edges == nil {
		return d.Model.Histogram(ctx, d.asked(q), edges, by)
	}
	b, err := d.Model.Histogram(ctx, d.asked(q), d.edges(edges), by)
	for i := range b {
		b[i].From, b[i].To = edges[i], edges[i+1]
	}
	return b, err
}

func (d defective) Lookup(ctx context.Context, institution string, kind actionlog.DirectoryKind, m actionlog.DirectoryMatch, limit int) ([]actionlog.DirectoryEntry, bool, error) {
	e, more, err := d.Model.Lookup(ctx, institution, kind, m, limit)
	if d.entries != nil {
		e, more = d.entries(e, more)
	}
	return e, more, err
}

func (d defective) Drop(ctx context.Context, day actionlog.Day) error {
	if d.dropFails {
		return nil
	}
	return d.Model.Drop(ctx, day)
}

// Random programs are worth something only if they notice what is wrong.
func TestProgramsFindDefects(t *testing.T) {
	for name, d := range map[string]defective{
		"a record is lost": {records: func(r []actionlog.Record) []actionlog.Record {
			return slices.DeleteFunc(r, func(r actionlog.Record) bool { return r.ID == "a7" })
		}},
		"a record is altered": {records: func(r []actionlog.Record) []actionlog.Record {
			return alter(r, func(r *actionlog.Record) { r.Document[0] = ' ' })
		}},
		"a time is cut": {records: func(r []actionlog.Record) []actionlog.Record { return alter(r, cutTime) }},
		"a warning is lost": {records: func(r []actionlog.Record) []actionlog.Record {
			return alter(r, func(r *actionlog.Record) { r.Warnings = nil })
		}},
		"another institution":      {query: func(q *actionlog.Query) { q.Institution = "north" }},
		"not is ignored":           {query: func(q *actionlog.Query) { unnegate(q.Clauses) }},
		"one clause is ignored":    {query: func(q *actionlog.Query) { q.Clauses = q.Clauses[:min(2, len(q.Clauses))] }},
		"staff is never hidden":    {query: func(q *actionlog.Query) { q.Staff = actionlog.StaffFindable }},
		"to is included":           {query: func(q *actionlog.Query) { q.To = later1(q.To) }},
		"from is left out":         {query: func(q *actionlog.Query) { q.From = later1(q.From) }},
		"collisions are repeats":   {outcomes: func(o []actionlog.Outcome) { replace(o, isCollision, isRepeat) }},
		"repeats are new":          {outcomes: func(o []actionlog.Outcome) { replace(o, isRepeat, isNew) }},
		"counts are always exact":  {count: func(n int64, _ bool) (int64, bool) { return n, true }},
		"facets lose what is less": {facet: func(f *actionlog.Facet) { f.Other = 0 }},
		"facets lose what is not":  {facet: func(f *actionlog.Facet) { f.Missing = 0 }},
		"histogram edges":          {edges: func(e []time.Time) []time.Time { return append(slices.Clone(e[:len(e)-1]), later1(e[len(e)-1])) }},
		"more is not said": {entries: func(e []actionlog.DirectoryEntry, _ bool) ([]actionlog.DirectoryEntry, bool) {
			return e, false
		}},
		"names are lost": {entries: func(e []actionlog.DirectoryEntry, more bool) ([]actionlog.DirectoryEntry, bool) {
			for i := range e {
				e[i].Names = e[i].Names[:min(1, len(e[i].Names))]
			}
			return e, more
		}},
		"days stay": {dropFails: true},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := uint64(1); seed <= 60; seed++ {
				d.Model = NewModel()
				program := randomProgram(seed)
				if at, err := runProgram(program, d); err != nil {
					open := func() actionlog.Store { d.Model = NewModel(); return d }
					small, err := shrink(program[:at+1], err, open)
					if err == nil || len(small) > at+1 || !strings.Contains(listing(small), small[len(small)-1].String()) {
						t.Errorf("%d steps became %d: %v\n%s", at+1, len(small), err, listing(small))
					}
					return
				}
			}
			t.Errorf("%d 60 do not notice", 60)
		})
	}
}

func alter(records []actionlog.Record, f func(*actionlog.Record)) []actionlog.Record {
	for i := range records {
		f(&records[i])
	}
	return records
}

func cutTime(r *actionlog.Record) { r.ReceivedAt = r.ReceivedAt.Truncate(time.Microsecond) }

func unnegate(clauses []actionlog.Clause) {
	for i := range clauses {
		clauses[i].Not = false
	}
}

func later1(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(time.Millisecond)
}

func replace(outcomes []actionlog.Outcome, from, to actionlog.OutcomeKind) {
	for i := range outcomes {
		if outcomes[i].Kind == from {
			outcomes[i].Kind = to
		}
	}
}

func TestSeedMakesTheProgram(t *testing.T) {
	first := listing(randomProgram(3))
	if again := listing(randomProgram(3)); again != first {
		t.Error("a seed makes two programs")
	}
	if listing(randomProgram(4)) == first {
		t.Error("two seeds make one program")
	}
	for wanted, want := range map[string]string{everyProgram: "1 60 <nil>", "7": "7 7 <nil>", "3-900": "3 900 <nil>"} {
		first, last, err := seeds(wanted)
		if got := fmt.Sprint(first, last, err); got != want {
			t.Errorf("seeds(%q) = %s, want %s", wanted, got, want)
		}
	}
	for _, wrong := range []string{"", "x", "1-", "-1", "1-x"} {
		if _, _, err := seeds(wrong); err == nil {
			t.Errorf("seeds(%q) is accepted", wrong)
		}
	}
}

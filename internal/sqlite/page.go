package sqlite

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"actionlog"
	"actionlog/internal/segment"
)

// place is a row of a day, which is what a Mark holds.
type place struct {
	day actionlog.Day
	segment.Place
}

func (p place) mark() actionlog.Mark {
	return actionlog.Mark(p.day.String() + "/" + strconv.FormatUint(uint64(p.Milli), 36) + "." + strconv.FormatUint(p.Identity, 36))
}

func parseMark(m actionlog.Mark) (p place, err error) {
	date, rest, ok := strings.Cut(string(m), "/")
	milli, identity, also := strings.Cut(rest, ".")
	p.day, err = actionlog.ParseDay(date)
	ms, e := strconv.ParseUint(milli, 36, 32)
	p.Milli = uint32(ms)
	identityOf, f := strconv.ParseUint(identity, 36, 64)
	p.Identity = identityOf
	if !ok || !also || cmp.Or(err, e, f) != nil {
		return place{}, actionlog.Invalidf("cursor", "is not a mark of this store")
	}
	return p, nil
}

// span is the milliseconds of a day that a query asks for: low ≤ ms < high.
type span struct{ low, high uint32 }

const dayMillis = 24 * 60 * 60 * 1000

func spanOf(q *actionlog.Query, d actionlog.Day) span {
	return span{low: bound(q.From, d, 0), high: bound(q.To, d, dayMillis)}
}

// bound is the first millisecond of a day at or after t, unset where t is not set.
func bound(t time.Time, d actionlog.Day, unset uint32) uint32 {
	switch {
	case t.IsZero():
		return unset
	case !t.After(d.Start()):
		return 0
	case !t.Before(d.End()):
		return dayMillis
	}
	since := t.Sub(d.Start())
	ms := since.Milliseconds()
	if since%time.Millisecond != 0 {
		ms++
	}
	return uint32(ms)
}

// walk goes through what a query finds in a day, in its order.
type walk struct {
	*view
	query    *actionlog.Query
	compiled *segment.Query
	order    actionlog.Order
	parts    []*part
}

// part is what is found in a segment. At first it is only known where its rows may begin.
type part struct {
	find
	set   *segment.Set // nil: not matched yet
	row   int
	place segment.Place // of row; of the first that there may be where set is nil
}

// walk prepares going through a view from a place on (behind it, if after is set).
func (v *view) walk(q *actionlog.Query, compiled *segment.Query, order actionlog.Order, after *segment.Place) (*walk, error) {
	w := &walk{view: v, query: q, compiled: compiled, order: order}
	return w, v.finds(q, func(f find) error {
		if after != nil {
			f.behind(*after, order)
		}
		if f.low < f.high {
			p := &part{find: f, row: f.high - 1}
			if order == actionlog.OldestFirst {
				p.row = f.low
			}
			p.place = f.Place(p.row)
			w.parts = append(w.parts, p)
		}
		return f.Err()
	})
}

// behind narrows what is found to the rows behind a place.
func (f *find) behind(p segment.Place, order actionlog.Order) {
	low, high := f.LowerBound(p.Milli, f.low, f.high), f.LowerBound(p.Milli+1, f.low, f.high)
	if order == actionlog.NewestFirst { // the rows before the place
		f.high = low + sort.Search(high-low, func(i int) bool { return !f.Place(low + i).Before(p) })
		return
	}
	f.low = low + sort.Search(high-low, func(i int) bool { return p.Before(f.Place(low + i)) })
}

// next returns the next match; nil at the end. What it returns holds until the next call.
func (w *walk) next() (*part, error) {
	for len(w.parts) > 0 {
		best := w.parts[0]
		for _, p := range w.parts[1:] {
			if w.order == actionlog.NewestFirst && best.place.Before(p.place) || w.order == actionlog.OldestFirst && p.place.Before(best.place) {
				best = p
			}
		}
		if best.set == nil {
			if best.set = best.Match(w.compiled, w.key, best.institution.Place, best.low, best.high); best.set == nil {
				if err := best.Err(); err != nil {
					return nil, err
				}
				w.leave(best)
				continue
			}
			if more, err := w.position(best, best.low, best.high); err != nil || !more {
				return nil, err
			}
			continue
		}
		return best, nil
	}
	return nil, nil
}

// forward goes on behind the match that next returned.
func (w *walk) forward(p *part) error {
	low, high := p.row+1, p.high
	if w.order == actionlog.NewestFirst {
		low, high = p.low, p.row
	}
	_, err := w.position(p, low, high)
	return err
}

// position goes to the first match in [low, high); where there is none the part is left.
func (w *walk) position(p *part, low, high int) (bool, error) {
	row := -1
	if w.order == actionlog.NewestFirst {
		row = p.set.Last(low, high)
	} else {
		row = p.set.First(low, high)
	}
	if row < 0 {
		w.leave(p)
		return true, nil
	}
	p.row, p.place = row, p.Place(row)
	return true, p.Err()
}

func (w *walk) leave(p *part) {
	segment.Release(p.set)
	w.parts = slices.DeleteFunc(w.parts, func(x *part) bool { return x == p })
}

// close gives memory back.
func (w *walk) close() {
	for _, p := range w.parts {
		segment.Release(p.set)
	}
	w.parts = nil
}

// Page implements actionlog.Searcher.
func (s *Store) Page(ctx context.Context, q actionlog.Query, order actionlog.Order, after actionlog.Mark, limit int) (actionlog.Page, error) {
	if err := q.Check(); err != nil {
		return actionlog.Page{}, err
	}
	if limit < 1 || limit > 1000 {
		return actionlog.Page{}, actionlog.Invalidf("limit", "is not 1 to 1000")
	}
	var from place
	if after != "" {
		var err error
		if from, err = parseMark(after); err != nil {
			return actionlog.Page{}, err
		}
	}
	days, missing, err := s.within(&q)
	if err != nil {
		return actionlog.Page{}, err
	}
	if order == actionlog.NewestFirst {
		slices.Reverse(days)
	}
	if after != "" {
		days = slices.DeleteFunc(days, func(d *day) bool { // before the mark
			return d.date != from.day && d.date.Before(from.day) == (order == actionlog.OldestFirst)
		})
	}
	page, last := actionlog.Page{MissingDays: missing}, place{}
	compiled := segment.Compile(&q)
	begin := func(d *day) func(context.Context) (dayPage, error) {
		more := limit + 1 - len(page.Records)
		return func(ctx context.Context) (p dayPage, err error) {
			err = s.read(ctx, d, func(v *view) (err error) {
				p, err = v.page(&q, compiled, order, from, more)
				return err
			})
			return p, err
		}
	}
	err = inOrder(ctx, days, 1, begin, func(p dayPage) bool {
		for i, r := range p.records {
			if len(page.Records) == limit { // one more than asked for
				page.Next = last.mark()
				return false
			}
			page.Records, last = append(page.Records, r), p.places[i]
		}
		return true
	})
	if err != nil {
		return actionlog.Page{}, err
	}
	return page, nil
}

// dayPage is what a page may take of a day.
type dayPage struct {
	records []actionlog.Record
	places  []place
}

// page reads up to limit records of a day from a mark on.
func (v *view) page(q *actionlog.Query, compiled *segment.Query, order actionlog.Order, from place, limit int) (p dayPage, err error) {
	var after *segment.Place
	if from.day == v.date {
		after = &from.Place
	}
	w, err := v.walk(q, compiled, order, after)
	defer w.close()
	for err == nil && len(p.records) < limit {
		var found *part
		if found, err = w.next(); found == nil {
			break
		}
		p.places = append(p.places, place{v.date, found.place})
		p.records = append(p.records, found.Record(found.row, q.Institution, v.date))
		if err = found.Err(); err == nil {
			err = w.forward(found)
		}
	}
	return p, err
}

// Get implements actionlog.Searcher.
func (s *Store) Get(ctx context.Context, institution, id string, day actionlog.Day) ([]actionlog.Record, error) {
	q := actionlog.Query{Institution: institution, Clauses: []actionlog.Clause{{Field: actionlog.FieldID, Values: []actionlog.Value{{Text: id}}}}, MissingDays: true}
	if !day.IsZero() {
		q.From, q.To, q.MissingDays = day.Start(), day.End(), false
	}
	page, err := s.Page(ctx, q, actionlog.NewestFirst, "", 1000)
	switch {
	case err != nil:
		return nil, err
	case len(page.Records) > 0:
		return page.Records, nil
	case len(page.MissingDays) > 0:
		return nil, damageError(page.MissingDays[0])
	}
	return nil, fmt.Errorf("action %s: %w", id, actionlog.ErrNotFound)
}

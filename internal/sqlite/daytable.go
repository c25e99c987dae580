package sqlite

import (
	"slices"

	"actionlog"
)

// dayTable are days by their date; Store.mu is held. The zero value has none.
type dayTable struct {
	of     map[actionlog.Day]*day
	sorted []*day // oldest first; nil: there was a change since. It is never changed in place.
}

// get returns the day of a date, nil where there is none.
func (t *dayTable) get(date actionlog.Day) *day { return t.of[date] }

// set puts a day in the place of another of its date.
func (t *dayTable) set(date actionlog.Day, d *day) {
	if t.of == nil {
		t.of = map[actionlog.Day]*day{}
	}
	t.of[date], t.sorted = d, nil
}

// remove removes a day, unless another has its place by now.
func (t *dayTable) remove(d *day) {
	if t.of[d.date] == d {
		delete(t.of, d.date)
		t.sorted = nil
	}
}

// all lists the days, oldest first. The list is shared: nobody changes it. Every page asks for
// it, several times, and days hardly change.
func (t *dayTable) all() []*day {
	if t.sorted == nil {
		t.sorted = make([]*day, 0, len(t.of))
		for _, d := range t.of {
			t.sorted = append(t.sorted, d)
		}
		slices.SortFunc(t.sorted, func(a, b *day) int { return a.date.Compare(b.date) })
	}
	return t.sorted
}

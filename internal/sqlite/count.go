package sqlite

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"actionlog"
	"actionlog/internal/segment"
)

// matches calls each with the matches in every segment of the view that has some; it returns false to have enough.
func (v *view) matches(q *actionlog.Query, compiled *segment.Query, each func(f find, set *segment.Set) (bool, error)) (goOn bool, err error) {
	goOn = true
	err = v.finds(q, func(f find) (err error) {
		if !goOn {
			return nil
		}
		if err := v.ctx.Err(); err != nil {
			return err
		}
		set := f.Match(compiled, v.key, f.institution.Place, f.low, f.high)
		if set == nil {
			return f.Err()
		}
		defer segment.Release(set)
		goOn, err = each(f, set)
		return err
	})
	return goOn, err
}

// Count implements actionlog.Searcher.
func (s *Store) Count(ctx context.Context, q actionlog.Query, max int64) (n int64, exact bool, err error) {
	var sum atomic.Int64
	err = s.eachDay(ctx, &q, func(v *view, compiled *segment.Query) (bool, error) {
		return v.matches(&q, compiled, func(f find, set *segment.Set) (bool, error) {
			return sum.Add(int64(set.Count(f.low, f.high))) <= max || max == 0, nil
		})
	})
	n = sum.Load()
	if max > 0 && n > max {
		return max, false, err
	}
	return n, true, err
}

// Histogram implements actionlog.Searcher.
func (s *Store) Histogram(ctx context.Context, q actionlog.Query, edges []time.Time, by actionlog.Field) ([]actionlog.Bucket, error) {
	if len(edges) < 2 || !slices.IsSortedFunc(edges, time.Time.Compare) {
		return nil, actionlog.Invalidf("edges", "are not two or more ascending times")
	}
	column := -1
	if by != "" {
		if column = segment.ColumnOf(by); column < 0 || !splittable[by] {
			return nil, actionlog.Invalidf("by", "%q is not a field that a histogram can be split by", by)
		}
	}
	buckets := make([]actionlog.Bucket, len(edges)-1)
	for i := range buckets {
		buckets[i] = actionlog.Bucket{From: edges[i], To: edges[i+1]}
		if by != "" {
			buckets[i].By = map[string]int64{}
		}
	}
	var mu sync.Mutex // of the buckets: one may be of several days
	err := s.eachDay(ctx, &q, func(v *view, compiled *segment.Query) (bool, error) {
		return v.matches(&q, compiled, func(f find, set *segment.Set) (bool, error) {
			for i := range buckets {
				if b := &buckets[i]; b.From.Before(v.date.End()) && b.To.After(v.date.Start()) {
					if err := f.addTo(&mu, set, v.date, column, b); err != nil {
						return false, err
					}
				}
			}
			return true, nil
		})
	})
	if err != nil {
		return nil, err
	}
	return buckets, nil
}

var splittable = map[actionlog.Field]bool{actionlog.FieldCategory: true, actionlog.FieldOutcome: true,
	actionlog.FieldActorKind: true, actionlog.FieldChannel: true}

func (f *find) addTo(mu *sync.Mutex, set *segment.Set, d actionlog.Day, column int, b *actionlog.Bucket) error {
	low, high := f.LowerBound(bound(b.From, d, 0), f.low, f.high), f.LowerBound(bound(b.To, d, dayMillis), f.low, f.high)
	if err := f.Err(); err != nil {
		return err
	}
	if column < 0 {
		mu.Lock()
		defer mu.Unlock()
		b.Count += int64(set.Count(low, high))
		return nil
	}
	return f.CountValues(column, set, f.institution.Place, low, high, func(c segment.Counted) error {
		mu.Lock()
		defer mu.Unlock()
		b.Count += c.Count
		b.By[c.Value] += c.Count
		return nil
	})
}

// Facet implements actionlog.Searcher.
func (s *Store) Facet(ctx context.Context, q actionlog.Query, field actionlog.Field, limit int) (actionlog.Facet, error) {
	column := segment.ColumnOf(field)
	if column < 0 {
		return actionlog.Facet{}, actionlog.Invalidf("field", "%q is not a field that values can be counted of", field)
	}
	if limit < 1 {
		return actionlog.Facet{}, actionlog.Invalidf("limit", "is not positive")
	}
	sums := sums{some: map[sumKey]*summed{}}
	defer sums.close()
	var mu sync.Mutex // of sums
	var failed error  // of sums, which is no day's
	mergeStaff := field == actionlog.FieldActor && q.Staff != actionlog.StaffShown
	err := s.eachDay(ctx, &q, func(v *view, compiled *segment.Query) (bool, error) {
		return true, v.countValues(&q, compiled, column, func(c segment.Counted) error {
			if mergeStaff && c.Staff {
				c.Value, c.Label = "", segment.Label{}
			}
			c.Staff = mergeStaff && c.Staff
			mu.Lock()
			defer mu.Unlock()
			if failed == nil {
				failed = sums.add(c)
			}
			return nil
		})
	})
	if failed != nil {
		err = fmt.Errorf("adding up: %w: %w", actionlog.ErrUnavailable, failed)
	}
	if err != nil {
		return actionlog.Facet{}, err
	}
	return sums.facet(limit)
}

// countValues calls each with the values that the matches of a day have of a column. The label of a value is the newest of the
// day, also where the action that says it is in a segment without a match: answers do not depend on what was merged.
func (v *view) countValues(q *actionlog.Query, compiled *segment.Query, column int, each func(segment.Counted) error) error {
	var day map[sumKey]*summed // nil where there is no need
	if len(v.segments) > 1 && segment.Labelled(column) {
		day = map[sumKey]*summed{}
	}
	give := func() (err error) { // what the day has so far
		if len(day) > 0 {
			err = v.label(q.Institution, column, day)
		}
		for key, sum := range day {
			if err == nil {
				err = each(segment.Counted{Value: key.value, Staff: key.staff, Label: sum.label, Count: sum.count})
			}
		}
		clear(day)
		return err
	}
	_, err := v.matches(q, compiled, func(f find, set *segment.Set) (bool, error) {
		return true, f.CountValues(column, set, f.institution.Place, f.low, f.high, func(c segment.Counted) error {
			key := sumKey{c.Value, c.Staff}
			if there := day[key]; there != nil {
				there.count += c.Count
				return nil
			}
			if day == nil {
				return each(c)
			}
			if len(day) >= maxSums {
				if err := give(); err != nil {
					return err
				}
			}
			day[key] = &summed{c.Label, c.Count}
			return nil
		})
	})
	if err == nil {
		err = give()
	}
	return err
}

// label gives values their newest labels of the day.
func (v *view) label(institution string, column int, day map[sumKey]*summed) error {
	for _, h := range v.segments {
		r := v.reader(h)
		i, ok := r.Institution(institution)
		if ok {
			_ = r.Labels(column, i.Place, func(c segment.Counted) {
				if there := day[sumKey{c.Value, c.Staff}]; there != nil {
					there.label = segment.Later(there.label, c.Label)
				}
			})
		}
		if err := r.Err(); err != nil {
			return err
		}
	}
	return nil
}

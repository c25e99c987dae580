package sqlite

import (
	"context"
	"errors"
	"iter"
	"slices"

	"actionlog"
	"actionlog/internal/segment"
)

var errStop = errors.New("the listener stopped")

// Scan implements actionlog.Scanner.
func (s *Store) Scan(ctx context.Context, q actionlog.Query, order actionlog.Order) iter.Seq2[actionlog.Record, error] {
	return func(yield func(actionlog.Record, error) bool) {
		err := q.Check()
		var days []*day
		if err == nil {
			days, _, err = s.within(&q)
		}
		if order == actionlog.NewestFirst {
			slices.Reverse(days)
		}
		compiled := segment.Compile(&q)
		for _, d := range days {
			if err == nil {
				err = s.scanDay(ctx, &q, compiled, d, order, yield)
			}
		}
		if err != nil && !errors.Is(err, errStop) {
			yield(actionlog.Record{}, err)
		}
	}
}

// scanDay yields a day's matches from one view.
func (s *Store) scanDay(ctx context.Context, q *actionlog.Query, compiled *segment.Query, d *day, order actionlog.Order, yield func(actionlog.Record, error) bool) error {
	stopped := false
	err := s.read(ctx, d, func(v *view) error {
		v.spare()
		w, err := v.walk(q, compiled, order, nil)
		defer w.close()
		for err == nil {
			found, e := w.next()
			if found == nil || e != nil {
				return e
			}
			record := found.Record(found.row, q.Institution, v.date)
			if err = found.Err(); err == nil {
				err = ctx.Err()
			}
			if err == nil && !yield(record, nil) {
				stopped = true
				return nil
			}
			if err == nil {
				err = w.forward(found)
			}
		}
		return err
	})
	if stopped {
		return errStop
	}
	return err
}

package sqlite

import (
	"context"
	"errors"
	"iter"
	"slices"

	"actionlog"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
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
		for _, d := range days {
			if err == nil {
				err = s.scanDay(ctx, &q, d, order, yield)
			}
		}
		if err != nil && !errors.Is(err, errStop) {
			yield(actionlog.Record{}, err)
		}
	}
}

// scanDay yields a day's matches from one read transaction.
func (s *Store) scanDay(ctx context.Context, q *actionlog.Query, d *day, order actionlog.Order, yield func(actionlog.Record, error) bool) error {
	stopped := false
	err := s.read(ctx, d, func(c *sqlite.Conn) (err error) {
		end := sqlitex.Transaction(c)
		defer end(&err)
		m, ok, err := matchOf(c, q, d.date)
		if err != nil || !ok {
			return err
		}
		b := s.blocksOf(c)
		return rows(c, q, d.date, m, order, 0, func(f found) error {
			document, err := b.document(f.block, f.slot)
			if err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			f.record.Document = document
			if !yield(f.record, nil) {
				stopped = true
				return errStop
			}
			return nil
		})
	})
	if stopped {
		return errStop
	}
	return err
}

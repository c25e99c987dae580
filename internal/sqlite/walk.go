package sqlite

import (
	"context"
	"slices"
	"sync"

	"actionlog"
	"actionlog/internal/segment"
)

// lookahead is how many days are read at the same time for one answer.
const lookahead = 2

// inOrder reads days, some at the same time, and hands what they held to use in
// the order of the days, until use says that it has enough. begin is called in
// that order too, and returns what reads the day. ahead is how many days are
// read at once until the first has been used; then it is lookahead.
func inOrder[T any](ctx context.Context, days []*day, ahead int, begin func(*day) func(context.Context) (T, error), use func(T) (goOn bool)) error {
	type result struct {
		value T
		err   error
	}
	var reading sync.WaitGroup
	defer reading.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var pending []chan result
	for {
		for len(days) > 0 && len(pending) < ahead {
			read, done := begin(days[0]), make(chan result, 1)
			days, pending = days[1:], append(pending, done)
			reading.Go(func() {
				value, err := read(ctx)
				done <- result{value, err}
			})
		}
		if len(pending) == 0 {
			return nil
		}
		r := <-pending[0]
		pending, ahead = pending[1:], lookahead
		if r.err != nil || !use(r.value) {
			return r.err
		}
	}
}

// eachDay runs f on a view of every day that the query covers, newest first and several at the same time.
func (s *Store) eachDay(ctx context.Context, q *actionlog.Query, f func(v *view, compiled *segment.Query) (goOn bool, err error)) error {
	if err := q.Check(); err != nil {
		return err
	}
	days, _, err := s.within(q)
	if err != nil {
		return err
	}
	slices.Reverse(days) // newest first
	compiled := segment.Compile(q)
	begin := func(d *day) func(context.Context) (bool, error) {
		return func(ctx context.Context) (goOn bool, err error) {
			goOn = true
			err = s.read(ctx, d, func(v *view) (err error) {
				goOn, err = f(v, compiled)
				return err
			})
			return goOn, err
		}
	}
	return inOrder(ctx, days, lookahead, begin, func(goOn bool) bool { return goOn })
}

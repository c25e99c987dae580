package sqlite

import (
	"cmp"
	"context"
	"iter"

	"actionlog"
)

// Positions implements actionlog.Keeper.
func (s *Store) Positions(ctx context.Context, date actionlog.Day) iter.Seq2[actionlog.Placed, error] {
	return func(yield func(actionlog.Placed, error) bool) {
		s.mu.Lock()
		_, damaged := s.damaged[date]
		s.mu.Unlock()
		if damaged {
			yield(actionlog.Placed{}, damageError(date))
			return
		}
		d := s.day(date, false)
		if d == nil {
			return
		}
		stopped := false
		err := s.read(ctx, d, func(v *view) error {
			v.spare()
			for _, h := range v.segments {
				r := v.reader(h)
				for i := range r.All() {
					for row := i.Low; row < i.High && r.Err() == nil; row++ {
						p := actionlog.Placed{Institution: i.ID, Position: r.Position(row)}
						if r.Err() != nil {
							break
						}
						if stopped = !yield(p, nil); stopped {
							return nil
						}
					}
				}
				if err := cmp.Or(r.Err(), ctx.Err()); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil && !stopped {
			yield(actionlog.Placed{}, err)
		}
	}
}

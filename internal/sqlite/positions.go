package sqlite

import (
	"context"
	"errors"
	"iter"

	"actionlog"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// errStopped ends a statement whose reader has seen enough.
var errStopped = errors.New("stopped")

const selectPositions = `SELECT i.value, s.value, a.sequence FROM action a
  JOIN term i ON i.no = a.institution LEFT JOIN term s ON s.no = a.stream`

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
		err := s.read(ctx, d, func(c *sqlite.Conn) error {
			err := sqlitex.Execute(c, selectPositions, &sqlitex.ExecOptions{ResultFunc: func(stmt *sqlite.Stmt) error {
				p := actionlog.Placed{Institution: stmt.ColumnText(0), Position: actionlog.Position{Stream: stmt.ColumnText(1), Sequence: uint64(stmt.ColumnInt64(2))}}
				if stopped = !yield(p, nil); stopped {
					return errStopped
				}
				return nil
			}})
			if stopped {
				return nil
			}
			return err
		})
		if err != nil && !stopped {
			yield(actionlog.Placed{}, err)
		}
	}
}

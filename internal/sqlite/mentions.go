package sqlite

import (
	"context"
	"sync"
	"time"

	"actionlog"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// Mentions implements actionlog.Directory. The directory knows on which days an
// entry is named; only these are asked.
func (s *Store) Mentions(ctx context.Context, institution string, kind actionlog.DirectoryKind, keys []string, missingDays bool) ([]actionlog.Mentions, error) {
	mentions := make([]actionlog.Mentions, len(keys))
	onDay, err := s.daysOf(ctx, institution, kind, keys)
	if err != nil {
		return nil, err
	}
	var days []*day
	for d := range onDay {
		found, _, err := s.within(&actionlog.Query{Institution: institution, From: d.Start(), To: d.End(), MissingDays: missingDays})
		if err != nil {
			return nil, err
		}
		days = append(days, found...)
	}
	var mu sync.Mutex // of mentions
	begin := func(d *day) func(context.Context) (bool, error) {
		return func(ctx context.Context) (bool, error) {
			return true, s.read(ctx, d, func(c *sqlite.Conn) error {
				for _, i := range onDay[d.date] {
					m, ok, err := matchOf(c, mentionsOf(institution, kind, keys[i]), d.date)
					if err != nil || !ok {
						return err
					}
					n, newest, err := countAndLast(c, m)
					if err != nil {
						return err
					}
					if n == 0 {
						continue
					}
					last := d.date.Start().Add(time.Duration(newest>>tieBits) * time.Millisecond)
					mu.Lock()
					mentions[i].Actions += n
					if last.After(mentions[i].Last) {
						mentions[i].Last = last
					}
					mu.Unlock()
				}
				return nil
			})
		}
	}
	if err := inOrder(ctx, days, lookahead, begin, func(goOn bool) bool { return goOn }); err != nil {
		return nil, err
	}
	return mentions, nil
}

// daysOf returns, for each day that names an entry, which of the keys.
func (s *Store) daysOf(ctx context.Context, institution string, kind actionlog.DirectoryKind, keys []string) (map[actionlog.Day][]int, error) {
	onDay := map[actionlog.Day][]int{}
	err := s.ask(ctx, institution, func(c *sqlite.Conn) error {
		for i, key := range keys {
			err := sqlitex.Execute(c, "SELECT r.days FROM entry e JOIN recent r ON r.entry = e.no WHERE e.institution = +? AND e.kind = +? AND e.key = +?", &sqlitex.ExecOptions{
				Args: []any{institution, string(kind), key},
				ResultFunc: func(stmt *sqlite.Stmt) error {
					for d := range daySet(columnBytes(stmt, 0)).all() {
						onDay[d] = append(onDay[d], i)
					}
					return nil
				}})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return onDay, err
}

// mentionsOf finds all actions that name an entry.
func mentionsOf(institution string, kind actionlog.DirectoryKind, key string) *actionlog.Query {
	c := actionlog.Clause{Field: actionlog.FieldPerson, Values: []actionlog.Value{{Person: actionlog.PersonMatch{Key: key}}}}
	switch kind {
	case actionlog.DirectoryCourses:
		c = actionlog.Clause{Field: actionlog.FieldCourse, Values: []actionlog.Value{{Titled: actionlog.TitledMatch{Key: key}}}}
	case actionlog.DirectoryClasses:
		c = actionlog.Clause{Field: actionlog.FieldClass, Values: []actionlog.Value{{Titled: actionlog.TitledMatch{Key: key}}}}
	}
	return &actionlog.Query{Institution: institution, Clauses: []actionlog.Clause{c}, Staff: actionlog.StaffShown}
}

// countAndLast counts the rows of a match, and returns the last.
func countAndLast(c *sqlite.Conn, m match) (n, last int64, err error) {
	err = sqlitex.Execute(c, "SELECT count(*), coalesce(max(rowid), 0) FROM words WHERE words MATCH ? AND rowid BETWEEN ? AND ?", &sqlitex.ExecOptions{
		Args: []any{m.expression, m.low, m.high},
		ResultFunc: func(stmt *sqlite.Stmt) error {
			n, last = stmt.ColumnInt64(0), stmt.ColumnInt64(1)
			return nil
		}})
	return n, last, err
}

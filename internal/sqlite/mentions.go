package sqlite

import (
	"context"
	"sync"
	"time"

	"actionlog"
	"actionlog/internal/segment"

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
			return true, s.read(ctx, d, func(v *view) error {
				for _, i := range onDay[d.date] {
					n, last, err := v.countAndLast(mentionsOf(institution, kind, keys[i]))
					if err != nil {
						return err
					}
					if n == 0 {
						continue
					}
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

// countAndLast counts the matches of a query on the day, and returns when the last one occurred.
func (v *view) countAndLast(q *actionlog.Query) (n int64, last time.Time, err error) {
	_, err = v.matches(q, segment.Compile(q), func(f find, set *segment.Set) (bool, error) {
		n += int64(set.Count(f.low, f.high))
		at := v.date.Start().Add(time.Duration(f.Place(set.Last(f.low, f.high)).Milli) * time.Millisecond)
		if at.After(last) {
			last = at
		}
		return true, f.Err()
	})
	return n, last, err
}

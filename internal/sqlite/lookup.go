package sqlite

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"actionlog"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// domainOf is what stands behind the last @.
func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

// ask runs f with the directory's connection for reading.
func (s *Store) ask(ctx context.Context, institution string, f func(c *sqlite.Conn) error) error {
	if institution == "" {
		return actionlog.Invalidf("institution", "is missing")
	}
	if err := s.building.err(); err != nil {
		return err
	}
	err := s.people.ask(ctx, f)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return s.judgePeople(err)
}

func (d *directory) ask(ctx context.Context, f func(c *sqlite.Conn) error) (err error) {
	c, err := d.readers.lend(ctx)
	if err != nil {
		return err
	}
	defer d.readers.giveBack(c)
	c.SetInterrupt(ctx.Done())
	defer c.SetInterrupt(nil)
	end := sqlitex.Transaction(c)
	defer end(&err)
	return f(c)
}

// Lookup implements actionlog.Directory.
func (s *Store) Lookup(ctx context.Context, institution string, kind actionlog.DirectoryKind, m actionlog.DirectoryMatch, limit int) (entries []actionlog.DirectoryEntry, more bool, err error) {
	if limit < 1 {
		return nil, false, actionlog.Invalidf("limit", "is not positive")
	}
	err = s.ask(ctx, institution, func(c *sqlite.Conn) error {
		numbers, err := entriesOf(c, institution, kind, m, limit+1)
		if more = len(numbers) > limit; more {
			numbers = numbers[:limit]
		}
		for _, no := range numbers {
			if err == nil {
				err = appendEntry(c, no, &entries)
			}
		}
		return err
	})
	if err != nil {
		return nil, false, err
	}
	slices.SortFunc(entries, func(a, b actionlog.DirectoryEntry) int {
		return cmp.Or(b.LastSeen.Compare(a.LastSeen), strings.Compare(a.Key, b.Key))
	})
	return entries, more, nil
}

// entriesOf returns the numbers of up to limit entries.
func entriesOf(c *sqlite.Conn, institution string, kind actionlog.DirectoryKind, m actionlog.DirectoryMatch, limit int) (numbers []int64, err error) {
	sql, args := "", []any{institution, string(kind)}
	const entry = "SELECT no FROM entry WHERE institution = ?1 AND kind = ?2 AND "
	const email = "SELECT entry FROM email WHERE institution = ?1 AND kind = ?2 AND "
	switch {
	case m.Key != "":
		sql, args = entry+"key = ?3", append(args, m.Key)
	case m.ID != "":
		sql, args = entry+"id = ?3 AND id <> '' UNION "+entry+"external = ?3 AND external <> ''", append(args, m.ID)
	case m.Email != "":
		sql, args = email+"address = ?3", append(args, m.Email)
	case m.Prefix != "":
		sql, args = email+"address >= ?3 AND substr(address, 1, length(?3)) = ?3 AND address < ?3 || char(1114111)", append(args, m.Prefix)
	case m.Domain != "":
		sql, args = email+"domain = ?3", append(args, m.Domain)
	default:
		expression, err := namesExpression(c, institution, kind, m)
		if expression == "" || err != nil {
			return nil, err
		}
		sql, args = "SELECT s.entry FROM names f JOIN spelling s ON s.no = f.rowid WHERE f.names MATCH ? ORDER BY f.rowid DESC", []any{expression}
	}
	return distinct(c, sql, args, limit)
}

// distinct returns the first distinct numbers that a query yields.
func distinct(c *sqlite.Conn, sql string, args []any, limit int) (numbers []int64, err error) {
	stmt, err := prepare(c, sql, args...)
	if err != nil {
		return nil, err
	}
	defer stmt.Reset()
	seen := map[int64]bool{}
	for len(numbers) < limit {
		found, err := stmt.Step()
		if err != nil || !found {
			return numbers, err
		}
		if no := stmt.ColumnInt64(0); !seen[no] {
			seen[no] = true
			numbers = append(numbers, no)
		}
	}
	return numbers, nil
}

// namesExpression returns the MATCH of the table names for words that must all be
// there, or groups of which one word each must; "" when nothing can match.
func namesExpression(c *sqlite.Conn, institution string, kind actionlog.DirectoryKind, m actionlog.DirectoryMatch) (string, error) {
	groups, marks := m.Groups, []mark{markWord, markIndex}
	if len(m.Words) > 0 {
		groups, marks = nil, marks[:1]
		for _, w := range m.Words {
			groups = append(groups, []string{w})
		}
	}
	stmt, err := prepare(c, "SELECT no, marks FROM word WHERE institution = ? AND kind = ? AND text = ?", institution, string(kind))
	if err != nil {
		return "", err
	}
	var all []string
	for _, g := range groups {
		var one []string
		for _, w := range g {
			stmt.BindText(3, w)
			found, err := stmt.Step()
			no, had := stmt.ColumnInt64(0), mark(stmt.ColumnInt(1))
			if e := stmt.Reset(); err != nil || e != nil {
				return "", cmp.Or(err, e)
			}
			for _, m := range marks {
				if found && had&m != 0 {
					one = append(one, word(nameWord(m, no)))
				}
			}
		}
		if len(one) == 0 {
			return "", nil
		}
		all = append(all, group(one, " OR "))
	}
	return group(all, " AND "), nil
}

// appendEntry reads an entry. "= +?" keeps SQLite from preparing the statement
// anew for every value, which with an ORDER BY or a join costs more than the row.
func appendEntry(c *sqlite.Conn, no int64, entries *[]actionlog.DirectoryEntry) error {
	var e actionlog.DirectoryEntry
	err := sqlitex.Execute(c, "SELECT e.key, e.id, e.external, e.staff, r.last FROM entry e JOIN recent r ON r.entry = e.no WHERE e.no = +?", &sqlitex.ExecOptions{
		Args: []any{no},
		ResultFunc: func(stmt *sqlite.Stmt) error {
			e = actionlog.DirectoryEntry{Key: stmt.ColumnText(0), ID: stmt.ColumnText(1), ExternalID: stmt.ColumnText(2),
				Staff: stmt.ColumnBool(3), LastSeen: time.UnixMilli(stmt.ColumnInt64(4)).UTC()}
			return nil
		}})
	if err == nil {
		e.Names, err = texts(c, "SELECT text FROM spelling WHERE entry = +? ORDER BY at DESC, text", no)
	}
	if err == nil {
		e.Emails, err = texts(c, "SELECT text FROM email WHERE entry = +? ORDER BY at DESC, address", no)
	}
	*entries = append(*entries, e)
	return err
}

func texts(c *sqlite.Conn, sql string, entry int64) (list []string, err error) {
	err = sqlitex.Execute(c, sql, &sqlitex.ExecOptions{Args: []any{entry}, ResultFunc: func(stmt *sqlite.Stmt) error {
		list = append(list, stmt.ColumnText(0))
		return nil
	}})
	return list, err
}

// Vocabulary implements actionlog.Directory.
func (s *Store) Vocabulary(ctx context.Context, institution string, kind actionlog.DirectoryKind, keys []string, limit int) (words []actionlog.DirectoryWord, more bool, err error) {
	if limit < 1 {
		return nil, false, actionlog.Invalidf("limit", "is not positive")
	}
	err = s.ask(ctx, institution, func(c *sqlite.Conn) error {
		stmt, err := prepare(c, "SELECT w.no, w.text, w.uses FROM near n JOIN word w ON w.no = n.word WHERE n.key = +? AND w.institution = +? AND w.kind = +?")
		if err != nil {
			return err
		}
		defer stmt.Reset()
		seen := map[int64]bool{}
		for _, key := range keys {
			bind(stmt, nearKey(institution, kind, key), institution, string(kind))
			for {
				found, err := stmt.Step()
				if err != nil {
					return err
				}
				if !found {
					break
				}
				if no := stmt.ColumnInt64(0); !seen[no] {
					if len(words) == limit {
						more = true
						return nil
					}
					seen[no] = true
					words = append(words, actionlog.DirectoryWord{Text: stmt.ColumnText(1), Uses: stmt.ColumnInt(2)})
				}
			}
			if err := stmt.Reset(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	return words, more, nil
}

package sqlite

import (
	"context"
	"fmt"
	"strings"
	"time"

	"actionlog"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// domainOf is what stands behind the last @.
func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

// Lookup implements actionlog.Directory.
func (s *Store) Lookup(ctx context.Context, institution string, kind actionlog.DirectoryKind, m actionlog.DirectoryMatch, limit int) ([]actionlog.DirectoryEntry, bool, error) {
	if institution == "" {
		return nil, false, actionlog.Invalidf("institution", "is missing")
	}
	if err := s.building.err(); err != nil {
		return nil, false, err
	}
	condition, args := entryCondition(institution, kind, m)
	if condition == "" || limit < 1 {
		return nil, false, nil
	}
	entries, err := s.people.lookUp(ctx, condition, append(args, limit+1))
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, false, ctx.Err()
	case err != nil:
		return nil, false, s.judgePeople(err)
	case len(entries) > limit:
		return entries[:limit], true, nil
	}
	return entries, false, nil
}

func (d *directory) lookUp(ctx context.Context, condition string, args []any) ([]actionlog.DirectoryEntry, error) {
	d.read.Lock()
	defer d.read.Unlock()
	d.readers.SetInterrupt(ctx.Done())
	defer d.readers.SetInterrupt(nil)
	return lookUp(d.readers, condition, args)
}

// entryCondition returns SQL that selects numbers of entries; "" is none.
func entryCondition(institution string, kind actionlog.DirectoryKind, m actionlog.DirectoryMatch) (sql string, args []any) {
	args = []any{institution, string(kind)}
	const email = "SELECT entry FROM email WHERE institution = ?1 AND kind = ?2 AND "
	switch {
	case m.Key != "":
		return "SELECT no FROM entry WHERE institution = ?1 AND kind = ?2 AND key = ?3", append(args, m.Key)
	case m.ID != "":
		return `SELECT no FROM entry WHERE institution = ?1 AND kind = ?2 AND id = ?3 AND id <> '' UNION
			SELECT no FROM entry WHERE institution = ?1 AND kind = ?2 AND external = ?3 AND external <> ''`, append(args, m.ID)
	case m.Email != "":
		return email + "address = ?3", append(args, m.Email)
	case m.Prefix != "":
		return email + "address >= ?3 AND substr(address, 1, length(?3)) = ?3 AND address < ?3 || char(1114111)", append(args, m.Prefix)
	case m.Domain != "":
		return email + "domain = ?3", append(args, m.Domain)
	case len(m.Words) > 0:
		var parts []string
		for _, w := range m.Words {
			args = append(args, w)
			parts = append(parts, fmt.Sprintf("SELECT spelling FROM word WHERE institution = ?1 AND kind = ?2 AND word = ?%d", len(args)))
		}
		return "SELECT entry FROM spelling WHERE no IN (" + strings.Join(parts, " INTERSECT ") + ")", args
	}
	return "", nil
}

func lookUp(c *sqlite.Conn, condition string, args []any) (entries []actionlog.DirectoryEntry, err error) {
	var numbers []int64
	err = sqlitex.ExecuteTransient(c, fmt.Sprintf("SELECT no, key, id, external, staff, last FROM entry WHERE no IN (%s) ORDER BY last DESC, key LIMIT 0+?%d", condition, len(args)), &sqlitex.ExecOptions{
		Args: args,
		ResultFunc: func(stmt *sqlite.Stmt) error {
			numbers = append(numbers, stmt.ColumnInt64(0))
			entries = append(entries, actionlog.DirectoryEntry{Key: stmt.ColumnText(1), ID: stmt.ColumnText(2), ExternalID: stmt.ColumnText(3),
				Staff: stmt.ColumnBool(4), LastSeen: time.UnixMilli(stmt.ColumnInt64(5)).UTC()})
			return nil
		},
	})
	for i, no := range numbers {
		if err == nil {
			entries[i].Names, err = texts(c, "SELECT text FROM spelling WHERE entry = ? ORDER BY at DESC, text", no)
		}
		if err == nil {
			entries[i].Emails, err = texts(c, "SELECT text FROM email WHERE entry = ? ORDER BY at DESC, text", no)
		}
	}
	return entries, err
}

func texts(c *sqlite.Conn, sql string, entry int64) (list []string, err error) {
	err = sqlitex.Execute(c, sql, &sqlitex.ExecOptions{Args: []any{entry}, ResultFunc: func(stmt *sqlite.Stmt) error {
		list = append(list, stmt.ColumnText(0))
		return nil
	}})
	return list, err
}

// Institutions lists the institutions that kept actions name.
func (s *Store) Institutions(ctx context.Context) (list []actionlog.Institution, err error) {
	ids := map[string]string{}
	for _, d := range s.allDays() {
		err := s.read(ctx, d, func(c *sqlite.Conn) error {
			return sqlitex.Execute(c, "SELECT value, label FROM term WHERE field = 0", &sqlitex.ExecOptions{ResultFunc: func(stmt *sqlite.Stmt) error {
				if name := (term{label: stmt.ColumnText(1)}).plain().label; name != "" || ids[stmt.ColumnText(0)] == "" {
					ids[stmt.ColumnText(0)] = name
				}
				return nil
			}})
		})
		if err != nil {
			return nil, err
		}
	}
	for id, name := range ids {
		list = append(list, actionlog.Institution{ID: id, Name: name})
	}
	return list, nil
}

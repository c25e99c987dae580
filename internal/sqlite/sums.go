package sqlite

import (
	"cmp"
	"slices"

	"actionlog"
	"actionlog/internal/segment"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// maxSums is how many values sums keeps in memory.
const maxSums = 50_000

// sums adds up counts by value; the best label stays. More than maxSums values are kept in a temporary table, which SQLite
// keeps in bounded memory and on disk.
type sums struct {
	some map[sumKey]*summed
	conn *sqlite.Conn // nil: none is there yet
}

type sumKey struct {
	value string
	staff bool
}

type summed struct {
	label segment.Label
	count int64
}

func (s *sums) add(c segment.Counted) error {
	key := sumKey{c.Value, c.Staff}
	there := s.some[key]
	if there == nil {
		if len(s.some) >= maxSums {
			if err := s.spill(); err != nil {
				return err
			}
		}
		s.some[key] = &summed{c.Label, c.Count}
		return nil
	}
	there.count += c.Count
	there.label = segment.Later(there.label, c.Label)
	return nil
}

// spill moves everything into the table.
func (s *sums) spill() error {
	if s.conn == nil {
		c, err := sqlite.OpenConn("", sqlite.OpenReadWrite|sqlite.OpenCreate)
		if err != nil {
			return err
		}
		s.conn = c
		for _, sql := range []string{"PRAGMA cache_size=-4000", "PRAGMA synchronous=OFF", "PRAGMA journal_mode=OFF",
			"CREATE TABLE sum (value TEXT, staff INTEGER, label TEXT, named INTEGER, k INTEGER, at INTEGER, PRIMARY KEY (value, staff)) WITHOUT ROWID"} {
			if err := sqlitex.ExecuteTransient(c, sql, nil); err != nil {
				return err
			}
		}
	}
	err := transaction(s.conn, func() error {
		for key, v := range s.some {
			if err := run(s.conn, `INSERT INTO sum VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET k = k + excluded.k,
				label = CASE WHEN `+betterLabel+` THEN excluded.label ELSE label END, named = CASE WHEN `+betterLabel+` THEN excluded.named ELSE named END,
				at = CASE WHEN `+betterLabel+` THEN excluded.at WHEN excluded.label = label AND excluded.named = named THEN max(at, excluded.at) ELSE at END`, key.value, key.staff, v.label.Text, v.label.Named, v.count, v.label.At); err != nil {
				return err
			}
		}
		return nil
	})
	clear(s.some)
	return err
}

// betterLabel is segment.Label.Better, in SQL; the statement is segment.Later.
const betterLabel = `(excluded.label <> '' AND (excluded.label <> label OR excluded.named <> named) AND (label = '' OR excluded.named > named
	OR excluded.named = named AND (excluded.at > at OR excluded.at = at AND excluded.label > label)))`

func (s *sums) close() {
	if s.conn != nil {
		_ = s.conn.Close()
	}
}

func (s *sums) facet(limit int) (f actionlog.Facet, err error) {
	if s.conn != nil {
		if err := s.spill(); err != nil {
			return f, err
		}
		return s.stored(limit)
	}
	for key, v := range s.some {
		if key.value == "" && !key.staff {
			f.Missing += v.count
			continue
		}
		f.Other += v.count
		f.Values = append(f.Values, actionlog.FacetValue{Value: key.value, Label: v.label.Text, Count: v.count, Staff: key.staff})
	}
	slices.SortFunc(f.Values, func(a, b actionlog.FacetValue) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
	})
	f.Values = slices.Clip(f.Values[:min(limit, len(f.Values))])
	for _, v := range f.Values {
		f.Other -= v.Count
	}
	return f, nil
}

func (s *sums) stored(limit int) (f actionlog.Facet, err error) {
	total := int64(0)
	err = sqlitex.Execute(s.conn, "SELECT coalesce(sum(k), 0), coalesce(sum(k) FILTER (WHERE value = '' AND NOT staff), 0) FROM sum", &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite.Stmt) error {
			total, f.Missing = stmt.ColumnInt64(0), stmt.ColumnInt64(1)
			return nil
		}})
	if err != nil {
		return f, err
	}
	f.Other = total - f.Missing
	err = sqlitex.Execute(s.conn, "SELECT value, label, k, staff FROM sum WHERE value <> '' OR staff ORDER BY k DESC, value LIMIT 0+?", &sqlitex.ExecOptions{
		Args: []any{limit},
		ResultFunc: func(stmt *sqlite.Stmt) error {
			v := actionlog.FacetValue{Value: stmt.ColumnText(0), Label: stmt.ColumnText(1), Count: stmt.ColumnInt64(2), Staff: stmt.ColumnBool(3)}
			f.Values = append(f.Values, v)
			f.Other -= v.Count
			return nil
		}})
	return f, err
}

package sqlite

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"actionlog"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// Count implements actionlog.Searcher.
func (s *Store) Count(ctx context.Context, q actionlog.Query, max int64) (n int64, exact bool, err error) {
	var sum atomic.Int64
	err = s.eachDay(ctx, &q, func(c *sqlite.Conn, _ actionlog.Day, m match) (bool, error) {
		limit := int64(-1)
		if max > 0 {
			limit = max + 1 - min(sum.Load(), max)
		}
		k, err := countRows(c, m, limit)
		return sum.Add(k) <= max || max == 0, err
	})
	n = sum.Load()
	if max > 0 && n > max {
		return max, false, err
	}
	return n, true, err
}

func countRows(c *sqlite.Conn, m match, limit int64) (int64, error) {
	return number(c, "SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH ? AND rowid BETWEEN ? AND ? LIMIT 0+?)", m.expression, m.low, m.high, limit)
}

// Histogram implements actionlog.Searcher.
func (s *Store) Histogram(ctx context.Context, q actionlog.Query, edges []time.Time, by actionlog.Field) ([]actionlog.Bucket, error) {
	if len(edges) < 2 || !slices.IsSortedFunc(edges, time.Time.Compare) {
		return nil, actionlog.Invalidf("edges", "are not two or more ascending times")
	}
	column := -1
	if by != "" {
		if column = columnOf(by); column < 0 || !splittable[by] {
			return nil, actionlog.Invalidf("by", "%q is not a field that a histogram can be split by", by)
		}
	}
	buckets := make([]actionlog.Bucket, len(edges)-1)
	for i := range buckets {
		buckets[i] = actionlog.Bucket{From: edges[i], To: edges[i+1]}
		if by != "" {
			buckets[i].By = map[string]int64{}
		}
	}
	var mu sync.Mutex // of the buckets: one may be of several days
	err := s.eachDay(ctx, &q, func(c *sqlite.Conn, d actionlog.Day, m match) (bool, error) {
		for i := range buckets {
			b := &buckets[i]
			if !b.From.Before(d.End()) || !b.To.After(d.Start()) {
				continue
			}
			part := m
			part.low = max(m.low, bound(b.From, d, 0))
			part.high = min(m.high, bound(b.To, d, allRows)-1)
			if err := addTo(&mu, c, part, column, b); err != nil {
				return false, err
			}
		}
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	return buckets, nil
}

var splittable = map[actionlog.Field]bool{actionlog.FieldCategory: true, actionlog.FieldOutcome: true,
	actionlog.FieldActorKind: true, actionlog.FieldChannel: true}

func addTo(mu *sync.Mutex, c *sqlite.Conn, m match, column int, b *actionlog.Bucket) error {
	if m.low > m.high {
		return nil
	}
	if column < 0 {
		n, err := countRows(c, m, -1)
		mu.Lock()
		defer mu.Unlock()
		b.Count += n
		return err
	}
	return groups(c, m, termColumns[column].name, func(g grouped) error {
		mu.Lock()
		defer mu.Unlock()
		b.Count += g.count
		b.By[g.term.plain().value] += g.count
		return nil
	})
}

// grouped is how many rows have a term.
type grouped struct {
	term  term
	at    int64 // when its label was true
	staff bool
	count int64
}

// groups counts the rows of a match by a column's term.
func groups(c *sqlite.Conn, m match, column string, each func(grouped) error) error {
	return sqlitex.Execute(c, strings.ReplaceAll(`SELECT coalesce(t.value, ''), coalesce(t.label, ''), g.staff, g.k, coalesce(t.at, 0) FROM
		(SELECT a.COLUMN AS no, a.staff AS staff, count(*) AS k FROM words w JOIN action a ON a.n = w.rowid
		 WHERE w.words MATCH ? AND w.rowid BETWEEN ? AND ? AND a.institution = (SELECT no FROM term WHERE field = 0 AND value = ?) GROUP BY a.COLUMN, a.staff) g LEFT JOIN term t ON t.no = g.no`, "COLUMN", column),
		&sqlitex.ExecOptions{
			Args: []any{m.expression, m.low, m.high, m.institution},
			ResultFunc: func(stmt *sqlite.Stmt) error {
				return each(grouped{term{stmt.ColumnText(0), stmt.ColumnText(1)}, stmt.ColumnInt64(4), stmt.ColumnBool(2), stmt.ColumnInt64(3)})
			},
		})
}

// Facet implements actionlog.Searcher. The counts of all days are summed in a
// temporary table, which SQLite keeps in bounded memory and on disk.
func (s *Store) Facet(ctx context.Context, q actionlog.Query, field actionlog.Field, limit int) (actionlog.Facet, error) {
	column := columnOf(field)
	if column < 0 {
		return actionlog.Facet{}, actionlog.Invalidf("field", "%q is not a field that values can be counted of", field)
	}
	if limit < 1 {
		return actionlog.Facet{}, actionlog.Invalidf("limit", "is not positive")
	}
	sums, err := newSums()
	if err != nil {
		return actionlog.Facet{}, err
	}
	defer sums.close()
	var mu sync.Mutex // of sums
	mergeStaff := field == actionlog.FieldActor && q.Staff != actionlog.StaffShown
	err = s.eachDay(ctx, &q, func(c *sqlite.Conn, _ actionlog.Day, m match) (bool, error) {
		return true, groups(c, m, termColumns[column].name, func(g grouped) error {
			g.term.value = g.term.plain().value
			if mergeStaff && g.staff {
				g.term = term{}
			}
			g.staff = mergeStaff && g.staff
			mu.Lock()
			defer mu.Unlock()
			return sums.add(g)
		})
	})
	if err != nil {
		return actionlog.Facet{}, err
	}
	return sums.facet(limit)
}

// betterLabel is knownTerm.better, in SQL.
const betterLabel = `(excluded.label <> '' AND (substr(excluded.label, 1, 1) > substr(label, 1, 1)
	OR substr(excluded.label, 1, 1) = substr(label, 1, 1) AND excluded.at > at))`

// sums adds up counts by term; the best label stays.
type sums struct{ conn *sqlite.Conn }

func newSums() (*sums, error) {
	c, err := sqlite.OpenConn("", sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		return nil, err
	}
	for _, sql := range []string{"PRAGMA cache_size=-4000", "PRAGMA synchronous=OFF", "PRAGMA journal_mode=OFF",
		"CREATE TABLE sum (value TEXT, staff INTEGER, label TEXT, k INTEGER, at INTEGER, PRIMARY KEY (value, staff)) WITHOUT ROWID"} {
		if err := sqlitex.ExecuteTransient(c, sql, nil); err != nil {
			_ = c.Close()
			return nil, err
		}
	}
	return &sums{c}, nil
}

func (s *sums) close() { _ = s.conn.Close() }

func (s *sums) add(g grouped) error {
	return run(s.conn, `INSERT INTO sum VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET k = k + excluded.k,
		label = CASE WHEN `+betterLabel+` THEN excluded.label ELSE label END, at = CASE WHEN `+betterLabel+` THEN excluded.at ELSE at END`,
		g.term.value, g.staff, g.term.label, g.count, g.at)
}

func (s *sums) facet(limit int) (f actionlog.Facet, err error) {
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
			v.Label = term{label: v.Label}.plain().label
			f.Values = append(f.Values, v)
			f.Other -= v.Count
			return nil
		}})
	return f, err
}

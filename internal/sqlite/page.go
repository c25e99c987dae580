package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"actionlog"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// place is a row of a day, which is what a Mark holds.
type place struct {
	day actionlog.Day
	n   int64
}

func (p place) mark() actionlog.Mark {
	return actionlog.Mark(p.day.String() + "/" + strconv.FormatInt(p.n, 36))
}

func parseMark(m actionlog.Mark) (place, error) {
	date, n, ok := strings.Cut(string(m), "/")
	d, err := actionlog.ParseDay(date)
	if err == nil {
		var at int64
		if at, err = strconv.ParseInt(n, 36, 64); err == nil && ok {
			return place{d, at}, nil
		}
	}
	return place{}, actionlog.Invalidf("cursor", "is not a mark of this store")
}

// span is the rows of a day that a query may find: low ≤ n ≤ high.
type span struct{ low, high int64 }

const allRows = 1<<63 - 1

func spanOf(q *actionlog.Query, d actionlog.Day) span {
	return span{low: bound(q.From, d, 0), high: bound(q.To, d, allRows) - 1}
}

// bound is the first row at or after t, which is unset or outside of the day
// for the day's end that is given.
func bound(t time.Time, d actionlog.Day, unset int64) int64 {
	switch {
	case t.IsZero():
		return unset
	case !t.After(d.Start()):
		return 0
	case !t.Before(d.End()):
		return allRows
	}
	since := t.Sub(d.Start())
	ms := since.Milliseconds()
	if since%time.Millisecond != 0 {
		ms++
	}
	return ms << tieBits
}

// match is what one day is asked for.
type match struct {
	institution string
	expression  string
	span
}

// matchOf prepares a query for a day; ok is false when nothing can match.
func matchOf(c *sqlite.Conn, q *actionlog.Query, d actionlog.Day) (m match, ok bool, err error) {
	x := matcher{scope: scopeOf(q.Institution), query: *q}
	for _, clause := range q.Clauses {
		if clause.Field == actionlog.FieldCode {
			if x.codes, err = codesOf(c); err != nil {
				return m, false, err
			}
			break
		}
	}
	if namesTargets(q) {
		slots, err := number(c, "SELECT coalesce(max(value), 0) FROM most WHERE name = 'targets'")
		if err != nil {
			return m, false, err
		}
		x.slots = int(slots)
	}
	m.institution, m.span = q.Institution, spanOf(q, d)
	m.expression, ok = x.expression()
	return m, ok && m.low <= m.high, nil
}

// namesTargets tells whether a query looks for words of a target's name.
func namesTargets(q *actionlog.Query) bool {
	for _, c := range q.Clauses {
		for _, v := range c.Values {
			if len(v.Person.Words) > 0 {
				return true
			}
		}
	}
	return false
}

func codesOf(c *sqlite.Conn) (codes []int, err error) {
	err = sqlitex.Execute(c, "SELECT value FROM term WHERE field = ?", &sqlitex.ExecOptions{
		Args: []any{codeColumn},
		ResultFunc: func(stmt *sqlite.Stmt) error {
			code, err := strconv.Atoi(stmt.ColumnText(0))
			codes = append(codes, code)
			return err
		},
	})
	slices.Sort(codes)
	return codes, err
}

// selectRows asks for the institution once more: no answer depends on a hash.
const selectRows = `SELECT a.n, a.id, a.block, a.slot, a.received, s.value, a.sequence, a.staff, a.warnings
  FROM words w JOIN action a ON a.n = w.rowid LEFT JOIN term s ON s.no = a.stream
  WHERE w.words MATCH ? AND w.rowid BETWEEN ? AND ? AND a.institution = (SELECT no FROM term WHERE field = 0 AND value = ?) ORDER BY w.rowid `

// found is a row before its document is read.
type found struct {
	record actionlog.Record
	n      int64
	block  int64
	slot   int
}

// rows calls each for up to limit rows of a day (0: all), in order.
func rows(c *sqlite.Conn, q *actionlog.Query, d actionlog.Day, m match, order actionlog.Order, limit int, each func(found) error) error {
	sql := selectRows + "DESC LIMIT 0+?"
	if order == actionlog.OldestFirst {
		sql = selectRows + "ASC LIMIT 0+?"
	}
	if limit == 0 {
		limit = -1
	}
	stmt, err := prepare(c, sql, m.expression, m.low, m.high, q.Institution, limit)
	if err != nil {
		return err
	}
	defer stmt.Reset()
	for {
		more, err := stmt.Step()
		if err != nil || !more {
			return err
		}
		f, err := foundIn(stmt, q.Institution, d)
		if err == nil {
			err = each(f)
		}
		if err != nil {
			return err
		}
	}
}

func foundIn(stmt *sqlite.Stmt, institution string, d actionlog.Day) (found, error) {
	f := found{n: stmt.ColumnInt64(0), block: stmt.ColumnInt64(2), slot: stmt.ColumnInt(3)}
	f.record = actionlog.Record{
		Institution: institution, ID: stmt.ColumnText(1),
		OccurredAt: d.Start().Add(time.Duration(f.n>>tieBits) * time.Millisecond),
		ReceivedAt: time.Unix(0, stmt.ColumnInt64(4)).UTC(),
		Position:   actionlog.Position{Stream: stmt.ColumnText(5), Sequence: uint64(stmt.ColumnInt64(6))},
		Staff:      stmt.ColumnBool(7),
	}
	if !stmt.ColumnIsNull(8) {
		if err := json.Unmarshal([]byte(stmt.ColumnText(8)), &f.record.Warnings); err != nil {
			return f, fmt.Errorf("%w: warnings: %v", errBlock, err)
		}
	}
	return f, nil
}

func (s *Store) blocksOf(c *sqlite.Conn) *blocks {
	return &blocks{codec: s.codec, conn: c, kept: map[int64]block{}}
}

// Page implements actionlog.Searcher.
func (s *Store) Page(ctx context.Context, q actionlog.Query, order actionlog.Order, after actionlog.Mark, limit int) (actionlog.Page, error) {
	if err := q.Check(); err != nil {
		return actionlog.Page{}, err
	}
	if limit < 1 || limit > 1000 {
		return actionlog.Page{}, actionlog.Invalidf("limit", "is not 1 to 1000")
	}
	var from place
	if after != "" {
		var err error
		if from, err = parseMark(after); err != nil {
			return actionlog.Page{}, err
		}
	}
	days, missing, err := s.within(&q)
	if err != nil {
		return actionlog.Page{}, err
	}
	if order == actionlog.NewestFirst {
		slices.Reverse(days)
	}
	if after != "" {
		days = slices.DeleteFunc(days, func(d *day) bool { // before the mark
			return d.date != from.day && d.date.Before(from.day) == (order == actionlog.OldestFirst)
		})
	}
	page, last := actionlog.Page{MissingDays: missing}, place{}
	begin := func(d *day) func(context.Context) (dayPage, error) {
		more := limit + 1 - len(page.Records)
		return func(ctx context.Context) (p dayPage, err error) {
			err = s.read(ctx, d, func(c *sqlite.Conn) (err error) {
				p, err = s.pageOfDay(c, &q, d.date, order, from, more)
				return err
			})
			return p, err
		}
	}
	err = inOrder(ctx, days, 1, begin, func(p dayPage) bool {
		for i, r := range p.records {
			if len(page.Records) == limit { // one more than asked for
				page.Next = last.mark()
				return false
			}
			page.Records, last = append(page.Records, r), p.places[i]
		}
		return true
	})
	if err != nil {
		return actionlog.Page{}, err
	}
	return page, nil
}

// dayPage is what a page may take of a day.
type dayPage struct {
	records []actionlog.Record
	places  []place
}

// pageOfDay reads up to limit records of a day from a mark on.
func (s *Store) pageOfDay(c *sqlite.Conn, q *actionlog.Query, d actionlog.Day, order actionlog.Order, from place, limit int) (p dayPage, err error) {
	end := sqlitex.Transaction(c)
	defer end(&err)
	m, ok, err := matchOf(c, q, d)
	if err != nil || !ok {
		return p, err
	}
	if from.day == d && order == actionlog.NewestFirst {
		m.high = min(m.high, from.n-1)
	} else if from.day == d {
		m.low = max(m.low, from.n+1)
	}
	b := s.blocksOf(c)
	err = rows(c, q, d, m, order, limit, func(f found) (err error) {
		f.record.Document, err = b.document(f.block, f.slot)
		p.records, p.places = append(p.records, f.record), append(p.places, place{d, f.n})
		return err
	})
	return p, err
}

// Get implements actionlog.Searcher.
func (s *Store) Get(ctx context.Context, institution, id string, day actionlog.Day) ([]actionlog.Record, error) {
	q := actionlog.Query{Institution: institution, Clauses: []actionlog.Clause{{Field: actionlog.FieldID, Values: []actionlog.Value{{Text: id}}}}, MissingDays: true}
	if !day.IsZero() {
		q.From, q.To, q.MissingDays = day.Start(), day.End(), false
	}
	page, err := s.Page(ctx, q, actionlog.NewestFirst, "", 1000)
	switch {
	case err != nil:
		return nil, err
	case len(page.Records) > 0:
		return page.Records, nil
	case len(page.MissingDays) > 0:
		return nil, damageError(page.MissingDays[0])
	}
	return nil, fmt.Errorf("action %s: %w", id, actionlog.ErrNotFound)
}

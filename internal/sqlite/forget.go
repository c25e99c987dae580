package sqlite

import (
	"context"
	"fmt"
	"time"

	"actionlog"

	"zombiezen.com/go/sqlite/sqlitex"
)

// drop forgets a day, of an institution ("": of all), and the entries that no other day
// names.
func (d *directory) drop(_ context.Context, day actionlog.Day, institution string) (err error) {
	if err := d.begin(); err != nil {
		return fmt.Errorf("directory: %w: %w", actionlog.ErrUnavailable, err)
	}
	defer d.write.Unlock()
	clear(d.known)
	end, err := sqlitex.ImmediateTransaction(d.conn)
	if err != nil {
		return fmt.Errorf("directory: %w: %w", actionlog.ErrUnavailable, err)
	}
	err = d.forget(day, institution)
	end(&err)
	if err != nil {
		return fmt.Errorf("directory: drop %s: %w: %w", day, actionlog.ErrUnavailable, err)
	}
	return nil
}

func (d *directory) forget(day actionlog.Day, institution string) error {
	err := d.execute(
		"CREATE TEMP TABLE IF NOT EXISTS gone (no INTEGER PRIMARY KEY)",
		"DELETE FROM gone")
	if err == nil {
		err = d.forgetDay(day, institution)
	}
	if err == nil {
		err = d.forgetNames()
	}
	if err != nil {
		return err
	}
	return d.execute(
		"DELETE FROM spelling WHERE entry IN (SELECT no FROM gone)",
		"DELETE FROM email WHERE entry IN (SELECT no FROM gone)",
		"DELETE FROM recent WHERE entry IN (SELECT no FROM gone)",
		"DELETE FROM entry WHERE no IN (SELECT no FROM gone)")
}

// forgetDay takes a day from all sets of days; whose becomes empty is gone.
func (d *directory) forgetDay(day actionlog.Day, institution string) error {
	sql, args := "SELECT entry, days, last FROM recent", []any{}
	if institution != "" {
		sql, args = sql+" JOIN entry ON no = entry WHERE institution = ?", append(args, institution)
	}
	all, err := prepare(d.conn, sql, args...)
	if err != nil {
		return err
	}
	defer all.Reset()
	for {
		found, err := all.Step()
		if err != nil || !found {
			return err
		}
		no, days := all.ColumnInt64(0), daySet(columnBytes(all, 1))
		if !days.has(day) {
			continue
		}
		if days = days.without(day); days == nil {
			err = run(d.conn, "INSERT INTO gone VALUES (?)", no)
		} else {
			last := all.ColumnInt64(2)
			if newest := days.last(); newest.Before(actionlog.DayOf(time.UnixMilli(last))) {
				last = newest.Start().UnixMilli() // at least then
			}
			err = run(d.conn, "UPDATE recent SET days = ?, last = ? WHERE entry = ?", []byte(days), last, no)
		}
		if err != nil {
			return err
		}
	}
}

func (d *directory) execute(statements ...string) error {
	for _, sql := range statements {
		if err := sqlitex.Execute(d.conn, sql, nil); err != nil {
			return err
		}
	}
	return nil
}

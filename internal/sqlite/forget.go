package sqlite

import (
	"context"
	"fmt"
	"strings"

	"actionlog"

	"zombiezen.com/go/sqlite/sqlitex"
)

// drop forgets a day, and the entries that no other day names.
func (d *directory) drop(_ context.Context, day actionlog.Day) (err error) {
	d.write.Lock()
	defer d.write.Unlock()
	clear(d.known)
	end, err := sqlitex.ImmediateTransaction(d.conn)
	if err != nil {
		return fmt.Errorf("directory: %w: %w", actionlog.ErrUnavailable, err)
	}
	err = d.forget(day)
	end(&err)
	if err != nil {
		return fmt.Errorf("directory: drop %s: %w: %w", day, actionlog.ErrUnavailable, err)
	}
	return nil
}

func (d *directory) forget(day actionlog.Day) error {
	err := d.execute(day,
		"CREATE TEMP TABLE IF NOT EXISTS gone (no INTEGER PRIMARY KEY)",
		"DELETE FROM gone",
		"INSERT INTO gone SELECT entry FROM seen WHERE day = ?1 AND NOT EXISTS (SELECT 1 FROM seen o WHERE o.entry = seen.entry AND o.day <> ?1)",
		"DELETE FROM seen WHERE day = ?1")
	if err == nil {
		err = d.forgetNames()
	}
	if err != nil {
		return err
	}
	return d.execute(day,
		"DELETE FROM spelling WHERE entry IN (SELECT no FROM gone)",
		"DELETE FROM email WHERE entry IN (SELECT no FROM gone)",
		"DELETE FROM entry WHERE no IN (SELECT no FROM gone)")
}

// execute runs statements in which ?1 is the day.
func (d *directory) execute(day actionlog.Day, statements ...string) error {
	for _, sql := range statements {
		var args []any
		if strings.Contains(sql, "?1") {
			args = []any{day.Start().Unix() / 86400}
		}
		if err := sqlitex.Execute(d.conn, sql, &sqlitex.ExecOptions{Args: args}); err != nil {
			return err
		}
	}
	return nil
}

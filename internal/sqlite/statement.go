package sqlite

import (
	"fmt"
	"strings"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// prepare returns a statement of a connection, prepared before or now, with its
// parameters: string, []byte, bool, int, int64 and nil. Unlike Conn.Prep it
// returns the error of a damaged file or of a cancelled search.
func prepare(c *sqlite.Conn, sql string, args ...any) (*sqlite.Stmt, error) {
	stmt, err := c.Prepare(sql)
	if err != nil {
		return nil, err
	}
	bind(stmt, args...)
	return stmt, nil
}

// bind sets the first parameters of a statement.
func bind(stmt *sqlite.Stmt, args ...any) {
	for i, a := range args {
		switch v := a.(type) {
		case nil:
			stmt.BindNull(i + 1)
		case string:
			stmt.BindText(i+1, v)
		case []byte:
			stmt.BindBytes(i+1, v)
		case bool:
			stmt.BindBool(i+1, v)
		case int:
			stmt.BindInt64(i+1, int64(v))
		case int64:
			stmt.BindInt64(i+1, v)
		default:
			panic(fmt.Sprintf("sqlite: a parameter of type %T", a))
		}
	}
}

// run runs a statement that yields no rows.
func run(c *sqlite.Conn, sql string, args ...any) error {
	stmt, err := prepare(c, sql, args...)
	if err != nil {
		return err
	}
	return step(stmt)
}

// step runs a prepared statement that yields no rows.
func step(stmt *sqlite.Stmt) error {
	_, err := stmt.Step()
	if e := stmt.Reset(); err == nil {
		err = e
	}
	return err
}

// number returns the one number that a query yields.
func number(c *sqlite.Conn, sql string, args ...any) (int64, error) {
	stmt, err := prepare(c, sql, args...)
	if err != nil {
		return 0, err
	}
	return sqlitex.ResultInt64(stmt)
}

// word quotes a word for FTS5.
func word(w string) string { return `"` + strings.ReplaceAll(w, `"`, `""`) + `"` }

// group is an expression of FTS5 in parentheses.
func group(parts []string, by string) string {
	if len(parts) == 0 {
		return ""
	}
	return "(" + strings.Join(parts, by) + ")"
}

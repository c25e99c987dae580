package sqlite

import (
	"context"

	"actionlog"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

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

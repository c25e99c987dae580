package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"actionlog"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// State is an actionlog.State in one SQLite file.
type State struct {
	mu   sync.Mutex
	conn *sqlite.Conn
}

var _ actionlog.State = (*State)(nil)

var stateSchema = schema{version: 2, sql: `CREATE TABLE value (bucket TEXT, key TEXT, revision INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (bucket, key)) WITHOUT ROWID;`}

// OpenState opens the file at path, which is made if it is not there.
func OpenState(path string) (*State, error) {
	c, err := open(path, stateSchema, true, 500)
	if err != nil {
		return nil, fmt.Errorf("state %s: %w", path, err)
	}
	return &State{conn: c}, nil
}

// Close closes the file.
func (s *State) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn.Close()
}

// Get implements actionlog.State.
func (s *State) Get(_ context.Context, bucket, key string) (value []byte, revision uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err = sqlitex.Execute(s.conn, "SELECT data, revision FROM value WHERE bucket = ? AND key = ?", &sqlitex.ExecOptions{
		Args: []any{bucket, key},
		ResultFunc: func(stmt *sqlite.Stmt) error {
			value = make([]byte, stmt.ColumnLen(0))
			stmt.ColumnBytes(0, value)
			revision = uint64(stmt.ColumnInt64(1))
			return nil
		},
	})
	if err == nil && revision == 0 {
		return nil, 0, fmt.Errorf("%s %s: %w", bucket, key, actionlog.ErrNotFound)
	}
	return value, revision, s.unavailable(err)
}

func (s *State) unavailable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("state: %w: %w", actionlog.ErrUnavailable, err)
}

// maxValueBytes is the limit that actionlog.State names.
const maxValueBytes = 64 << 10

// Put implements actionlog.State.
func (s *State) Put(_ context.Context, bucket, key string, value []byte, revision uint64) (uint64, error) {
	if len(value) > maxValueBytes {
		return 0, actionlog.Invalidf("value", "is longer than %d bytes", maxValueBytes)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sql, next := "UPDATE value SET data = ?1, revision = ?4 WHERE bucket = ?2 AND key = ?3 AND revision = ?4 - 1", revision+1
	if revision == 0 {
		sql = "INSERT INTO value(data, bucket, key, revision) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING"
		next = uint64(time.Now().UnixMicro()) // beyond any that a deleted value had
	}
	if value == nil {
		value = []byte{}
	}
	err := sqlitex.Execute(s.conn, sql, &sqlitex.ExecOptions{Args: []any{value, bucket, key, int64(next)}})
	if err != nil {
		return 0, s.unavailable(err)
	}
	if s.conn.Changes() == 0 {
		return 0, fmt.Errorf("%s %s: %w", bucket, key, actionlog.ErrConflict)
	}
	return next, nil
}

// Delete implements actionlog.State.
func (s *State) Delete(_ context.Context, bucket, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unavailable(sqlitex.Execute(s.conn, "DELETE FROM value WHERE bucket = ? AND key = ?", &sqlitex.ExecOptions{Args: []any{bucket, key}}))
}

// List implements actionlog.State.
func (s *State) List(_ context.Context, bucket string) (keys []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err = sqlitex.Execute(s.conn, "SELECT key FROM value WHERE bucket = ? ORDER BY key", &sqlitex.ExecOptions{
		Args: []any{bucket},
		ResultFunc: func(stmt *sqlite.Stmt) error {
			keys = append(keys, stmt.ColumnText(0))
			return nil
		},
	})
	return keys, s.unavailable(err)
}

// CopyState copies the file of a state, which may be in use, to a new file, without the
// values of some buckets. The copy is whole or not there.
func CopyState(ctx context.Context, from, to string, without ...string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("state %s: %w", from, err)
		}
	}()
	if err := copyFile(ctx, from, to+".new"); err != nil {
		return err
	}
	s, err := OpenState(to + ".new")
	if err != nil {
		return err
	}
	for _, bucket := range without {
		err = errors.Join(err, sqlitex.Execute(s.conn, "DELETE FROM value WHERE bucket = ?", &sqlitex.ExecOptions{Args: []any{bucket}}))
	}
	// No other file belongs to it then.
	err = errors.Join(err, sqlitex.ExecuteTransient(s.conn, "PRAGMA journal_mode=DELETE", nil), s.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(to+".new", to); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(to))
}

// copyFile copies a database as it is at one instant, for its owner alone.
func copyFile(ctx context.Context, from, to string) error {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(to + suffix); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	// SQLite makes a file for all whom the umask lets read, and takes one that is empty.
	empty, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		err = empty.Close()
	}
	if err != nil {
		return err
	}
	c, err := sqlite.OpenConn(from, sqlite.OpenReadOnly)
	if err != nil {
		return err
	}
	c.SetBusyTimeout(5 * time.Second)
	c.SetInterrupt(ctx.Done())
	err = sqlitex.ExecuteTransient(c, "VACUUM INTO ?", &sqlitex.ExecOptions{Args: []any{to}})
	return errors.Join(err, c.Close())
}

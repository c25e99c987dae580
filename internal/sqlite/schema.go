package sqlite

import (
	"errors"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// A row's number is (millisecond of the day) << tieBits | tie, so that the
// order of rows is the order of time. tie comes from a hash of the identity;
// where the number is taken the next free one is used.
const tieBits = 36

// daySchema is what a day's file holds. Columns named after fields hold numbers
// of the table term, 0 for absent.
var daySchema = schema{version: 2, sql: `
CREATE TABLE action (
  n INTEGER PRIMARY KEY,
  identity INTEGER NOT NULL, -- a hash of (institution, id)
  institution INTEGER NOT NULL, id TEXT NOT NULL, digest BLOB NOT NULL,
  block INTEGER NOT NULL, slot INTEGER NOT NULL,
  received INTEGER NOT NULL, stream INTEGER NOT NULL, sequence INTEGER NOT NULL,
  staff INTEGER NOT NULL, warnings TEXT,
  category INTEGER NOT NULL, action INTEGER NOT NULL, outcome INTEGER NOT NULL, actor_kind INTEGER NOT NULL,
  channel INTEGER NOT NULL, request_method INTEGER NOT NULL, response_code INTEGER NOT NULL,
  request_content_type INTEGER NOT NULL, ip INTEGER NOT NULL, actor INTEGER NOT NULL,
  course INTEGER NOT NULL, class INTEGER NOT NULL);
CREATE INDEX action_identity ON action(identity);
CREATE TABLE block (no INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE term (no INTEGER PRIMARY KEY, field INTEGER NOT NULL, value TEXT NOT NULL,
  label TEXT NOT NULL DEFAULT '', at INTEGER NOT NULL DEFAULT 0, UNIQUE(field, value));
CREATE TABLE most (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5(t, content='', columnsize=0, detail=none, tokenize="ascii tokenchars '_'");
INSERT INTO words(words, rank) VALUES('automerge', 8);
`}

// errEmpty: the file has no schema yet, and so no data. A file and its schema
// are not made at once; the schema is one transaction.
var errEmpty = errors.New("is empty")

// errVersion: the file was made by another version of the program.
var errVersion = errors.New("unknown version")

// schema is what a kind of file holds. Its version stands in the file's
// user_version; a file of another version is not read.
type schema struct {
	version int64
	sql     string
}

// open opens a file; create makes it, with its schema, where it is not there.
func open(path string, s schema, create bool, cacheKiB int) (*sqlite.Conn, error) {
	flags := sqlite.OpenReadWrite | sqlite.OpenWAL
	if create {
		flags |= sqlite.OpenCreate
	}
	c, err := sqlite.OpenConn(path, flags)
	if err != nil {
		return nil, err
	}
	c.SetBusyTimeout(5 * time.Second)
	if err := prepareFile(c, s, create, cacheKiB); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

func prepareFile(c *sqlite.Conn, s schema, create bool, cacheKiB int) error {
	for _, pragma := range []string{"synchronous=FULL", fmt.Sprintf("cache_size=-%d", cacheKiB), "temp_store=MEMORY"} {
		if err := sqlitex.ExecuteTransient(c, "PRAGMA "+pragma, nil); err != nil {
			return err
		}
	}
	version, err := number(c, "PRAGMA user_version")
	switch {
	case err != nil:
		return err
	case version == s.version:
		return nil
	case version > s.version:
		return fmt.Errorf("%w: %d, of a newer version of this program, which knows %d", errVersion, version, s.version)
	case version != 0:
		return fmt.Errorf("%w: %d; this program knows %d", errVersion, version, s.version)
	case !create:
		return errEmpty
	}
	return sqlitex.ExecuteScript(c, s.sql+fmt.Sprintf("PRAGMA user_version=%d;", s.version), nil)
}

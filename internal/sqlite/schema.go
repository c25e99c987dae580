package sqlite

import (
	"errors"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// daySchema is what a day's file holds: segments (internal/segment), each in pieces. Which segments there are says the
// table segment; pieces of others are left of a merge.
var daySchema = schema{version: 3, before: "PRAGMA auto_vacuum=INCREMENTAL", sql: `
CREATE TABLE segment (no INTEGER PRIMARY KEY, head BLOB NOT NULL);
CREATE TABLE piece (no INTEGER PRIMARY KEY, data BLOB NOT NULL); -- no: segment << 20 | place; data: CRC-32C of no and content, content
CREATE TABLE setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID; -- key: of the words' hashes; key_sum: its CRC-32C; segments: see listOf
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
	before  string // what a file must be told before anything is in it
	sql     string
}

// open opens a file; create makes it, with its schema, where it is not there.
func open(path string, s schema, create bool, cacheKiB int) (*sqlite.Conn, error) {
	flags := sqlite.OpenReadWrite
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
	if create && s.before != "" {
		pages, err := number(c, "PRAGMA page_count")
		if err == nil && pages == 0 {
			err = sqlitex.ExecuteTransient(c, s.before, nil)
		}
		if err != nil {
			return err
		}
	}
	for _, pragma := range []string{"journal_mode=WAL", "synchronous=FULL", fmt.Sprintf("cache_size=-%d", cacheKiB), "temp_store=MEMORY"} {
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

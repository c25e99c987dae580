package sqlite

import (
	"errors"
	"fmt"
	"sync"

	"actionlog"

	"zombiezen.com/go/sqlite"
)

var directorySchema = schema{version: 5, sql: `
CREATE TABLE entry (no INTEGER PRIMARY KEY, institution TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL,
  id TEXT NOT NULL, external TEXT NOT NULL, staff INTEGER NOT NULL, UNIQUE (institution, kind, key));
CREATE INDEX entry_id ON entry(institution, kind, id) WHERE id <> '';
CREATE INDEX entry_external ON entry(institution, kind, external) WHERE external <> '';
-- What changes with every action: see the type entry.
CREATE TABLE recent (entry INTEGER PRIMARY KEY, last INTEGER NOT NULL, external INTEGER NOT NULL, named INTEGER NOT NULL, mailed INTEGER NOT NULL, days BLOB NOT NULL);
-- The newest spelling and address of an entry may have been used later than at: see recent.
CREATE TABLE spelling (no INTEGER PRIMARY KEY, entry INTEGER NOT NULL, text TEXT NOT NULL, at INTEGER NOT NULL, UNIQUE (entry, text));
CREATE TABLE word (no INTEGER PRIMARY KEY, institution TEXT NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL, uses INTEGER NOT NULL, marks INTEGER NOT NULL, UNIQUE (institution, kind, text));
CREATE TABLE near (key INTEGER, word INTEGER, PRIMARY KEY (key, word)) WITHOUT ROWID; -- key: see nearKey
CREATE VIRTUAL TABLE names USING fts5(t, content='', contentless_delete=1, detail=none, tokenize="ascii"); -- rowid: spelling.no
CREATE TABLE email (institution TEXT, kind TEXT, address TEXT, entry INTEGER, domain TEXT, text TEXT, at INTEGER, PRIMARY KEY (institution, kind, address, entry)) WITHOUT ROWID;
CREATE INDEX email_domain ON email(institution, kind, domain);
CREATE INDEX email_entry ON email(entry);
CREATE TABLE whole (yes INTEGER); -- a row: all days were learned
`}

// directory is every person, course and class that kept actions name.
type directory struct {
	write sync.Mutex
	conn  *sqlite.Conn
	known map[entryKey]*entry // some of what the file holds

	unmerged int // spellings that came since the table names was merged

	readers readers
}

const directoryCacheKiB = 16000 // of each connection

// entryKey identifies an entry.
type entryKey struct {
	institution string
	kind        actionlog.DirectoryKind
	key         string
}

func openDirectory(path string) (*directory, error) {
	c, err := open(path, directorySchema, true, 8000)
	if err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	d := &directory{conn: c, unmerged: unknownMerge, known: map[entryKey]*entry{}}
	if err := d.readers.open(path); err != nil {
		_ = d.close()
		return nil, fmt.Errorf("directory: %w", err)
	}
	return d, nil
}

func (d *directory) close() error {
	d.write.Lock()
	defer d.write.Unlock()
	err := d.readers.close()
	if d.conn != nil {
		err = errors.Join(err, d.conn.Close())
	}
	return err
}

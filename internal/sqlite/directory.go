package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"actionlog"
	"actionlog/internal/people"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

var directorySchema = schema{version: 4, sql: `
CREATE TABLE entry (no INTEGER PRIMARY KEY, institution TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL,
  id TEXT NOT NULL, external TEXT NOT NULL, staff INTEGER NOT NULL, last INTEGER NOT NULL, UNIQUE (institution, kind, key));
CREATE INDEX entry_id ON entry(institution, kind, id) WHERE id <> '';
CREATE INDEX entry_external ON entry(institution, kind, external) WHERE external <> '';
CREATE TABLE spelling (no INTEGER PRIMARY KEY, entry INTEGER NOT NULL, text TEXT NOT NULL, at INTEGER NOT NULL, UNIQUE (entry, text));
CREATE TABLE word (no INTEGER PRIMARY KEY, institution TEXT NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL, uses INTEGER NOT NULL, marks INTEGER NOT NULL, UNIQUE (institution, kind, text));
CREATE TABLE near (key INTEGER, word INTEGER, PRIMARY KEY (key, word)) WITHOUT ROWID; -- key: see nearKey
CREATE VIRTUAL TABLE names USING fts5(t, content='', contentless_delete=1, detail=none, tokenize="ascii"); -- rowid: spelling.no
CREATE TABLE email (institution TEXT, kind TEXT, address TEXT, entry INTEGER, domain TEXT, text TEXT, at INTEGER, PRIMARY KEY (institution, kind, address, entry)) WITHOUT ROWID;
CREATE INDEX email_domain ON email(institution, kind, domain);
CREATE INDEX email_entry ON email(entry);
CREATE TABLE seen (day INTEGER, entry INTEGER, PRIMARY KEY (day, entry)) WITHOUT ROWID;
CREATE INDEX seen_entry ON seen(entry);
CREATE TABLE whole (yes INTEGER); -- a row: all days were learned
`}

// What the directory remembers having written: so many facts, each of so many bytes.
const maxKnown, maxKnownBytes = 100_000, 512

// directory is every person, course and class that kept actions name.
type directory struct {
	write sync.Mutex
	conn  *sqlite.Conn
	known map[known]int64 // the newest time at which this fact was written

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

// known is a fact: an entry was named so, on that day.
type known struct {
	entryKey
	name, email, id, external string
	day                       actionlog.Day
	staff                     bool
}

func openDirectory(path string) (*directory, error) {
	c, err := open(path, directorySchema, true, 8000)
	if err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	d := &directory{conn: c, unmerged: unknownMerge, known: map[known]int64{}}
	if err := d.readers.open(path); err != nil {
		_ = d.close()
		return nil, fmt.Errorf("directory: %w", err)
	}
	return d, nil
}

func (d *directory) close() error {
	d.write.Lock()
	defer d.write.Unlock()
	return errors.Join(d.readers.close(), d.conn.Close())
}

// naming is a fact to be written, and when it was true.
type naming struct {
	known
	at int64 // Unix milliseconds
}

// learn writes whom and what the items name, in one synced transaction.
func (d *directory) learn(ctx context.Context, items []actionlog.Item, outcomes []actionlog.Outcome) (err error) {
	facts := map[known]naming{}
	for i := range items {
		if k := outcomes[i].Kind; k == actionlog.OutcomeNew || k == actionlog.OutcomeRepeat {
			namings(&items[i], func(n naming) {
				if old, ok := facts[n.known]; !ok || old.at < n.at {
					facts[n.known] = n
				}
			})
		}
	}
	d.write.Lock()
	defer d.write.Unlock()
	for k, n := range facts {
		if at, ok := d.known[k]; ok && at >= n.at {
			delete(facts, k)
		}
	}
	if len(facts) == 0 {
		return nil
	}
	end, err := sqlitex.ImmediateTransaction(d.conn)
	if err != nil {
		return err
	}
	for _, n := range facts {
		if err = d.put(n); err != nil {
			break
		}
	}
	end(&err)
	if err != nil {
		return err
	}
	if len(d.known)+len(facts) > maxKnown {
		clear(d.known)
	}
	for k, n := range facts {
		if len(k.key)+len(k.name)+len(k.email) <= maxKnownBytes {
			d.known[k] = n.at
		}
	}
	return nil
}

// namings yields whom and what an item names. Only an actor's kind tells that
// somebody is of the platform's staff.
func namings(item *actionlog.Item, yield func(naming)) {
	a, at := &item.Action, item.OccurredAt.UnixMilli()
	person := func(p actionlog.Person, staff bool) {
		if key := people.Key(p); key != "" {
			yield(naming{known{entryKey{item.Institution, actionlog.DirectoryPeople, key}, p.Name, p.Email, p.ID, p.ExternalID, item.Day(), staff}, at})
		}
	}
	person(a.Actor, a.Actor.Kind == actionlog.KindStaff)
	if a.OnBehalfOf != nil {
		person(*a.OnBehalfOf, false)
	}
	for _, p := range a.Targets {
		if p.IsPerson() {
			person(p, false)
		}
	}
	titled := func(kind actionlog.DirectoryKind, t actionlog.Titled) {
		if key := people.TitledKey(t); key != "" {
			yield(naming{known{entryKey{item.Institution, kind, key}, t.Title, "", t.ID, "", item.Day(), false}, at})
		}
	}
	titled(actionlog.DirectoryCourses, a.Course)
	titled(actionlog.DirectoryClasses, a.Class)
}

func (d *directory) put(n naming) error {
	no, err := d.entry(n)
	if err != nil {
		return err
	}
	if n.name != "" {
		if err := d.spelling(no, n); err != nil {
			return err
		}
	}
	if address := people.FoldEmail(n.email); address != "" {
		err := run(d.conn, `INSERT INTO email VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
			text = CASE WHEN excluded.at >= at THEN excluded.text ELSE text END, at = max(at, excluded.at)`,
			n.institution, string(n.kind), address, no, domainOf(address), n.email, n.at)
		if err != nil {
			return err
		}
	}
	return run(d.conn, "INSERT INTO seen VALUES (?, ?) ON CONFLICT DO NOTHING", n.day.Start().Unix()/86400, no)
}

func (d *directory) entry(n naming) (no int64, err error) {
	stmt, err := prepare(d.conn, `INSERT INTO entry(institution, kind, key, id, external, staff, last) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET external = CASE WHEN excluded.external <> '' AND (external = '' OR excluded.last >= last) THEN excluded.external ELSE external END,
		staff = max(staff, excluded.staff), last = max(last, excluded.last) RETURNING no`,
		n.institution, string(n.kind), n.key, n.id, n.external, n.staff, n.at)
	if err != nil {
		return 0, err
	}
	defer stmt.Reset()
	if _, err := stmt.Step(); err != nil {
		return 0, err
	}
	no = stmt.ColumnInt64(0)
	_, err = stmt.Step()
	return no, err
}

package sqlite

import (
	"cmp"
	"context"
	"math"
	"slices"

	"actionlog"
	"actionlog/internal/people"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// What the directory remembers of its file: so many entries, each with texts of
// so many bytes at most.
const maxKnown, maxKnownBytes = 50_000, 512

// entry is what must be known of an entry to learn of an action that names it.
// All but the texts changes with most actions, and stands in one row of the table
// recent. That somebody is called again what they were called last, which is
// nearly always so, changes named and nothing else: the row of the table spelling
// has a time that is too early then, but is still the newest of the entry's. It is
// put right before another spelling's time is written (settle). The same holds for
// e-mail addresses and mailed.
//
// Times are in Unix milliseconds; never where there is none.
type entry struct {
	no         int64
	staff      bool
	external   string // the newest external ID
	externalAt int64
	last       int64 // named by an action
	name       string
	named      int64
	address    string // people.FoldEmail of email
	email      string
	mailed     int64
	days       daySet // on which actions name it

	changed bool // since the row of recent was written
}

const never = math.MinInt64

// learn writes whom and what the items name, in one synced transaction.
func (d *directory) learn(_ context.Context, items []actionlog.Item, outcomes []actionlog.Outcome) (err error) {
	if err := d.begin(); err != nil {
		return err
	}
	defer d.write.Unlock()
	end, err := sqlitex.ImmediateTransaction(d.conn)
	if err != nil {
		return err
	}
	defer func() {
		end(&err)
		if err != nil {
			clear(d.known) // what it remembers may not have come to be
		}
	}()
	d.limitKnown()
	l := learning{directory: d, seen: map[entryKey]*entry{}}
	for i := range items {
		if k := outcomes[i].Kind; k == actionlog.OutcomeNew || k == actionlog.OutcomeRepeat {
			if err := namings(&items[i], l.put); err != nil {
				return err
			}
		}
	}
	return l.flush()
}

// limitKnown makes room for what the next items name.
func (d *directory) limitKnown() {
	if len(d.known) < maxKnown {
		return
	}
	for k := range d.known {
		if delete(d.known, k); len(d.known) <= maxKnown/2 {
			return
		}
	}
}

// learning is one transaction of learn.
type learning struct {
	*directory
	seen    map[entryKey]*entry // too long to be remembered beyond it
	changed []*entry
}

func (l *learning) put(n *naming) error {
	e, err := l.entry(n)
	if err != nil {
		return err
	}
	if n.at > e.last {
		l.change(e)
		e.last = n.at
	}
	if !e.days.has(n.day) {
		l.change(e)
		e.days = e.days.with(n.day)
	}
	if n.Staff && !e.staff {
		if err := run(l.conn, "UPDATE entry SET staff = 1 WHERE no = ?", e.no); err != nil {
			return err
		}
		e.staff = true
	}
	if err := l.external(e, n); err != nil {
		return err
	}
	if err := l.spelling(e, n); err != nil {
		return err
	}
	return l.address(e, n)
}

// change has an entry's row of the table recent written at the end.
func (l *learning) change(e *entry) {
	if !e.changed {
		e.changed = true
		l.changed = append(l.changed, e)
	}
}

func (l *learning) flush() error {
	slices.SortFunc(l.changed, func(a, b *entry) int { return cmp.Compare(a.no, b.no) })
	for _, e := range l.changed {
		if err := run(l.conn, "UPDATE recent SET last = ?, external = ?, named = ?, mailed = ?, days = ? WHERE entry = ?",
			e.last, e.externalAt, e.named, e.mailed, []byte(e.days), e.no); err != nil {
			return err
		}
		e.changed = false
	}
	return nil
}

// entry returns what is known of the entry that a naming means; it is made where
// there is none.
func (l *learning) entry(n *naming) (*entry, error) {
	if e := l.known[n.entryKey]; e != nil {
		return e, nil
	}
	if e := l.seen[n.entryKey]; e != nil {
		return e, nil
	}
	e, err := l.find(n.entryKey)
	if err == nil && e == nil {
		e, err = l.create(n)
	}
	if err != nil {
		return nil, err
	}
	if len(n.Key)+len(e.name)+len(e.email)+len(e.external) <= maxKnownBytes {
		l.known[n.entryKey] = e
	} else {
		l.seen[n.entryKey] = e
	}
	return e, nil
}

// find reads an entry; nil where there is none.
func (d *directory) find(k entryKey) (*entry, error) {
	stmt, err := prepare(d.conn, `SELECT e.no, e.staff, e.external, r.external, r.last, r.named, r.mailed, r.days
		FROM entry e JOIN recent r ON r.entry = e.no WHERE e.institution = +? AND e.kind = +? AND e.key = +?`, k.institution, string(k.kind), k.key)
	if err != nil {
		return nil, err
	}
	defer stmt.Reset()
	found, err := stmt.Step()
	if err != nil || !found {
		return nil, err
	}
	e := &entry{no: stmt.ColumnInt64(0), staff: stmt.ColumnBool(1), external: stmt.ColumnText(2), externalAt: stmt.ColumnInt64(3),
		last: stmt.ColumnInt64(4), named: stmt.ColumnInt64(5), mailed: stmt.ColumnInt64(6), days: columnBytes(stmt, 7)}
	err = first(d.conn, "SELECT text FROM spelling WHERE entry = +? ORDER BY at DESC, text LIMIT 1", e.no, &e.name)
	if err == nil {
		err = first(d.conn, "SELECT address, text FROM email WHERE entry = +? ORDER BY at DESC, address LIMIT 1", e.no, &e.address, &e.email)
	}
	return e, err
}

// first reads the texts of the first row of a query, if there is one.
func first(c *sqlite.Conn, sql string, entry int64, texts ...*string) error {
	stmt, err := prepare(c, sql, entry)
	if err != nil {
		return err
	}
	defer stmt.Reset()
	found, err := stmt.Step()
	if err != nil || !found {
		return err
	}
	for i, text := range texts {
		*text = stmt.ColumnText(i)
	}
	return nil
}

func columnBytes(stmt *sqlite.Stmt, column int) []byte {
	b := make([]byte, stmt.ColumnLen(column))
	stmt.ColumnBytes(column, b)
	return b
}

// create makes an entry that has no name, address or external ID yet.
func (l *learning) create(n *naming) (*entry, error) {
	if err := run(l.conn, "INSERT INTO entry(institution, kind, key, id, external, staff) VALUES (?, ?, ?, ?, '', 0)",
		n.institution, string(n.Kind), n.entryKey.key, n.ID); err != nil {
		return nil, err
	}
	e := &entry{no: l.conn.LastInsertRowID(), last: n.at, externalAt: never, named: never, mailed: never, days: daySet(nil).with(n.day)}
	l.change(e)
	return e, run(l.conn, "INSERT INTO recent VALUES (?, ?, ?, ?, ?, ?)", e.no, e.last, e.externalAt, e.named, e.mailed, []byte(e.days))
}

// external enters an external ID if it is the newest; the smaller one of two of
// the same time.
func (l *learning) external(e *entry, n *naming) error {
	if n.ExternalID == "" || !newer(n.at, n.ExternalID, e.externalAt, e.external) {
		return nil
	}
	l.change(e)
	e.externalAt = n.at
	if n.ExternalID == e.external {
		return nil
	}
	e.external = n.ExternalID
	return run(l.conn, "UPDATE entry SET external = ? WHERE no = ?", e.external, e.no)
}

// newer compares two texts by their times, then by themselves; the same text is
// newer when its time is later.
func newer(at int64, text string, thanAt int64, than string) bool {
	return at > thanAt || at == thanAt && text < than
}

// spelling enters a spelling of a name, or when it was used.
func (l *learning) spelling(e *entry, n *naming) error {
	if n.Name == "" {
		return nil
	}
	if n.Name == e.name {
		if n.at > e.named {
			l.change(e)
			e.named = n.at
		}
		return nil
	}
	if e.name != "" { // settle
		if err := run(l.conn, "UPDATE spelling SET at = ? WHERE entry = ? AND text = ?", e.named, e.no, e.name); err != nil {
			return err
		}
	}
	err := run(l.conn, "UPDATE spelling SET at = max(at, ?) WHERE entry = ? AND text = ?", n.at, e.no, n.Name)
	if err == nil && l.conn.Changes() == 0 {
		err = run(l.conn, "INSERT INTO spelling(entry, text, at) VALUES (?, ?, ?)", e.no, n.Name, n.at)
		if err == nil {
			err = l.enterName(n.entryKey, l.conn.LastInsertRowID(), n.Name)
		}
	}
	if err == nil && newer(n.at, n.Name, e.named, e.name) {
		l.change(e)
		e.name, e.named = n.Name, n.at
	}
	return err
}

// address enters an e-mail address, or how it is written and when it was used.
func (l *learning) address(e *entry, n *naming) error {
	if n.Email == "" {
		return nil
	}
	if n.Email == e.email {
		if n.at > e.mailed {
			l.change(e)
			e.mailed = n.at
		}
		return nil
	}
	address := people.FoldEmail(n.Email)
	if address == "" {
		return nil
	}
	if e.address != "" { // settle
		if err := run(l.conn, "UPDATE email SET at = ? WHERE institution = ? AND kind = ? AND address = ? AND entry = ?",
			e.mailed, n.institution, string(n.Kind), e.address, e.no); err != nil {
			return err
		}
	}
	err := run(l.conn, `INSERT INTO email VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
		text = CASE WHEN excluded.at >= at THEN excluded.text ELSE text END, at = max(at, excluded.at)`,
		n.institution, string(n.Kind), address, e.no, domainOf(address), n.Email, n.at)
	if err != nil {
		return err
	}
	if same := address == e.address; same && n.at >= e.mailed || !same && newer(n.at, address, e.mailed, e.address) {
		l.change(e)
		e.address, e.email, e.mailed = address, n.Email, n.at
	}
	return nil
}

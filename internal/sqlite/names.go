package sqlite

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"

	"actionlog"
	"actionlog/internal/people"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// Names are found by their words. Each distinct word of an institution's people
// (or courses, or classes) is a row of the table word, with its neighbours' keys
// in the table near; each spelling of a name is a row of the full-text table
// names, whose words are numbers of the table word. So a misspelt word costs one
// look at the words, of which there are few, and a name one row.

// mark says what a word is to a name. A word of the table names is a mark and a
// word's number; word.marks holds the marks that a word has had.
type mark int

const (
	markWord  mark = 1 // people.Words has it
	markIndex mark = 2 // only people.IndexWords has it
)

func nameWord(m mark, no int64) string { return "?wx"[m:m+1] + strconv.FormatInt(no, 36) }

// nearKey is 64 bits of SHA-256 of a key of the words of an institution's people,
// courses or classes.
func nearKey(institution string, kind actionlog.DirectoryKind, key string) int64 {
	sum := sha256.Sum256([]byte(institution + "\x00" + string(kind) + "\x00" + key))
	return int64(binary.BigEndian.Uint64(sum[:]))
}

// enterName makes a new spelling findable by its words.
func (d *directory) enterName(k entryKey, spelling int64, name string) error {
	own := people.Words(name)
	var text []byte
	for _, w := range people.IndexWords(name) {
		mark := markIndex
		if slices.Contains(own, w) {
			mark = markWord
		}
		number, err := d.useWord(k, w, mark)
		if err != nil {
			return err
		}
		text = append(append(text, nameWord(mark, number)...), ' ')
	}
	d.unmerged++
	return run(d.conn, "INSERT INTO names(rowid, t) VALUES (?, ?)", spelling, string(text))
}

// useWord returns a word's number, and enters the word where it is new.
func (d *directory) useWord(k entryKey, text string, m mark) (int64, error) {
	stmt, err := prepare(d.conn, "SELECT no FROM word WHERE institution = +? AND kind = +? AND text = +?", k.institution, string(k.kind), text)
	if err != nil {
		return 0, err
	}
	found, err := stmt.Step()
	no := stmt.ColumnInt64(0)
	if e := stmt.Reset(); err != nil || e != nil {
		return 0, cmp.Or(err, e)
	}
	if found {
		return no, run(d.conn, "UPDATE word SET uses = uses + 1, marks = marks | ? WHERE no = ?", int(m), no)
	}
	if err := run(d.conn, "INSERT INTO word(institution, kind, text, uses, marks) VALUES (?, ?, ?, 1, ?)", k.institution, string(k.kind), text, int(m)); err != nil {
		return 0, err
	}
	no = d.conn.LastInsertRowID()
	for _, key := range people.Neighbours(text) {
		if err := run(d.conn, "INSERT INTO near VALUES (?, ?) ON CONFLICT DO NOTHING", nearKey(k.institution, k.kind, key), no); err != nil {
			return 0, err
		}
	}
	return no, nil
}

// forgetNames takes back what enterName did, for the entries of the table gone.
// Their rows of the table spelling stay.
func (d *directory) forgetNames() error {
	return sqlitex.Execute(d.conn, "SELECT s.no, s.text, e.institution, e.kind FROM gone g JOIN spelling s ON s.entry = g.no JOIN entry e ON e.no = g.no", &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite.Stmt) error {
			k := entryKey{institution: stmt.ColumnText(2), kind: actionlog.DirectoryKind(stmt.ColumnText(3))}
			for _, w := range people.IndexWords(stmt.ColumnText(1)) {
				if err := d.leaveWord(k, w); err != nil {
					return err
				}
			}
			return run(d.conn, "DELETE FROM names WHERE rowid = ?", stmt.ColumnInt64(0))
		}})
}

// leaveWord undoes one useWord.
func (d *directory) leaveWord(k entryKey, text string) error {
	stmt, err := prepare(d.conn, "UPDATE word SET uses = uses - 1 WHERE institution = ? AND kind = ? AND text = ? RETURNING no, uses",
		k.institution, string(k.kind), text)
	if err != nil {
		return err
	}
	defer stmt.Reset()
	found, err := stmt.Step()
	if err != nil || !found {
		return err
	}
	no, uses := stmt.ColumnInt64(0), stmt.ColumnInt64(1)
	if _, err := stmt.Step(); err != nil || uses > 0 {
		return err
	}
	for _, key := range people.Neighbours(text) {
		if err := run(d.conn, "DELETE FROM near WHERE key = ? AND word = ?", nearKey(k.institution, k.kind, key), no); err != nil {
			return err
		}
	}
	return run(d.conn, "DELETE FROM word WHERE no = ?", no)
}

package sqlite

import (
	"encoding/binary"
	"errors"
	"testing"

	"actionlog"

	"github.com/klauspost/compress/zstd"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// rowsFile makes the file of a day as version 2 wrote it, as far as it is read: all documents are in one block.
func rowsFile(t *testing.T, dir string, list []actionlog.Item, damage string) {
	t.Helper()
	s := &Store{dir: dir}
	c, err := sqlite.OpenConn(s.dayPath(list[0].Day(), 0), sqlite.OpenReadWrite|sqlite.OpenCreate|sqlite.OpenWAL)
	if err != nil {
		t.Fatal(err)
	}
	err = sqlitex.ExecuteScript(c, `CREATE TABLE action (n INTEGER PRIMARY KEY, institution INTEGER, id TEXT, block INTEGER, slot INTEGER, received INTEGER, stream INTEGER, sequence INTEGER, warnings TEXT);
		CREATE TABLE block (no INTEGER PRIMARY KEY, data BLOB NOT NULL); CREATE TABLE term (no INTEGER PRIMARY KEY, value TEXT);
		INSERT INTO term VALUES (1, 'uni'), (2, 'ACTIONS'); PRAGMA user_version=2;`, nil)
	plain := binary.AppendUvarint(nil, uint64(len(list)))
	for i := range list {
		plain = binary.AppendUvarint(plain, uint64(len(list[i].Document)))
	}
	for i := range list {
		plain = append(plain, list[i].Document...)
		if err == nil {
			err = run(c, `INSERT INTO action VALUES (?, 1, ?, 1, ?, ?, 2, ?, '["x: odd"]')`, i, list[i].ID, i, list[i].OccurredAt.UnixNano()+5, i+1)
		}
	}
	encoder, e := zstd.NewWriter(nil)
	if err = errors.Join(err, e); err == nil {
		err = run(c, "INSERT INTO block VALUES (1, ?)", encoder.EncodeAll(plain, nil))
	}
	if err == nil && damage != "" {
		err = sqlitex.ExecuteScript(c, damage, nil)
	}
	if err = errors.Join(err, c.Close()); err != nil {
		t.Fatal(err)
	}
}

// A day of rows becomes one of segments when the store is opened, with all that was kept of each action.
func TestDayOfRows(t *testing.T) {
	dir := t.TempDir()
	list := items(t, 300, 0)
	rowsFile(t, dir, list, "")
	for range 2 { // the second time it is one already
		s := reopen(t, dir)
		n := 0
		for r, err := range s.Scan(t.Context(), actionlog.Query{Institution: "uni"}, actionlog.OldestFirst) {
			if err != nil {
				t.Fatal(err)
			}
			want := list[n]
			if string(r.Document) != string(want.Document) || r.ID != want.ID || !r.ReceivedAt.Equal(want.OccurredAt.Add(5)) ||
				r.Position != (actionlog.Position{Stream: "ACTIONS", Sequence: uint64(n + 1)}) || len(r.Warnings) != 1 {
				t.Fatalf("action %d: %+v", n, r)
			}
			n++
		}
		if n != len(list) {
			t.Errorf("%d actions of %d", n, len(list))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A damaged day of rows is set aside as any other; the store opens, and other days go on.
func TestDamagedDayOfRows(t *testing.T) {
	for name, damage := range map[string]string{
		"no zstd":            "UPDATE block SET data = x'00112233'",
		"a block is missing": "DELETE FROM block",
		"a slot too far":     "UPDATE action SET slot = 300 WHERE n = 7",
		"a slot before":      "UPDATE action SET slot = -1 WHERE n = 7",
		"odd warnings":       "UPDATE action SET warnings = '[' WHERE n = 7",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			rowsFile(t, dir, items(t, 20, 0), damage)
			rowsFile(t, dir, items(t, 20, 1), "")
			s := reopen(t, dir)
			q := actionlog.Query{Institution: "uni"}
			if n, _, err := s.Count(t.Context(), q, 0); !errors.Is(err, actionlog.ErrUnavailable) {
				t.Errorf("with a damaged day: %d, %v", n, err)
			}
			q.MissingDays = true
			if n, _, err := s.Count(t.Context(), q, 0); err != nil || n != 20 {
				t.Errorf("without it: %d, %v", n, err)
			}
		})
	}
}

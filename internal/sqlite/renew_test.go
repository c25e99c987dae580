package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"actionlog"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// writes returns a fill that writes items.
func writes(t *testing.T, list []actionlog.Item) func(w actionlog.Writer) error {
	return func(w actionlog.Writer) error {
		outcomes, err := w.Write(t.Context(), list)
		for _, o := range outcomes {
			if o.Kind != actionlog.OutcomeNew {
				t.Errorf("%v", o)
			}
		}
		return err
	}
}

func counts(t *testing.T, s *Store, want int64) {
	t.Helper()
	if n, _, err := s.Count(t.Context(), actionlog.Query{Institution: "uni"}, 0); err != nil || n != want {
		t.Errorf("%d actions, %v; want %d", n, err, want)
	}
}

// A damaged day is whole once it was rebuilt, whenever the damage is found: what was
// written since stays, and what was set aside is no longer missed.
func TestRebuildOfADamagedDay(t *testing.T) {
	for _, found := range []string{"before", "while it is rebuilt", "vanished"} {
		t.Run(found, func(t *testing.T) {
			dir := t.TempDir()
			s := reopen(t, dir)
			list := items(t, 500, 0)
			mustWrite(t, s, list[:400])
			damageDay(t, s, found)
			if found == "before" {
				counts := actionlog.Query{Institution: "uni"}
				if _, _, err := s.Count(t.Context(), counts, 0); !errors.Is(err, actionlog.ErrUnavailable) {
					t.Fatalf("a damaged day: %v", err)
				}
				mustWrite(t, s, list[490:])
			}
			if found != "before" { // what came since the archive was sealed may have been in it only
				if err := s.Rebuild(t.Context(), actionlog.DayOf(noon), writes(t, list[:300])); !errors.Is(err, actionlog.ErrUnavailable) {
					t.Fatalf("made anew of what could be read, and of what was archived before: %v", err)
				}
				if missing := s.Missing(); len(missing) != 1 {
					t.Fatalf("missing: %q", missing)
				}
			}
			if err := s.Rebuild(t.Context(), actionlog.DayOf(noon), writes(t, list[:490])); err != nil {
				t.Fatal(err)
			}
			mustWrite(t, s, list[490:][:10*boolTo(found != "before")])
			for range 2 {
				counts(t, s, 500)
				if missing := s.Missing(); len(missing) > 0 {
					t.Errorf("missing: %q", missing)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = reopen(t, dir)
			}
		})
	}
}

func boolTo(b bool) int {
	if b {
		return 1
	}
	return 0
}

func damageDay(t *testing.T, s *Store, found string) {
	t.Helper()
	d := s.day(actionlog.DayOf(noon), false)
	d.closeIdle(time.Now().Add(time.Hour))
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	if found == "vanished" {
		if err := os.Remove(d.path); err != nil {
			t.Fatal(err)
		}
	} else {
		data, err := os.ReadFile(d.path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(d.path, overwrite(data, 4096), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.mu.Lock()
	s.days.set(d.date, &day{date: d.date, path: d.path, idle: &s.idle, written: true})
	s.mu.Unlock()
}

// Whoever rebuilds a day may be killed at any step: what it built is no day before it has
// its name, and then it is the day.
func TestRebuildBrokenOff(t *testing.T) {
	dir := t.TempDir()
	s := reopen(t, dir)
	list := items(t, 20, 0)
	mustWrite(t, s, list[:10])
	if err := s.Rebuild(t.Context(), actionlog.DayOf(noon), writes(t, list)); err != nil {
		t.Fatal(err)
	}
	first, second := s.dayPath(actionlog.DayOf(noon), 0), s.dayPath(actionlog.DayOf(noon), 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(second)
	if err != nil {
		t.Fatal(err)
	}
	// Killed before the old file was removed, and while a third was built.
	for _, path := range []string{first, first + "-wal", s.dayPath(actionlog.DayOf(noon), 2) + buildingMark, s.dayPath(actionlog.DayOf(noon), 2) + buildingMark + "-wal"} {
		if err := os.WriteFile(path, data[:len(data)/2], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	counts(t, reopen(t, dir), 20)
	left, err := filepath.Glob(filepath.Join(dir, "actions-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range left {
		if strings.HasPrefix(name, first) || strings.Contains(name, buildingMark) {
			t.Errorf("%s is left", name)
		}
	}
}

// A new file that SQLite leaves in two is not given the day's name: the part beside it
// would stay behind.
func TestRebuildLeftInTwoFiles(t *testing.T) {
	dir := t.TempDir()
	s := reopen(t, dir)
	list := items(t, 20, 0)
	mustWrite(t, s, list[:10])
	var reader *sqlite.Conn
	err := s.Rebuild(t.Context(), actionlog.DayOf(noon), func(w actionlog.Writer) (err error) {
		if err := writes(t, list[:5])(w); err != nil {
			return err
		}
		// Who reads an older state keeps the rest out of the file.
		reader, err = sqlite.OpenConn(s.dayPath(actionlog.DayOf(noon), 0)+buildingMark, sqlite.OpenReadOnly|sqlite.OpenWAL)
		if err == nil {
			err = sqlitex.ExecuteTransient(reader, "BEGIN", nil)
		}
		if err == nil {
			err = sqlitex.ExecuteTransient(reader, "SELECT count(*) FROM segment", nil)
		}
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "one file") {
		t.Errorf("the day is rebuilt: %v", err)
	}
	if reader != nil {
		_ = reader.Close()
	}
	counts(t, s, 10)
	mustWrite(t, s, list[10:])
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	counts(t, reopen(t, dir), 20)
}

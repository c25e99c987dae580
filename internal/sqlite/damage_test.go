package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"actionlog"

	"zombiezen.com/go/sqlite/sqlitex"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// items makes n actions of institution uni on the day of noon plus days.
func items(t *testing.T, n, days int) []actionlog.Item {
	t.Helper()
	list := make([]actionlog.Item, n)
	for i := range list {
		doc := fmt.Sprintf(`{"id":"d%d-%d","occurred_at":%q,"institution":{"id":"uni"},"category":"course","action":{"code":"x"},"actor":{"kind":"user","id":"u%d","name":"Ann %d"},"summary":%q}`,
			days, i, noon.AddDate(0, 0, days).Add(time.Duration(i)*time.Second).Format(time.RFC3339), i%7, i%7, strings.Repeat(fmt.Sprint("word", i, " "), 30))
		item, err := actionlog.Parse([]byte(doc), nil)
		if err != nil {
			t.Fatal(err)
		}
		list[i] = item
	}
	return list
}

func mustWrite(t *testing.T, s *Store, list []actionlog.Item) {
	t.Helper()
	outcomes, err := s.Write(t.Context(), list)
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range outcomes {
		if o.Kind != actionlog.OutcomeNew {
			t.Fatalf("item %d: %v", i, o)
		}
	}
}

func reopen(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestDamagedDay(t *testing.T) {
	for name, damage := range map[string]func(data []byte) []byte{
		"no database at all":     func(data []byte) []byte { return []byte(strings.Repeat("not a database ", 1000)) },
		"overwritten in between": func(data []byte) []byte { return overwrite(data, 4096) },
		"cut short":              func(data []byte) []byte { return data[:len(data)/2/4096*4096] },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := Open(t.Context(), dir, Options{})
			if err != nil {
				t.Fatal(err)
			}
			mustWrite(t, s, append(items(t, 500, 0), items(t, 500, 1)...))
			path := s.dayPath(actionlog.DayOf(noon), 0)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(data), 0o600); err != nil {
				t.Fatal(err)
			}
			checkDamage(t, reopen(t, dir), dir)
		})
	}
}

// overwrite keeps the first page and destroys all others.
func overwrite(data []byte, keep int) []byte {
	for i := keep; i < len(data); i++ {
		data[i] = 0xa5
	}
	return data
}

// checkDamage: the day is set aside and named, everything else goes on.
func checkDamage(t *testing.T, s *Store, dir string) {
	t.Helper()
	day := actionlog.DayOf(noon)
	all := actionlog.Query{Institution: "uni"}
	if _, _, err := s.Count(t.Context(), all, 0); !errors.Is(err, actionlog.ErrUnavailable) || !strings.Contains(err.Error(), day.String()) {
		t.Fatalf("a query that covers the day: %v", err)
	}
	for _, err := range s.Scan(t.Context(), all, actionlog.OldestFirst) {
		if !errors.Is(err, actionlog.ErrUnavailable) {
			t.Fatalf("a scan that covers the day yields %v", err)
		}
	}
	for _, without := range []bool{false, true} {
		mentions, err := s.Mentions(t.Context(), "uni", actionlog.DirectoryPeople, []string{"id:u1"}, without)
		if without && (err != nil || mentions[0].Actions != 72) || !without && !errors.Is(err, actionlog.ErrUnavailable) {
			t.Errorf("mentions of somebody whom the day names, without it %v: %v, %v", without, mentions, err)
		}
	}
	next := actionlog.Query{Institution: "uni", From: day.End()}
	if n, _, err := s.Count(t.Context(), next, 0); err != nil || n != 500 {
		t.Errorf("the other day: %d, %v", n, err)
	}
	all.MissingDays = true
	page, err := s.Page(t.Context(), all, actionlog.NewestFirst, "", 1000)
	if err != nil || len(page.Records) != 500 || len(page.MissingDays) != 1 || page.MissingDays[0] != day {
		t.Errorf("with MissingDays: %d records, missing %v, %v", len(page.Records), page.MissingDays, err)
	}
	mustWrite(t, s, items(t, 3, 0)) // goes on in a fresh file
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := reopen(t, dir)
	if list := again.Missing(); len(list) != 1 || !strings.Contains(list[0], day.String()) {
		t.Errorf("after a restart: %q", list)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*"+damagedMark+"*")); err != nil || len(left) == 0 {
		t.Errorf("the damaged file is gone: %v", err)
	}
}

// A day that is set aside while others read and write is missed by who reads,
// never left out in silence; and what is written is written anew.
func TestSetAsideMeanwhile(t *testing.T) {
	s := reopen(t, t.TempDir())
	mustWrite(t, s, append(items(t, 50, 0), items(t, 50, 1)...))
	second := s.day(actionlog.DayOf(noon.AddDate(0, 0, 1)), false)
	n, last := 0, error(nil)
	for _, err := range s.Scan(t.Context(), actionlog.Query{Institution: "uni"}, actionlog.OldestFirst) {
		if last = err; err == nil {
			n++
		}
		if n == 10 {
			s.setAside(second, errors.New("a test"))
		}
	}
	if n != 50 || !errors.Is(last, actionlog.ErrUnavailable) {
		t.Errorf("a scan of 50 and a day set aside meanwhile yields %d, then %v", n, last)
	}
	second.write.Lock()
	err := s.writeLocked(t.Context(), second, items(t, 1, 1), []int{0}, make([]actionlog.Outcome, 1))
	second.write.Unlock()
	if !errors.Is(err, errGone) {
		t.Errorf("writing into the day that is gone: %v", err)
	}
	mustWrite(t, s, items(t, 3, 1))
	q := actionlog.Query{Institution: "uni", MissingDays: true}
	if n, _, err := s.Count(t.Context(), q, 0); err != nil || n != 53 {
		t.Errorf("%d, %v; want 50 and the 3 that were written anew", n, err)
	}
}

// A file that vanishes is no empty day.
func TestVanishedDay(t *testing.T) {
	s := reopen(t, t.TempDir())
	mustWrite(t, s, items(t, 5, 0))
	d := s.day(actionlog.DayOf(noon), false)
	d.closeIdle(time.Now().Add(time.Hour))
	if err := os.Remove(d.path); err != nil {
		t.Fatal(err)
	}
	if n, _, err := s.Count(t.Context(), actionlog.Query{Institution: "uni"}, 0); !errors.Is(err, actionlog.ErrUnavailable) {
		t.Errorf("a day whose file is gone counts %d, %v", n, err)
	}
}

// A block of documents that does not decompress is damage.
func TestDamagedBlock(t *testing.T) {
	s := reopen(t, t.TempDir())
	mustWrite(t, s, items(t, 5, 0))
	d := s.day(actionlog.DayOf(noon), false)
	if err := sqlitex.Execute(d.writer, "UPDATE piece SET data = x'00112233'", nil); err != nil {
		t.Fatal(err)
	}
	_, err := s.Page(t.Context(), actionlog.Query{Institution: "uni"}, actionlog.NewestFirst, "", 10)
	if !errors.Is(err, actionlog.ErrUnavailable) || len(s.Missing()) != 1 {
		t.Errorf("%v; missing %q", err, s.Missing())
	}
}

func TestFolderInUse(t *testing.T) {
	dir := t.TempDir()
	reopen(t, dir)
	if _, err := Open(t.Context(), dir, Options{}); err == nil || !strings.Contains(err.Error(), "another process uses this folder") {
		t.Errorf("a folder in use: %v", err)
	}
}

// What Write returned is there after the store was opened again.
func TestReopen(t *testing.T) {
	dir := t.TempDir()
	s := reopen(t, dir)
	mustWrite(t, s, items(t, 100, 0))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, dir)
	outcomes, err := s.Write(t.Context(), items(t, 101, 0))
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range outcomes {
		if want := actionlog.OutcomeRepeat; i < 100 && o.Kind != want || i == 100 && o.Kind != actionlog.OutcomeNew {
			t.Errorf("item %d: %v", i, o)
		}
	}
	entries, _, err := s.Lookup(t.Context(), "uni", actionlog.DirectoryPeople, actionlog.DirectoryMatch{Words: []string{"ann", "3"}}, 10)
	if err != nil || len(entries) != 1 || entries[0].ID != "u3" {
		t.Errorf("%v, %v", entries, err)
	}
}

// A directory that is damaged, deleted, or of another version is made anew from
// the days; until it is whole nobody is looked up.
func TestDirectoryMadeAnew(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"no database": func(path string) error {
			return os.WriteFile(path, []byte(strings.Repeat("not a database ", 1000)), 0o600)
		},
		"destroyed behind its first page": func(path string) error {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, overwrite(data, 4096), 0o600)
		},
		"deleted": os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := reopen(t, dir)
			mustWrite(t, s, append(items(t, 1200, 0), items(t, 30, 1)...))
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if err := damage(filepath.Join(dir, directoryFile)); err != nil {
				t.Fatal(err)
			}
			checkMadeAnew(t, reopen(t, dir))
		})
	}
}

func checkMadeAnew(t *testing.T, s *Store) {
	t.Helper()
	ann := actionlog.DirectoryMatch{Words: []string{"ann", "3"}}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		entries, _, err := s.Lookup(t.Context(), "uni", actionlog.DirectoryPeople, ann, 10)
		if err == nil && len(entries) == 1 && entries[0].ID == "u3" {
			break
		}
		if !errors.Is(err, actionlog.ErrUnavailable) || time.Now().After(deadline) {
			t.Fatalf("while it is made anew: %v, %v", entries, err)
		}
	}
	if missing := s.Missing(); len(missing) != 0 {
		t.Errorf("still missing: %q", missing)
	}
	mustWrite(t, s, items(t, 3, 2))
}

func TestStateReopened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.sqlite")
	s, err := OpenState(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if _, _, err := s.Get(ctx, "b", "k"); !errors.Is(err, actionlog.ErrNotFound) {
		t.Errorf("absent: %v", err)
	}
	revision, err := s.Put(ctx, "b", "k", []byte("one"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(ctx, "b", "k", []byte("two"), 0); !errors.Is(err, actionlog.ErrConflict) {
		t.Errorf("made twice: %v", err)
	}
	if _, err := s.Put(ctx, "b", "k", []byte("two"), revision+1); !errors.Is(err, actionlog.ErrConflict) {
		t.Errorf("another revision: %v", err)
	}
	if _, err := s.Put(ctx, "b", "k", []byte("two"), revision); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = OpenState(path); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if value, _, err := s.Get(ctx, "b", "k"); err != nil || string(value) != "two" {
		t.Errorf("%q, %v", value, err)
	}
	if keys, err := s.List(ctx, "b"); err != nil || len(keys) != 1 || keys[0] != "k" {
		t.Errorf("%v, %v", keys, err)
	}
	if err := errors.Join(s.Delete(ctx, "b", "k"), s.Delete(ctx, "b", "k")); err != nil {
		t.Error(err)
	}
	if again, err := s.Put(ctx, "b", "k", []byte("three"), 0); err != nil || again <= revision+1 {
		t.Errorf("made again with revision %d, %v; it had %d", again, err, revision+1)
	}
	if _, err := s.Put(ctx, "b", "l", make([]byte, maxValueBytes+1), 0); err == nil {
		t.Error("a value over the limit was taken")
	}
}

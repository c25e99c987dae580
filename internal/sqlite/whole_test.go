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

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// changed are actions in whose documents a text is another.
func changed(t *testing.T, list []actionlog.Item, old, text string) []actionlog.Item {
	t.Helper()
	all := make([]actionlog.Item, len(list))
	for i, item := range list {
		other, err := actionlog.Parse([]byte(strings.Replace(string(item.Document), old, text, 1)), nil)
		if err != nil {
			t.Fatal(err)
		}
		all[i] = other
	}
	return all
}

// damagePiece changes a byte of the first piece of a day's file.
func damagePiece(t *testing.T, path string) {
	t.Helper()
	c, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err == nil {
		err = errors.Join(sqlitex.ExecuteScript(c, "UPDATE piece SET data = substr(data, 1, length(data) - 1) || x'5a' WHERE no = (SELECT min(no) FROM piece)", nil), c.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// An institution is not taken out of a day that turns out to be damaged meanwhile: what could be read of the others would be all that is left of them.
func TestRemoveOfADamagedDay(t *testing.T) {
	s := reopen(t, t.TempDir())
	mustWrite(t, s, items(t, 300, 0))
	mustWrite(t, s, changed(t, items(t, 300, 0), `"uni"`, `"other"`))
	day := actionlog.DayOf(noon)
	damagePiece(t, s.dayPath(day, 0))
	s.pieces.Purge()
	s.chunks.Purge()
	if err := s.Remove(t.Context(), "other", day); !errors.Is(err, actionlog.ErrUnavailable) {
		t.Errorf("removed: %v", err)
	}
	if _, _, err := s.Count(t.Context(), actionlog.Query{Institution: "uni"}, 0); !errors.Is(err, actionlog.ErrUnavailable) || len(s.Missing()) != 1 {
		t.Errorf("the day is said to be whole: %v, missing %q", err, s.Missing())
	}
}

// A file of before that could be neither renamed nor removed is never taken for the day.
func TestFilesOfBefore(t *testing.T) {
	dir, day := t.TempDir(), actionlog.DayOf(noon)
	s := reopen(t, dir)
	list := items(t, 30, 0)
	mustWrite(t, s, list[:10])
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(s.dayPath(day, 0))
	if err != nil {
		t.Fatal(err)
	}
	leave := func() {
		if err := os.WriteFile(s.dayPath(day, 0), before, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s = reopen(t, dir)
	if err := s.Rebuild(t.Context(), day, writes(t, list[:20])); err != nil {
		t.Fatal(err)
	}
	leave() // as where it could not be removed
	s.setAside(s.day(day, false), errors.New("a test"))
	mustWrite(t, s, list[20:])
	leave()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, dir)
	if n, _, err := s.Count(t.Context(), actionlog.Query{Institution: "uni", MissingDays: true}, 0); err != nil || n != 10 {
		t.Errorf("%d actions, %v; what was written last are 10", n, err)
	}
	leave()
	if err := s.Drop(t.Context(), day); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "actions-*.sqlite")); err != nil || len(left) > 0 {
		t.Errorf("left of a day that was dropped: %q, %v", left, err)
	}
}

// A day whose files could not be removed is listed, so that it is dropped again.
func TestDropFails(t *testing.T) {
	s := reopen(t, t.TempDir())
	mustWrite(t, s, items(t, 10, 0))
	s.day(actionlog.DayOf(noon), false).leave(nil) // as far as a Drop comes that cannot remove the file
	days, err := s.Days(t.Context())
	if err != nil || len(days) != 1 || days[0].Damage == "" {
		t.Errorf("%+v, %v", days, err)
	}
	if err := s.Drop(t.Context(), actionlog.DayOf(noon)); err != nil {
		t.Fatal(err)
	}
	if days, err := s.Days(t.Context()); err != nil || len(days) != 0 {
		t.Errorf("dropped: %+v, %v", days, err)
	}
}

// What is wrong with the directory while it is made anew is no day's fault: the days stay, and it is made anew once more.
func TestDirectoryFailsWhileItIsMadeAnew(t *testing.T) {
	s := reopen(t, t.TempDir())
	for day := range 3 {
		mustWrite(t, s, items(t, 20, -day))
	}
	if err := s.people.replace(func() (*directory, error) { return nil, errors.New("a full disk") }); err == nil {
		t.Fatal("a directory that cannot be opened is taken")
	}
	if unread, failed := s.learnDay(t.Context(), s.day(actionlog.DayOf(noon), false)); unread != nil || !errors.Is(failed, errNoDirectory) {
		t.Errorf("the day: %v; the directory: %v", unread, failed)
	}
	counts(t, s, 60)
	if outcomes, err := s.Write(t.Context(), items(t, 21, 0)[20:]); err == nil { // the next call opens it
		t.Errorf("written without a directory: %v", outcomes)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		found, _, err := s.Lookup(t.Context(), "uni", actionlog.DirectoryPeople, actionlog.DirectoryMatch{Words: []string{"ann"}}, 10)
		if err == nil && len(found) == 7 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d people are found, %v", len(found), err)
		}
	}
	counts(t, s, 61)
}

// A merge for which there is no room leaves none of its pieces.
func TestMergeWithoutRoom(t *testing.T) {
	s := reopen(t, t.TempDir())
	all := 0
	for batch := range 7 {
		list := changed(t, items(t, 4000, 0), `"id":"d0-`, fmt.Sprintf(`"id":"e%d-`, batch))
		mustWrite(t, s, list)
		all += len(list)
	}
	d := s.day(actionlog.DayOf(noon), false)
	d.write.Lock()
	if err := s.openWriter(d); err != nil {
		t.Fatal(err)
	}
	pages, err := number(d.writer, "PRAGMA page_count")
	if err == nil {
		_, err = number(d.writer, fmt.Sprint("PRAGMA max_page_count=", pages+pages/2))
	}
	d.write.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.compactor.compact(t.Context(), d, true); err == nil || sqlite.ErrCode(err).ToPrimary() != sqlite.ResultFull {
		t.Fatalf("merged without room: %v", err)
	}
	if n := strayPieces(t, d); n != 0 {
		t.Errorf("%d pieces are left of a merge that did not end", n)
	}
	counts(t, s, int64(all))
}

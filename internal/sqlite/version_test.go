package sqlite

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"actionlog"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

const ofNewer = "unknown version: 99, of a newer version of this program, which knows "

// setVersion makes a file one of another version.
func setVersion(t *testing.T, path string) {
	t.Helper()
	c, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	err = sqlitex.ExecuteTransient(c, "PRAGMA user_version=99", nil)
	if err = errors.Join(err, c.Close()); err != nil {
		t.Fatal(err)
	}
}

// A day that a newer version of the program wrote is neither read, nor written to, nor taken
// for a damaged one: it stays as it is, and other days go on.
func TestDayOfANewerVersion(t *testing.T) {
	dir := t.TempDir()
	s := reopen(t, dir)
	mustWrite(t, s, append(items(t, 20, 0), items(t, 20, 1)...))
	path := s.dayPath(actionlog.DayOf(noon), 0)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	setVersion(t, path)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	s = reopen(t, dir)
	_, err = s.Page(t.Context(), actionlog.Query{Institution: "uni"}, actionlog.NewestFirst, "", 100)
	if !errors.Is(err, actionlog.ErrUnavailable) || !strings.Contains(err.Error(), ofNewer+"3") {
		t.Errorf("reading: %v", err)
	}
	more := append(items(t, 25, 0)[20:], items(t, 25, 1)[20:]...)
	outcomes, err := s.Write(t.Context(), more)
	for i, o := range outcomes {
		switch {
		case i < 5 && o.Kind != actionlog.OutcomeRetry:
			t.Errorf("%d of the newer day: %v", i, o)
		case i >= 5 && o.Kind != actionlog.OutcomeNew:
			t.Errorf("%d of another day: %v", i, o)
		}
	}
	if len(outcomes) != len(more) {
		t.Errorf("writing: %d outcomes, %v", len(outcomes), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, before) {
		t.Errorf("the day was changed (%v)", err)
	}
}

func TestStateOfANewerVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.sqlite")
	s, err := OpenState(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	setVersion(t, path)
	if _, err := OpenState(path); err == nil || !strings.Contains(err.Error(), "state.sqlite: "+ofNewer) {
		t.Errorf("%v", err)
	}
}

package main

import (
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/archive"
	"actionlog/internal/doctor"
)

// archivedDay makes the archive of a folder, with an action of a day that came at an instant.
func archivedDay(t *testing.T, dir string, at time.Time, day actionlog.Day) {
	t.Helper()
	storage, err := archive.NewFolder(filepath.Join(dir, "archive"))
	if err != nil {
		t.Fatal(err)
	}
	w, err := archive.OpenWriter(t.Context(), archive.Options{Storage: storage, Dir: filepath.Join(dir, "archive"), KeyFile: filepath.Join(dir, "archive.key")})
	if err != nil {
		t.Fatal(err)
	}
	line := archive.Line{Position: actionlog.Position{Stream: "s1", Sequence: 1}, ReceivedAt: at, Institution: "a", Day: day, Document: []byte("{}")}
	if err := errors.Join(w.Append(t.Context(), []archive.Line{line}), w.Seal(t.Context()), w.Close(), os.MkdirAll(filepath.Join(dir, "store"), 0o700)); err != nil {
		t.Fatal(err)
	}
}

// missesDays tells whether days are said to be missing from the store.
func missesDays(found []doctor.Finding) bool {
	for _, f := range found {
		if f.Check == "days" && f.State == doctor.Wrong {
			return true
		}
	}
	return false
}

// TestDoctorOfDays: a day that is archived is missing from a store that has not got it, but
// not what lies too far ahead, and not where nobody knows what the store has.
func TestDoctorOfDays(t *testing.T) {
	today, ahead := t.TempDir(), t.TempDir()
	archivedDay(t, today, time.Now(), actionlog.DayOf(time.Now()))
	archivedDay(t, ahead, time.Now(), actionlog.DayOf(time.Now().Add(3*24*time.Hour)))
	if found, _ := examine(t, today); !missesDays(found) {
		t.Errorf("%+v", found)
	}
	if found, _ := examine(t, ahead); missesDays(found) {
		t.Errorf("%+v", found)
	}
	engine := func(indices string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			switch r.URL.Path {
			case "/":
				w.Write([]byte(`{"version":{"number":"3.5.0","distribution":"opensearch"}}`))
			case "/_cat/indices/actions-*":
				w.Write([]byte(indices))
			}
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	if found, _ := examine(t, today, "--engine", engine("[]")); !missesDays(found) {
		t.Errorf("an engine that has no days: %+v", found)
	}
	found, _ := examine(t, today, "--engine", engine("it is busy"))
	if finds(t, found, "engine days", doctor.Skipped, "does not say"); missesDays(found) {
		t.Errorf("an engine that does not say: %+v", found)
	}
}

// TestCopySteady: files that are written to meanwhile are copied again, and not for ever.
func TestCopySteady(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(from, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a", "1")
	write("b", "1")
	changes := 0
	read := func(path string) ([]byte, error) {
		text, err := os.ReadFile(path)
		if changes--; changes >= 0 { // after this one was read
			write("a", string(text)+"2")
			if err := os.Remove(filepath.Join(from, "b")); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
		}
		return text, err
	}
	if err := copySteady(read, from, to, "a", "b"); err != nil {
		t.Fatal(err)
	}
	changes = 1
	if err := copySteady(read, from, to, "a", "b"); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(to, "a")); err != nil || string(text) != "12" {
		t.Errorf("%q %v", text, err)
	}
	if _, err := os.Stat(filepath.Join(to, "b")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file of the try before is there: %v", err)
	}
	changes = 1000
	if err := copySteady(read, from, to, "a", "b"); !errors.Is(err, errUnsteady) {
		t.Errorf("files that are written to all the time: %v", err)
	}
	if err := copySteady(os.ReadFile, from, to, "c", "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the first is not there: %v", err)
	}
}

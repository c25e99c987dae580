package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/sqlite"
)

// testdata/formats has folders as earlier commits left them (NUMBER-COMMIT), one for each
// that changed what is written: 60 actions (actions.ndjson) of 62 days and a dead letter,
// published to `serve` of that commit, and stopped. The tokens and keys in them are nobody's.
//
//	1  days and state of version 1, which no release wrote
//	2  days and state of version 2, directory 3
//	3  the archive; directory 5
//	4  restores
//	5  exports, sessions, roles of tokens
//	6  days of version 3, which are segments
func unpacked(t *testing.T, name string) (dir string) {
	t.Helper()
	text := zstdText(t, filepath.Join("testdata", "formats", name+".tar.zst"))
	dir = t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for r := tar.NewReader(bytes.NewReader(text)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeDir {
			err = root.MkdirAll(filepath.Clean(h.Name), 0o700)
		} else {
			var text []byte
			if text, err = io.ReadAll(r); err == nil {
				err = root.WriteFile(filepath.Clean(h.Name), text, 0o600)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Today's service on the folders of earlier ones: every action is read as it was published,
// dead letters and tokens are there, the archive verifies, and it goes on.
func TestFoldersOfEarlierVersions(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("testdata", "formats", "actions.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	published := map[string]actionlog.Day{}
	for line := range strings.Lines(string(text)) {
		item, err := actionlog.Parse([]byte(strings.TrimSpace(line)), nil)
		if err != nil {
			t.Fatal(err)
		}
		published[string(item.Document)] = item.Day()
	}
	for _, name := range []string{"2-4d851a3", "3-d09ef8b", "4-05f780d", "5-0659765", "6-6656098"} {
		t.Run(name, func(t *testing.T) {
			dir := unpacked(t, name)
			_, err := os.Stat(filepath.Join(dir, "archive"))
			archived := err == nil
			sameStored(t, dir, published, actionlog.Day{})
			s, stop := startServiceOn(t, dir, []string{"--archive-seal-age", "200ms"})
			defer stop()
			if n := s.deadLetters(t); n != 1 {
				t.Errorf("%d dead letters", n)
			}
			s.publish(t, [][]byte{[]byte(acme("new", time.Minute, ""))})
			if ids, _ := s.list(t, "acme", url.Values{}); ids["new"] != 1 {
				t.Errorf("what was published today is not there: %v", ids)
			}
			s.archived(t)
			if documents := s.archivedDocuments(t, "acme"); archived && len(documents) < len(published)+1 || len(documents["new"]) != 1 {
				t.Errorf("%d actions in the archive", len(documents))
			}
			stop()
			sameStored(t, dir, published, actionlog.OldestKept(time.Now())) // older ones may be gone by now
		})
	}
}

// sameStored holds that the days from a day on have these actions, byte for byte, and
// besides only what the test does.
func sameStored(t *testing.T, dir string, published map[string]actionlog.Day, from actionlog.Day) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(dir, "store"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	found := map[string]bool{}
	for r, err := range store.Scan(t.Context(), actionlog.Query{Institution: "acme"}, actionlog.NewestFirst) {
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := published[string(r.Document)]; ok {
			found[string(r.Document)] = true
		} else if r.ID != "new" && !strings.HasPrefix(r.ID, "log-") {
			t.Errorf("this was not published: %s", r.Document)
		}
	}
	for document, day := range published {
		if !found[document] && !day.Before(from) {
			t.Errorf("%s is not stored any more", document)
		}
	}
}

// A folder of a version that is not known any more, or not yet, is refused by name, and its
// actions are left as they are.
func TestFolderOfAnUnknownVersion(t *testing.T) {
	dir := unpacked(t, "1-5d297fd")
	before := days(t, dir)
	var errs strings.Builder
	code := run(t.Context(), []string{"serve", "--data", dir, "--listen", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0"}, strings.NewReader(""), io.Discard, &errs)
	if code == 0 || !strings.Contains(errs.String(), "state.sqlite: unknown version: 1; this program knows") {
		t.Errorf("%d: %s", code, errs.String())
	}
	after := days(t, dir)
	if len(before) < 30 || len(after) != len(before) {
		t.Errorf("%d days before, %d after", len(before), len(after))
	}
	for name, text := range before {
		if !bytes.Equal(after[name], text) {
			t.Errorf("%s was changed", name)
		}
	}
}

// days are the files of days in a folder.
func days(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	texts := map[string][]byte{}
	err := filepath.WalkDir(filepath.Join(dir, "store"), func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(filepath.Base(path), "actions-") && strings.HasSuffix(path, ".sqlite") {
			texts[path], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// A folder, or a state, of a newer version of the program is refused by name and left as it is;
// what has no mark yet gets one.
func TestFolderOfANewerVersion(t *testing.T) {
	serve := func(dir string) string {
		var errs strings.Builder
		if code := run(t.Context(), []string{"serve", "--data", dir, "--listen", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0"}, strings.NewReader(""), io.Discard, &errs); code != statusFailed {
			t.Errorf("%d", code)
		}
		return errs.String()
	}
	dir := t.TempDir()
	_, stop := startServiceOn(t, dir, nil)
	stop()
	mark := filepath.Join(dir, formatFile)
	if text, err := os.ReadFile(mark); err != nil || string(text) != "actionlog folder 1\n" {
		t.Errorf("%q %v", text, err)
	}
	for text, want := range map[string]string{
		"actionlog folder 2\n": "is of format 2, of a newer version of this program, which knows 1; nothing in it was changed",
		"something else\n":     `is not the mark of a folder of this program: "something else"`,
	} {
		if err := os.WriteFile(mark, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if said := serve(dir); !strings.Contains(said, want) {
			t.Errorf("%s: %s", text, said)
		}
	}
	if err := os.WriteFile(mark, []byte("actionlog folder 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	state, err := sqlite.OpenState(filepath.Join(dir, "state.sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	value, revision, err := state.Get(t.Context(), "format", "state")
	if err != nil || string(value) != "1" {
		t.Errorf("%q %v", value, err)
	}
	if _, err := state.Put(t.Context(), "format", "state", []byte("2"), revision); err != nil {
		t.Fatal(err)
	}
	if err := state.Close(); err != nil {
		t.Fatal(err)
	}
	if said := serve(dir); !strings.Contains(said, "state: is of format 2, of a newer version of this program, which knows 1") {
		t.Error(said)
	}
}

func TestFeedStateOfANewerVersion(t *testing.T) {
	file := filepath.Join(t.TempDir(), "siem.state")
	if err := os.WriteFile(file, []byte(`{"format":2,"after":"x","bytes":0}`), 0o600); err != nil {
		t.Fatal(err)
	}
	var errs strings.Builder
	code := run(t.Context(), []string{"feed", "--url", "http://127.0.0.1:1", "--token", "x", "--institution", "uni", "--state", file}, strings.NewReader(""), io.Discard, &errs)
	if code != statusFailed || !strings.Contains(errs.String(), "siem.state is of format 2, of a newer version of this program, which knows 1") {
		t.Errorf("%d: %s", code, errs.String())
	}
}

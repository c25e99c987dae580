package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/sqlite"
)

// A store is copied whole, byte for byte, to another and back; a copy that was
// interrupted goes on, and one that would change something is refused.
func TestCopy(t *testing.T) {
	t.Parallel()
	dir, middle, back := t.TempDir(), t.TempDir(), t.TempDir()
	var items []actionlog.Item
	for i, s := range benchItems(3000, 20*24*time.Hour) {
		item, err := actionlog.Parse(s.Document, nil)
		if err != nil {
			t.Fatal(err)
		}
		item.ReceivedAt, item.Position = time.Unix(1_700_000_000, int64(i)).UTC(), actionlog.Position{Stream: "s1", Sequence: uint64(i + 1)}
		items = append(items, item)
	}
	writeStore(t, dir, items)
	var args []string
	target := middle
	if url, prefix := engineOf(t); url != "" {
		target, args = url, []string{"--engine-prefix", prefix}
	}
	progress := filepath.Join(t.TempDir(), "progress")
	copyTo := func(from, to string) (int, string) {
		var said strings.Builder
		status := run(t.Context(), append([]string{"copy", "--from", from, "--to", to, "--progress", progress}, args...), strings.NewReader(""), io.Discard, &said)
		return status, said.String()
	}
	if status, said := copyTo(dir, target); status != statusDone || !strings.Contains(said, "3000 actions") {
		t.Fatalf("copy: %d\n%s", status, said)
	}
	first, err := os.Stat(progress)
	if err != nil {
		t.Fatal(err)
	}
	if status, said := copyTo(dir, target); status != statusDone || !strings.Contains(said, "3000 actions") {
		t.Fatalf("again: %d\n%s", status, said)
	}
	if again, err := os.Stat(progress); err != nil || again.Size() != first.Size() {
		t.Errorf("a second copy did not find that all is copied: %v", err)
	}
	if status, said := copyTo(target, back); status != statusDone {
		t.Fatalf("back: %d\n%s", status, said)
	}
	if a, b := sumOfStore(t, dir), sumOfStore(t, back); a.n != 3000 || a.n != b.n || a.String() != b.String() {
		t.Errorf("%d actions %s became %d actions %s", a.n, a, b.n, b)
	}
	// Another document under an identity that is there: nothing is overwritten.
	other := t.TempDir()
	changed := items[7]
	changed.Document = []byte(strings.Replace(string(changed.Document), `"category"`, `"extra":1,"category"`, 1))
	changed.Digest[0]++
	writeStore(t, other, []actionlog.Item{changed})
	if status, said := copyTo(other, target); status != statusFailed || !strings.Contains(said, changed.ID) {
		t.Errorf("a collision: %d\n%s", status, said)
	}
	if status, said := copyTo(filepath.Join(dir, "nowhere"), target); status != statusFailed || !strings.Contains(said, "--from") {
		t.Errorf("from nowhere: %d\n%s", status, said)
	}
}

func writeStore(t *testing.T, dir string, items []actionlog.Item) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(dir, "store"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	outcomes, err := s.Write(t.Context(), items)
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range outcomes {
		if o.Kind != actionlog.OutcomeNew {
			t.Fatalf("item %d: %v", i, o)
		}
	}
}

func sumOfStore(t *testing.T, dir string) (sum daySum) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(dir, "store"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for r, err := range s.Scan(t.Context(), actionlog.Query{Institution: "invented"}, actionlog.OldestFirst) {
		if err != nil {
			t.Fatal(err)
		}
		sum.add(&r)
	}
	return sum
}

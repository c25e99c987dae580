package sqlite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"actionlog"
)

// A search that is cancelled at any moment, also while it opens a day, ends with
// the context's error, and the next one is whole.
func TestCancelled(t *testing.T) {
	dir := t.TempDir()
	s := reopen(t, dir)
	for d := range 3 {
		mustWrite(t, s, items(t, 50, d))
	}
	q := actionlog.Query{Institution: "uni", From: noon.AddDate(0, 0, -1), To: noon.AddDate(0, 0, 4)}
	cancelled := 0
	for i := range 300 {
		for _, d := range s.allDays() {
			d.mu.Lock() // a day without open connections
			for _, r := range d.readers {
				_ = r.conn.Close()
			}
			d.readers = nil
			d.mu.Unlock()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*10*time.Microsecond)
		page, err := s.Page(ctx, q, actionlog.NewestFirst, "", 1000)
		cancel()
		switch {
		case err == nil && len(page.Records) != 150:
			t.Fatalf("a page of %d that looks whole", len(page.Records))
		case err != nil && !errors.Is(err, context.DeadlineExceeded):
			t.Fatalf("cancelled: %v", err)
		case err != nil:
			cancelled++
		}
	}
	page, err := s.Page(t.Context(), q, actionlog.NewestFirst, "", 1000)
	if err != nil || len(page.Records) != 150 || cancelled == 0 {
		t.Errorf("afterwards %d records, %v; %d were cancelled", len(page.Records), err, cancelled)
	}
}

// Conn.Prep panics where Conn.Prepare returns an error.
func TestNobodyPanicsOnAnError(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "Prep"+"(") {
			t.Errorf("%s calls Prep; prepare returns its error", f)
		}
	}
}

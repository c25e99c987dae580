package archive

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"actionlog"
)

// Of days that are past the books have a number, however many there are; the others are
// there each, in segments as in the open one.
func TestBooksOfPastDays(t *testing.T) {
	dir := t.TempDir()
	w, err := openIn(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	today := actionlog.DayOf(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
	for part := range 2 { // one is sealed, and one is not
		var lines []Line
		for i := range 500 {
			n, day := part*500+i, today.Add(-i)
			doc := fmt.Sprintf(`{"id":"a%d","occurred_at":"%sT08:00:00Z","institution":{"id":"alpha"},"category":"course","action":{"code":"course.opened"},"actor":{"kind":"user"}}`, n, day)
			lines = append(lines, LineOf("s1", &Message{Sequence: uint64(n + 1), ReceivedAt: time.Now(), Subject: "actions.alpha.course", Data: []byte(doc)}, actionlog.NewScrubber()))
		}
		if err := w.Append(t.Context(), lines); err != nil {
			t.Fatal(err)
		}
		if part == 0 {
			if err := w.Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	l := &Ledger{Storage: FolderAt(filepath.Join(dir, "archive")), Settled: func(context.Context) (actionlog.Position, error) { return actionlog.Position{}, nil }}
	oldest := today.Add(-9).String()
	b, err := l.read(t.Context(), actionlog.Day{}, func(day string) bool { return day < oldest })
	if err != nil {
		t.Fatal(err)
	}
	if len(b.days) != 10 || b.past != 2*490 || b.of(oldest, "alpha").count != 2 || b.ends["s1"] != 1000 {
		t.Errorf("%d days, %d actions of past ones, %d of the oldest, up to %d; want 10, 980, 2, 1000", len(b.days), b.past, b.of(oldest, "alpha").count, b.ends["s1"])
	}
}

package bus

import (
	"bytes"
	"testing"
)

// However many letters a page may have, it has no more than a few megabytes of them, and each
// is on one page.
func TestLargeDeadLetters(t *testing.T) {
	b := start(t, t.TempDir(), Options{})
	d := b.DeadLetters()
	const letters, size = 12, 1_500_000
	for i := range uint64(letters) {
		l := dead(i+1, "invalid")
		l.Document = bytes.Repeat([]byte("x"), size)
		if err := d.Add(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	listed, pages := uint64(0), 0
	for after := uint64(0); ; pages++ {
		page, next, err := d.List(t.Context(), after, 500)
		if err != nil {
			t.Fatal(err)
		}
		read := 0
		for _, l := range page {
			if listed++; l.Position.Sequence != listed {
				t.Errorf("letter %d is of %s", listed, l.Position)
			}
			read += len(l.Document)
		}
		if len(page) == 0 || len(page) > 1 && read > listedBytes {
			t.Errorf("a page of %d letters, %d bytes", len(page), read)
		}
		if after = next; next == 0 {
			break
		}
	}
	if listed != letters || pages < 2 {
		t.Errorf("%d letters on %d pages", listed, pages+1)
	}
	for sequence, want := range map[uint64]bool{1: true, letters: true, letters + 1: false} {
		if there, err := d.Has(t.Context(), dead(sequence, "invalid").Position); err != nil || there != want {
			t.Errorf("%d: %t, %v", sequence, there, err)
		}
	}
}

package main

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"github.com/rivo/uniseg"
)

// A table fits the terminal: the widest columns give way, wide letters count as
// two; the last column stays whole, or is left out.
func TestTableFitsTheTerminal(t *testing.T) {
	const id = "01a20e16-9928-7010-9cde-dc7da18fef5a"
	for _, width := range []int{0, 85, 120} {
		var b bytes.Buffer
		o := &output{Writer: bufio.NewWriter(&b), width: width}
		table := newTable(o, "TIME", "ACTOR", "COURSE", "ID")
		table.row("2026-11-24 15:04:51", "王小明", "Introduction to Creative Writing for everybody who likes it", id)
		table.row("2026-11-24 15:04:52", "Melody \x1b[31mWang", "", "b")
		if err := table.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := o.commit(); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(b.String()), "\n")
		if len(lines) != 3 || !strings.HasSuffix(lines[1], id) || strings.Contains(b.String(), "\x1b") {
			t.Errorf("%d columns:\n%s", width, b.String())
		}
		at := uniseg.StringWidth(lines[0][:strings.Index(lines[0], "ID")])
		for i, last := range []string{id, "b"} {
			if before := uniseg.StringWidth(strings.TrimSuffix(lines[i+1], last)); before != at {
				t.Errorf("%d columns: line %d is not aligned (%d, %d)\n%s", width, i+1, before, at, b.String())
			}
		}
		if w := uniseg.StringWidth(lines[1]); width > 0 && w > width {
			t.Errorf("%d columns, but %d wide:\n%s", width, w, b.String())
		}
	}
}

func TestNarrowTerminal(t *testing.T) {
	var b bytes.Buffer
	o := &output{Writer: bufio.NewWriter(&b), width: 44}
	table := newTable(o, "TIME", "ACTOR", "COURSE", "ID")
	table.row("2026-11-24 15:04:51", "Melody Wang of the Administration", "Introduction to Creative Writing", "01a20e16-9928-7010-9cde-dc7da18fef5a")
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := o.commit(); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), "TIME                 ACTOR\n2026-11-24 15:04:51  Melody Wang of the Adm…\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A table holds no more than maxRows rows, and columns that its first page left
// out do not come back in a later one.
func TestLongTable(t *testing.T) {
	var b bytes.Buffer
	o := &output{Writer: bufio.NewWriter(&b), width: 60}
	table := newTable(o, "TIME", "ACTOR", "COURSE", "ID")
	table.row("2026-11-24 15:04:51", "Melody Wang", "Introduction to Creative Writing", "01a20e16-9928-7010-9cde-dc7da18fef5a")
	for range 2 * maxRows {
		table.row("t", "a", "c", "short")
		if len(table.rows) >= maxRows {
			t.Fatalf("%d rows are held", len(table.rows))
		}
	}
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := o.commit(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "\n"); n != 2*maxRows+2 || strings.Contains(b.String(), "short") || !strings.HasSuffix(b.String(), "t  a\n") {
		t.Errorf("%d lines, the first of %q, the last %q", n, b.String()[:200], b.String()[b.Len()-20:])
	}
}

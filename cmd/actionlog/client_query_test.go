package main

import (
	"strings"
	"testing"
)

// A mistake is underlined where a terminal shows it; of a long text what is around it.
func TestUnderlined(t *testing.T) {
	long := strings.Repeat("x", 200)
	for _, c := range []struct {
		text           string
		column, length int
		want           string
	}{
		{"usr:melody", 1, 3, "usr:melody\n^^^"},
		{"王 usr:x", 3, 3, "王 usr:x\n   ^^^"},
		{"a\tb\nusr:x", 5, 3, "a b usr:x\n    ^^^"},
		{"user:", 9, 0, "user:\n     ^"},
		{"", 1, 1, "\n^"},
		{long + " - " + long, 202, 1, "…" + long[:59] + " - " + long[:59] + "…\n" + strings.Repeat(" ", 61) + "^"},
	} {
		if got := underlined(c.text, c.column, c.length); got != c.want {
			t.Errorf("%q at %d:\n%s\nwant\n%s", c.text, c.column, got, c.want)
		}
	}
}

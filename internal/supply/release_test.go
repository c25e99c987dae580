package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The image of a release is the one that the Dockerfile makes of the sources: the same base,
// and the same from its environment on.
func TestImagesAreAlike(t *testing.T) {
	var bases, ends []string
	for _, name := range []string{"Dockerfile", "Dockerfile.release"} {
		text, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		from := strings.LastIndex(string(text), "\nFROM ")
		env := strings.Index(string(text), "\nENV ACTIONLOG_DATA=")
		if from < 0 || env < from {
			t.Fatalf("%s: no FROM before ENV", name)
		}
		base, _, _ := strings.Cut(string(text[from+1:]), "\n")
		bases, ends = append(bases, base), append(ends, string(text[env:]))
	}
	if bases[0] != bases[1] {
		t.Errorf("%s, and %s", bases[0], bases[1])
	}
	if ends[0] != ends[1] {
		t.Errorf("%s\nand\n%s", ends[0], ends[1])
	}
}

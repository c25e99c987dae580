package people

import (
	"strings"
	"testing"
	"unicode/utf8"

	"actionlog"
)

func someShelf() *shelf {
	s := newShelf()
	for i, name := range []string{"Melody Wang", "Mélodie Wang", "王小明", "Anne-Marie O'Brien", "Мария Иванова", "J. Smith", "Robert Smith", "José María García-López", "x", "🙂"} {
		s.add(actionlog.DirectoryEntry{Key: string(rune('a' + i)), Names: []string{name}})
	}
	return s
}

// checkFound fails where an answer is out of order, out of bounds, or twice there.
func checkFound(t *testing.T, text string, found []Match, limit int) {
	t.Helper()
	if len(found) > limit {
		t.Fatalf("%q: %d found, %d wanted", text, len(found), limit)
	}
	seen := map[string]bool{}
	for i, m := range found {
		if seen[m.Entry.Key] {
			t.Fatalf("%q: %s twice", text, m.Entry.Key)
		}
		seen[m.Entry.Key] = true
		if m.Score < 0 || m.Score > 1 || !m.Exact && m.Score < Partial {
			t.Fatalf("%q: score %v", text, m.Score)
		}
		if i > 0 && m.Exact && !found[i-1].Exact {
			t.Fatalf("%q: an exact one behind one that is not", text)
		}
	}
}

// Whatever is looked up: no panic, no error, whole and in order.
func FuzzSearch(f *testing.F) {
	for _, text := range []string{"", "a", "melody wang", "meldoy wnag", "xiao ming", "o brien", "\x00", "ǅ", "garcia lopez maria jose", strings.Repeat("wang ", 50)} {
		f.Add(text, 3)
	}
	s := someShelf()
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = max(1, min(limit, 100))
		found, _, err := Search(t.Context(), s, text, limit)
		if err != nil {
			t.Fatal(err)
		}
		checkFound(t, text, found, limit)
		if s := Score(text, text); len(Words(text)) > 0 && len(Words(text)) <= maxWords && s < 0.999 {
			t.Errorf("%q is as near as %v to itself", text, s)
		}
	})
}

// One letter, nothing after folding, and ten kilobytes are texts like any others,
// and cost no more than a bounded amount of work.
func TestOddTexts(t *testing.T) {
	for _, text := range []string{"", " ", "-", "🙂", "x", "é", "\x00\xff", strings.Repeat("a", 10<<10), strings.Repeat("wang melody ", 900), strings.Repeat("é", 5<<10), strings.Repeat("王", 4000)} {
		s := someShelf()
		found, _, err := Search(t.Context(), s, text, 5)
		if err != nil {
			t.Fatalf("%.20q: %v", text, err)
		}
		checkFound(t, text, found, 5)
		if s.lookups > 60 {
			t.Errorf("%.20q: %d look-ups", text, s.lookups)
		}
		Score(text, text)
		if !utf8.ValidString(clipText(strings.ToValidUTF8(text, ""))) {
			t.Errorf("%.20q is cut inside a letter", text)
		}
	}
	if found, _, err := Search(t.Context(), someShelf(), "x", 5); err != nil || len(found) != 1 || !found[0].Exact {
		t.Errorf("x: %v %v", found, err)
	}
}

// What support staff type, and whom they mean.
func TestWhoIsMeant(t *testing.T) {
	for text, want := range map[string]string{
		"wang melody":            "Melody Wang exact",
		"meldoy wnag":            "Melody Wang near",
		"obrien anne marie":      "Anne-Marie O'Brien exact",
		"ann marie o brien":      "Anne-Marie O'Brien near",
		"bob smith":              "Robert Smith near",
		"smiht":                  "J. Smith near",
		"xiaoming wang":          "王小明 near",
		"maria ivanova":          "Мария Иванова near",
		"jose garcia":            "José María García-López exact",
		"garcia lopez jose":      "José María García-López exact",
		"zebedee quux":           "",
		"completely other words": "",
	} {
		found, _, err := Search(t.Context(), someShelf(), text, 10)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if len(found) > 0 && found[0].Exact {
			got = found[0].Entry.Names[0] + " exact"
		} else if len(found) > 0 && found[0].Near {
			got = found[0].Entry.Names[0] + " near"
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

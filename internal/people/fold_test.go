package people

import (
	"strings"
	"testing"
	"unicode/utf8"

	"actionlog"

	"github.com/google/go-cmp/cmp"
)

func TestWords(t *testing.T) {
	tests := []struct{ in, want string }{
		{"Łukasz ÅNGSTRÖM-Øye", "lukasz angstrom oye"},
		{"O’Brien, Séamus", "o brien seamus"},
		{"Straße ﬁne ＡＢＣ", "strasse fine abc"},
		{"POST /v2.2/x?y=1", "post v2 2 x y 1"},
		{"Иванов Пётр", "иванов петр"},
		{"王小明 e\u0301", "王小明 e"},
		{"a_b\x00c", "a b c"},
		{"!!! ---", ""},
	}
	for _, test := range tests {
		if d := cmp.Diff(strings.Fields(test.want), Words(test.in)); len(Words(test.in)) > 0 && d != "" || test.want == "" && len(Words(test.in)) > 0 {
			t.Errorf("Words(%q): %s", test.in, d)
		}
	}
	long := strings.Repeat("é", 500)
	if w := Words(long); len(w) != 1 || len(w[0]) > MaxWordBytes || !utf8.ValidString(w[0]) {
		t.Errorf("long word: %q", w)
	}
}

func TestKey(t *testing.T) {
	for want, p := range map[string]actionlog.Person{
		"id:7":            {ID: "7", Email: "a@b", ExternalID: "x", Name: "N"},
		"email:a@b":       {Email: " A@B ", ExternalID: "x", Name: "N"},
		"external:X":      {ExternalID: "X", Name: "N"},
		"name:ann oneill": {Name: "Ann  ONeill"},
		"name:!!":         {Name: "!!"},
		"":                {Kind: "user"},
	} {
		if got := Key(p); got != want {
			t.Errorf("Key(%v) = %q, want %q", p, got, want)
		}
	}
}

func FuzzWords(f *testing.F) {
	f.Add("Łukasz o'Brien ﬁ İstanbul")
	f.Fuzz(func(t *testing.T, s string) {
		words := Words(s)
		for _, w := range words {
			if w == "" || len(w) > MaxWordBytes || strings.ContainsAny(w, " _\"*") {
				t.Fatalf("word %q of %q", w, s)
			}
		}
		if again := Words(strings.Join(words, " ")); utf8.ValidString(s) && !cmp.Equal(words, again) && len(words) > 0 {
			t.Fatalf("words of words: %q, %q", words, again)
		}
	})
}

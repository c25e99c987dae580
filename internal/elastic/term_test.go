package elastic

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// A value has the keyword of a text if and only if it is that text, and one that
// begins like that of a beginning if and only if it begins so, however long.
func TestTerms(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	alphabet := []string{"a", "b", "é", "王", "😀", mark, "/", "="}
	lengths := []int{0, 1, 2, 200, 439, 440, 879, 880, 881, 896, 897, 898, 899, 900, 901, 902, 903, 1799, 1800, 1801, 5000}
	make1 := func() string {
		var b strings.Builder
		n, letters := lengths[rng.IntN(len(lengths))], alphabet[:1+rng.IntN(len(alphabet))]
		first := rng.IntN(12)
		for b.Len() < n {
			if first == 0 {
				b.WriteString(mark)
			}
			first--
			b.WriteString(letters[rng.IntN(len(letters))])
		}
		return b.String()
	}
	for range 3000 {
		value := make1()
		terms := prefixable(value)
		other := make1()
		if rng.IntN(2) == 0 { // a beginning, or nearly one
			cut := rng.IntN(len(value) + 1)
			other = strings.ToValidUTF8(value[:cut], "")
		}
		if rng.IntN(8) == 0 {
			other = value
		}
		if other == "" {
			continue
		}
		if got := len(terms) > 0 && slices.Contains(terms, exact(other)); got != (value == other) {
			t.Fatalf("%q (%d bytes) has the keyword of %q (%d bytes): %v", brief(value), len(value), brief(other), len(other), got)
		}
		begins := slices.ContainsFunc(terms, func(s string) bool { return strings.HasPrefix(s, beginning(other)) })
		if begins != strings.HasPrefix(value, other) {
			t.Fatalf("%q (%d bytes) begins with %q (%d bytes): %v", brief(value), len(value), brief(other), len(other), begins)
		}
		for _, term := range terms {
			if len(term) > 32766 || strings.ToValidUTF8(term, "") != term {
				t.Fatalf("a keyword of %d bytes", len(term))
			}
		}
	}
}

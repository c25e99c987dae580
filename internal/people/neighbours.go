package people

import "strings"

const (
	// keyRunes is how much of a word its keys look at.
	keyRunes = 7
	// twoFrom is the length in runes from which two letters may be missing.
	twoFrom = 5
)

// Neighbours returns the keys of a word: the word's beginning, and what is left of it
// when one letter is taken out, or, from five letters on, two. Two words that
// differ by one edit (a letter more, less, another, or two swapped), or by two
// where both are long, share a key; words that share one are candidates, no
// more. A word's keys are stored once per distinct word, not per person.
//
// The method is the symmetric deletion of W. Garbe's SymSpell
// (https://github.com/wolfgarbe/SymSpell), with its prefix, on both sides.
func Neighbours(word string) []string {
	r := []rune(word)
	if len(r) < 2 {
		return nil
	}
	if len(r) > keyRunes {
		r = r[:keyRunes]
	}
	seen := map[string]bool{string(r): true}
	keys := []string{string(r)}
	add := func(k string) {
		if !seen[k] {
			seen[k] = true
			keys = append(keys, k)
		}
	}
	if len(r) < 3 {
		return keys
	}
	for i := range r {
		add(without(r, i, -1))
	}
	if len(r) >= twoFrom {
		for i := range r {
			for j := i + 1; j < len(r); j++ {
				add(without(r, i, j))
			}
		}
	}
	return keys
}

func without(r []rune, i, j int) string {
	var b strings.Builder
	for k, c := range r {
		if k != i && k != j {
			b.WriteRune(c)
		}
	}
	return b.String()
}

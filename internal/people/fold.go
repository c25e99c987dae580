// Package people matches names and titles. Pure functions only; it reads and
// writes nothing and knows no engine: a directory is what its caller hands it.
//
// Text is folded (case, diacritics, compatibility forms) and cut into words. A
// name is found in four steps, see Search:
//
//  1. Those of whom every word is the same, in any order, are exact.
//  2. For each word of the text the directory's words that share a key with it
//     (Neighbours) are asked for and compared: edit distance, beginnings,
//     initials, nicknames, transliterations. There are few distinct words, however
//     many people.
//  3. Names that have one of the nearest words for each word of the text are
//     near, if Score and every word say so; joined and cut words are tried too.
//  4. Names that lack one word are offered last: a name in common, the rarer the
//     better.
//
// E-mail addresses and IDs are never matched here: they are exact, or not.
package people

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// letters that Unicode does not decompose although people type them without.
var letters = strings.NewReplacer("ø", "o", "ł", "l", "đ", "d", "ð", "d", "þ", "th", "æ", "ae", "œ", "oe", "ı", "i", "ħ", "h")

// Fold returns text as it is compared: case folded, compatibility forms
// unified (NFKD), diacritics removed. "Łukasz ÅNGSTRÖM" is "lukasz angstrom".
func Fold(text string) string {
	if isASCII(text) {
		return strings.ToLower(text)
	}
	s := cases.Fold().String(norm.NFKD.String(text))
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range norm.NFKD.String(s) {
		if !unicode.Is(unicode.Mn, r) {
			b.WriteRune(r)
		}
	}
	return letters.Replace(b.String())
}

// Words cuts text into folded words: maximal runs of letters, digits and
// marks. An apostrophe cuts like any other sign. The same function cuts what is
// indexed and what is searched. Words longer than MaxWordBytes are cut there.
func Words(text string) []string { return AppendWords(nil, text) }

// MaxWordBytes is where a longer word is cut off, in bytes of UTF-8.
const MaxWordBytes = 128

// AppendWords appends the words of text to dst; see Words.
func AppendWords(dst []string, text string) []string {
	folded := Fold(text)
	start := -1
	for i, r := range folded {
		if isWordRune(r) {
			if start < 0 {
				start = i
			}
			continue
		}
		if start >= 0 {
			dst = append(dst, clip(folded[start:i]))
			start = -1
		}
	}
	if start >= 0 {
		dst = append(dst, clip(folded[start:]))
	}
	return dst
}

func isWordRune(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || 'A' <= r && r <= 'Z'
	}
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}

func clip(word string) string {
	if len(word) <= MaxWordBytes {
		return word
	}
	end := MaxWordBytes
	for !utf8.RuneStart(word[end]) {
		end--
	}
	return word[:end]
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

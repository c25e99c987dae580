package elastic

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// A value that is longer than the engines take well is kept as a mark and a hash.
// Where the beginning of a value is asked for, the value is cut into pieces, each
// kept behind a hash of all that stands before it. No value of an action begins
// with the mark and is taken for one of these: such a value is hashed too.
const (
	mark      = "\x01"
	maxTerm   = 880 // bytes of a keyword
	maxWord   = 200 // bytes of a word: the whitespace tokenizer cuts at 255 characters
	pieceSize = 900
)

func hash(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return base64.RawURLEncoding.EncodeToString(sum[:18])
}

func clip(value string, limit int) string {
	if len(value) <= limit && !strings.HasPrefix(value, mark) {
		return value
	}
	return mark + "=" + hash(value)
}

// exact is the keyword of a value; "" of none.
func exact(value string) string { return clip(value, maxTerm) }

// wordTerm is the word of a text field.
func wordTerm(word string) string { return clip(word, maxWord) }

// pieces calls each for the pieces of a long value, which end between characters.
func pieces(value string, each func(term string)) {
	for start := 0; start < len(value); {
		end := min(start+pieceSize, len(value))
		for end < len(value) && end > start+1 && !utf8.RuneStart(value[end]) {
			end--
		}
		if start == 0 && !strings.HasPrefix(value, mark) {
			each(value[:end])
		} else {
			each(mark + hash(value[:start]) + value[start:end])
		}
		start = end
	}
}

// prefixable are the keywords of a value whose beginning may be asked for.
func prefixable(value string) []string {
	if value == "" {
		return nil
	}
	terms := []string{exact(value)}
	if terms[0] != value {
		pieces(value, func(term string) { terms = append(terms, term) })
	}
	return terms
}

// beginning is what one of the keywords of prefixable begins with, if its value
// begins with text.
func beginning(text string) (last string) {
	pieces(text, func(term string) { last = term })
	return last
}

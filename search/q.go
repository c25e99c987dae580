package search

import (
	"net/netip"
	"strings"
	"unicode"
)

// q is what people type into the one search box, and what a command line and a link carry:
// words, and qualifiers as user:"melody wang" or -outcome:failure. This file cuts a text
// into pieces, q_terms.go says what they mean, q_render.go writes filters as a text,
// q_names.go has the names. docs/query.md is the grammar for people. A text becomes
// parameters of the API and nothing else: what a filter means stays in filter.go.

// piece is what stands between white space, but for that in quotes. Places are characters
// (code points) of the text, from 0.
type piece struct {
	start, end int
	not        bool   // it begins with a minus
	name       string // as it is typed before its colon; "" of a plain word
	nameStart  int
	from, to   int  // the value, or the word, without its quotes
	quoted     bool // it stands in quotes
	open       bool // which are not closed
	tail       int  // where something follows the closing quotes without a space; 0: nothing does
}

// cutPieces cuts any text; what is wrong with a piece is for who reads it.
func cutPieces(text []rune) (all []piece) {
	for at := 0; at < len(text); {
		if unicode.IsSpace(text[at]) {
			at++
			continue
		}
		p := cutPiece(text, at)
		all, at = append(all, p), p.end
	}
	return all
}

func cutPiece(text []rune, at int) piece {
	p := piece{start: at, nameStart: at, from: at}
	if text[at] == '-' {
		p.not = true
		p.from++
	}
	if name := nameAt(text[p.from:untilSpace(text, p.from)]); name != "" {
		p.name, p.nameStart = name, p.from
		p.from += len([]rune(name)) + 1
	}
	if p.from < len(text) && text[p.from] == '"' {
		p.quoted = true
		p.from++
		p.to, p.open = closing(text, p.from)
		if p.end = p.to; !p.open {
			p.end++
		}
		if end := untilSpace(text, p.end); end > p.end {
			p.tail, p.end = p.end, end
		}
		return p
	}
	p.to = untilSpace(text, p.from)
	p.end = p.to
	return p
}

func untilSpace(text []rune, at int) int {
	for at < len(text) && !unicode.IsSpace(text[at]) {
		at++
	}
	return at
}

// closing finds the quote that closes one.
func closing(text []rune, at int) (end int, open bool) {
	for ; at < len(text); at++ {
		switch {
		case text[at] == '"':
			return at, false
		case escapes(text, at):
			at++
		}
	}
	return len(text), true
}

// escapes tells whether \" or \\ stands there. Any other backslash is itself.
func escapes(text []rune, at int) bool {
	return text[at] == '\\' && at+1 < len(text) && (text[at+1] == '"' || text[at+1] == '\\')
}

// value is what a piece says, and at which place each of its characters stands.
func (p piece) value(text []rune) (value []rune, at []int) {
	for i := p.from; i < p.to; i++ {
		if p.quoted && escapes(text, i) && i+1 < p.to {
			i++
		}
		value, at = append(value, text[i]), append(at, i)
	}
	return value, at
}

// nameAt is the name before the first colon of a word; "" where the word is a plain one: it
// has no colon, or what stands before it are not only letters and underscores (12:30,
// fe80::1, api.post:/v2), or the word is an address (https://…, dead:beef::1). A known name
// may have a dash for an underscore, as options of the command line have.
func nameAt(word []rune) string {
	text := string(word)
	name, rest, colon := strings.Cut(text, ":")
	if !colon || name == "" {
		return ""
	}
	if _, known := qualifierNamed(name); known {
		return name
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) }) || strings.HasPrefix(rest, "//") {
		return ""
	}
	if _, err := netip.ParsePrefix(text); err == nil {
		return ""
	}
	if _, err := netip.ParseAddr(text); err == nil {
		return ""
	}
	return name
}

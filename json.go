package actionlog

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
)

// node is a value of a JSON document. Unlike encoding/json's values it knows
// where it stands, keeps the order of members, and keeps duplicate keys: a
// document is handed back byte for byte, so it is never encoded again.
type node struct {
	kind       byte   // '{', '[', '"', '0' (a number), 't', 'f' or 'n'
	start, end int    // doc[start:end]
	text       string // the decoded string; a number as written
	members    []member
	items      []node
}

// member of an object; its key is a string literal at doc[start:end].
type member struct {
	key        string
	start, end int
	value      node
}

// decodeJSON reads a document. Errors are *InvalidError without a field.
func decodeJSON(doc []byte) (node, error) {
	if !utf8.Valid(doc) {
		return node{}, Invalidf("", "is not valid UTF-8")
	}
	if !json.Valid(doc) {
		return node{}, Invalidf("", "is not valid JSON: %s", syntaxError(doc))
	}
	d := decoder{doc: doc}
	d.space()
	return d.value(), nil
}

func syntaxError(doc []byte) string {
	var v json.RawMessage
	err := json.Unmarshal(doc, &v)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return strings.TrimPrefix(syntax.Error(), "json: ")
	}
	return "malformed"
}

// decoder walks a document that json.Valid accepted; it checks nothing again.
type decoder struct {
	doc []byte
	at  int
}

func (d *decoder) space() {
	for d.at < len(d.doc) && bytes.IndexByte([]byte(" \t\r\n,:"), d.doc[d.at]) >= 0 {
		d.at++
	}
}

func (d *decoder) value() node {
	n := node{kind: d.doc[d.at], start: d.at}
	switch n.kind {
	case '{':
		n.members = d.object()
	case '[':
		n.items = d.array()
	case '"':
		n.text = d.str()
	case 't', 'n':
		d.at += 4
	case 'f':
		d.at += 5
	default:
		n.kind = '0'
		n.text = d.number()
	}
	n.end = d.at
	return n
}

func (d *decoder) object() (members []member) {
	for d.at++; ; {
		d.space()
		if d.doc[d.at] == '}' {
			d.at++
			return members
		}
		m := member{start: d.at}
		m.key = d.str()
		m.end = d.at
		d.space()
		m.value = d.value()
		members = append(members, m)
	}
}

func (d *decoder) array() (items []node) {
	for d.at++; ; {
		d.space()
		if d.doc[d.at] == ']' {
			d.at++
			return items
		}
		items = append(items, d.value())
	}
}

func (d *decoder) str() string {
	start, escaped := d.at, false
	for d.at++; d.doc[d.at] != '"'; d.at++ {
		if d.doc[d.at] == '\\' {
			escaped = true
			d.at++
		}
	}
	d.at++
	if !escaped {
		return string(d.doc[start+1 : d.at-1])
	}
	var s string
	if err := json.Unmarshal(d.doc[start:d.at], &s); err != nil {
		return string(d.doc[start+1 : d.at-1]) // cannot be: the document is valid
	}
	return s
}

func (d *decoder) number() string {
	start := d.at
	for d.at < len(d.doc) && bytes.IndexByte([]byte("+-.0123456789eE"), d.doc[d.at]) >= 0 {
		d.at++
	}
	return string(d.doc[start:d.at])
}

// get returns the member named key: the last one, as most readers of JSON do.
// A member that is null is absent.
func (n *node) get(key string) (value *node, ok bool) {
	for i := len(n.members) - 1; i >= 0; i-- {
		if n.members[i].key == key {
			v := &n.members[i].value
			return v, v.kind != 'n'
		}
	}
	return nil, false
}

// edit replaces doc[start:end].
type edit struct {
	start, end int
	text       []byte
}

// apply returns a copy of doc with edits made; they must not overlap.
func apply(doc []byte, edits []edit) []byte {
	slices.SortFunc(edits, func(a, b edit) int { return a.start - b.start })
	out := make([]byte, 0, len(doc)+64)
	at := 0
	for _, e := range edits {
		out = append(append(out, doc[at:e.start]...), e.text...)
		at = e.end
	}
	return append(out, doc[at:]...)
}

// quote encodes a JSON string literal, leaving <, > and & as they are.
func quote(s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return []byte(`""`) // cannot be: every string encodes
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// digest hashes a value of doc so that documents that are equal as JSON values
// have the same digest: white space, escapes and the order of members do not
// count. Numbers count as written, and so do strings with half a surrogate pair,
// which no decoder can tell apart.
func (n *node) digest(doc []byte) [32]byte {
	return sha256.Sum256(n.canonical(doc, make([]byte, 0, 1024)))
}

func (n *node) canonical(doc, b []byte) []byte {
	b = append(b, n.kind)
	switch n.kind {
	case '"', '0':
		b = appendText(b, n.text, doc[n.start:n.end])
	case '[':
		for i := range n.items {
			b = n.items[i].canonical(doc, b)
		}
		b = append(b, ']')
	case '{':
		for _, i := range n.sortedMembers() {
			m := &n.members[i]
			b = appendText(append(b, 'k'), m.key, doc[m.start:m.end])
			b = m.value.canonical(doc, b)
		}
		b = append(b, '}')
	}
	return b
}

// appendText appends a string and its end; 0xff never stands in UTF-8.
func appendText(b []byte, text string, literal []byte) []byte {
	if strings.ContainsRune(text, utf8.RuneError) {
		return append(append(b, literal...), 0xff)
	}
	return append(append(b, text...), 0xff)
}

func (n *node) sortedMembers() []int {
	order := make([]int, len(n.members))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		return strings.Compare(n.members[i].key, n.members[j].key)
	})
	return order
}

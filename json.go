package actionlog

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
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
	if tooDeep(doc) {
		return node{}, Invalidf("", "is nested more than %d deep", MaxDepth)
	}
	d := decode(doc, 0)
	defer d.release()
	d.space()
	return d.value(), nil
}

// decodeObject is decodeJSON of what must be an object.
func decodeObject(doc []byte) (node, error) {
	root, err := decodeJSON(doc)
	if err == nil && root.kind != '{' {
		err = Invalidf("", "is not a JSON object")
	}
	return root, err
}

// IsJSON tells whether a text is JSON that readers of JSON take: valid, and not nested too deep.
func IsJSON(text []byte) bool { return utf8.Valid(text) && json.Valid(text) && !tooDeep(text) }

// MaxDepth is how deep the objects and arrays of a document may be nested: many readers of JSON take no more, and a
// document is handed on within others.
const MaxDepth = 1000

// tooDeep tells whether valid JSON is nested more than MaxDepth deep.
func tooDeep(doc []byte) bool {
	if bytes.Count(doc, []byte("{"))+bytes.Count(doc, []byte("[")) <= MaxDepth {
		return false
	}
	depth := 0
	for i := 0; i < len(doc); i++ {
		switch doc[i] {
		case '"':
			for i++; doc[i] != '"'; i++ {
				if doc[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			if depth++; depth > MaxDepth {
				return true
			}
		case '}', ']':
			depth--
		}
	}
	return false
}

// decode begins at a place of a document; the caller releases the decoder.
func decode(doc []byte, at int) *decoder {
	d := decoders.Get().(*decoder)
	d.doc, d.at = doc, at
	return d
}

func (d *decoder) release() {
	d.doc = nil
	clear(d.members[:cap(d.members)])
	clear(d.items[:cap(d.items)])
	d.members, d.items = d.members[:0], d.items[:0]
	if cap(d.members)+cap(d.items) > maxOpen {
		d.members, d.items = nil, nil
	}
	decoders.Put(d)
}

// decoders are used again: what they collect in is as large as most documents need.
var decoders = sync.Pool{New: func() any { return new(decoder) }}

// maxOpen bounds what a decoder that is used again holds, in members and items.
const maxOpen = 256

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
	doc     []byte
	at      int
	members []member // of objects, and items of arrays, that are still open
	items   []node
}

func (d *decoder) space() {
	for d.at < len(d.doc) {
		switch d.doc[d.at] {
		case ' ', '\t', '\r', '\n', ',', ':':
			d.at++
		default:
			return
		}
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
		n.text = d.str(false)
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
	first := len(d.members)
	for d.at++; ; {
		d.space()
		if d.doc[d.at] == '}' {
			d.at++
			members = slices.Clone(d.members[first:])
			d.members = d.members[:first]
			return members
		}
		m := member{start: d.at}
		m.key = d.str(true)
		m.end = d.at
		d.space()
		m.value = d.value()
		d.members = append(d.members, m)
	}
}

func (d *decoder) array() (items []node) {
	first := len(d.items)
	for d.at++; ; {
		d.space()
		if d.doc[d.at] == ']' {
			d.at++
			items = slices.Clone(d.items[first:])
			d.items = d.items[:first]
			return items
		}
		n := d.value()
		d.items = append(d.items, n)
	}
}

// str reads a string; one that is a key is most often one of the format's.
func (d *decoder) str(key bool) string {
	start, escaped := d.at, false
	for d.at++; d.doc[d.at] != '"'; d.at++ {
		if d.doc[d.at] == '\\' {
			escaped = true
			d.at++
		}
	}
	d.at++
	if !escaped {
		text := d.doc[start+1 : d.at-1]
		if key {
			if name, ok := formatNames[string(text)]; ok {
				return name
			}
		}
		return string(text)
	}
	var s string
	if err := json.Unmarshal(d.doc[start:d.at], &s); err != nil {
		return string(d.doc[start+1 : d.at-1]) // cannot be: the document is valid
	}
	return s
}

func (d *decoder) number() string {
	start := d.at
	for d.at < len(d.doc) {
		switch c := d.doc[d.at]; {
		case '0' <= c && c <= '9', c == '+', c == '-', c == '.', c|0x20 == 'e':
			d.at++
			continue
		}
		break
	}
	return string(d.doc[start:d.at])
}

// formatNames are the keys of the format, which are not made anew for each document.
var formatNames = func() map[string]string {
	names := map[string]string{}
	for name := range strings.FieldsSeq(`schema id occurred_at institution name category action code label outcome reason
		actor kind email external_id roles on_behalf_of targets course class title changes field before after request method
		url route content_type response origin ip user_agent channel trace request_id session_id batch_id summary details`) {
		names[name] = name
	}
	return names
}()

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
		var few [32]int
		for _, i := range n.sortedMembers(few[:0]) {
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

func (n *node) sortedMembers(order []int) []int {
	for i := range n.members {
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(i, j int) int {
		return strings.Compare(n.members[i].key, n.members[j].key)
	})
	return order
}

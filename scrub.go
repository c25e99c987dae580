package actionlog

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Redacted stands where a credential stood.
const Redacted = "REDACTED"

// credentialNames are the names of URL parameters and of document members whose
// values are credentials, in lower case, with '_' for '-', and credentialEnds what
// other such names end in.
var (
	credentialNames = [...]string{
		"api_key", "apikey", "x_api_key", "access_token", "auth_token", "refresh_token", "session_token", "id_token", "token",
		"password", "passwd", "passphrase", "client_secret", "secret", "private_key", "authorization", "proxy_authorization",
	}
	credentialEnds = [...]string{"_password", "_passwd", "_passphrase", "_secret", "_api_key", "_apikey"}
)

// Scrubber removes credentials from documents before anything keeps or logs
// them. What it looks for, in every string, keys included:
//
//   - parameters named like a credential, in URLs and form bodies, also
//     percent-encoded (a URL inside a URL) and in brackets ("user[password]");
//   - members named so of JSON inside a string;
//   - userinfo in URLs ("https://user:secret@host/");
//   - "Bearer …" and "Basic …" values, and what stands behind "Authorization:"
//     or "X-Api-Key:".
//
// Besides, a member of an object that is named like a credential has its
// string or number replaced, inside arrays too, and so have "before" and "after"
// of a change whose field is named so. Of an object with such a name the members
// that are a value ("value", "old", "new", …) are replaced, and others ("id") kept.
// The replacement is Redacted. A Scrubber may be used by many goroutines; nil
// looks for the built-in names.
type Scrubber struct {
	names map[string]bool
	more  bool // names of which nothing is known beforehand
}

// NewScrubber returns a Scrubber that knows the built-in names (api_key,
// access_token, token, password, and their like) and more.
func NewScrubber(more ...string) *Scrubber {
	s := &Scrubber{names: map[string]bool{}, more: len(more) > 0}
	for _, n := range append(credentialNames[:], more...) {
		s.names[foldName(n)] = true
	}
	return s
}

var defaultScrubber = NewScrubber()

func (s *Scrubber) orDefault() *Scrubber {
	if s == nil {
		return defaultScrubber
	}
	return s
}

// Bytes scrubs bytes that need not be a valid document, for a dead letter or a
// log. A valid document is scrubbed as Parse does it.
func (s *Scrubber) Bytes(raw []byte) []byte {
	s = s.orDefault()
	if root, err := decodeJSON(raw); err == nil {
		if edits := s.documentEdits(raw, &root); len(edits) > 0 {
			return apply(raw, edits)
		}
		return raw
	}
	plain := unescape(string(raw))
	if clean := s.Text(plain); clean != plain {
		return []byte(clean)
	}
	return raw
}

// escaped is an escape of JSON that stands for an ASCII character or a slash.
var escaped = regexp.MustCompile(`\\u00[2-7][0-9A-Fa-f]|\\/`)

// unescape undoes escapes behind which a credential could hide.
func unescape(text string) string {
	return escaped.ReplaceAllStringFunc(text, func(e string) string {
		if e == `\/` {
			return "/"
		}
		var c string
		if json.Unmarshal([]byte(`"`+e+`"`), &c) != nil {
			return e
		}
		return c
	})
}

// documentEdits collects what must be replaced in a document.
func (s *Scrubber) documentEdits(doc []byte, root *node) []edit {
	if s.clean(doc) {
		return nil
	}
	return s.edits(root, nil)
}

// clean tells, at a tenth of the cost of looking, that there is nothing to replace in
// a document: nothing that could be the name of a credential, no percent sign or escape
// that could hide one, no scheme of authorization, no "@" behind a slash in a string.
func (s *Scrubber) clean(doc []byte) bool {
	if s.more {
		return false
	}
	slash := false // since the last quotation mark
	for i, c := range doc {
		switch signs[c] {
		case 0:
		case '"':
			slash = false
		case '/':
			slash = true
		case '@':
			if slash {
				return false
			}
		case '%':
			return false
		case '\\':
			if hides(doc[i:]) {
				return false
			}
		default:
			if mayBegin(doc, i) {
				return false
			}
		}
	}
	return true
}

// signs are the bytes at which clean looks: themselves, letters in lower case.
var signs = func() (signs [256]byte) {
	for _, c := range []byte(`"/@%\`) {
		signs[c] = c
	}
	for _, c := range []byte("ktpsab") {
		signs[c], signs[c&^0x20] = c, c
	}
	return signs
}()

// hides tells whether an escape could hide a letter or a sign that clean looks for.
func hides(escape []byte) bool {
	if len(escape) < 6 || escape[1] != 'u' {
		return false
	}
	n, err := strconv.ParseUint(string(escape[2:6]), 16, 16)
	return err != nil || n < utf8.RuneSelf && (signs[n] != 0 || 'a' <= n|0x20 && n|0x20 <= 'z')
}

// mayBegin tells whether what would make a credential of a name or a text can begin at i.
func mayBegin(doc []byte, i int) bool {
	rest := doc[i:]
	switch doc[i] | 0x20 {
	case 'k':
		return startsWith(rest, "key") && (endsWith(doc[:i], "api") || endsWith(doc[:i], "private")) && !isAPIKeyKind(doc, i)
	case 't':
		return startsWith(rest, "token")
	case 'p':
		return startsWith(rest, "pass") && (goesOn(rest[4:], 'w') || goesOn(rest[4:], 'p'))
	case 's':
		return startsWith(rest, "secret")
	case 'a':
		return startsWith(rest, "auth") && goesOn(rest[4:], 'o') && !startsWith(rest, "author\"") && !startsWith(rest, "authored")
	case 'b':
		for _, scheme := range []string{"basic", "bearer"} {
			if startsWith(rest, scheme) && len(rest) > len(scheme) && strings.IndexByte(" \t\n\r:+%\\", rest[len(scheme)]) >= 0 {
				return true
			}
		}
	}
	return false
}

// endsWith tells whether the letters before end in part, whatever '_' and '-' stand
// between them.
func endsWith(text []byte, part string) bool {
	n := len(part)
	for i := len(text) - 1; i >= 0 && n > 0; i-- {
		switch c := text[i]; {
		case c == '_' || c == '-':
		case c|0x20 == part[n-1]:
			n--
		default:
			return false
		}
	}
	return n == 0
}

// goesOn tells whether the next letter, behind any '_' and '-', is c.
func goesOn(text []byte, c byte) bool {
	for _, x := range text {
		if x != '_' && x != '-' {
			return x|0x20 == c
		}
	}
	return false
}

// isAPIKeyKind tells whether the "key" at i is that of the kind of an actor.
func isAPIKeyKind(doc []byte, i int) bool {
	return bytes.HasSuffix(doc[:i], []byte(`"kind":"api_`)) && bytes.HasPrefix(doc[i:], []byte(`key"`))
}

// startsWith ignores the case of letters; part is in lower case.
func startsWith(text []byte, part string) bool {
	if len(text) < len(part) {
		return false
	}
	for i := range part {
		if text[i]|0x20 != part[i] {
			return false
		}
	}
	return true
}

// edits collects what must be replaced below n.
func (s *Scrubber) edits(n *node, edits []edit) []edit {
	switch n.kind {
	case '"':
		if clean := s.Text(n.text); clean != n.text {
			edits = append(edits, edit{n.start, n.end, quote(clean)})
		}
	case '[':
		for i := range n.items {
			edits = s.edits(&n.items[i], edits)
		}
	case '{':
		secret := s.secretChange(n)
		for i := range n.members {
			edits = s.memberEdits(&n.members[i], secret, edits)
		}
	}
	return edits
}

// memberEdits scrubs one member; secretChange says that it is part of a change
// of a credential.
func (s *Scrubber) memberEdits(m *member, secretChange bool, edits []edit) []edit {
	if clean := s.Text(m.key); clean != m.key {
		edits = append(edits, edit{m.start, m.end, quote(clean)})
	}
	switch v := &m.value; {
	case secretChange && (m.key == "before" || m.key == "after"):
		return redactAll(v, true, edits)
	case s.named(m.key):
		if v.kind == '{' {
			return s.secretObject(v, edits)
		}
		return s.secretArray(v, edits)
	}
	return s.edits(&m.value, edits)
}

// valueNames are what members are called that are the value of the object.
var valueNames = map[string]bool{"value": true, "old": true, "new": true, "before": true, "after": true,
	"current": true, "previous": true, "plain": true, "text": true, "hash": true}

// secretObject scrubs an object that is named like a credential.
func (s *Scrubber) secretObject(n *node, edits []edit) []edit {
	for i := range n.members {
		m := &n.members[i]
		if valueNames[strings.ToLower(m.key)] {
			edits = redactAll(&m.value, true, edits)
		} else {
			edits = s.memberEdits(m, false, edits)
		}
	}
	return edits
}

// secretArray scrubs anything but an object that is named like a credential.
func (s *Scrubber) secretArray(n *node, edits []edit) []edit {
	for i := range n.items {
		if n.items[i].kind == '{' {
			edits = s.secretObject(&n.items[i], edits)
		} else {
			edits = s.secretArray(&n.items[i], edits)
		}
	}
	if n.kind == '[' {
		return edits
	}
	return redactAll(n, false, edits)
}

// redactAll replaces every string and number of a value and its arrays, and, if
// asked to, of its objects.
func redactAll(n *node, objects bool, edits []edit) []edit {
	if n.kind == '"' && n.text != "" && n.text != Redacted || n.kind == '0' {
		return append(edits, edit{n.start, n.end, quote(Redacted)})
	}
	for i := range n.items {
		edits = redactAll(&n.items[i], objects, edits)
	}
	for i := range n.members {
		if objects {
			edits = redactAll(&n.members[i].value, objects, edits)
		}
	}
	return edits
}

// secretChange tells whether an object is a change ({field, before, after}) of
// a field that is named like a credential.
func (s *Scrubber) secretChange(n *node) bool {
	field, ok := n.get("field")
	return ok && field.kind == '"' && s.named(field.text)
}

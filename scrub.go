package actionlog

import (
	"net/url"
	"regexp"
	"strings"
)

// Redacted stands where a credential stood.
const Redacted = "REDACTED"

// credentialNames are the names of URL parameters and of document members whose
// values are credentials, in lower case, with '_' for '-'.
var credentialNames = [...]string{
	"api_key", "apikey", "access_token", "token", "password", "passwd",
	"refresh_token", "id_token", "client_secret", "secret",
}

// Scrubber removes credentials from documents before anything keeps or logs
// them. What it looks for, in every string, keys included:
//
//   - parameters named like a credential, in URLs and form bodies, also
//     percent-encoded (a URL inside a URL);
//   - userinfo in URLs ("https://user:secret@host/");
//   - "Bearer …" and "Basic …" values of an Authorization header.
//
// Besides, a member of an object that is named like a credential has its
// string or number replaced, and so have "before" and "after" of a change
// whose field is named so. The replacement is Redacted. A Scrubber may be used
// by many goroutines; nil looks for the built-in names.
type Scrubber struct{ names map[string]bool }

// NewScrubber returns a Scrubber that knows the built-in names (api_key,
// access_token, token, password, and their like) and more.
func NewScrubber(more ...string) *Scrubber {
	s := &Scrubber{names: map[string]bool{}}
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

func foldName(name string) string {
	return strings.ReplaceAll(strings.ToLower(name), "-", "_")
}

// named tells whether name, percent-encoded or not, is a credential's.
func (s *Scrubber) named(name string) bool {
	for range 3 {
		if s.names[foldName(name)] {
			return true
		}
		plain, err := url.QueryUnescape(name)
		if err != nil || plain == name {
			return false
		}
		name = plain
	}
	return false
}

var (
	// The name of a parameter: what stands before it, itself, its sign. All may
	// be percent-encoded, repeatedly, or escaped as in raw JSON.
	parameter = regexp.MustCompile(`(?:^|[?&;#\s"'(,{]|%(?:25)*(?:3[fF]|26|3[bB]|23)|\\u00(?:3[fF]|26))` +
		`((?:[A-Za-z0-9_.-]|%(?:25)*(?:[46][1-9a-fA-F]|[57][0-9aA]|5[fF]|2[dDeE]|3[0-9])){2,64}?)(?:=|%(?:25)*3[dD]|\\u003[dD])`)
	// Where the value of a parameter ends.
	valueEnd      = regexp.MustCompile(`[&;#\s"'<>\\]|%(?:25)*(?:26|3[bB]|23|20|22)`)
	userinfo      = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*:(?://|\\/\\/|%2[fF]%2[fF]))([^/?#\s"'<>\\]+)@`)
	authorization = regexp.MustCompile(`(?i)\b(bearer|basic)((?:\s|%20|\+)+)([A-Za-z0-9._~+/-]{6,}=*)`)
	rawMember     = regexp.MustCompile(`("((?:[^"\\]|\\.){2,64})"\s*:\s*)("(?:[^"\\]|\\.)*"?|-?[0-9][0-9.eE+-]*)`)
)

// Text returns s without credentials.
func (s *Scrubber) Text(text string) string {
	s = s.orDefault()
	if strings.Contains(text, "=") || strings.Contains(text, "%") || strings.Contains(text, `\u003`) {
		text = s.parameters(text)
	}
	if strings.Contains(text, "@") && strings.Contains(text, ":") {
		text = userinfo.ReplaceAllString(text, "${1}"+Redacted+"@")
	}
	if len(text) > 11 && hasScheme(text) {
		text = authorization.ReplaceAllStringFunc(text, redactAuthorization)
	}
	return text
}

func (s *Scrubber) parameters(text string) string {
	var b strings.Builder
	done := 0
	for at := 0; at < len(text); {
		m := parameter.FindStringSubmatchIndex(text[at:])
		if m == nil {
			break
		}
		name := text[at+m[2] : at+m[3]]
		at += m[1] // on to the value, which may itself hold parameters
		if !s.named(name) {
			continue
		}
		end := len(text)
		if stop := valueEnd.FindStringIndex(text[at:]); stop != nil {
			end = at + stop[0]
		}
		if end > at {
			b.WriteString(text[done:at])
			b.WriteString(Redacted)
		} else {
			b.WriteString(text[done:at])
		}
		at, done = end, end
	}
	return b.String() + text[done:]
}

func hasScheme(text string) bool {
	for i := 0; i+5 < len(text); i++ {
		switch text[i] | 0x20 {
		case 'b':
			if strings.EqualFold(text[i:i+5], "basic") || strings.EqualFold(text[i:i+6], "bearer") {
				return true
			}
		}
	}
	return false
}

// redactAuthorization spares prose ("basic certificates"): a credential has a
// digit, or is long, or ends in the padding of base64.
func redactAuthorization(match string) string {
	m := authorization.FindStringSubmatch(match)
	if len(m[3]) < 20 && !strings.ContainsAny(m[3], "0123456789=") {
		return match
	}
	return m[1] + m[2] + Redacted
}

// Bytes scrubs bytes that need not be a valid document, for a dead letter or a
// log. A valid document is scrubbed as Parse does it.
func (s *Scrubber) Bytes(raw []byte) []byte {
	s = s.orDefault()
	if root, err := decodeJSON(raw); err == nil {
		if edits := s.edits(&root, nil); len(edits) > 0 {
			return apply(raw, edits)
		}
		return raw
	}
	text := rawMember.ReplaceAllStringFunc(string(raw), func(match string) string {
		m := rawMember.FindStringSubmatch(match)
		if !s.named(m[2]) {
			return match
		}
		return m[1] + `"` + Redacted + `"`
	})
	return []byte(s.Text(text))
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
	secret := s.named(m.key) || secretChange && (m.key == "before" || m.key == "after")
	if v := &m.value; secret && (v.kind == '"' && v.text != "" || v.kind == '0') {
		if v.text == Redacted {
			return edits
		}
		return append(edits, edit{v.start, v.end, quote(Redacted)})
	}
	return s.edits(&m.value, edits)
}

// secretChange tells whether an object is a change ({field, before, after}) of
// a field that is named like a credential.
func (s *Scrubber) secretChange(n *node) bool {
	field, ok := n.get("field")
	return ok && field.kind == '"' && s.named(field.text[strings.LastIndexAny(field.text, "./")+1:])
}

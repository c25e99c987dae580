package actionlog

import (
	"net/url"
	"regexp"
	"strings"
)

// foldName unifies "Api-Key", "apiKey" and "api_key".
func foldName(name string) string {
	var b strings.Builder
	for i, r := range name {
		switch {
		case r == '-':
			r = '_'
		case 'A' <= r && r <= 'Z':
			if i > 0 && 'a' <= name[i-1] && name[i-1] <= 'z' {
				b.WriteByte('_')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// named tells whether name, percent-encoded or not, is a credential's: itself,
// or what stands last in it ("user[password]", "auth.token", "https://h/?token").
func (s *Scrubber) named(name string) bool {
	if !s.more && !mayBeCredential(name) {
		return false
	}
	for range 4 {
		if s.isCredential(lastName(name)) {
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

func (s *Scrubber) isCredential(name string) bool {
	name = foldName(name)
	if s.names[name] || s.names[strings.ReplaceAll(name, "_", "")] {
		return true
	}
	for _, end := range credentialEnds {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}

// credentialParts: each of the built-in names, and of their ends, has one of these.
var credentialParts = [...]string{"key", "token", "pass", "secret", "auth"}

// mayBeCredential spares most names and texts the look. What is percent-encoded may
// be any.
func mayBeCredential(text string) bool {
	for i := 0; i < len(text); i++ {
		part := ""
		switch text[i] | 0x20 {
		case '%' | 0x20:
			if text[i] == '%' {
				return true
			}
		case 'k':
			part = credentialParts[0]
		case 't':
			part = credentialParts[1]
		case 'p':
			part = credentialParts[2]
		case 's':
			part = credentialParts[3]
		case 'a':
			part = credentialParts[4]
		}
		if part != "" && len(text)-i >= len(part) && strings.EqualFold(text[i:i+len(part)], part) {
			return true
		}
	}
	return false
}

// lastName is the last run of letters, digits, '_' and '-'.
func lastName(name string) string {
	name = strings.TrimRightFunc(name, func(r rune) bool { return !isNameRune(r) })
	return name[strings.LastIndexFunc(name, func(r rune) bool { return !isNameRune(r) })+1:]
}

func isNameRune(r rune) bool {
	return r == '_' || r == '-' || '0' <= r && r <= '9' || 'a' <= r|0x20 && r|0x20 <= 'z'
}

var (
	// A parameter's name, with whatever stands before it that may be part of it or
	// hide it percent-encoded, and its sign, percent-encoded so many times.
	parameter = regexp.MustCompile(`((?:[A-Za-z0-9_.+\[\]-]|%(?:25)*[0-9A-Fa-f]{2})+?)(\s{0,3}=\s{0,3}|%((?:25)*)3[dD])`)
	separator = regexp.MustCompile(`[&;#\s"'<>\\]|%((?:25)*)(?:26|3[bB]|23|20|22)`)
	// Userinfo, also where a password holds a slash; a port is none.
	userinfo      = regexp.MustCompile(`(//|\\/\\/|%(?:25)*2[fF]%(?:25)*2[fF])(?:[^/?#\s"'<>\\]+|[^/?#\s"'<>\\:@]*:[0-9]*[^0-9/?#\s"'<>\\@][^\s"'<>\\@]*)(@)`)
	hiddenUser    = regexp.MustCompile(`((?i:%(?:25)*2f){2})((?:[^/?#\s"'<>\\%&]|%(?:25)*(?:[013-9A-Fa-f][0-9A-Fa-f]|2[0-57-9A-Ea-e]))+?)(%(?:25)*40)`)
	authorization = regexp.MustCompile(`(?i)\b(bearer|basic)((?:\s|:|%(?:25)*20|\+)+)([A-Za-z0-9._~+/-]{6,}=*)`)
	header        = regexp.MustCompile(`(?i)\b((?:proxy-)?authorization|x-api-key|api-key)(\s*:\s*)((?:[A-Za-z]+\s+)?)([^\s"'<>,;\\]+)`)
	rawMember     = regexp.MustCompile(`(["']((?:[^"'\\]|\\.){2,64}?)\\*["']\s*:\s*(?:\[\s*)*)("(?:[^"\\]|\\.)*"?|\\+"(?:[^"\\]|\\[^"])*\\*"?|'(?:[^'\\]|\\.)*'?|-?[0-9][0-9.eE+-]*|[A-Za-z_][^\s,}\]]{5,})`)
)

// Text returns s without credentials.
func (s *Scrubber) Text(text string) string {
	s = s.orDefault()
	if s.more || mayBeCredential(text) {
		text = s.namedParts(text)
	}
	if strings.Contains(text, "@") && strings.Contains(text, "/") {
		text = userinfo.ReplaceAllString(text, "${1}"+Redacted+"${2}")
	}
	if strings.Contains(text, "40") && strings.Contains(text, "%") {
		text = hiddenUser.ReplaceAllString(text, "${1}"+Redacted+"${3}")
	}
	if len(text) > 11 && hasScheme(text) {
		text = authorization.ReplaceAllStringFunc(text, redactAuthorization)
	}
	return text
}

// namedParts scrubs what stands in a text behind the name of a credential.
func (s *Scrubber) namedParts(text string) string {
	if strings.Contains(text, "=") || strings.Contains(text, "3D") || strings.Contains(text, "3d") {
		text = s.parameters(text)
	}
	if strings.Contains(text, ":") && strings.ContainsAny(text, `"'`) {
		text = s.innerMembers(text)
	}
	if hasHeader(text) {
		text = header.ReplaceAllString(text, "${1}${2}${3}"+Redacted)
	}
	return text
}

// innerMembers scrubs the members of JSON that stands in a text.
func (s *Scrubber) innerMembers(text string) string {
	return rawMember.ReplaceAllStringFunc(text, func(match string) string {
		m := rawMember.FindStringSubmatch(match)
		switch {
		case !s.named(m[2]), m[3] == "true", m[3] == "false", m[3] == "null", strings.Trim(m[3], `\"'`) == "":
			return match
		case strings.Contains(m[3], Redacted):
			return match
		}
		quotes := m[3][:len(m[3])-len(strings.TrimLeft(m[3], `\"'`))]
		if quotes == "" {
			quotes = `"`
		}
		return m[1] + quotes + Redacted + quotes
	})
}

func (s *Scrubber) parameters(text string) string {
	var b strings.Builder
	done := 0
	for at := 0; at < len(text); {
		m := parameter.FindStringSubmatchIndex(text[at:])
		if m == nil {
			break
		}
		name, depth := text[at+m[2]:at+m[3]], 0 // how often what follows is encoded
		if m[6] >= 0 {
			depth = 1 + (m[7]-m[6])/2
		}
		at += m[1] // on to the value, which may itself hold parameters
		if !s.named(name) {
			continue
		}
		end := at + valueLength(text[at:], depth)
		b.WriteString(text[done:at])
		if end > at {
			b.WriteString(Redacted)
		}
		at, done = end, end
	}
	return b.String() + text[done:]
}

// valueLength is how long a parameter's value is: to the next separator that is
// encoded no more often than its sign, or to the end of its quotation.
func valueLength(text string, depth int) int {
	if text != "" && (text[0] == '"' || text[0] == '\'') {
		if end := strings.IndexByte(text[1:], text[0]); end > 0 {
			return end + 2
		}
		if len(text) == 1 {
			return 0
		}
		return 1 + valueLength(text[1:], depth)
	}
	for at := 0; ; {
		m := separator.FindStringSubmatchIndex(text[at:])
		if m == nil {
			return len(text)
		}
		if m[2] < 0 || 1+(m[3]-m[2])/2 <= depth {
			return at + m[0]
		}
		at += m[1]
	}
}

// hasHeader tells, at less cost than header, whether it may match.
func hasHeader(text string) bool {
	for at := 0; ; at++ {
		i := strings.IndexByte(text[at:], ':')
		if i < 0 {
			return false
		}
		at += i
		before := strings.TrimRight(text[max(0, at-24):at], " \t\r\n")
		for _, name := range []string{"authorization", "api-key"} {
			if n := len(before) - len(name); n >= 0 && strings.EqualFold(before[n:], name) {
				return true
			}
		}
	}
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
	if m[3] == Redacted || len(m[3]) < 20 && !strings.ContainsAny(m[3], "0123456789=") {
		return match
	}
	return m[1] + m[2] + Redacted
}

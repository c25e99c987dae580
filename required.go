package actionlog

import (
	"strings"
	"time"
	"unicode/utf8"
)

// requiredObjects hold required fields: where their key is repeated, the last
// one counts, because an action is never lost for a repeated key.
var requiredObjects = map[string]bool{"institution": true, "action": true, "actor": true}

// required reads what a document must have; the first fault is the error.
func (r *reader) required(root *node, a *Action) (err error) {
	need := func(parent, key string) (v string) {
		if err == nil {
			v, err = requiredString(root, parent, key)
		}
		return v
	}
	a.ID = need("", "id")
	if err == nil && !IsActionID(a.ID) {
		err = Invalidf("/id", "is not 1 to 128 characters of A-Z a-z 0-9 . _ : -")
	}
	at := need("", "occurred_at")
	if err == nil {
		a.OccurredAt, err = parseTime(at)
	}
	a.Institution.ID = need("institution", "id")
	if err == nil && !IsInstitutionID(a.Institution.ID) {
		err = Invalidf("/institution/id", "is not 1 to 64 characters of A-Z a-z 0-9 _ -")
	}
	category := need("", "category")
	if err == nil {
		var ok bool
		if a.Category, ok = ParseCategory(category); !ok {
			err = Invalidf("/category", "%q is not institution, course or api", brief(category))
		}
	}
	a.Code = need("action", "code")
	if err == nil && utf8.RuneCountInString(a.Code) > 200 {
		err = Invalidf("/action/code", "is longer than 200 characters")
	}
	a.Actor.Kind = need("actor", "kind")
	switch a.Actor.Kind {
	case KindUser, KindStaff, KindAPIKey, KindSystem, KindAnonymous:
	default:
		if err == nil {
			err = Invalidf("/actor/kind", "%q is not user, staff, api_key, system or anonymous", brief(a.Actor.Kind))
		}
	}
	return err
}

// requiredString reads a non-empty string that stands at /parent/key, or at /key.
func requiredString(root *node, parent, key string) (string, error) {
	n, pointer := root, "/"+key
	if parent != "" {
		pointer = "/" + parent + pointer
		v, ok := n.get(parent)
		if !ok {
			return "", Invalidf(pointer, "is missing")
		}
		if v.kind != '{' {
			return "", Invalidf("/"+parent, "is not an object")
		}
		n = v
	}
	v, ok := n.get(key)
	switch {
	case !ok:
		return "", Invalidf(pointer, "is missing")
	case v.kind != '"':
		return "", Invalidf(pointer, "is not a string")
	case v.text == "":
		return "", Invalidf(pointer, "is empty")
	}
	return v.text, nil
}

// IsActionID tells whether s may be the id of an action: 1–128 of A-Za-z0-9._:-.
func IsActionID(s string) bool { return isToken(s, 128, "._:-") }

// IsInstitutionID tells whether s may be the ID of an institution: 1–64 of
// A-Za-z0-9_-.
func IsInstitutionID(s string) bool { return isToken(s, 64, "_-") }

func isToken(s string, max int, signs string) bool {
	if s == "" || len(s) > max {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && strings.IndexByte(signs, c) < 0 {
			return false
		}
	}
	return true
}

// parseTime reads RFC 3339 with an offset and truncates to the millisecond.
func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, strings.ToUpper(s))
	if err != nil || strings.Contains(s, ",") {
		return time.Time{}, Invalidf("/occurred_at", "%q is not a time with offset as 2006-01-02T15:04:05Z (RFC 3339)", brief(s))
	}
	return t.UTC().Truncate(time.Millisecond), nil
}

// brief shortens what goes into an error.
func brief(s string) string {
	if len(s) <= 64 {
		return s
	}
	return strings.ToValidUTF8(s[:64], "") + "…"
}

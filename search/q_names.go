package search

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// qualifier is a name that may stand before a colon in q.
type qualifier struct {
	name  string // the parameter's
	short string // as a canonical text has it
	about string // for who completes it
}

// qualifiers are all of them, in the order of a canonical text.
var qualifiers = [...]qualifier{
	{"user", "user", "a person in any role: name, e-mail address or ID"},
	{"actor", "actor", "who did it"},
	{"target", "target", "to whom it was done"},
	{"on_behalf_of", "for", "for whom the actor acted"},
	{"course", "course", "a course: title or ID"},
	{"class", "class", "a class: title or ID"},
	{"category", "type", "institution, course or api"},
	{"action", "action", "what was done"},
	{"outcome", "outcome", "success, failure or unknown"},
	{"actor_kind", "kind", "what the actor is: user, staff, api_key, system, anonymous"},
	{"channel", "channel", "by which way: web, api, lti, job, …"},
	{"request_method", "method", "of an API request: GET, POST, …"},
	{"response_code", "code", "of an API request: 200, 2xx, 400-499"},
	{"response_url", "url", "of an API request: whole, its path, or how that begins"},
	{"request_content_type", "content_type", "of an API request: application/json, …"},
	{"ip", "ip", "an address, or a network as 10.0.0.0/8"},
	{"batch", "batch", "a bulk operation"},
	{"request_id", "request", "a request"},
	{"any", "any", "words that stand anywhere in the action, as plain words do"},
	{"user_role", "user_role", "where user looks: any, actor, target, on_behalf_of"},
	{"near", "near", "names that are near: auto, include, exclude"},
	{"range", "range", "the last 7d, 30d or 90d"},
	{"from", "from", "from a date, a time or now-30d on"},
	{"to", "to", "until a date, a time or now-10d"},
	{"tz", "tz", "time zone of dates, as Europe/Berlin"},
	{"missing_days", "missing_days", "allow: answer without days that are damaged"},
}

// plainWords is what words without a qualifier are.
const plainWords = "any"

// qualifierNamed finds a qualifier by either of its names, in any letter case, with dashes
// for underscores.
func qualifierNamed(name string) (qualifier, bool) {
	name = strings.ReplaceAll(strings.ToLower(name), "-", "_")
	for _, q := range qualifiers {
		if q.name == name || q.short == name {
			return q, true
		}
	}
	return qualifier{}, false
}

// nearestName is the name that was probably meant: "" where none is near.
func nearestName(typed string) string {
	typed = strings.ToLower(typed)
	length := utf8.RuneCountInString(typed)
	if length > 30 {
		return ""
	}
	best, least := "", max(1, length/3)+1
	for _, q := range qualifiers {
		for _, name := range []string{q.short, q.name} {
			d := distance(typed, name)
			if length >= 3 && strings.HasPrefix(name, typed) {
				d = 1
			}
			if d < least {
				best, least = name, d
			}
		}
	}
	return best
}

// distance is how many letters are to be added, left out, exchanged or swapped with their
// neighbour to make one word of the other.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	var before, last, row []int
	for j := range len(y) + 1 {
		row = append(row, j)
	}
	for i := range x {
		before, last, row = last, row, []int{i + 1}
		for j := range y {
			d := min(last[j+1]+1, row[j]+1)
			if x[i] == y[j] {
				d = min(d, last[j])
			} else {
				d = min(d, last[j]+1)
			}
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				d = min(d, before[j-1]+1)
			}
			row = append(row, d)
		}
	}
	return row[len(y)]
}

// isSetting tells whether a name belongs to filters and is none.
func isSetting(name string) bool { return slices.Contains(settings, name) }

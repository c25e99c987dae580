package search

import (
	"strings"

	"actionlog"
	"actionlog/internal/people"
)

const aboutStaff = "the platform's own staff"

// option is a value that is known beforehand.
type option struct{ value, about string }

// offers are values of the qualifiers, by their parameters' names; of actions it is the catalogue.
var offers = map[string][]option{
	"category":       {{"institution", "what was done in the institution"}, {"course", "what was done in courses"}, {"api", "what programs asked for"}},
	"outcome":        {{"success", ""}, {"failure", ""}, {"unknown", ""}},
	"actor_kind":     {{"user", "a person of the institution"}, {"staff", aboutStaff}, {"api_key", "a program with a key"}, {"system", "the platform itself"}, {"anonymous", "nobody is known"}},
	"channel":        {{"web", "by hand"}, {"api", "by a program"}, {"lti", "from another learning platform"}, {"job", "by a job of the platform"}, {"staff_console", "by the platform's staff"}},
	"request_method": {{"GET", ""}, {"POST", ""}, {"PUT", ""}, {"PATCH", ""}, {"DELETE", ""}},
	"response_code": {{"2xx", "done"}, {"3xx", "elsewhere"}, {"4xx", "refused"}, {"5xx", "failed"}, {"200", "OK"}, {"201", "Created"}, {"204", "No Content"}, {"400", "Bad Request"},
		{"401", "Unauthorized"}, {"403", "Forbidden"}, {"404", "Not Found"}, {"409", "Conflict"}, {"422", "Unprocessable Content"}, {"429", "Too Many Requests"}, {"500", "Internal Server Error"}, {"503", "Service Unavailable"}},
	"request_content_type": {{"application/json", ""}, {"application/x-www-form-urlencoded", ""}, {"multipart/form-data", ""}, {"text/csv", ""}},
	"user_role":            {{"any", "in any role"}, {"actor", "who did it"}, {"target", "to whom it was done"}, {"on_behalf_of", "for whom it was done"}},
	"near":                 {{"auto", "where nobody has exactly that name"}, {"include", "always"}, {"exclude", "never"}},
	"range":                {{"7d", "the last 7 days"}, {"30d", "the last 30 days"}, {"90d", "the last 90 days"}},
	"from":                 moments,
	"to":                   moments,
	"tz":                   {{"UTC", ""}},
	"missing_days":         {{"refuse", "no answer while days are damaged"}, {"allow", "an answer without damaged days"}},
}

var moments = []option{{"now", "this moment"}, {"now-1h", "an hour ago"}, {"now-24h", "24 hours ago"}, {"now-7d", "7 days ago"}, {"now-10d", "10 days ago"}, {"now-30d", "30 days ago"}, {"now-60d", "60 days ago"}, {"now-90d", "90 days ago"}}

// known are the completions that need no directory.
func (s *server) known(t *typing) []completion {
	if t.inName {
		return t.qualifiers()
	}
	q, known := qualifierNamed(t.name)
	if !known {
		return nil
	}
	if q.name == "from" || q.name == "to" {
		today := option{s.Now().UTC().Format("2006-01-02"), "today, in UTC"}
		return t.options(q, append([]option{today}, moments...))
	}
	if q.name == "action" {
		return t.actions()
	}
	return t.options(q, offers[q.name])
}

// qualifiers are the names that begin as what is typed.
func (t *typing) qualifiers() (found []completion) {
	if t.quoted && t.name == "" {
		return nil
	}
	for _, q := range qualifiers {
		name := q.short
		if !startsWith(name, t.typed) {
			name = q.name
		}
		if !startsWith(name, t.typed) || t.not && isSetting(q.name) {
			continue
		}
		c := completion{Kind: "name", Text: name + ":", Start: t.start + 1, End: t.end + 1, Label: name, Detail: q.about, Match: matchOf(name, t.typed)}
		if t.not {
			c.Text = "-" + c.Text
		}
		if t.name != "" { // the value stays
			c.End = t.nameStart + len([]rune(t.name)) + 2
		}
		found = append(found, c)
	}
	return found
}

// item is the value of a list that is typed: what stands before it, its minus, the rest.
func (t *typing) item(list bool) (before, sign, rest string) {
	rest = t.typed
	if list {
		comma := strings.LastIndexByte(rest, ',') + 1
		before, rest = rest[:comma], rest[comma:]
	}
	if text, minus := strings.CutPrefix(rest, "-"); minus && !t.not {
		return before, "-", text
	}
	return before, "", rest
}

// options are the values that begin as what is typed.
func (t *typing) options(q qualifier, all []option) (found []completion) {
	before, sign, typed := t.item(filters[q.name].list)
	for _, o := range all {
		if startsWith(o.value, typed) {
			c := completion{Kind: "value", Label: o.value, Detail: o.about, Match: matchOf(o.value, typed)}
			found = append(found, t.with(c, t.name+":"+quote(before+sign+o.value)))
		}
	}
	return found
}

// actions are the kinds of action whose code or label has what is typed.
func (t *typing) actions() (found []completion) {
	before, sign, typed := t.item(true)
	for _, a := range actionlog.Catalogue() {
		if isOf(a, typed) {
			c := completion{Kind: "action", Label: a.Label, Detail: a.Code, Match: matchOf(a.Code, typed)}
			found = append(found, t.with(c, t.name+":"+quote(before+sign+a.Code)))
		}
	}
	return found
}

// isOf tells whether a part of the code begins as what is typed, or words of the label do.
func isOf(a actionlog.ActionType, typed string) bool {
	typed = strings.TrimSpace(typed)
	if strings.Contains("."+a.Code, "."+strings.ToLower(typed)) {
		return true
	}
	return beginAs(people.Words(a.Label), people.Words(typed))
}

// word is what a plain word may be meant as: a value of a filter, or a kind of action.
func (t *typing) word() (found []completion) {
	if t.quoted || letters(t.typed) < leastLetters {
		return nil
	}
	for _, name := range []string{"category", "outcome", "actor_kind", "channel", "request_method"} {
		q, _ := qualifierNamed(name)
		qualified := *t
		qualified.name = q.short
		found = append(found, qualified.options(q, offers[name])...)
	}
	qualified := *t
	qualified.name = "action"
	return append(found, qualified.actions()...)
}

func matchOf(text, typed string) string {
	if strings.EqualFold(text, typed) {
		return "exact"
	}
	return "part"
}

package search

import (
	"context"
	"errors"
	"slices"
	"strings"

	"actionlog"
	"actionlog/internal/people"
)

// maxListed is how many people (courses, classes) a filter lists by their keys;
// where more are meant, their name's words are looked for in the actions.
const maxListed = 200

// maxCounted is how many of those that a name may mean are told with how many
// actions each has; where there is but one, nobody has to choose.
const maxCounted = 10

// matched is an answer to "whom did this filter find?".
type matched struct {
	Filter     string `json:"filter"`
	Value      string `json:"value"`
	Match      string `json:"match"`      // exact, near
	Searched   bool   `json:"searched"`   // the answer has their actions; else they are only offered
	MatchedOn  string `json:"matched_on"` // name, title, email, id, external_id, display_name
	ID         string `json:"id,omitempty"`
	Name       string `json:"name,omitempty"`
	Title      string `json:"title,omitempty"`
	Email      string `json:"email,omitempty"`
	ExternalID string `json:"external_id,omitempty"`
	Actions    *int64 `json:"actions,omitempty"` // over all time; of the first maxCounted
	More       bool   `json:"more,omitempty"`    // more are meant than are listed

	kind actionlog.DirectoryKind
	key  string
}

// lookup is what a text in the place of a person, course or class asks for.
type lookup struct {
	on    string // matched_on
	match actionlog.DirectoryMatch
	// begins: it is typed still, and is the beginning of what is looked for.
	begins bool
}

// lookups reads a text: an e-mail address, its beginning or domain, an ID, or
// a name or title.
func lookups(text string, kind actionlog.DirectoryKind) ([]lookup, error) {
	if id, ok := strings.CutPrefix(text, "id:"); ok {
		if id == "" {
			return nil, actionlog.Invalidf("", "id: lacks an ID")
		}
		return []lookup{{on: "id", match: actionlog.DirectoryMatch{ID: id}}}, nil
	}
	if kind == actionlog.DirectoryPeople {
		address := people.FoldEmail(text)
		switch {
		case strings.HasSuffix(address, "*") && len(address) > 1:
			return []lookup{{on: "email", match: actionlog.DirectoryMatch{Prefix: strings.TrimSuffix(address, "*")}}}, nil
		case strings.HasPrefix(address, "@") && len(address) > 1:
			return []lookup{{on: "email", match: actionlog.DirectoryMatch{Domain: address[1:]}}}, nil
		case strings.Contains(address, "@") && !strings.Contains(address, " "):
			return []lookup{{on: "email", match: actionlog.DirectoryMatch{Email: address}}}, nil
		}
	}
	all := []lookup{{on: "id", match: actionlog.DirectoryMatch{ID: text}}}
	words := people.Words(text)
	switch {
	case len(words) > 0 && kind == actionlog.DirectoryPeople:
		all = append(all, lookup{on: "name", match: actionlog.DirectoryMatch{Words: words}})
	case len(words) > 0:
		all = append(all, lookup{on: "title", match: actionlog.DirectoryMatch{Words: words}})
	}
	return all, nil
}

// look reads a value that the directory resolves.
func (r *reading) look(ctx context.Context, kind actionlog.DirectoryKind, v sought) ([]actionlog.Value, error) {
	if kind == actionlog.DirectoryPeople {
		return r.person(ctx, v)
	}
	return r.titled(ctx, v, kind)
}

// person reads a value of the filters user, actor, target and on_behalf_of.
func (r *reading) person(ctx context.Context, v sought) ([]actionlog.Value, error) {
	var values []actionlog.Value
	add := func(p actionlog.PersonMatch) { values = append(values, actionlog.Value{Person: p}) }
	if slices.Equal(people.Words(v.text), people.Words(r.display)) {
		add(actionlog.PersonMatch{Staff: true})
		r.matched = append(r.matched, matched{Filter: v.param, Value: v.text, Match: "exact", Searched: true, MatchedOn: "display_name", Name: r.display})
		v.meant = true
	}
	err := r.meant(ctx, v, actionlog.DirectoryPeople, func(key string, m actionlog.DirectoryMatch) {
		add(actionlog.PersonMatch{Key: key, ID: m.ID, Email: m.Email, Prefix: m.Prefix, Domain: m.Domain, Words: m.Words})
	})
	return values, err
}

func (r *reading) titled(ctx context.Context, v sought, kind actionlog.DirectoryKind) (values []actionlog.Value, err error) {
	err = r.meant(ctx, v, kind, func(key string, m actionlog.DirectoryMatch) {
		values = append(values, actionlog.Value{Titled: actionlog.TitledMatch{Key: key, ID: m.ID, Words: m.Words}})
	})
	return values, err
}

// meant yields who or what a value means: keys of the directory, and what is
// looked for in the actions themselves, because the directory does not know it or
// lists too many.
func (r *reading) meant(ctx context.Context, v sought, kind actionlog.DirectoryKind, yield func(key string, m actionlog.DirectoryMatch)) error {
	all, err := lookups(v.text, kind)
	if err != nil {
		return err
	}
	for _, l := range all {
		keys, more, err := r.keys(ctx, v, kind, l)
		if err != nil {
			return err
		}
		for _, k := range keys {
			yield(k, actionlog.DirectoryMatch{})
		}
		v.meant = v.meant || len(keys) > 0
		if len(l.match.Words) == 0 || more || len(keys) == 0 {
			yield("", l.match)
		}
		if len(l.match.Words) > 0 && r.near != nearExclude {
			keys, err := r.nearKeys(ctx, v, kind, l)
			if err != nil {
				return err
			}
			for _, k := range keys {
				yield(k, actionlog.DirectoryMatch{})
			}
		}
	}
	return nil
}

// keys asks the directory who or what is meant, and notes it for the answer.
func (r *reading) keys(ctx context.Context, v sought, kind actionlog.DirectoryKind, l lookup) (keys []string, more bool, err error) {
	entries, more, err := r.directory.Lookup(ctx, r.institution, kind, l.match, maxListed)
	if err != nil {
		return nil, false, err
	}
	for _, e := range entries {
		if e.Staff && r.staff == actionlog.StaffHidden {
			continue
		}
		keys = append(keys, e.Key)
		if len(r.matched) < maxListed {
			r.matched = append(r.matched, r.describe(v, kind, l, e, more))
		}
	}
	return keys, more, nil
}

// nearKeys finds those whose names are near, and returns whose actions are
// searched; all are noted for the answer, those who are only offered on the first
// page.
func (r *reading) nearKeys(ctx context.Context, v sought, kind actionlog.DirectoryKind, l lookup) (keys []string, err error) {
	searched := r.widen(v)
	if r.later && !searched {
		return nil, nil
	}
	found, more, err := people.Search(ctx, r.source(kind), v.text, maxListed)
	if err != nil {
		return nil, err
	}
	for _, m := range found {
		if m.Exact || !m.Near || m.Entry.Staff && r.staff == actionlog.StaffHidden {
			continue
		}
		if searched {
			keys = append(keys, m.Entry.Key)
		}
		if len(r.matched) < maxListed {
			about := r.describe(v, kind, l, m.Entry, more)
			about.Match, about.Searched = "near", searched
			r.matched = append(r.matched, about)
		}
	}
	return keys, nil
}

// widen tells whether near names are searched for a value: where the caller wants
// it, or where nobody has exactly that name. What must not be is never widened
// unasked: it would hide the actions of somebody else. The pages of a list decide
// as the first one did.
func (r *reading) widen(v sought) bool {
	searched := r.near == nearInclude || !v.meant && !v.not
	if len(r.decided) > 0 {
		searched, r.decided = r.decided[0], r.decided[1:]
	}
	r.widened = append(r.widened, searched)
	return searched
}

// count says how many actions those have that were matched, where there are
// several. They are over all days: where one of these cannot be asked, and the search may
// not do without, nothing is said.
func (r *reading) count(ctx context.Context) error {
	if len(r.matched) < 2 {
		return nil
	}
	first := r.matched[:min(len(r.matched), maxCounted)]
	for _, kind := range []actionlog.DirectoryKind{actionlog.DirectoryPeople, actionlog.DirectoryCourses, actionlog.DirectoryClasses} {
		var keys []string
		var of []*matched
		for i := range first {
			if m := &first[i]; m.key != "" && m.kind == kind {
				keys, of = append(keys, m.key), append(of, m)
			}
		}
		if len(keys) == 0 {
			continue
		}
		mentions, err := r.directory.Mentions(ctx, r.institution, kind, keys, r.missingDays)
		if errors.Is(err, actionlog.ErrUnavailable) {
			continue
		}
		if err != nil {
			return err
		}
		for i, m := range of {
			m.Actions = &mentions[i].Actions
		}
	}
	return nil
}

// source is the institution's directory as package people asks it.
func (r *reading) source(kind actionlog.DirectoryKind) people.Source {
	return source{r.directory, r.institution, kind}
}

type source struct {
	directory   actionlog.Directory
	institution string
	kind        actionlog.DirectoryKind
}

// Vocabulary implements people.Source.
func (s source) Vocabulary(ctx context.Context, keys []string, limit int) ([]actionlog.DirectoryWord, bool, error) {
	return s.directory.Vocabulary(ctx, s.institution, s.kind, keys, limit)
}

// Lookup implements people.Source.
func (s source) Lookup(ctx context.Context, m actionlog.DirectoryMatch, limit int) ([]actionlog.DirectoryEntry, bool, error) {
	return s.directory.Lookup(ctx, s.institution, s.kind, m, limit)
}

func (r *reading) describe(v sought, kind actionlog.DirectoryKind, l lookup, e actionlog.DirectoryEntry, more bool) matched {
	m := matched{Filter: v.param, Value: v.text, Match: "exact", Searched: true, MatchedOn: l.on, More: more}
	if l.match.ID != "" && e.ID != l.match.ID {
		m.MatchedOn = "external_id"
	}
	if e.Staff && r.staff != actionlog.StaffShown {
		m.Name = r.display
		return m
	}
	m.kind, m.key = kind, e.Key
	m.ID, m.ExternalID, m.Email = e.ID, e.ExternalID, first(e.Emails)
	if kind == actionlog.DirectoryPeople {
		m.Name = first(e.Names)
	} else {
		m.Title = first(e.Names)
	}
	return m
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

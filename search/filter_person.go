package search

import (
	"context"
	"slices"
	"strings"

	"actionlog"
	"actionlog/internal/people"
)

// maxListed is how many people (courses, classes) a filter lists by their keys;
// where more are meant, their name's words are looked for in the actions.
const maxListed = 200

// matched is an answer to "whom did this filter find?".
type matched struct {
	Filter     string `json:"filter"`
	Value      string `json:"value"`
	Match      string `json:"match"`      // exact, near
	MatchedOn  string `json:"matched_on"` // name, title, email, id, external_id, display_name
	ID         string `json:"id,omitempty"`
	Name       string `json:"name,omitempty"`
	Title      string `json:"title,omitempty"`
	Email      string `json:"email,omitempty"`
	ExternalID string `json:"external_id,omitempty"`
	More       bool   `json:"more,omitempty"` // more are meant than are listed
}

// lookup is what a text in the place of a person, course or class asks for.
type lookup struct {
	on    string // matched_on
	match actionlog.DirectoryMatch
}

// lookups reads a text: an e-mail address, its beginning or domain, an ID, or
// a name or title.
func lookups(text string, kind actionlog.DirectoryKind) ([]lookup, error) {
	if id, ok := strings.CutPrefix(text, "id:"); ok {
		if id == "" {
			return nil, actionlog.Invalidf("", "id: lacks an ID")
		}
		return []lookup{{"id", actionlog.DirectoryMatch{ID: id}}}, nil
	}
	if kind == actionlog.DirectoryPeople {
		address := people.FoldEmail(text)
		switch {
		case strings.HasSuffix(address, "*") && len(address) > 1:
			return []lookup{{"email", actionlog.DirectoryMatch{Prefix: strings.TrimSuffix(address, "*")}}}, nil
		case strings.HasPrefix(address, "@") && len(address) > 1:
			return []lookup{{"email", actionlog.DirectoryMatch{Domain: address[1:]}}}, nil
		case strings.Contains(address, "@") && !strings.Contains(address, " "):
			return []lookup{{"email", actionlog.DirectoryMatch{Email: address}}}, nil
		}
	}
	all := []lookup{{"id", actionlog.DirectoryMatch{ID: text}}}
	words := people.Words(text)
	switch {
	case len(words) > 0 && kind == actionlog.DirectoryPeople:
		all = append(all, lookup{"name", actionlog.DirectoryMatch{Words: words}})
	case len(words) > 0:
		all = append(all, lookup{"title", actionlog.DirectoryMatch{Words: words}})
	}
	return all, nil
}

// person reads a value of the filter user.
func (r *reading) person(ctx context.Context, param, text string) ([]actionlog.Value, error) {
	all, err := lookups(text, actionlog.DirectoryPeople)
	if err != nil {
		return nil, err
	}
	var values []actionlog.Value
	add := func(p actionlog.PersonMatch) { values = append(values, actionlog.Value{Person: p}) }
	if slices.Equal(people.Words(text), people.Words(r.display)) {
		add(actionlog.PersonMatch{Staff: true})
		r.matched = append(r.matched, matched{Filter: param, Value: text, Match: "exact", MatchedOn: "display_name", Name: r.display})
	}
	for _, l := range all {
		keys, more, err := r.keys(ctx, param, text, actionlog.DirectoryPeople, l)
		if err == nil && len(l.match.Words) > 0 && r.near {
			keys, err = r.nearKeys(ctx, param, text, actionlog.DirectoryPeople, l, keys)
		}
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			add(actionlog.PersonMatch{Key: k})
		}
		m := l.match
		if len(m.Words) == 0 || more || len(keys) == 0 {
			add(actionlog.PersonMatch{ID: m.ID, Email: m.Email, Prefix: m.Prefix, Domain: m.Domain, Words: m.Words})
		}
	}
	return values, nil
}

func (r *reading) course(ctx context.Context, param, text string) ([]actionlog.Value, error) {
	return r.titled(ctx, param, text, actionlog.DirectoryCourses)
}

func (r *reading) class(ctx context.Context, param, text string) ([]actionlog.Value, error) {
	return r.titled(ctx, param, text, actionlog.DirectoryClasses)
}

func (r *reading) titled(ctx context.Context, param, text string, kind actionlog.DirectoryKind) ([]actionlog.Value, error) {
	all, err := lookups(text, kind)
	if err != nil {
		return nil, err
	}
	var values []actionlog.Value
	for _, l := range all {
		keys, more, err := r.keys(ctx, param, text, kind, l)
		if err == nil && len(l.match.Words) > 0 && r.near {
			keys, err = r.nearKeys(ctx, param, text, kind, l, keys)
		}
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			values = append(values, actionlog.Value{Titled: actionlog.TitledMatch{Key: k}})
		}
		if len(l.match.Words) == 0 || more || len(keys) == 0 {
			values = append(values, actionlog.Value{Titled: actionlog.TitledMatch{ID: l.match.ID, Words: l.match.Words}})
		}
	}
	return values, nil
}

// keys asks the directory who or what is meant, and notes it for the answer.
func (r *reading) keys(ctx context.Context, param, text string, kind actionlog.DirectoryKind, l lookup) (keys []string, more bool, err error) {
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
			r.matched = append(r.matched, r.describe(param, text, kind, l, e, more))
		}
	}
	return keys, more, nil
}

// nearKeys adds those whose names are near.
func (r *reading) nearKeys(ctx context.Context, param, text string, kind actionlog.DirectoryKind, l lookup, keys []string) ([]string, error) {
	found, _, err := people.Search(ctx, r.source(kind), text, maxListed)
	for _, m := range found {
		if m.Exact || !m.Near || m.Entry.Staff && r.staff == actionlog.StaffHidden {
			continue
		}
		keys = append(keys, m.Entry.Key)
		if len(r.matched) < maxListed {
			about := r.describe(param, text, kind, l, m.Entry, false)
			about.Match = "near"
			r.matched = append(r.matched, about)
		}
	}
	return keys, err
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

func (r *reading) describe(param, text string, kind actionlog.DirectoryKind, l lookup, e actionlog.DirectoryEntry, more bool) matched {
	m := matched{Filter: param, Value: text, Match: "exact", MatchedOn: l.on, More: more}
	if l.match.ID != "" && e.ID != l.match.ID {
		m.MatchedOn = "external_id"
	}
	if e.Staff && r.staff != actionlog.StaffShown {
		m.Name = r.display
		return m
	}
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

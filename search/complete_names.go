package search

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"

	"actionlog"
	"actionlog/internal/people"
)

const (
	// leastLetters is how many letters a plain word has before it is looked up.
	leastLetters = 2
	// maxRun is how many plain words are taken for one name.
	maxRun = 4
)

func letters(text string) (n int) {
	for _, r := range text {
		if unicode.IsLetter(r) {
			n++
		}
	}
	return n
}

// names are the people, courses and classes that may be meant, and whether the directory
// was asked for any.
func (s *server) names(ctx context.Context, institution string, t *typing, n int) (found []completion, asked bool, err error) {
	r := s.lookingUp(institution)
	if t.name == "" {
		if letters(t.typed) < leastLetters {
			return nil, false, nil
		}
		for _, run := range t.runs() {
			if found, err = s.named(ctx, r, "user", actionlog.DirectoryPeople, &run, n); err != nil {
				return nil, true, err
			}
			if run.start != t.start { // who has not all of the words is not meant
				found = slices.DeleteFunc(found, func(c completion) bool { return c.Match == "part" })
			}
			if len(found) > 0 {
				break
			}
		}
		return found, true, nil
	}
	q, _ := qualifierNamed(t.name)
	kind := filters[q.name].kind
	if t.inName || kind == "" || strings.Trim(t.typed, " -") == "" {
		return nil, false, nil
	}
	found, err = s.named(ctx, r, t.name, kind, t, n)
	return found, true, err
}

// runs are what is typed, each time with one less of the plain words right before it, as
// one name.
func (t *typing) runs() []typing {
	all := []typing{*t}
	for i := len(t.before) - 1; i >= 0 && len(all) < maxRun && !t.quoted && !t.not; i-- {
		p := t.before[i]
		if p.name != "" || p.quoted || p.not {
			break
		}
		longer := all[0]
		longer.start = p.start
		longer.typed = string(t.text[p.from:p.to]) + " " + longer.typed
		all = slices.Insert(all, 0, longer)
	}
	return all
}

// countWithin is how long the actions of those who are offered may be counted, while
// somebody types and a list is about to be read: then they are offered without.
const countWithin = 15 * time.Millisecond

// named looks up what is typed, as the value of a qualifier.
func (s *server) named(ctx context.Context, r *reading, name string, kind actionlog.DirectoryKind, t *typing, n int) ([]completion, error) {
	_, sign, typed := t.item(false)
	typed = strings.TrimSpace(typed)
	all, err := lookups(typed, kind)
	if err != nil {
		return nil, nil // id: is being typed
	}
	if kind == actionlog.DirectoryPeople && len(typed) > 1 && !strings.ContainsFunc(typed, unicode.IsSpace) && !strings.HasPrefix(typed, "id:") {
		begin := strings.TrimSuffix(people.FoldEmail(typed), "*")
		all = append(all, lookup{on: "email", match: actionlog.DirectoryMatch{Prefix: begin}, begins: true})
	}
	data, keys, _, err := r.find(ctx, kind, typed, all, n)
	if err != nil {
		return nil, err
	}
	counting, cancel := context.WithTimeout(ctx, countWithin)
	mentions, err := s.Directory.Mentions(counting, r.institution, kind, keys, false)
	cancel()
	late := errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil
	if err != nil && !late && !errors.Is(err, actionlog.ErrUnavailable) {
		return nil, err
	}
	found := s.staff(name, kind, t, typed)
	for i, f := range data {
		c := completion{Kind: kindOf[kind], Label: labelOf(f), Detail: detailOf(f), Match: f.Match}
		if err == nil {
			c.Actions = &mentions[i].Actions
		}
		found = append(found, t.with(c, name+":"+quote(sign+signedText(f.meantBy(kind, data), false))))
	}
	return found, nil
}

// staff is the display name of the platform's staff, if its words begin as what is typed.
func (s *server) staff(name string, kind actionlog.DirectoryKind, t *typing, typed string) []completion {
	if kind != actionlog.DirectoryPeople || !beginAs(people.Words(s.StaffDisplay), people.Words(typed)) {
		return nil
	}
	_, sign, _ := t.item(false)
	c := completion{Kind: "person", Label: s.StaffDisplay, Detail: aboutStaff, Match: matchOf(s.StaffDisplay, typed)}
	return []completion{t.with(c, name+":"+quote(sign+signedText(s.StaffDisplay, false)))}
}

// beginAs tells whether for each of the words that are typed there is one that begins so.
func beginAs(words, typed []string) bool {
	return len(typed) > 0 && !slices.ContainsFunc(typed, func(w string) bool {
		return !slices.ContainsFunc(words, func(of string) bool { return strings.HasPrefix(of, w) })
	})
}

var kindOf = map[actionlog.DirectoryKind]string{actionlog.DirectoryPeople: "person", actionlog.DirectoryCourses: "course", actionlog.DirectoryClasses: "class"}

func labelOf(f found) string {
	for _, text := range []string{f.Name, f.Title, f.Email, f.ID, f.ExternalID} {
		if text != "" {
			return text
		}
	}
	return ""
}

func detailOf(f found) string {
	for _, text := range []string{f.Email, f.ExternalID, f.ID} {
		if text != "" && text != labelOf(f) {
			return text
		}
	}
	return ""
}

// meantBy is a value that means this one and none of the others: the name, unless another
// has all of its words too.
func (f found) meantBy(kind actionlog.DirectoryKind, others []found) string {
	name := f.Name + f.Title
	words := people.Words(name)
	same := 0
	for _, o := range others {
		theirs := people.Words(o.Name + o.Title)
		if !slices.ContainsFunc(words, func(w string) bool { return !slices.Contains(theirs, w) }) {
			same++
		}
	}
	all, err := lookups(name, kind)
	readAsName := err == nil && len(words) > 0 && len(all[len(all)-1].match.Words) > 0
	switch {
	case readAsName && same == 1:
		return name
	case f.ID != "":
		return "id:" + f.ID
	case f.Email != "":
		return f.Email
	case f.ExternalID != "":
		return "id:" + f.ExternalID
	}
	return name
}

package storetest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"actionlog"
	"actionlog/internal/match"
	"actionlog/internal/people"
)

type entryKey struct {
	institution string
	kind        actionlog.DirectoryKind
	key         string
}

// entry is a person, course or class. It keeps every spelling that it ever had
// for as long as any kept action names it.
type entry struct {
	id             string
	external       map[string]time.Time // the newest time of each
	names, emails  map[string]time.Time
	emailSpellings map[string]string // by address in lower case
	staff          bool
	days           map[actionlog.Day]time.Time // when last seen on each day
}

// learn enters whom and what an action names; m.mu is held.
func (m *Model) learn(k *kept) {
	a := &k.Action
	m.learnPerson(k, a.Actor, a.Actor.Kind == actionlog.KindStaff)
	if a.OnBehalfOf != nil {
		m.learnPerson(k, *a.OnBehalfOf, a.OnBehalfOf.Kind == actionlog.KindStaff)
	}
	for _, p := range a.Targets {
		if p.IsPerson() {
			m.learnPerson(k, p, false) // "staff" of a target is the staff of a course
		}
	}
	m.learnEntry(k, actionlog.DirectoryCourses, people.TitledKey(a.Course), a.Course.ID, a.Course.Title)
	m.learnEntry(k, actionlog.DirectoryClasses, people.TitledKey(a.Class), a.Class.ID, a.Class.Title)
}

func (m *Model) learnPerson(k *kept, p actionlog.Person, staff bool) {
	e := m.learnEntry(k, actionlog.DirectoryPeople, people.Key(p), p.ID, p.Name)
	if e == nil {
		return
	}
	e.staff = e.staff || staff
	later(e.external, p.ExternalID, k.OccurredAt)
	if email := people.FoldEmail(p.Email); email != "" {
		if !k.OccurredAt.Before(e.emails[email]) {
			e.emailSpellings[email] = p.Email
		}
		later(e.emails, email, k.OccurredAt)
	}
}

func (m *Model) learnEntry(k *kept, kind actionlog.DirectoryKind, key, id, name string) *entry {
	if key == "" {
		return nil
	}
	at := entryKey{k.Institution, kind, key}
	e := m.entries[at]
	if e == nil {
		e = &entry{id: id, external: map[string]time.Time{}, names: map[string]time.Time{}, emails: map[string]time.Time{},
			emailSpellings: map[string]string{}, days: map[actionlog.Day]time.Time{}}
		m.entries[at] = e
	}
	later(e.names, name, k.OccurredAt)
	if e.days[k.occurredDay].Before(k.OccurredAt) {
		e.days[k.occurredDay] = k.OccurredAt
	}
	return e
}

func later(times map[string]time.Time, text string, at time.Time) {
	if text != "" && times[text].Before(at) {
		times[text] = at
	}
}

// forget removes the entries that only this day names; m.mu is held.
func (m *Model) forget(day actionlog.Day, institution string) {
	for at, e := range m.entries {
		if institution != "" && at.institution != institution {
			continue
		}
		if delete(e.days, day); len(e.days) == 0 {
			delete(m.entries, at)
		}
	}
}

// Lookup implements actionlog.Directory.
func (m *Model) Lookup(ctx context.Context, institution string, kind actionlog.DirectoryKind, match actionlog.DirectoryMatch, limit int) ([]actionlog.DirectoryEntry, bool, error) {
	if err := m.fault(ctx, "Lookup"); err != nil {
		return nil, false, err
	}
	if institution == "" {
		return nil, false, actionlog.Invalidf("institution", "is missing")
	}
	if limit < 1 {
		return nil, false, actionlog.Invalidf("limit", "is not positive")
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	var found []actionlog.DirectoryEntry
	for at, e := range m.entries {
		if at.institution != institution || at.kind != kind {
			continue
		}
		if entry := e.public(at.key); satisfiesLookup(entry, match) {
			found = append(found, entry)
		}
	}
	slices.SortFunc(found, func(a, b actionlog.DirectoryEntry) int {
		return cmp.Or(b.LastSeen.Compare(a.LastSeen), strings.Compare(a.Key, b.Key))
	})
	if len(found) > limit {
		return found[:limit], true, nil
	}
	return found, false, nil
}

func (e *entry) public(key string) actionlog.DirectoryEntry {
	d := actionlog.DirectoryEntry{Key: key, ID: e.id, Staff: e.staff, Names: newestFirst(e.names)}
	if external := newestFirst(e.external); len(external) > 0 {
		d.ExternalID = external[0]
	}
	for _, email := range newestFirst(e.emails) {
		d.Emails = append(d.Emails, e.emailSpellings[email])
	}
	for _, at := range e.days {
		if at.After(d.LastSeen) {
			d.LastSeen = at
		}
	}
	return d
}

func newestFirst(times map[string]time.Time) []string {
	return slices.SortedFunc(maps.Keys(times), func(a, b string) int {
		return cmp.Or(times[b].Compare(times[a]), strings.Compare(a, b))
	})
}

func satisfiesLookup(e actionlog.DirectoryEntry, m actionlog.DirectoryMatch) bool {
	email := func(f func(string) bool) bool {
		return slices.ContainsFunc(e.Emails, func(s string) bool { return f(people.FoldEmail(s)) })
	}
	switch {
	case m.Key != "":
		return e.Key == m.Key
	case m.ID != "":
		return e.ID == m.ID || e.ExternalID == m.ID
	case m.Email != "":
		return email(func(s string) bool { return s == m.Email })
	case m.Prefix != "":
		return email(func(s string) bool { return strings.HasPrefix(s, m.Prefix) })
	case m.Domain != "":
		return email(func(s string) bool { return match.Domain(s) == m.Domain })
	}
	return slices.ContainsFunc(e.Names, func(name string) bool {
		if len(m.Groups) > 0 {
			return hasGroups(name, m.Groups)
		}
		return match.HasWords(name, m.Words)
	})
}

func hasGroups(name string, groups [][]string) bool {
	words := people.IndexWords(name)
	for _, g := range groups {
		if !slices.ContainsFunc(g, func(w string) bool { return slices.Contains(words, w) }) {
			return false
		}
	}
	return true
}

// Vocabulary implements actionlog.Directory.
func (m *Model) Vocabulary(ctx context.Context, institution string, kind actionlog.DirectoryKind, keys []string, limit int) (words []actionlog.DirectoryWord, more bool, err error) {
	if err := m.fault(ctx, "Vocabulary"); err != nil {
		return nil, false, err
	}
	if institution == "" {
		return nil, false, actionlog.Invalidf("institution", "is missing")
	}
	if limit < 1 {
		return nil, false, actionlog.Invalidf("limit", "is not positive")
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	uses := map[string]int{}
	for at, e := range m.entries {
		if at.institution != institution || at.kind != kind {
			continue
		}
		for name := range e.names {
			for _, w := range people.IndexWords(name) {
				if slices.ContainsFunc(people.Neighbours(w), func(k string) bool { return slices.Contains(keys, k) }) {
					uses[w]++
				}
			}
		}
	}
	for _, w := range slices.Sorted(maps.Keys(uses)) {
		if len(words) == limit {
			return words, true, nil
		}
		words = append(words, actionlog.DirectoryWord{Text: w, Uses: uses[w]})
	}
	return words, false, nil
}

// Mentions implements actionlog.Directory.
func (m *Model) Mentions(ctx context.Context, institution string, kind actionlog.DirectoryKind, keys []string, missingDays bool) ([]actionlog.Mentions, error) {
	if err := m.fault(ctx, "Mentions"); err != nil {
		return nil, err
	}
	mentions := make([]actionlog.Mentions, len(keys))
	for i, key := range keys {
		c := actionlog.Clause{Field: actionlog.FieldPerson, Values: []actionlog.Value{{Person: actionlog.PersonMatch{Key: key}}}}
		switch kind {
		case actionlog.DirectoryCourses:
			c = actionlog.Clause{Field: actionlog.FieldCourse, Values: []actionlog.Value{{Titled: actionlog.TitledMatch{Key: key}}}}
		case actionlog.DirectoryClasses:
			c = actionlog.Clause{Field: actionlog.FieldClass, Values: []actionlog.Value{{Titled: actionlog.TitledMatch{Key: key}}}}
		}
		found, _, err := m.matches(&actionlog.Query{Institution: institution, Clauses: []actionlog.Clause{c}, Staff: actionlog.StaffShown, MissingDays: missingDays}, actionlog.NewestFirst)
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			mentions[i] = actionlog.Mentions{Actions: int64(len(found)), Last: found[0].OccurredAt}
		}
	}
	return mentions, nil
}

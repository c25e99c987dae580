package storetest

import (
	"slices"
	"time"

	"actionlog"
	"actionlog/internal/match"
	"actionlog/internal/people"
)

// query asks for anything of the vocabulary.
func (w *world) query() actionlog.Query {
	q := actionlog.Query{Institution: w.institution(), Staff: pick(w, actionlog.StaffFindable, actionlog.StaffShown, actionlog.StaffHidden)}
	if w.IntN(3) == 0 {
		q.From = w.time()
	}
	if w.IntN(3) == 0 {
		q.To = w.time()
		if q.To.Before(q.From) {
			q.From, q.To = q.To, q.From
		}
	}
	for range pick(w, 0, 1, 1, 1, 2, 3) {
		c := actionlog.Clause{Field: one(w, actionlog.ClauseFields()), Not: w.IntN(4) == 0}
		for range pick(w, 1, 1, 2, 4) {
			c.Values = append(c.Values, w.value(c.Field))
		}
		q.Clauses = append(q.Clauses, c)
	}
	return q
}

func (w *world) value(f actionlog.Field) actionlog.Value {
	switch f {
	case actionlog.FieldID:
		return text(one(w, w.sent).ID)
	case actionlog.FieldCategory:
		return text(pick(w, "course", "api", "institution"))
	case actionlog.FieldAction:
		return text(pick(w, "course.learner.added", "x", "y"))
	case actionlog.FieldOutcome:
		return text(pick(w, "success", "failure", "unknown"))
	case actionlog.FieldActorKind:
		return text(pick(w, "user", "staff", "api_key", "system"))
	case actionlog.FieldChannel:
		return text(pick(w, "web", "api", "lti"))
	case actionlog.FieldMethod:
		return text(pick(w, "GET", "POST", "PUT"))
	case actionlog.FieldCode:
		low := one(w, worldCodes[:])
		return code(low, low+pick(w, 0, 1, 99, 100, 5000))
	case actionlog.FieldURL:
		return text(pick(w, one(w, worldURLs[:]), "/", "/a/b", "/a/", "/z"))
	case actionlog.FieldContentType:
		return text(pick(w, "text/html", "text/plain"))
	case actionlog.FieldAny:
		return words(one(w, worldWords[:]) + pick(w, "", " "+one(w, worldWords[:])))
	case actionlog.FieldIP:
		return cidr(pick(w, "10.0.0.0/8", "10.0.0.1/32", "10.0.0.0/30", "10.0.128.0/17", "0.0.0.0/0", "2001:db8::/33", "::/0", "2001:db8::1/128"))
	case actionlog.FieldBatch, actionlog.FieldRequestID:
		return text(pick(w, "b1", "b2", "r1"))
	case actionlog.FieldCourse, actionlog.FieldClass:
		return titled(w.titledMatch())
	}
	if f != actionlog.FieldTarget && f != actionlog.FieldOnBehalfOf && w.IntN(8) == 0 {
		return anyStaff()
	}
	return person(w.personMatch())
}

func (w *world) personMatch() (m actionlog.PersonMatch) {
	p := one(w, worldPeople[:])
	email := people.FoldEmail(p.Email)
	switch w.IntN(6) {
	case 0:
		m.Key = people.Key(p)
	case 1:
		m.ID = p.ID
	case 2:
		m.Email = email
	case 3:
		m.Prefix = email[:min(len(email), 1+w.IntN(6))]
	case 4:
		m.Domain = match.Domain(email)
	}
	if m.Key+m.ID+m.Email+m.Prefix+m.Domain == "" {
		m.Words = people.Words(pick(w, "ann", "lee", "lee ann", "wong", "lukasz", "王小明", "nobody"))
	}
	return m
}

func (w *world) titledMatch() (m actionlog.TitledMatch) {
	t := one(w, worldTitles[:])
	switch w.IntN(3) {
	case 0:
		m.Key = people.TitledKey(t)
	case 1:
		m.ID = t.ID
	}
	if m.Key+m.ID == "" {
		m.Words = people.Words(pick(w, "arts", "fine arts", "craft fine", "lodz"))
	}
	return m
}

// edges are two or more ascending times, near the actions.
func (w *world) edges() (edges []time.Time) {
	for range 2 + w.IntN(5) {
		edges = append(edges, w.time().Add(pick(w, 0, 0, time.Hour, -time.Millisecond, 36*time.Hour)))
	}
	slices.SortFunc(edges, time.Time.Compare)
	edges = slices.CompactFunc(edges, time.Time.Equal)
	if len(edges) < 2 {
		edges = append(edges, edges[0].Add(time.Millisecond))
	}
	return edges
}

func (w *world) lookup() step {
	s := lookupStep{institution: w.institution(), kind: pick(w, actionlog.DirectoryPeople, actionlog.DirectoryPeople,
		actionlog.DirectoryCourses, actionlog.DirectoryClasses), limit: pick(w, 1, 2, 100)}
	if s.kind != actionlog.DirectoryPeople {
		t := w.titledMatch()
		s.match = actionlog.DirectoryMatch{Key: t.Key, ID: t.ID, Words: t.Words}
		return s
	}
	p := w.personMatch()
	s.match = actionlog.DirectoryMatch{Key: p.Key, ID: p.ID, Email: p.Email, Prefix: p.Prefix, Domain: p.Domain, Words: p.Words}
	return s
}

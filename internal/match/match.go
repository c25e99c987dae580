// Package match tells whether an action is what a query means, by looking at it: the
// definition of every field, in the plainest words. What is not in a store is judged by it
// (the feed), and engines are held to it (internal/storetest). It knows no store and no
// directory.
package match

import (
	"slices"
	"strings"
	"time"

	"actionlog"
	"actionlog/internal/people"
)

// Action is an action with the words that it is found by.
type Action struct {
	Item              *actionlog.Item
	words, staffWords map[string]bool // staffWords: of StaffText
}

// Of cuts the words of an item, which is not to be changed from then on.
func Of(item *actionlog.Item) *Action {
	return &Action{item, wordsOf(item.Text), wordsOf(item.StaffText)}
}

func wordsOf(texts []string) map[string]bool {
	words := map[string]bool{}
	for _, s := range texts {
		for _, w := range people.Words(s) {
			words[w] = true
		}
	}
	return words
}

// Is tells whether a query means the action.
func (k *Action) Is(q *actionlog.Query) bool {
	if k.Item.Institution != q.Institution || !Within(k.Item.OccurredAt, q.From, q.To) {
		return false
	}
	for _, c := range q.Clauses {
		if k.satisfies(c, q.Staff) == c.Not {
			return false
		}
	}
	return true
}

// satisfies tells whether the item has one of the values, negated or not.
func (k *Action) satisfies(c actionlog.Clause, view actionlog.StaffView) bool {
	return slices.ContainsFunc(c.Values, func(v actionlog.Value) bool { return k.has(c.Field, v, view) })
}

func (k *Action) has(field actionlog.Field, v actionlog.Value, view actionlog.StaffView) bool {
	a := &k.Item.Action
	switch field {
	case actionlog.FieldCode:
		return a.Response != nil && v.Min <= *a.Response && *a.Response <= v.Max
	case actionlog.FieldURL:
		return actionlog.URLMatches(a.Request, v.Text)
	case actionlog.FieldAny:
		return containsAll(v.Words, func(w string) bool {
			return k.words[w] || view != actionlog.StaffHidden && k.staffWords[w]
		})
	case actionlog.FieldIP:
		return a.Origin.IP.IsValid() && v.Prefix.Contains(a.Origin.IP)
	case actionlog.FieldActor, actionlog.FieldTarget, actionlog.FieldOnBehalfOf, actionlog.FieldPerson:
		return hasPerson(a, field, v.Person, view)
	case actionlog.FieldCourse:
		return isTitled(a.Course, v.Titled)
	case actionlog.FieldClass:
		return isTitled(a.Class, v.Titled)
	}
	return v.Text != "" && v.Text == Text(a, field)
}

// Text is the value of a field that compares as text; "" is none.
func Text(a *actionlog.Action, field actionlog.Field) string {
	switch field {
	case actionlog.FieldID:
		return a.ID
	case actionlog.FieldCategory:
		return string(a.Category)
	case actionlog.FieldAction:
		return a.Code
	case actionlog.FieldOutcome:
		return a.Outcome
	case actionlog.FieldActorKind:
		return a.Actor.Kind
	case actionlog.FieldChannel:
		return a.Origin.Channel
	case actionlog.FieldMethod:
		return a.Request.Method
	case actionlog.FieldContentType:
		return a.Request.MediaType()
	case actionlog.FieldBatch:
		return a.Trace.BatchID
	case actionlog.FieldRequestID:
		return a.Trace.RequestID
	}
	return ""
}

func containsAll(words []string, has func(string) bool) bool {
	for _, w := range words {
		if !has(w) {
			return false
		}
	}
	return len(words) > 0
}

// hasPerson looks for a person in the roles that the field names. Who is an
// actor of the platform's staff is not looked at in the view StaffHidden.
func hasPerson(a *actionlog.Action, field actionlog.Field, m actionlog.PersonMatch, view actionlog.StaffView) bool {
	in := func(f actionlog.Field) bool { return field == f || field == actionlog.FieldPerson }
	staff := a.Actor.Kind == actionlog.KindStaff
	if m.Staff {
		return in(actionlog.FieldActor) && staff
	}
	if in(actionlog.FieldActor) && !(staff && view == actionlog.StaffHidden) && isPerson(a.Actor, true, m) {
		return true
	}
	if in(actionlog.FieldOnBehalfOf) && a.OnBehalfOf != nil && isPerson(*a.OnBehalfOf, true, m) {
		return true
	}
	return in(actionlog.FieldTarget) && slices.ContainsFunc(a.Targets, func(p actionlog.Person) bool {
		return isPerson(p, p.IsPerson(), m)
	})
}

// isPerson compares one person. Things (named is false) have no directory key
// and no name in the sense of a person filter; an ID is an ID of anything.
func isPerson(p actionlog.Person, named bool, m actionlog.PersonMatch) bool {
	email := people.FoldEmail(p.Email)
	switch {
	case m.Key != "":
		return named && people.Key(p) == m.Key
	case m.ID != "":
		return p.ID == m.ID || p.ExternalID == m.ID
	case m.Email != "":
		return email == m.Email
	case m.Prefix != "":
		return strings.HasPrefix(email, m.Prefix)
	case m.Domain != "":
		return Domain(email) == m.Domain
	}
	return named && HasWords(p.Name, m.Words)
}

// Domain is what stands behind the last @; "" where there is none.
func Domain(email string) string {
	if i := strings.LastIndexByte(email, '@'); i >= 0 {
		return email[i+1:]
	}
	return ""
}

// HasWords tells whether a text has all of the words, of which there is one at least.
func HasWords(text string, words []string) bool {
	own := people.Words(text)
	return containsAll(words, func(w string) bool { return slices.Contains(own, w) })
}

func isTitled(t actionlog.Titled, m actionlog.TitledMatch) bool {
	switch {
	case m.Key != "":
		return people.TitledKey(t) == m.Key
	case m.ID != "":
		return t.ID == m.ID
	}
	return HasWords(t.Title, m.Words)
}

// Within tells whether an instant lies between two, of which zero is no bound.
func Within(t, from, to time.Time) bool {
	return (from.IsZero() || !t.Before(from)) && (to.IsZero() || t.Before(to))
}

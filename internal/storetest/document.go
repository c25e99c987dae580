package storetest

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"time"

	"actionlog"
	"actionlog/internal/people"
)

// The world of the cases: one institution, and a Tuesday in November.
const home = "uni"

var (
	noon     = time.Date(2026, 11, 10, 12, 0, 0, 0, time.UTC)
	received = time.Date(2026, 11, 10, 12, 0, 1, 0, time.UTC)
	today    = actionlog.DayOf(noon)
)

// action makes a document: the required members, and others as JSON, such as
// `"outcome":"success"`, which replace the former where they have their name.
func action(id string, at time.Time, members ...string) string {
	all := []string{
		`"id":` + quote(id),
		`"occurred_at":` + quote(at.Format("2006-01-02T15:04:05.000Z07:00")),
		`"institution":{"id":` + quote(home) + `}`,
		`"category":"course"`,
		`"action":{"code":"course.learner.added"}`,
		`"actor":{"kind":"user"}`,
	}
	for _, m := range members {
		i := slices.IndexFunc(all, func(s string) bool { return nameOf(s) == nameOf(m) })
		if i >= 0 {
			all[i] = m
		} else {
			all = append(all, m)
		}
	}
	return "{" + strings.Join(all, ",") + "}"
}

func nameOf(member string) string {
	name, _, _ := strings.Cut(member, ":")
	return name
}

// quote is a string as JSON.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// of replaces the institution of an action.
func of(institution string) string { return `"institution":{"id":` + quote(institution) + `}` }

// url is the request of an action.
func url(u string) string { return `"request":{"url":` + quote(u) + `}` }

// where is a query of the cases' institution.
func where(clauses ...actionlog.Clause) actionlog.Query {
	return actionlog.Query{Institution: home, Clauses: clauses}
}

// between bounds a query's time.
func between(q actionlog.Query, from, to time.Time) actionlog.Query {
	q.From, q.To = from, to
	return q
}

// seenBy sets a query's view of the platform's staff.
func seenBy(view actionlog.StaffView, q actionlog.Query) actionlog.Query {
	q.Staff = view
	return q
}

func is(f actionlog.Field, values ...actionlog.Value) actionlog.Clause {
	return actionlog.Clause{Field: f, Values: values}
}

func not(f actionlog.Field, values ...actionlog.Value) actionlog.Clause {
	return actionlog.Clause{Field: f, Values: values, Not: true}
}

func text(s string) actionlog.Value     { return actionlog.Value{Text: s} }
func code(min, max int) actionlog.Value { return actionlog.Value{Min: min, Max: max} }
func words(s string) actionlog.Value    { return actionlog.Value{Words: people.Words(s)} }
func cidr(s string) actionlog.Value {
	return actionlog.Value{Prefix: netip.MustParsePrefix(s).Masked()}
}

func texts(list ...string) (values []actionlog.Value) {
	for _, s := range list {
		values = append(values, text(s))
	}
	return values
}

func person(m actionlog.PersonMatch) actionlog.Value { return actionlog.Value{Person: m} }
func named(s string) actionlog.Value {
	return person(actionlog.PersonMatch{Words: people.Words(s)})
}
func keyed(key string) actionlog.Value   { return person(actionlog.PersonMatch{Key: key}) }
func withID(id string) actionlog.Value   { return person(actionlog.PersonMatch{ID: id}) }
func mailed(s string) actionlog.Value    { return person(actionlog.PersonMatch{Email: s}) }
func beginning(s string) actionlog.Value { return person(actionlog.PersonMatch{Prefix: s}) }
func domain(s string) actionlog.Value    { return person(actionlog.PersonMatch{Domain: s}) }
func anyStaff() actionlog.Value          { return person(actionlog.PersonMatch{Staff: true}) }

func titled(m actionlog.TitledMatch) actionlog.Value { return actionlog.Value{Titled: m} }

package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"actionlog"
)

func queryCases() []testCase {
	return []testCase{
		{"clauses", "Clauses are AND-ed, the values inside a clause OR-ed, and a clause may be negated.", testClauses},
		{"many values", "The values inside a clause are OR-ed: any number of them.", testManyValues},
		{"many clauses", "Clauses that an action must all satisfy: any number of them.", testManyClauses},
		{"wrong queries", "A clause has at least one value, of a field that there is; a store refuses a query without institution.", testWrongQueries},
	}
}

func testClauses(c *check) {
	var ids []string
	for i := range 32 {
		id := fmt.Sprintf("a%02d", i)
		ids = append(ids, id)
		bit := func(n int, yes, no string) string {
			if i>>n&1 == 1 {
				return quote(yes)
			}
			return quote(no)
		}
		c.write(action(id, noon.AddDate(0, 0, -i%3), `"outcome":`+bit(0, "success", "failure"), `"category":`+bit(1, "course", "api"),
			`"origin":{"channel":`+bit(2, "web", "api")+`}`, `"summary":`+bit(3, "red", "blue"),
			`"actor":{"kind":"user","name":`+bit(4, "Ann", "Bob")+`}`))
	}
	clauses := []actionlog.Clause{is(actionlog.FieldOutcome, text("success")), is(actionlog.FieldCategory, text("course")),
		is(actionlog.FieldChannel, text("web")), is(actionlog.FieldAny, words("red")), is(actionlog.FieldActor, named("ann"))}
	for used := range 32 {
		for negated := range 32 {
			if negated&^used != 0 {
				continue
			}
			var q []actionlog.Clause
			for n, clause := range clauses {
				if clause.Not = negated>>n&1 == 1; used>>n&1 == 1 {
					q = append(q, clause)
				}
			}
			var want []string
			for i, id := range ids {
				if i&used == used&^negated {
					want = append(want, id)
				}
			}
			c.finds(where(q...), want...)
		}
	}
}

func testManyValues(c *check) {
	var documents, ids []string
	for i := range 40 {
		ids = append(ids, fmt.Sprint("a", i))
		documents = append(documents,
			action(ids[i], noon,
				`"actor":{"kind":"user","id":"p`+fmt.Sprint(i)+`","name":"Person N`+fmt.Sprint(i)+`","email":"p`+fmt.Sprint(i)+`@x.edu"}`,
				`"course":{"id":"c`+fmt.Sprint(i)+`"}`, fmt.Sprintf(`"response":{"code":%d}`, 3*i), fmt.Sprintf(`"origin":{"ip":"10.0.%d.1"}`, i),
				`"action":{"code":"x`+fmt.Sprint(i)+`"}`, url(fmt.Sprint("/u/", i))))
	}
	c.write(documents...)
	some := []string{"a0", "a7", "a39"}
	for name, value := range map[string]func(n int) (actionlog.Field, actionlog.Value){
		"ids":      func(n int) (actionlog.Field, actionlog.Value) { return actionlog.FieldID, text(fmt.Sprint("a", n)) },
		"codes":    func(n int) (actionlog.Field, actionlog.Value) { return actionlog.FieldAction, text(fmt.Sprint("x", n)) },
		"statuses": func(n int) (actionlog.Field, actionlog.Value) { return actionlog.FieldCode, code(3*n, 3*n+1) },
		"urls":     func(n int) (actionlog.Field, actionlog.Value) { return actionlog.FieldURL, text(fmt.Sprint("/u/", n)) },
		"words":    func(n int) (actionlog.Field, actionlog.Value) { return actionlog.FieldAny, words(fmt.Sprint("n", n)) },
		"addresses": func(n int) (actionlog.Field, actionlog.Value) {
			return actionlog.FieldIP, cidr(fmt.Sprintf("10.%d.%d.0/24", n/256, n%256))
		},
		"keys": func(n int) (actionlog.Field, actionlog.Value) {
			return actionlog.FieldPerson, keyed(fmt.Sprint("id:p", n))
		},
		"e-mails": func(n int) (actionlog.Field, actionlog.Value) {
			return actionlog.FieldPerson, mailed(fmt.Sprintf("p%d@x.edu", n))
		},
		"names": func(n int) (actionlog.Field, actionlog.Value) {
			return actionlog.FieldPerson, named(fmt.Sprint("person n", n))
		},
		"courses": func(n int) (actionlog.Field, actionlog.Value) {
			return actionlog.FieldCourse, titled(actionlog.TitledMatch{ID: fmt.Sprint("c", n)})
		},
	} {
		c.group(name, func(c *check) {
			clause, many := actionlog.Clause{}, 1000
			switch name { // what an engine cannot ask for as one condition
			case "names": // of two words in three places
				many = 150
			case "addresses":
				many = 400
			}
			for n := range many {
				f, v := value(n + 100) // none of them is there
				clause.Field, clause.Values = f, append(clause.Values, v)
			}
			c.clause(clause, "")
			for i, n := range []int{0, 7, 39} {
				_, clause.Values[i*(many/2-1)] = value(n)
			}
			c.clause(clause, strings.Join(some, " "))
		})
	}
}

func testManyClauses(c *check) {
	long := make([]string, 150)
	for i := range long {
		long[i] = fmt.Sprint("word", i)
	}
	c.write(action("a", noon, `"summary":`+quote(strings.Join(long, " "))), action("b", noon, `"summary":`+quote(strings.Join(long[1:], " "))))
	var all, none []actionlog.Clause
	for i, w := range long {
		all = append(all, is(actionlog.FieldAny, words(w)))
		none = append(none, not(actionlog.FieldAny, words(fmt.Sprint("other", i))), not(actionlog.FieldID, text(fmt.Sprint("x", i))))
	}
	c.finds(where(all...), "a")
	c.finds(where(none...), "a", "b")
	c.finds(where(append(all[1:], none...)...), "a", "b")
	c.finds(where(append(none, not(actionlog.FieldID, text("b")))...), "a")
	c.finds(where(is(actionlog.FieldAny, words(strings.Join(long, " ")))), "a")
}

// testWrongQueries asks through every port.
func testWrongQueries(c *check) {
	c.write(action("a", noon))
	for name, q := range map[string]actionlog.Query{
		"no institution":                {},
		"no institution, but a clause":  {Clauses: []actionlog.Clause{is(actionlog.FieldID, text("a"))}},
		"no value":                      where(actionlog.Clause{Field: actionlog.FieldOutcome}),
		"no value, negated":             where(actionlog.Clause{Field: actionlog.FieldOutcome, Not: true}),
		"no field":                      where(is("", text("a"))),
		"unknown field":                 where(is("nonsense", text("a"))),
		"unknown field, negated":        where(not("nonsense", text("a"))),
		"an unknown field among others": where(is(actionlog.FieldID, text("a")), not("details", text("a"))),
	} {
		c.group(name, func(c *check) { c.refused(q) })
	}
}

func (c *check) refused(q actionlog.Query) {
	c.Helper()
	ctx := context.Background()
	edges := []time.Time{today.Start(), today.End()}
	for port, ask := range map[string]func() error{
		"Page":      func() error { _, err := c.store.Page(ctx, q, actionlog.NewestFirst, "", 10); return err },
		"Count":     func() error { _, _, err := c.store.Count(ctx, q, 0); return err },
		"Histogram": func() error { _, err := c.store.Histogram(ctx, q, edges, ""); return err },
		"Facet":     func() error { _, err := c.store.Facet(ctx, q, actionlog.FieldOutcome, 10); return err },
		"Scan":      func() error { _, err := scan(c.store, q, actionlog.OldestFirst); return err },
	} {
		if invalid := (*actionlog.InvalidError)(nil); !errors.As(ask(), &invalid) {
			c.Errorf("%s of %s is answered (%v), not refused as invalid", port, describe(q), ask())
		}
	}
}

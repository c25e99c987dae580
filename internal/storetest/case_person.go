package storetest

import (
	"fmt"
	"strings"

	"actionlog"
)

func personFilterCases() []testCase {
	return []testCase{
		filterCase("persons in roles", "FieldActor, FieldTarget and FieldOnBehalfOf look at one role; FieldPerson at actor, on_behalf_of or any target.",
			personDocuments(), roleRows()),
		filterCase("persons by what", "PersonMatch: directory key; ID or external ID byte for byte; e-mail, its beginning or its domain in lower case; words, all of one person's name.",
			personDocuments(), matchRows()),
		filterCase("one person's words", "PersonMatch.Words: all are words of the name of one person.", []string{
			action("one", noon, `"targets":[{"name":"Ann Lee"},{"name":"Bob Wong"}]`),
			action("two", noon, `"targets":[{"name":"Ann Wong"},{"name":"Bob Lee"}]`),
			action("roles", noon, `"actor":{"kind":"user","name":"Ann"}`, `"on_behalf_of":{"name":"Lee"}`, `"targets":[{"name":"Bob"}]`),
			action("ninth", noon, `"targets":[`+strings.Repeat(`{"name":"Nobody Else"},`, 8)+`{"name":"Lee Ann Smith"}]`),
			action("many", noon, `"targets":[`+strings.Repeat(`{"name":"Ann"},{"name":"Lee"},`, 30)+`{"name":"Zoe Last"}]`),
		}, []row{
			{"targets", is(actionlog.FieldTarget, named("ann lee")), "one ninth"},
			{"targets, the other way", is(actionlog.FieldTarget, named("wong ann")), "two"},
			{"targets, one word", is(actionlog.FieldTarget, named("ann")), "one two ninth many"},
			{"any role", is(actionlog.FieldPerson, named("ann lee")), "one ninth"},
			{"the ninth target", is(actionlog.FieldPerson, named("smith lee")), "ninth"},
			{"the last of many", is(actionlog.FieldPerson, named("last zoe")), "many"},
			{"no such person", is(actionlog.FieldPerson, named("nobody lee")), ""},
		}),
		filterCase("things are no people", "Words: only of people (IsPerson); the directory key is that of a person.", []string{
			action("thing", noon, `"targets":[{"kind":"assignment","id":"5","name":"Ann Lee"}]`),
			action("person", noon, `"targets":[{"kind":"learner","id":"5","name":"Ann Lee"}]`),
			action("mailed", noon, `"targets":[{"kind":"group","id":"6","name":"Ann Lee","email":"ann@x.edu"}]`),
			action("external", noon, `"targets":[{"kind":"group","external_id":"5","name":"Ann Lee"}]`),
			action("actor", noon, `"actor":{"kind":"system","id":"5","name":"Ann Lee"}`),
			action("behalf", noon, `"on_behalf_of":{"id":"5","name":"Ann Lee"}`),
			action("nameless", noon, `"targets":[{"id":"5"}]`),
		}, []row{
			{"words", is(actionlog.FieldPerson, named("ann lee")), "person mailed external actor behalf"},
			{"words of targets", is(actionlog.FieldTarget, named("ann lee")), "person mailed external"},
			{"key", is(actionlog.FieldPerson, keyed("id:5")), "person actor behalf nameless"},
			{"key of targets", is(actionlog.FieldTarget, keyed("id:5")), "person nameless"},
			{"an ID is an ID of anything", is(actionlog.FieldPerson, withID("5")), "thing person external actor behalf nameless"},
		}),
		{"e-mail letter by letter", "Email: the whole e-mail address, in lower case. Prefix: its beginning. Domain: what stands behind the last @.", testEmails},
	}
}

func personDocuments() []string {
	return []string{
		action("actor", noon, `"actor":{"kind":"user","id":"U1","name":"Melody Wang","email":"Melody@Example.EDU","external_id":"E1"}`),
		action("behalf", noon, `"actor":{"kind":"api_key","id":"K1","name":"Sync Job"}`,
			`"on_behalf_of":{"id":"U1","name":"Melody Wang","email":"melody@example.edu","external_id":"E1"}`),
		action("target", noon, `"actor":{"kind":"user","id":"U2","name":"Ann Lee"}`,
			`"targets":[{"kind":"course","id":"C1"},{"kind":"user","id":"U1","name":"WANG, Mélody","email":"melody@example.edu"}]`),
		action("self", noon, `"actor":{"kind":"user","id":"U1"}`, `"targets":[{"id":"U1"}]`),
		action("keyless", noon, `"actor":{"kind":"user","email":"melody@example.edu"}`),
		action("external", noon, `"actor":{"kind":"user","external_id":"E1"}`),
		action("named", noon, `"actor":{"kind":"user","name":"Melody  Wang"}`),
		action("crossed", noon, `"actor":{"kind":"user","id":"E1","external_id":"U1"}`),
		action("other", noon, `"actor":{"kind":"user","id":"u1","name":"Melody","email":"melody@example.edu.au","external_id":"e1"}`),
		action("nobody", noon, `"actor":{"kind":"anonymous"}`), action("elsewhere", noon, `"summary":"Melody Wang U1 melody@example.edu"`),
	}
}

func roleRows() (rows []row) {
	for f, want := range map[actionlog.Field]string{
		actionlog.FieldActor: "actor self", actionlog.FieldOnBehalfOf: "behalf", actionlog.FieldTarget: "target self",
		actionlog.FieldPerson: "actor behalf target self",
	} {
		rows = append(rows, row{string(f), is(f, keyed("id:U1")), want})
	}
	for f, want := range map[actionlog.Field]string{
		actionlog.FieldActor: "actor named", actionlog.FieldOnBehalfOf: "behalf", actionlog.FieldTarget: "target",
		actionlog.FieldPerson: "actor named behalf target",
	} {
		rows = append(rows, row{string(f) + " by name", is(f, named("wang melody")), want})
	}
	for f, want := range map[actionlog.Field]string{
		actionlog.FieldActor: "actor keyless", actionlog.FieldOnBehalfOf: "behalf", actionlog.FieldTarget: "target",
		actionlog.FieldPerson: "actor keyless behalf target",
	} {
		rows = append(rows, row{string(f) + " by e-mail", is(f, mailed("melody@example.edu")), want})
	}
	return rows
}

func matchRows() []row {
	f := actionlog.FieldPerson
	return []row{
		{"id", is(f, withID("U1")), "actor behalf target self crossed"}, {"id in another case", is(f, withID("u1")), "other"},
		{"external id", is(f, withID("E1")), "actor behalf external crossed"}, {"part of an id", is(f, withID("U")), ""},
		{"key of an id", is(f, keyed("id:U1")), "actor behalf target self"},
		{"key of an e-mail", is(f, keyed("email:melody@example.edu")), "keyless"},
		{"key of an external id", is(f, keyed("external:E1")), "external"}, {"key of a name", is(f, keyed("name:melody wang")), "named"},
		{"key of nobody", is(f, keyed("id:")), ""},
		{"e-mail", is(f, mailed("melody@example.edu")), "actor behalf target keyless"},
		{"beginning of an e-mail as a whole one", is(f, mailed("melody@example")), ""},
		{"prefix", is(f, beginning("melody@example.edu")), "actor behalf target keyless other"},
		{"short prefix", is(f, beginning("m")), "actor behalf target keyless other"},
		{"prefix of nothing", is(f, beginning("elody")), ""},
		{"domain", is(f, domain("example.edu")), "actor behalf target keyless"},
		{"domain above", is(f, domain("edu")), ""},
		{"domain below", is(f, domain("example.edu.au")), "other"},
		{"one word", is(f, named("melody")), "actor behalf target named other"}, {"words", is(f, named("Wang Melody")), "actor behalf target named"},
		{"part of a word", is(f, named("melod")), ""}, {"job", is(f, named("sync")), "behalf"},
		{"several", is(f, named("ann"), mailed("melody@example.edu.au"), withID("K1"), keyed("external:E1")), "target other behalf external"},
		{"staff", is(f, anyStaff()), ""},
	}
}

func testEmails(c *check) {
	odd := []string{
		"a@b", "a@b.c", "A@B.C", "aa@b.c", "a@b@c", `"odd name"@b.c`, "a%@b.c", "a_@b.c", "a*@b.c", "ünï@b.c", "ÜNÏ@b.c", "a'b@b.c", "@b.c", "plain", "a@", " a@b.c ", "İ@b.c",
		strings.Repeat("x", 300) + "@b.c", strings.Repeat("x", 300) + "@b.d",
	}
	var documents []string
	for i, e := range odd {
		documents = append(documents, action(fmt.Sprint("e", i), noon, `"actor":{"kind":"user","email":`+quote(e)+`}`))
	}
	c.write(documents...)
	for _, r := range []row{
		{"whole", is(actionlog.FieldActor, mailed("a@b.c")), "e1 e2 e15"},
		{"signs", is(actionlog.FieldActor, mailed("a%@b.c"), mailed("a_@b.c"), mailed("a'b@b.c")), "e6 e7 e11"},
		{"a sign is itself", is(actionlog.FieldActor, beginning("a%"), beginning("a*")), "e6 e8"},
		{"other scripts", is(actionlog.FieldActor, mailed("ünï@b.c")), "e9 e10"},
		{"prefix", is(actionlog.FieldActor, beginning("a@b")), "e0 e1 e2 e4 e15"},
		{"prefix is the whole", is(actionlog.FieldActor, beginning("a@b.c")), "e1 e2 e15"},
		{"long prefix", is(actionlog.FieldActor, beginning(strings.Repeat("x", 300)+"@b.")), "e17 e18"},
		{"long whole", is(actionlog.FieldActor, mailed(strings.Repeat("x", 300)+"@b.c")), "e17"},
		{"domain", is(actionlog.FieldActor, domain("b.c")), "e1 e2 e3 e5 e6 e7 e8 e9 e10 e11 e12 e15 e16 e17"},
		{"domain behind the last sign", is(actionlog.FieldActor, domain("c")), "e4"},
		{"no domain", is(actionlog.FieldActor, domain("plain")), ""},
	} {
		c.group(r.name, func(c *check) { c.clause(r.clause, r.want) })
	}
}

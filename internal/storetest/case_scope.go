package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"actionlog"

	"github.com/google/go-cmp/cmp"
)

func scopeCases() []testCase {
	const rule = "A query finds actions of its institution and of no other."
	return []testCase{
		{"two institutions", rule, testTwoInstitutions},
		{"names of another institution", rule, testForeignNames},
		{"similar institutions", rule, func(c *check) {
			ids := []string{"uni", "UNI", "uni-1", "un", "uni_1", "1", "_", "-", strings.Repeat("u", 64)}
			var items []actionlog.Item
			for _, id := range ids {
				items = append(items, c.item(action("in-"+id, noon, of(id))))
			}
			c.writeItems(items)
			for _, id := range ids {
				c.finds(actionlog.Query{Institution: id}, "in-"+id)
				c.finds(actionlog.Query{Institution: id, Clauses: []actionlog.Clause{is(actionlog.FieldCategory, text("course")), not(actionlog.FieldID, text("x"))}}, "in-"+id)
			}
			c.finds(actionlog.Query{Institution: "nobody"})
			c.finds(actionlog.Query{Institution: "*"})
		}},
	}
}

// same is a document that both institutions have.
func same(i int, institution string) string {
	return action(fmt.Sprint("a", i), noon.AddDate(0, 0, -i%3), of(institution), `"outcome":"success"`, `"summary":"same words"`,
		`"actor":{"kind":"user","id":"U1","name":"Ann Lee","email":"ann@x.edu"}`, `"course":{"id":"C1","title":"Arts"}`, `"class":{"title":"K"}`,
		`"origin":{"ip":"10.0.0.1","channel":"web"}`, `"response":{"code":200}`, url("/x/y"), `"trace":{"batch_id":"b"}`)
}

func testTwoInstitutions(c *check) {
	var items []actionlog.Item
	for i := range 9 {
		items = append(items, c.item(same(i, home)), c.item(same(i, "other")))
	}
	c.writeItems(items)
	c.writeItems(c.items(action("only", noon, of("other"), `"actor":{"kind":"user","id":"U2","name":"Bob"}`)))
	ids := []string{"a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8"}
	for _, clause := range []actionlog.Clause{
		is(actionlog.FieldOutcome, text("success")), is(actionlog.FieldAny, words("same")), is(actionlog.FieldPerson, keyed("id:U1")),
		is(actionlog.FieldActor, named("ann")), is(actionlog.FieldCourse, titled(actionlog.TitledMatch{ID: "C1"})),
		is(actionlog.FieldIP, cidr("10.0.0.0/8")),
		is(actionlog.FieldCode, code(200, 299)), is(actionlog.FieldURL, text("/x")),
		is(actionlog.FieldBatch, text("b")), not(actionlog.FieldOutcome, text("failure")),
	} {
		c.finds(where(clause), ids...)
	}
	ctx := context.Background()
	for _, institution := range []string{home, "other"} {
		got, err := c.store.Get(ctx, institution, "a0", actionlog.Day{})
		if err != nil || len(got) != 1 || got[0].Institution != institution || !strings.Contains(string(got[0].Document), quote(institution)) {
			c.Errorf("Get of %s: %v, %v", institution, got, err)
		}
	}
	if got, err := c.store.Get(ctx, home, "only", actionlog.Day{}); !errors.Is(err, actionlog.ErrNotFound) {
		c.Errorf("Get of another institution's action: %d records, %v", len(got), err)
	}
	if _, err := c.store.Get(ctx, "", "only", actionlog.Day{}); err == nil {
		c.Errorf("Get without institution is answered")
	}
	if _, _, err := c.store.Lookup(ctx, "", actionlog.DirectoryPeople, actionlog.DirectoryMatch{ID: "U1"}, 1); err == nil {
		c.Errorf("Lookup without institution is answered")
	}
	c.lookup(actionlog.DirectoryPeople, actionlog.DirectoryMatch{Words: []string{"bob"}})
	c.lookup(actionlog.DirectoryPeople, actionlog.DirectoryMatch{ID: "U2"})
	c.lookup(actionlog.DirectoryPeople, actionlog.DirectoryMatch{Key: "id:U2"})
	c.lookup(actionlog.DirectoryPeople, actionlog.DirectoryMatch{ID: "U1"}, "id:U1")
}

// testForeignNames gives one key other names in another institution.
func testForeignNames(c *check) {
	documents := func(institution, name, label string, day int) string {
		return action("a", noon.AddDate(0, 0, day), of(institution),
			`"actor":{"kind":"user","id":"U1","name":`+quote(name)+`,"email":`+quote(name+"@x.edu")+`,"external_id":`+quote(name)+`}`,
			`"course":{"id":"C1","title":`+quote(name)+`}`,
			`"class":{"id":"K1","title":`+quote(name)+`}`, `"action":{"code":"x","label":`+quote(label)+`}`)
	}
	c.writeItems(c.items(documents("other", "Secret", "Secret", 0), documents(home, "Known", "Known", 0),
		documents("other", "Secrecy", "Secrecy", 1), documents("third", "Mystery", "Mystery", 0)))
	c.writeItems(c.items(strings.Replace(documents("other", "Covert", "Covert", 0), `"id":"a"`, `"id":"b"`, 1)))
	for _, f := range []actionlog.Field{actionlog.FieldActor, actionlog.FieldCourse, actionlog.FieldClass, actionlog.FieldAction} {
		got, err := c.store.Facet(context.Background(), where(), f, 10)
		if err != nil || len(got.Values) != 1 || got.Values[0].Count != 1 || got.Values[0].Label != "Known" {
			c.Errorf("Facet %s: %+v, %v; want Known once, as this institution calls it", f, got, err)
		}
	}
	for _, kind := range []actionlog.DirectoryKind{actionlog.DirectoryPeople, actionlog.DirectoryCourses, actionlog.DirectoryClasses} {
		key := map[actionlog.DirectoryKind]string{actionlog.DirectoryPeople: "id:U1", actionlog.DirectoryCourses: "id:C1",
			actionlog.DirectoryClasses: "id:K1"}[kind]
		got, more, err := c.store.Lookup(context.Background(), home, kind, actionlog.DirectoryMatch{Key: key}, 10)
		if err != nil || more || len(got) != 1 || !cmp.Equal(got[0].Names, []string{"Known"}) || got[0].LastSeen.After(noon) {
			c.Errorf("Lookup in %s: %+v, %v", kind, got, err)
		}
		c.lookup(kind, actionlog.DirectoryMatch{Words: []string{"secret"}})
	}
}

package storetest

import (
	"context"
	"fmt"
	"time"

	"actionlog"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func facetCases() []testCase {
	return []testCase{
		{"facets", "Facet counts the values of a field, most frequent first, then by value; matches without the field are Missing.", testFacets},
		{"facet limit", "At most limit values; the rest is summed in Other. All counts and Other and Missing add up to the number of matches.", testFacetLimit},
		{"facet labels", "For actors, courses and classes Value is the directory key and Label the newest name or title (the e-mail address or ID where there is none); for actions Label is the label.", testFacetLabels},
		{"facet of staff", "Unless the query says StaffShown, all actors of the platform's staff are one value with Staff set and Value and Label empty.", testFacetStaff},
		{"facet refuses", "The fields of a facet are listed; others are invalid.", func(c *check) {
			c.write(action("a", noon))
			for _, f := range []actionlog.Field{actionlog.FieldID, actionlog.FieldAny, actionlog.FieldURL, actionlog.FieldPerson,
				actionlog.FieldTarget, "nonsense", ""} {
				if got, err := c.store.Facet(context.Background(), where(), f, 5); err == nil {
					c.Errorf("Facet %q: %v", f, got)
				}
			}
		}},
	}
}

// facet compares a facet.
func (c *check) facet(q actionlog.Query, f actionlog.Field, limit int, want actionlog.Facet) {
	c.Helper()
	got, err := c.store.Facet(context.Background(), q, f, limit)
	if err != nil {
		c.Errorf("Facet %s of %s: %v", f, describe(q), err)
		return
	}
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		c.Errorf("Facet %s of %s (-want +got):\n%s", f, describe(q), d)
	}
}

func counts(pairs ...any) (values []actionlog.FacetValue) {
	for i := 0; i < len(pairs); i += 2 {
		values = append(values, actionlog.FacetValue{Value: pairs[i].(string), Count: int64(pairs[i+1].(int))})
	}
	return values
}

func testFacets(c *check) {
	for i := range 12 {
		members := []string{`"category":` + quote([]string{"course", "course", "api"}[i%3]), `"actor":{"kind":"user"}`}
		if i < 9 {
			members = append(members, `"outcome":`+quote([]string{"success", "failure", "unknown"}[i%3]),
				fmt.Sprintf(`"response":{"code":%d}`, []int{200, 404, 1000, -1}[i%4]),
				`"origin":{"channel":`+quote([]string{"web", "été", "api"}[i%2])+`,"ip":`+quote([]string{"10.0.0.1", "::ffff:10.0.0.1", "2001:DB8:0::1"}[i%3])+`}`,
				`"request":{"method":`+quote([]string{"get", "POST"}[i%2])+`,"content_type":`+quote([]string{"Text/HTML; q=1", "text/html"}[i%2])+`}`)
		}
		c.write(action(fmt.Sprint("a", i), noon.AddDate(0, 0, -i%4), members...))
	}
	for f, want := range map[actionlog.Field]actionlog.Facet{
		actionlog.FieldCategory:    {Values: counts("course", 8, "api", 4)},
		actionlog.FieldActorKind:   {Values: counts("user", 12)},
		actionlog.FieldOutcome:     {Values: counts("failure", 3, "success", 3, "unknown", 3), Missing: 3},
		actionlog.FieldCode:        {Values: counts("200", 3, "-1", 2, "1000", 2, "404", 2), Missing: 3},
		actionlog.FieldChannel:     {Values: counts("web", 5, "été", 4), Missing: 3},
		actionlog.FieldIP:          {Values: counts("10.0.0.1", 6, "2001:db8::1", 3), Missing: 3},
		actionlog.FieldMethod:      {Values: counts("GET", 5, "POST", 4), Missing: 3},
		actionlog.FieldContentType: {Values: counts("text/html", 9), Missing: 3},
		actionlog.FieldActor:       {Missing: 12},
		actionlog.FieldCourse:      {Missing: 12},
		actionlog.FieldClass:       {Missing: 12},
	} {
		c.facet(where(), f, 10, want)
	}
	c.facet(between(where(is(actionlog.FieldCategory, text("api"))), today.Start(), time.Time{}), actionlog.FieldOutcome, 10,
		actionlog.Facet{Values: counts("unknown", 1)})
	c.facet(where(is(actionlog.FieldID, text("nobody"))), actionlog.FieldOutcome, 10, actionlog.Facet{})
}

func testFacetLimit(c *check) {
	var documents []string
	for i := range 60 {
		member := `"course":{"id":"c` + fmt.Sprint(i%7*i%11) + `"}`
		if i%10 == 0 {
			member = `"summary":"without"`
		}
		documents = append(documents, action(fmt.Sprint("a", i), noon.AddDate(0, 0, -i%3), member))
	}
	c.write(documents...)
	full, err := c.store.Facet(context.Background(), where(), actionlog.FieldCourse, 1000)
	if err != nil || full.Other != 0 || full.Missing != 6 || len(full.Values) < 5 {
		c.Fatalf("Facet: %+v, %v", full, err)
	}
	for limit := 1; limit <= len(full.Values)+1; limit++ {
		want := actionlog.Facet{Missing: 6}
		for i, v := range full.Values {
			if i < limit {
				want.Values = append(want.Values, v)
			} else {
				want.Other += v.Count
			}
		}
		c.facet(where(), actionlog.FieldCourse, limit, want)
	}
}

func testFacetLabels(c *check) {
	at := func(hours int) time.Time { return noon.Add(time.Duration(hours) * time.Hour) }
	actor := func(members string) string { return `"actor":{"kind":"user",` + members + `}` }
	course := func(members string) string { return `"course":{` + members + `}` }
	c.write(
		action("a1", at(-48), actor(`"id":"1","name":"Ann Lee"`), course(`"id":"C","title":"First"`), `"action":{"code":"x","label":"Old label"}`),
		action("a2", at(-1), actor(`"id":"1","name":"Ann Wong"`), course(`"id":"C","title":"Third"`), `"action":{"code":"x","label":"New label"}`),
		action("a3", at(-30), actor(`"id":"1","name":"Ann Middle"`), course(`"id":"C","title":"Second"`), `"action":{"code":"x","label":"Middle label"}`),
		action("b1", at(-2), actor(`"id":"2","name":"Newest Name"`), course(`"id":"D"`), `"action":{"code":"course.class.created"}`),
		action("b2", at(0), actor(`"id":"2"`), course(`"id":"D"`), `"action":{"code":"course.class.created"}`),
		action("c1", at(0), actor(`"id":"3","email":"Three@X.edu"`), course(`"title":"Only  Title"`), `"action":{"code":"unknown"}`),
		action("d1", at(0), actor(`"email":"Four@X.edu"`)),
		action("e1", at(0), actor(`"external_id":"five"`)),
		action("f1", at(0), actor(`"name":"Six  S"`)),
		action("g1", at(0), actor(`"id":"7"`)))
	v := func(value, label string, n int64) actionlog.FacetValue {
		return actionlog.FacetValue{Value: value, Label: label, Count: n}
	}
	c.facet(where(), actionlog.FieldActor, 20, actionlog.Facet{Values: []actionlog.FacetValue{
		v("id:1", "Ann Wong", 3), v("id:2", "Newest Name", 2), v("email:four@x.edu", "Four@X.edu", 1), v("external:five", "five", 1),
		v("id:3", "Three@X.edu", 1), v("id:7", "7", 1), v("name:six s", "Six  S", 1)}})
	c.facet(where(), actionlog.FieldCourse, 20, actionlog.Facet{Missing: 4, Values: []actionlog.FacetValue{
		v("id:C", "Third", 3), v("id:D", "D", 2), v("name:only title", "Only  Title", 1)}})
	c.facet(where(is(actionlog.FieldID, texts("a1", "a2", "a3", "b1", "c1")...)), actionlog.FieldAction, 20,
		actionlog.Facet{Values: []actionlog.FacetValue{
			v("x", "New label", 3), v("course.class.created", "Class created", 1), v("unknown", "", 1)}})
}

func testFacetStaff(c *check) {
	staff := func(n int) string {
		return fmt.Sprintf(`"actor":{"kind":"staff","id":"S%d","name":"Staff %d"}`, n, n)
	}
	c.write(action("s1", noon, staff(1)),
		action("s2", noon, staff(2)),
		action("s3", noon.AddDate(0, 0, -1), staff(1)),
		action("s4", noon, `"actor":{"kind":"staff"}`),
		action("u1", noon, `"actor":{"kind":"user","id":"U","name":"User"}`),
		action("u2", noon.Add(time.Hour), `"actor":{"kind":"user","id":"S1","name":"Namesake"}`),
		action("n", noon, `"actor":{"kind":"anonymous"}`))
	user := actionlog.FacetValue{Value: "id:U", Label: "User", Count: 1}
	for _, view := range []actionlog.StaffView{actionlog.StaffFindable, actionlog.StaffHidden} {
		c.facet(seenBy(view, where()), actionlog.FieldActor, 10, actionlog.Facet{Missing: 1, Values: []actionlog.FacetValue{
			{Staff: true, Count: 4}, {Value: "id:S1", Label: "Namesake", Count: 1}, user}})
		c.facet(seenBy(view, where()), actionlog.FieldActor, 1,
			actionlog.Facet{Missing: 1, Other: 2, Values: []actionlog.FacetValue{{Staff: true, Count: 4}}})
		c.facet(seenBy(view, where()), actionlog.FieldActorKind, 10, actionlog.Facet{Values: counts("staff", 4, "user", 2, "anonymous", 1)})
	}
	got, err := c.store.Facet(context.Background(), seenBy(actionlog.StaffShown, where()), actionlog.FieldActor, 10)
	want := actionlog.Facet{Missing: 2, Values: []actionlog.FacetValue{
		{Value: "id:S1", Label: "Namesake", Count: 3}, {Value: "id:S2", Label: "Staff 2", Count: 1}, user}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		c.Errorf("Facet of actors with staff shown, %v (-want +got):\n%s", err, d)
	}
}

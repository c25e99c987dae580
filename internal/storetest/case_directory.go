package storetest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"actionlog"
	"actionlog/internal/people"
)

func directoryCases() []testCase {
	return []testCase{
		{"directory of people", "Directory knows every person that the kept actions name: actors, those for whom they acted, and targets that are people.", testDirectoryPeople},
		{"directory of courses", "Directory knows every course and class that the kept actions name.", testDirectoryTitled},
		{"directory lookups", "DirectoryMatch: key; ID or external ID byte for byte; an e-mail address it ever had, its beginning or domain; words of one spelling.", testLookups},
		{"directory spellings", "Names and Emails are all spellings seen, newest first; LastSeen is not later than the newest action that names the entry.", testSpellings},
		{"directory spellings at random", "Whatever the order in which they come: spellings and addresses newest first, the newest external ID, the newest time.", testSpellingsAtRandom},
		{"directory order", "At most limit entries, those seen last first, and whether there are more.", testLookupOrder},
		{"directory groups", "Groups: one spelling of its name has, as people.IndexWords cuts it, at least one word of every group.", testLookupGroups},
		{"directory vocabulary", "Vocabulary returns the distinct words of names that have one of the keys, at most limit, and whether there are more.", testVocabulary},
		{"directory mentions", "Mentions counts the kept actions that name the entry; an action counts once, a key that is not there has none.", testMentions},
		{"directory of staff", "Staff: a member of the platform's own staff.", testDirectoryStaff},
		{"directory and days", "Entries leave with the last day that names them.", testDirectoryDrop},
	}
}

// lookup compares the keys that a lookup finds, in any order.
func (c *check) lookup(kind actionlog.DirectoryKind, m actionlog.DirectoryMatch, want ...string) {
	c.Helper()
	got, more, err := c.store.Lookup(context.Background(), home, kind, m, 100)
	var keys []string
	for _, e := range got {
		keys = append(keys, e.Key)
	}
	if missing, extra := difference(want, keys); err != nil || more || len(missing)+len(extra) > 0 {
		c.Errorf("Lookup %s %s: %q, more %v, %v; want %q", kind, describeLookup(m), keys, more, err, want)
	}
}

func describeLookup(m actionlog.DirectoryMatch) string {
	return describeMatch(m.Key, m.ID, m.Email, m.Prefix, m.Domain, m.Words)
}

// entry compares one entry, found by its key.
func (c *check) entry(kind actionlog.DirectoryKind, want actionlog.DirectoryEntry) {
	c.Helper()
	got, _, err := c.store.Lookup(context.Background(), home, kind, actionlog.DirectoryMatch{Key: want.Key}, 2)
	if err != nil || len(got) != 1 {
		c.Errorf("Lookup of %q: %d entries, %v", want.Key, len(got), err)
		return
	}
	mentions, err := c.store.Mentions(context.Background(), home, kind, []string{want.Key}, false)
	if err != nil || len(mentions) != 1 || !mentions[0].Last.Equal(want.LastSeen) || got[0].LastSeen.After(want.LastSeen) {
		c.Errorf("Mentions of %q: %v, %v; its LastSeen is %s; want %s", want.Key, mentions, err, got[0].LastSeen, want.LastSeen)
	}
	got[0].LastSeen = want.LastSeen
	if d := diffEntry(want, got[0]); d != "" {
		c.Errorf("entry %q (-want +got):\n%s", want.Key, d)
	}
	if !slices.Equal(want.Names, got[0].Names) {
		c.Errorf("entry %q: names %q; want %q, newest first", want.Key, got[0].Names, want.Names)
	}
}

func testDirectoryPeople(c *check) {
	c.write(
		action("a", noon, `"actor":{"kind":"user","id":"U1","name":"Ann Lee","email":"Ann@X.edu","external_id":"E1"}`,
			`"on_behalf_of":{"id":"U2","name":"Bob"}`,
			`"targets":[{"kind":"learner","id":"U3","name":"Cy"},{"kind":"report","id":"R1","name":"Report"},{"kind":"report","email":"r@x.edu"},{"name":"Dee Dee"}]`),
		action("b", noon, `"actor":{"kind":"api_key","id":"K1","name":"Sync"}`), action("c", noon, `"actor":{"kind":"anonymous"}`),
		action("d", noon, `"actor":{"kind":"user","email":"E@X.edu"}`),
		action("e", noon, `"actor":{"kind":"user","external_id":"E9"}`),
		action("f", noon, `"actor":{"kind":"user","name":"☃"}`))
	for _, key := range []string{"id:U1", "id:U2", "id:U3", "email:r@x.edu", "name:dee dee", "id:K1", "email:e@x.edu", "external:E9", "name:☃"} {
		c.lookup(actionlog.DirectoryPeople, actionlog.DirectoryMatch{Key: key}, key)
	}
	for _, key := range []string{"id:R1", "name:report", "id:", "name:ann lee", "email:ann@x.edu", "id:u1"} {
		c.lookup(actionlog.DirectoryPeople, actionlog.DirectoryMatch{Key: key})
	}
	c.entry(actionlog.DirectoryPeople,
		actionlog.DirectoryEntry{Key: "id:U1", ID: "U1", ExternalID: "E1", Names: []string{"Ann Lee"}, Emails: []string{"Ann@X.edu"}, LastSeen: noon})
	c.entry(actionlog.DirectoryPeople, actionlog.DirectoryEntry{Key: "external:E9", ExternalID: "E9", LastSeen: noon})
	c.lookup(actionlog.DirectoryCourses, actionlog.DirectoryMatch{Key: "id:U1"})
}

func testDirectoryTitled(c *check) {
	c.write(
		action("a", noon, `"course":{"id":"C1","title":"Arts and Craft"}`, `"class":{"id":"K1","title":"Evening Arts"}`),
		action("b", noon.Add(time.Hour), `"course":{"id":"C1","title":"Fine Arts"}`),
		action("c", noon, `"course":{"title":"Łódź  Arts"}`, `"class":{"id":"C1"}`),
		action("d", noon, `"targets":[{"kind":"course","id":"C9","name":"Not a course of an action"}]`))
	c.entry(actionlog.DirectoryCourses,
		actionlog.DirectoryEntry{Key: "id:C1", ID: "C1", Names: []string{"Fine Arts", "Arts and Craft"}, LastSeen: noon.Add(time.Hour)})
	c.entry(actionlog.DirectoryClasses, actionlog.DirectoryEntry{Key: "id:C1", ID: "C1", LastSeen: noon})
	c.entry(actionlog.DirectoryCourses, actionlog.DirectoryEntry{Key: "name:lodz arts", Names: []string{"Łódź  Arts"}, LastSeen: noon})
	c.lookup(actionlog.DirectoryCourses, actionlog.DirectoryMatch{Words: []string{"arts"}}, "id:C1", "name:lodz arts")
	c.lookup(actionlog.DirectoryCourses, actionlog.DirectoryMatch{Words: []string{"craft", "arts"}}, "id:C1")
	c.lookup(actionlog.DirectoryCourses, actionlog.DirectoryMatch{Words: []string{"craft", "fine"}})
	c.lookup(actionlog.DirectoryClasses, actionlog.DirectoryMatch{Words: []string{"arts"}}, "id:K1")
	c.lookup(actionlog.DirectoryCourses, actionlog.DirectoryMatch{ID: "C1"}, "id:C1")
	c.lookup(actionlog.DirectoryCourses, actionlog.DirectoryMatch{ID: "C9"})
}

func testLookups(c *check) {
	c.write(
		action("a", noon, `"actor":{"kind":"user","id":"U1","name":"Ann Lee","email":"Ann.Lee@X.edu","external_id":"E1"}`),
		action("b", noon, `"actor":{"kind":"user","id":"U1","name":"Ann Wong","email":"ann@y.edu"}`),
		action("c", noon, `"actor":{"kind":"user","id":"E1","name":"Bob Lee","email":"bob@x.edu"}`),
		action("d", noon, `"actor":{"kind":"user","email":"ann.lee@x.edu","name":"LEE, Änn"}`),
		action("e", noon, `"actor":{"kind":"user","name":"Li 王小明 O’Brien"}`),
		action("f", noon, `"actor":{"kind":"user","id":"%","name":"A*","email":"a_b%@x.edu.au"}`),
		action("g", noon, `"actor":{"kind":"user","id":"e1","email":"ünï@größe.example"}`))
	kind := actionlog.DirectoryPeople
	for _, test := range []struct {
		m    actionlog.DirectoryMatch
		want []string
	}{
		{actionlog.DirectoryMatch{ID: "U1"}, []string{"id:U1"}},
		{actionlog.DirectoryMatch{ID: "E1"}, []string{"id:U1", "id:E1"}},
		{actionlog.DirectoryMatch{ID: "e1"}, []string{"id:e1"}},
		{actionlog.DirectoryMatch{ID: "%"}, []string{"id:%"}}, {actionlog.DirectoryMatch{ID: "U"}, nil},
		{actionlog.DirectoryMatch{Email: "ann.lee@x.edu"}, []string{"id:U1", "email:ann.lee@x.edu"}},
		{actionlog.DirectoryMatch{Email: "ann@y.edu"}, []string{"id:U1"}},
		{actionlog.DirectoryMatch{Email: "ann@x.edu"}, nil}, {actionlog.DirectoryMatch{Email: "ünï@größe.example"}, []string{"id:e1"}},
		{actionlog.DirectoryMatch{Prefix: "ann"}, []string{"id:U1", "email:ann.lee@x.edu"}},
		{actionlog.DirectoryMatch{Prefix: "ann@"}, []string{"id:U1"}},
		{actionlog.DirectoryMatch{Prefix: "nn"}, nil},
		{actionlog.DirectoryMatch{Prefix: "a_"}, []string{"id:%"}},
		{actionlog.DirectoryMatch{Prefix: "a%"}, nil},
		{actionlog.DirectoryMatch{Prefix: "ü"}, []string{"id:e1"}},
		{actionlog.DirectoryMatch{Domain: "x.edu"}, []string{"id:U1", "id:E1", "email:ann.lee@x.edu"}},
		{actionlog.DirectoryMatch{Domain: "edu"}, nil},
		{actionlog.DirectoryMatch{Domain: "größe.example"}, []string{"id:e1"}},
		{actionlog.DirectoryMatch{Words: people.Words("lee ann")}, []string{"id:U1", "email:ann.lee@x.edu"}},
		{actionlog.DirectoryMatch{Words: people.Words("lee")}, []string{"id:U1", "id:E1", "email:ann.lee@x.edu"}},
		{actionlog.DirectoryMatch{Words: people.Words("lee wong")}, nil},
		{actionlog.DirectoryMatch{Words: people.Words("ann wong ann")}, []string{"id:U1"}},
		{actionlog.DirectoryMatch{Words: people.Words("an")}, nil},
		{actionlog.DirectoryMatch{Words: people.Words("O'BRIEN 王小明")}, []string{"name:li 王小明 o brien"}},
		{actionlog.DirectoryMatch{Words: people.Words("a")}, []string{"id:%"}},
	} {
		c.lookup(kind, test.m, test.want...)
	}
}

func testSpellings(c *check) {
	at := func(days int) time.Time { return noon.AddDate(0, 0, days) }
	actor := func(name, email string) string {
		return `"actor":{"kind":"user","id":"U1","name":` + quote(name) + `,"email":` + quote(email) + `}`
	}
	c.write(action("b", at(-1), actor("Ann Wong", "ann@x.edu")))
	c.write(action("a", at(-5), actor("Ann Lee", "lee@x.edu")),
		action("c", at(0), actor("Ann W.", "wong@x.edu")),
		action("d", at(-2), actor("ann lee", "ann@x.edu")))
	want := actionlog.DirectoryEntry{Key: "id:U1", ID: "U1", LastSeen: at(0),
		Names: []string{"Ann W.", "Ann Wong", "ann lee", "Ann Lee"}, Emails: []string{"wong@x.edu", "ann@x.edu", "lee@x.edu"}}
	c.entry(actionlog.DirectoryPeople, want)
	got, _, err := c.store.Lookup(context.Background(), home, actionlog.DirectoryPeople, actionlog.DirectoryMatch{ID: "U1"}, 1)
	if err != nil || len(got) != 1 || !slices.Equal(got[0].Emails, want.Emails) {
		c.Errorf("Lookup: %+v, %v; want e-mails %q", got, err, want.Emails)
	}
	c.write(action("e", at(-3), actor("Ann Lee", "lee@x.edu")), action("f", at(1), `"targets":[{"id":"U1","external_id":"E1"}]`))
	want.LastSeen, want.ExternalID = at(1), "E1"
	c.entry(actionlog.DirectoryPeople, want)
	c.write(action("g", at(-1).Add(time.Hour), actor("Ann Lee", "")))
	want.Names = []string{"Ann W.", "Ann Lee", "Ann Wong", "ann lee"}
	c.entry(actionlog.DirectoryPeople, want)
}

func testLookupOrder(c *check) {
	var documents, keys []string
	for i := range 30 {
		keys = append(keys, fmt.Sprint("id:U", i))
		documents = append(documents,
			action(fmt.Sprint("a", i), noon.AddDate(0, 0, -i/4).Add(-time.Duration(i)*time.Minute),
				fmt.Sprintf(`"actor":{"kind":"user","id":"U%d","name":"Ann N%d","email":"u%d@x.edu"}`, i, i, i)))
	}
	for i := range documents { // the oldest last, then the middle
		j := i * 7 % 30
		c.write(documents[j])
	}
	for _, m := range []actionlog.DirectoryMatch{{Words: []string{"ann"}}, {Domain: "x.edu"}, {Prefix: "u"}} {
		for _, limit := range []int{1, 2, 29, 30, 31, 1000} {
			got, more, err := c.store.Lookup(context.Background(), home, actionlog.DirectoryPeople, m, limit)
			var found []string
			for _, e := range got {
				found = append(found, e.Key)
			}
			want := slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return !slices.Contains(found, k) })
			if err != nil || more != (limit < 30) || len(found) != min(limit, 30) || !slices.Equal(found, want) {
				c.Errorf("Lookup %s, limit %d: %s, more %v, %v; want those seen last first", describeLookup(m), limit, brief(found), more, err)
			}
		}
	}
}

func testLookupGroups(c *check) {
	c.write(
		action("a", noon, `"actor":{"kind":"user","id":"U1","name":"Seán O'Brien"}`, `"course":{"id":"C1","title":"Sean"}`),
		action("b", noon, `"actor":{"kind":"user","id":"U2","name":"Ann-Marie Lee"}`),
		action("c", noon, `"actor":{"kind":"user","id":"U3","name":"Иван Петров"}`),
		action("d", noon, `"actor":{"kind":"user","id":"U4","name":"Sean"}`),
		action("e", noon, `"actor":{"kind":"user","id":"U4","name":"Brien"}`),
		action("f", noon, of("other"), `"actor":{"kind":"user","id":"U5","name":"Sean O'Brien"}`))
	for _, test := range []struct {
		groups [][]string
		want   []string
	}{
		{[][]string{{"sean", "shaun"}}, []string{"id:U1", "id:U4"}},
		{[][]string{{"sean"}, {"brien", "brian"}}, []string{"id:U1"}},
		{[][]string{{"obrien"}}, []string{"id:U1"}},
		{[][]string{{"annmarie"}, {"lee", "leigh"}}, []string{"id:U2"}},
		{[][]string{{"ivan"}, {"петров"}}, []string{"id:U3"}},
		{[][]string{{"nobody"}}, nil},
		{[][]string{{"sean"}, {"nobody"}}, nil},
	} {
		c.lookup(actionlog.DirectoryPeople, actionlog.DirectoryMatch{Groups: test.groups}, test.want...)
	}
	c.lookup(actionlog.DirectoryPeople, actionlog.DirectoryMatch{Words: []string{"obrien"}})
	c.lookup(actionlog.DirectoryCourses, actionlog.DirectoryMatch{Groups: [][]string{{"sean"}}}, "id:C1")
}

func testVocabulary(c *check) {
	c.write(
		action("a", noon, `"actor":{"kind":"user","id":"U1","name":"Anna Smith"}`, `"course":{"id":"C1","title":"Smithing"}`),
		action("b", noon.AddDate(0, 0, -1), `"actor":{"kind":"user","id":"U2","name":"Annа Smyth"}`),
		action("c", noon, `"actor":{"kind":"user","id":"U3","name":"SMITH, John"}`),
		action("d", noon, of("other"), `"actor":{"kind":"user","id":"U4","name":"Smitt"}`))
	words := func(text string, limit int) (list []string, more bool) {
		c.Helper()
		got, more, err := c.store.Vocabulary(context.Background(), home, actionlog.DirectoryPeople, people.Neighbours(text), limit)
		if err != nil {
			c.Errorf("Vocabulary: %v", err)
		}
		for _, w := range got {
			list = append(list, w.Text)
			if w.Uses < 1 {
				c.Errorf("Vocabulary: %q has %d uses", w.Text, w.Uses)
			}
		}
		slices.Sort(list)
		return list, more
	}
	if got, more := words("smiht", 100); more || !slices.Equal(got, []string{"smith", "smyth"}) {
		c.Errorf("Vocabulary of the keys of smiht: %q, more %v; want smith and smyth", got, more)
	}
	if got, more := words("smiht", 1); !more || len(got) != 1 {
		c.Errorf("Vocabulary, limit 1: %q, more %v; there are two", got, more)
	}
	if got, more := words("zzzzz", 100); more || len(got) != 0 {
		c.Errorf("Vocabulary of the keys of zzzzz: %q, more %v", got, more)
	}
	if err := c.store.Drop(context.Background(), today.Add(-1)); err != nil {
		c.Fatalf("Drop: %v", err)
	}
	if got, _ := words("smiht", 100); !slices.Equal(got, []string{"smith"}) {
		c.Errorf("Vocabulary after the day of smyth was dropped: %q; want smith", got)
	}
}

func testMentions(c *check) {
	named := func(n int64, at time.Time) actionlog.Mentions { return actionlog.Mentions{Actions: n, Last: at} }
	both := `"actor":{"kind":"user","id":"U1","name":"Ann"}`
	c.write(
		action("a", noon, both, `"targets":[{"id":"U1"},{"id":"U2","name":"Bob"}]`, `"course":{"id":"C1","title":"Arts"}`),
		action("b", noon.AddDate(0, 0, -3), both, `"on_behalf_of":{"id":"U2","name":"Bob"}`, `"course":{"id":"C1","title":"Arts"}`),
		action("c", noon.AddDate(0, 0, -3), `"actor":{"kind":"staff","id":"U2"}`, `"class":{"id":"K1","title":"Late"}`),
		action("d", noon, of("other"), both))
	for _, test := range []struct {
		kind actionlog.DirectoryKind
		keys []string
		want []actionlog.Mentions
	}{
		{actionlog.DirectoryPeople, []string{"id:U1", "id:nobody", "id:U2", "id:U1"}, []actionlog.Mentions{named(2, noon), {}, named(3, noon), named(2, noon)}},
		{actionlog.DirectoryCourses, []string{"id:C1", "id:U1"}, []actionlog.Mentions{named(2, noon), {}}},
		{actionlog.DirectoryClasses, []string{"id:K1"}, []actionlog.Mentions{named(1, noon.AddDate(0, 0, -3))}},
		{actionlog.DirectoryPeople, nil, []actionlog.Mentions{}},
	} {
		got, err := c.store.Mentions(context.Background(), home, test.kind, test.keys, false)
		if err != nil || !slices.Equal(got, test.want) {
			c.Errorf("Mentions of %s %q: %v, %v; want %v", test.kind, test.keys, got, err, test.want)
		}
	}
}

func testDirectoryStaff(c *check) {
	c.write(
		action("a", noon, `"actor":{"kind":"staff","id":"S1","name":"Rita Root"}`, `"targets":[{"id":"U1","name":"Ann"}]`),
		action("b", noon, `"actor":{"kind":"user","id":"U2"}`, `"targets":[{"kind":"staff","id":"U3","name":"Course Staff"},{"id":"S1"}]`))
	for key, want := range map[string]bool{"id:S1": true, "id:U1": false, "id:U2": false, "id:U3": false} {
		got, _, err := c.store.Lookup(context.Background(), home, actionlog.DirectoryPeople, actionlog.DirectoryMatch{Key: key}, 1)
		if err != nil || len(got) != 1 || got[0].Staff != want {
			c.Errorf("Lookup %s: %+v, %v; want staff %v (kind staff is the platform's own for an actor only)", key, got, err, want)
		}
	}
}

func testDirectoryDrop(c *check) {
	name := func(id string) string { return `"actor":{"kind":"user","id":"` + id + `","name":"Ann ` + id + `"}` }
	title := func(id string) string { return `"course":{"id":"` + id + `","title":"Arts ` + id + `"}` }
	c.write(
		action("a", noon.AddDate(0, 0, -2), name("U1"), title("C1")), action("b", noon.AddDate(0, 0, -1), name("U2"), title("C1")),
		action("c", noon, name("U1"), title("C2")), action("d", noon.AddDate(0, 0, -2), name("U3"), `"class":{"id":"K1","title":"Late"}`),
		action("e", noon.AddDate(0, 0, -2), of("other"), name("U1"), title("C3")))
	drop := func(day int) {
		if err := c.store.Drop(context.Background(), today.Add(day)); err != nil {
			c.Fatalf("Drop: %v", err)
		}
	}
	ann, arts := actionlog.DirectoryMatch{Words: []string{"ann"}}, actionlog.DirectoryMatch{Words: []string{"arts"}}
	drop(-2)
	c.lookup(actionlog.DirectoryPeople, ann, "id:U1", "id:U2")
	c.lookup(actionlog.DirectoryPeople, actionlog.DirectoryMatch{ID: "U3"})
	c.lookup(actionlog.DirectoryCourses, arts, "id:C1", "id:C2")
	c.lookup(actionlog.DirectoryClasses, actionlog.DirectoryMatch{Words: []string{"late"}})
	if got, _, err := c.store.Lookup(context.Background(), "other", actionlog.DirectoryPeople, ann, 5); err != nil || len(got) > 0 {
		c.Errorf("Lookup in the other institution: %v, %v", got, err)
	}
	drop(-1)
	c.lookup(actionlog.DirectoryPeople, ann, "id:U1")
	c.lookup(actionlog.DirectoryCourses, arts, "id:C2")
	c.write(action("a", noon.AddDate(0, 0, -2), name("U3"), title("C1")))
	c.lookup(actionlog.DirectoryPeople, ann, "id:U1", "id:U3")
	c.lookup(actionlog.DirectoryCourses, arts, "id:C1", "id:C2")
	c.entry(actionlog.DirectoryPeople, actionlog.DirectoryEntry{Key: "id:U3", ID: "U3", Names: []string{"Ann U3"}, LastSeen: noon.AddDate(0, 0, -2)})
	drop(-2)
	drop(0)
	c.lookup(actionlog.DirectoryPeople, ann)
	c.lookup(actionlog.DirectoryCourses, arts)
}

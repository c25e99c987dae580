package storetest

import (
	"context"
	"time"

	"actionlog"
)

func emptyCases() []testCase {
	return []testCase{{"nothing kept", "Where nothing is kept, of a time or at all, every question has an answer: there is nothing.", testNothingKept}}
}

func testNothingKept(c *check) {
	ctx := context.Background()
	week := between(where(), noon.AddDate(0, 0, -6), noon)
	ask := func(when string) {
		c.finds(week)
		c.histogram(week, []time.Time{week.From, noon.AddDate(0, 0, -3), noon}, 0, 0)
		if b, err := c.store.Histogram(ctx, week, []time.Time{week.From, noon}, actionlog.FieldCategory); err != nil || len(b) != 1 || b[0].Count != 0 {
			c.Errorf("%s: Histogram by category: %v, %v", when, b, err)
		}
		for _, f := range []actionlog.Field{actionlog.FieldCategory, actionlog.FieldActor, actionlog.FieldCode} {
			c.facet(week, f, 5, actionlog.Facet{})
		}
	}
	ask("an empty store")
	c.lookup(actionlog.DirectoryPeople, actionlog.DirectoryMatch{Words: []string{"ann"}})
	if m, err := c.store.Mentions(ctx, home, actionlog.DirectoryPeople, []string{"id:U1"}, false); err != nil || len(m) != 1 || m[0] != (actionlog.Mentions{}) {
		c.Errorf("Mentions in an empty store: %v, %v", m, err)
	}
	if words, more, err := c.store.Vocabulary(ctx, home, actionlog.DirectoryPeople, []string{"ann"}, 5); err != nil || more || len(words) > 0 {
		c.Errorf("Vocabulary of an empty store: %v, %v, %v", words, more, err)
	}
	c.write(action("a", noon.AddDate(0, 0, 3)))
	ask("days later")
}

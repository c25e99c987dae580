package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"actionlog"
)

const (
	isNew       = actionlog.OutcomeNew
	isRepeat    = actionlog.OutcomeRepeat
	isCollision = actionlog.OutcomeCollision
)

func writeCases() []testCase {
	return []testCase{
		{"nothing", "Write returns one outcome per item.", func(c *check) { c.outcomes(nil) }},
		{"new", "When it returns, items with the outcome new are visible to every later call of the read ports.", testVisible},
		{"repeat", "Repeat: the same content was there already; nothing changed.", testRepeat},
		{"collision", "Collision: other content is there under the same identity.", testCollision},
		{"repeats in a batch", "Items may repeat each other: the first of the same identity counts.", testRepeatsInBatch},
		{"identity", "Identity is (institution, id, day).", testIdentity},
		{"outcomes in order", "One outcome per item, in their order.", testOutcomeOrder},
		{"large batch", "Write keeps items of any number.", testLargeBatch},
		{"batch over 93 days", "Items may belong to any institutions and days.", testManyDays},
		{"old days", "Items may belong to any days.", testFarDays},
		{"cancelled", "An error means that no statement about any item is made: all may be written again, and nothing is doubled by it.", testCancelledWrite},
	}
}

func testVisible(c *check) {
	for i := range 5 {
		id := fmt.Sprint("a", i)
		at := noon.Add(-time.Duration(i) * time.Hour)
		c.write(action(id, at, `"actor":{"kind":"user","id":"`+id+`"}`, `"outcome":"success"`))
		ctx := context.Background()
		q := where(is(actionlog.FieldID, text(id)))
		c.finds(q, id)
		if r, err := c.store.Get(ctx, home, id, actionlog.Day{}); err != nil || len(r) != 1 {
			c.Errorf("Get(%s): %d records, %v", id, len(r), err)
		}
		if b, err := c.store.Histogram(ctx, q, []time.Time{at, at.Add(1)}, ""); err != nil || b[0].Count != 1 {
			c.Errorf("Histogram: %v, %v", b, err)
		}
		if f, err := c.store.Facet(ctx, q, actionlog.FieldOutcome, 1); err != nil || len(f.Values) != 1 || f.Values[0].Count != 1 {
			c.Errorf("Facet: %v, %v", f, err)
		}
		if e, _, err := c.store.Lookup(ctx, home, actionlog.DirectoryPeople, actionlog.DirectoryMatch{ID: id}, 1); err != nil || len(e) != 1 {
			c.Errorf("Lookup: %v, %v", e, err)
		}
		if d, err := c.store.Days(ctx); err != nil || len(d) != 1 || d[0].Actions != int64(i+1) {
			c.Errorf("Days: %v, %v", d, err)
		}
	}
}

func testRepeat(c *check) {
	first := c.write(action("a", noon, `"outcome":"success"`, `"details":{"x":1,"y":[2]}`))
	c.outcomes(first, isRepeat)
	c.outcomes([]actionlog.Item{first[0], first[0]}, isRepeat, isRepeat)
	c.group("as JSON values", func(c *check) {
		again := c.item(`{ "details" : {"y":[2],"x":1}, "outcome":"succ\u0065ss", "actor":{"kind":"user"},
			"action":{"code":"course.learner.added"}, "category":"course", "institution":{"id":"uni"},
			"occurred_at":"2026-11-10T12:00:00.000Z", "id":"a"}`)
		if again.Digest != first[0].Digest {
			c.T.Fatal("the case has a wrong document: its digest differs")
		}
		c.outcomes([]actionlog.Item{again}, isRepeat)
	})
	c.finds(where(), "a")
	c.holds(first[0])
}

// holds compares what the store has under an item's identity with the item.
func (c *check) holds(item actionlog.Item) {
	c.Helper()
	got, err := c.store.Get(context.Background(), item.Institution, item.ID, item.Day())
	if err != nil || len(got) != 1 {
		c.Errorf("Get(%s, %s): %d records, %v", item.ID, item.Day(), len(got), err)
		return
	}
	if d := diffRecord(item.Record, got[0]); d != "" {
		c.Errorf("%s is not as it was written (-want +got):\n%s", item.ID, d)
	}
}

func testCollision(c *check) {
	first := c.write(action("a", noon, `"summary":"original"`, `"actor":{"kind":"user","name":"Ann Lee"}`))
	c.outcomes(c.items(
		action("a", noon, `"summary":"other"`, `"actor":{"kind":"user","name":"Mallory Wong"}`, `"course":{"title":"Forged"}`),
		action("a", noon.Add(time.Hour)),
		action("a", noon.Add(time.Millisecond), `"summary":"original"`, `"actor":{"kind":"user","name":"Ann Lee"}`),
	), isCollision, isCollision, isCollision)
	c.holds(first[0])
	c.finds(where(), "a")
	c.finds(where(is(actionlog.FieldAny, words("original"))), "a")
	c.finds(where(is(actionlog.FieldAny, words("other"))))
	c.lookup(actionlog.DirectoryPeople, actionlog.DirectoryMatch{Words: []string{"ann"}}, "name:ann lee")
	c.lookup(actionlog.DirectoryPeople, actionlog.DirectoryMatch{Words: []string{"mallory"}})
	c.lookup(actionlog.DirectoryCourses, actionlog.DirectoryMatch{Words: []string{"forged"}})
	c.outcomes(first, isRepeat)
}

func testRepeatsInBatch(c *check) {
	items := c.items(
		action("a", noon, `"summary":"one"`), action("b", noon), action("a", noon, `"summary":"one"`),
		action("a", noon, `"summary":"two"`), action("b", noon.Add(time.Second)), action("a", noon, `"summary":"one"`))
	c.outcomes(items, isNew, isNew, isRepeat, isCollision, isCollision, isRepeat)
	c.finds(where(), "a", "b")
	c.holds(items[0])
	c.holds(items[1])
	c.outcomes(items, isRepeat, isRepeat, isRepeat, isCollision, isCollision, isRepeat)
}

func testIdentity(c *check) {
	midnight := today.Start()
	items := c.items(
		action("a", noon), action("a", noon.AddDate(0, 0, -1)), action("a", noon.AddDate(0, 0, 1)),
		action("a", noon, of("other")), action("A", noon), action("a.", noon),
		action("b", midnight), action("b", midnight.Add(-time.Millisecond)),
		action("c", midnight.In(time.FixedZone("", 5*3600))))
	c.outcomes(items, isNew, isNew, isNew, isNew, isNew, isNew, isNew, isNew, isNew)
	c.outcomes(items, isRepeat, isRepeat, isRepeat, isRepeat, isRepeat, isRepeat, isRepeat, isRepeat, isRepeat)
	c.finds(where(), "a", "a", "a", "A", "a.", "b", "b", "c")
	c.finds(actionlog.Query{Institution: "other"}, "a")
	for _, item := range items {
		c.holds(item)
	}
	all, err := c.store.Get(context.Background(), home, "a", actionlog.Day{})
	if err != nil || len(all) != 3 {
		c.Fatalf("Get of an id on three days: %d records, %v", len(all), err)
	}
	for i, want := range []actionlog.Day{today.Add(1), today, today.Add(-1)} {
		if all[i].Day() != want {
			c.Errorf("Get of an id on three days, newest first: record %d is of %s, want %s", i, all[i].Day(), want)
		}
	}
	for _, absent := range []func() ([]actionlog.Record, error){
		func() ([]actionlog.Record, error) { return c.store.Get(context.Background(), home, "a", today.Add(2)) },
		func() ([]actionlog.Record, error) {
			return c.store.Get(context.Background(), home, "nobody", actionlog.Day{})
		},
		func() ([]actionlog.Record, error) {
			return c.store.Get(context.Background(), "third", "a", actionlog.Day{})
		},
	} {
		if got, err := absent(); !errors.Is(err, actionlog.ErrNotFound) || len(got) > 0 {
			c.Errorf("Get of what is not there: %d records, %v; want ErrNotFound", len(got), err)
		}
	}
}

func testOutcomeOrder(c *check) {
	known := c.write(action("k1", noon), action("k2", noon.AddDate(0, 0, -3)))
	r := rand.New(rand.NewPCG(1, 2))
	var items []actionlog.Item
	var want []actionlog.OutcomeKind
	for i := range 300 {
		at := noon.AddDate(0, 0, -r.IntN(5)).Add(time.Duration(r.IntN(1000)) * time.Second)
		switch i % 5 {
		case 1:
			items, want = append(items, known[0]), append(want, isRepeat)
		case 3:
			items, want = append(items, c.item(action("k2", known[1].OccurredAt, `"summary":"x"`))), append(want, isCollision)
		default:
			items, want = append(items, c.item(action(fmt.Sprint("n", i), at))), append(want, isNew)
		}
	}
	c.outcomes(items, want...)
}

func testLargeBatch(c *check) {
	long := strings.Repeat("long word ", 20_000)
	documents := []string{action("long", noon, `"summary":`+quote(long)), action("longer", noon, `"details":{"x":`+quote(long+" last")+"}")}
	ids := []string{"long", "longer"}
	for i := range 2500 {
		ids = append(ids, fmt.Sprint("a", i))
		documents = append(documents, action(ids[len(ids)-1], noon.Add(time.Duration(i*7919%2500)*time.Millisecond)))
	}
	items := c.write(documents...)
	c.finds(where(), ids...)
	c.finds(where(is(actionlog.FieldAny, words("last long"))), "longer")
	c.holds(items[0])
	c.holds(items[1])
}

func testManyDays(c *check) {
	r := rand.New(rand.NewPCG(3, 4))
	var documents, ids []string
	for i := range 93 * 8 {
		at := noon.AddDate(0, 0, -(i % 93)).Add(time.Duration(r.IntN(1000)) * time.Millisecond)
		ids = append(ids, fmt.Sprint("a", i))
		documents = append(documents, action(ids[i], at, `"actor":{"kind":"user","id":"p`+fmt.Sprint(i%7)+`"}`))
	}
	r.Shuffle(len(documents), func(i, j int) { documents[i], documents[j] = documents[j], documents[i] })
	c.write(documents...)
	c.finds(where(), ids...)
	days, err := c.store.Days(context.Background())
	if err != nil || len(days) != 93 {
		c.Fatalf("Days: %d, %v; want 93", len(days), err)
	}
	for i, d := range days {
		if d.Day != today.Add(i-92) || d.Actions != 8 || d.Damage != "" {
			c.Errorf("Days, oldest first: %d is %s with %d actions, damage %q; want %s with 8", i, d.Day, d.Actions, d.Damage, today.Add(i-92))
		}
	}
	fromThird := between(where(), noon.AddDate(0, 0, -2), time.Time{})
	if n, _, err := c.store.Count(context.Background(), fromThird, 0); err != nil || n != 24 {
		c.Errorf("Count of three days: %d, %v; want 24", n, err)
	}
}

func testFarDays(c *check) {
	items := c.write(
		action("epoch", time.Unix(0, 0).UTC()), action("old", time.Date(1999, 12, 31, 23, 59, 59, 999e6, time.UTC)),
		action("leap", time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)), action("next", noon.AddDate(1, 0, 0)))
	c.finds(where(), "old", "epoch", "leap", "next")
	for _, item := range items {
		c.holds(item)
		c.finds(between(where(), item.OccurredAt, item.OccurredAt.Add(time.Millisecond)), item.ID)
	}
}

func testCancelledWrite(c *check) {
	var documents, ids []string
	for i := range 60 {
		ids = append(ids, fmt.Sprint("a", i))
		documents = append(documents, action(ids[i], noon.AddDate(0, 0, -i%6)))
	}
	items := c.items(documents...)
	for _, after := range []time.Duration{0, time.Millisecond, 5 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(context.Background(), after)
		_, _ = c.store.Write(ctx, items)
		cancel()
	}
	outcomes, err := c.store.Write(context.Background(), items)
	if err != nil {
		c.Fatalf("Write after a cancelled one: %v", err)
	}
	for i, o := range outcomes {
		if o.Kind != isNew && o.Kind != isRepeat {
			c.Errorf("%s after a cancelled Write: %s %v", items[i].ID, kindName(o.Kind), o.Err)
		}
	}
	c.finds(where(), ids...)
}

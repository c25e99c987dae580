package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"actionlog"
)

func testRemove(c *check) {
	person := func(id, name string) string {
		return `"actor":{"kind":"user","id":"` + id + `","name":"` + name + `"}`
	}
	items := c.items(action("a", noon, person("U1", "Ann Lee")),
		action("b", noon, person("U2", "Bo Diaz")),
		action("a", noon, of("other"), person("U1", "Ann Lee")),
		action("c", noon.AddDate(0, 0, -1), person("U2", "Bo Diaz")))
	c.writeItems(items)
	c.removed(home, today)
	c.finds(where(), "c")
	c.finds(actionlog.Query{Institution: "other"}, "a")
	c.days(-1, 1, 0, 1)
	c.named(home, "U1", false)
	c.named(home, "U2", true)
	c.named("other", "U1", true)
	c.removed(home, today)
	c.removed("nobody", today)
	c.removed(home, today.Add(7))
	c.outcomes(items, isNew, isNew, isRepeat, isRepeat)
	c.finds(where(), "a", "b", "c")
	c.finds(where(is(actionlog.FieldPerson, actionlog.Value{Person: actionlog.PersonMatch{ID: "U1"}})), "a")
	c.named(home, "U1", true)
	c.removed(home, today)
	c.removed("other", today)
	c.days(-1, 1)
}

func (c *check) removed(institution string, day actionlog.Day) {
	c.Helper()
	if err := c.store.Remove(context.Background(), institution, day); err != nil {
		c.Errorf("Remove %s of %s: %v", institution, day, err)
	}
}

// named tells whether the directory has somebody.
func (c *check) named(institution, id string, want bool) {
	c.Helper()
	found, _, err := c.store.Lookup(context.Background(), institution, actionlog.DirectoryPeople, actionlog.DirectoryMatch{ID: id}, 5)
	if err != nil || len(found) > 0 != want {
		c.Errorf("the directory of %s has %d of %s, %v; want %v", institution, len(found), id, err, want)
	}
}

func (c *check) rebuilt(day actionlog.Day, fill func(w actionlog.Writer) error) {
	c.Helper()
	if err := c.store.Rebuild(context.Background(), day, fill); err != nil {
		c.Errorf("Rebuild %s: %v", day, err)
	}
}

// filling writes items, which have these outcomes.
func (c *check) filling(items []actionlog.Item, want ...actionlog.OutcomeKind) func(actionlog.Writer) error {
	return func(w actionlog.Writer) error {
		got, err := w.Write(context.Background(), items)
		for i := range got {
			if got[i].Kind != want[i] {
				c.Errorf("item %d (%s): %s, %v; want %s", i, items[i].ID, kindName(got[i].Kind), got[i].Err, kindName(want[i]))
			}
		}
		return err
	}
}

func testRebuild(c *check) {
	old := c.items(action("a", noon, `"summary":"before"`), action("b", noon), action("c", noon, of("other")), action("a", noon.AddDate(0, 0, -1)))
	c.writeItems(old)
	fresh := c.items(action("a", noon, `"summary":"after"`), action("d", noon.Add(time.Second), `"actor":{"kind":"user","id":"U9"}`), action("x", noon.AddDate(0, 0, 1)))
	for range 2 { // a day that was rebuilt can be rebuilt again
		c.rebuilt(today, func(w actionlog.Writer) error {
			if err := c.filling(fresh, isNew, isNew, actionlog.OutcomeRefused)(w); err != nil {
				return err
			}
			return c.filling([]actionlog.Item{fresh[0], old[0]}, isRepeat, actionlog.OutcomeCollision)(w)
		})
		c.finds(where(), "a", "a", "b", "d")
		c.finds(where(is(actionlog.FieldAny, actionlog.Value{Words: []string{"after"}})), "a")
		c.finds(where(is(actionlog.FieldAny, actionlog.Value{Words: []string{"before"}})))
		c.finds(actionlog.Query{Institution: "other"}, "c")
		c.holds(fresh[0])
		c.holds(old[2])
		c.named(home, "U9", true)
		c.days(-1, 1, 0, 4)
	}
	c.outcomes(append(fresh[:2:2], old...), isRepeat, isRepeat, actionlog.OutcomeCollision, isRepeat, isRepeat, isRepeat)
	c.write(action("e", noon))
	c.finds(where(), "a", "a", "b", "d", "e")
	c.removed("other", today)
	c.finds(actionlog.Query{Institution: "other"})
	c.finds(where(), "a", "a", "b", "d", "e")
	c.dropped(today)
	c.finds(where(), "a")
	c.rebuilt(today, c.filling(old[1:2], isNew))
	c.days(-1, 1, 0, 1)
	c.outcomes(old[1:3], isRepeat, isNew)
}

func testRebuildFails(c *check) {
	items := c.items(action("a", noon), action("b", noon), action("c", noon))
	c.writeItems(items[:2])
	broken := errors.New("the archive cannot be read")
	err := c.store.Rebuild(context.Background(), today, func(w actionlog.Writer) error {
		return errors.Join(c.filling(items[2:], isNew)(w), broken)
	})
	if !errors.Is(err, broken) {
		c.Errorf("Rebuild with a fill that fails: %v", err)
	}
	c.finds(where(), "a", "b")
	c.outcomes(items, isRepeat, isRepeat, isNew)
	c.rebuilt(today.Add(-3), func(actionlog.Writer) error { return nil })
	c.rebuilt(today, func(actionlog.Writer) error { return nil })
	c.finds(where(), "a", "b", "c")
	c.days(0, 3)
}

// testRebuildUnderWrites has a day rebuilt while others write to it and read it.
func testRebuildUnderWrites(c *check) {
	const batches, size = 8, 20
	items := make([][]actionlog.Item, batches)
	var ids []string
	for b := range items {
		for i := range size {
			ids = append(ids, fmt.Sprintf("a%d-%d", b, i))
			items[b] = append(items[b], c.item(action(ids[len(ids)-1], noon.Add(time.Duration(b*size+i)*time.Second))))
		}
	}
	done := make(chan struct{})
	var writers, readers sync.WaitGroup
	writers.Go(func() {
		for _, batch := range items {
			c.writeUntilTaken(batch)
		}
	})
	readers.Go(func() { c.readUntil(done) })
	for range 3 {
		c.rebuilt(today, c.filling(items[0][:1], isNew))
	}
	writers.Wait()
	c.rebuilt(today, c.filling(items[0][:1], isNew))
	close(done)
	readers.Wait()
	c.finds(where(), ids...)
}

// writeUntilTaken writes items until none is to be tried again.
func (c *check) writeUntilTaken(items []actionlog.Item) {
	for try := 0; len(items) > 0; try++ {
		outcomes, err := c.store.Write(context.Background(), items)
		if err != nil || try == 200 {
			c.Errorf("Write, attempt %d: %v", try, err)
			return
		}
		var again []actionlog.Item
		for i, o := range outcomes {
			switch o.Kind {
			case isNew, isRepeat:
			case actionlog.OutcomeRetry:
				again = append(again, items[i])
			default:
				c.Errorf("Write: %s, %v", kindName(o.Kind), o.Err)
			}
		}
		if items = again; len(items) > 0 {
			time.Sleep(20 * time.Millisecond)
		}
	}
}

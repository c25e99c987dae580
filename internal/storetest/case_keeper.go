package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"actionlog"
)

func keeperCases() []testCase {
	return []testCase{
		{"drop", "Drop removes a day.", testDrop},
		{"drop of nothing", "Drop of a day that is not there is not an error.", func(c *check) {
			c.dropped(today)
			c.write(action("a", noon))
			c.dropped(today.Add(1))
			c.dropped(actionlog.DayOf(time.Unix(0, 0)))
			c.finds(where(), "a")
		}},
		{"days", "Days lists the days that there are, oldest first.", func(c *check) {
			if days, err := c.store.Days(context.Background()); err != nil || len(days) > 0 {
				c.Errorf("Days of an empty store: %v, %v", days, err)
			}
			items := c.items(action("a", noon),
				action("b", noon.AddDate(0, 0, -9)),
				action("c", noon.AddDate(0, 0, -9)),
				action("d", noon.AddDate(0, 0, -9), of("other")),
				action("e", noon.AddDate(0, 0, 1)))
			c.writeItems(items)
			c.outcomes(items[:1], isRepeat)
			c.days(-9, 3, 0, 1, 1, 1)
		}},
		{"positions", "Positions yields whose each action of a day is and where it stood on the stream.", testPositions},
		{"remove", "Remove removes an institution's actions of a day and the directory entries that only they name.", testRemove},
		{"rebuild", "What fill writes takes the place of what is there; what is there and fill does not write stays.", testRebuild},
		{"rebuild of nothing", "Where fill or anything else fails, the day stays as it was.", testRebuildFails},
		{"rebuild while others write", "Rebuild takes the place of what is there at once for everybody who reads or writes.", testRebuildUnderWrites},
	}
}

func msOf(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// timesAround are two edges that enclose the actions of the cases.
func timesAround() []time.Time { return []time.Time{noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0)} }

func (c *check) dropped(day actionlog.Day) {
	c.Helper()
	if err := c.store.Drop(context.Background(), day); err != nil {
		c.Errorf("Drop %s: %v", day, err)
	}
}

// days compares Days with pairs of a day, relative to today, and its actions.
func (c *check) days(pairs ...int) {
	c.Helper()
	got, err := c.store.Days(context.Background())
	if err != nil || len(got) != len(pairs)/2 {
		c.Errorf("Days: %v, %v; want %d days", got, err, len(pairs)/2)
		return
	}
	for i, d := range got {
		if d.Day != today.Add(pairs[2*i]) || d.Actions != int64(pairs[2*i+1]) || d.Damage != "" || d.Bytes <= 0 {
			c.Errorf("Days: %+v is %s; want %s with %d actions", d, d.Day, today.Add(pairs[2*i]), pairs[2*i+1])
		}
	}
}

func testDrop(c *check) {
	end := today.End()
	items := c.items(action("a", today.Start()),
		action("b", noon),
		action("c", end.Add(-time.Millisecond)),
		action("d", end),
		action("e", today.Start().Add(-time.Millisecond)),
		action("b", noon, of("other")), action("same", noon), action("same", noon.AddDate(0, 0, 1)))
	c.writeItems(items)
	c.days(-1, 1, 0, 5, 1, 2)
	c.dropped(today)
	c.days(-1, 1, 1, 2)
	c.finds(where(), "d", "e", "same")
	c.finds(where(is(actionlog.FieldCategory, text("course"))), "d", "e", "same")
	c.finds(between(where(), today.Start(), end))
	c.finds(actionlog.Query{Institution: "other"})
	c.histogram(where(), []time.Time{today.Start().Add(-time.Hour), today.Start(), end, end.AddDate(0, 0, 1)}, 1, 0, 2)
	if got, err := c.store.Get(context.Background(), home, "b", actionlog.Day{}); !errors.Is(err, actionlog.ErrNotFound) {
		c.Errorf("Get of an action whose day was dropped: %d records, %v", len(got), err)
	}
	c.outcomes(items[:2], isNew, isNew)
	c.outcomes(items[:3], isRepeat, isRepeat, isNew)
	c.finds(where(), "a", "b", "c", "d", "e", "same")
	c.holds(items[1])
	c.dropped(today)
	c.dropped(today)
	c.finds(where(), "d", "e", "same")
}

func concurrencyCases() []testCase {
	return []testCase{
		{"writers and readers", "All methods may be called at the same time; an identity is new once.", testConcurrency},
	}
}

// testConcurrency has every item written by two writers, while readers look at
// whether what they see only grows and is never double.
func testConcurrency(c *check) {
	const batches, size = 12, 20
	items := make([][]actionlog.Item, batches)
	var ids []string
	for b := range items {
		for i := range size {
			ids = append(ids, fmt.Sprintf("a%d-%d", b, i))
			items[b] = append(items[b], c.item(action(ids[len(ids)-1], noon.AddDate(0, 0, -(b+i)%3),
				`"actor":{"kind":"user","id":"U`+fmt.Sprint(i)+`"}`)))
		}
	}
	var writers, readers sync.WaitGroup
	fresh := make(chan int, 4)
	for w := range 4 {
		writers.Go(func() { fresh <- c.writeSome(items, w) })
	}
	done := make(chan struct{})
	for range 3 {
		readers.Go(func() { c.readUntil(done) })
	}
	writers.Wait()
	close(done)
	readers.Wait()
	all := 0
	for range 4 {
		all += <-fresh
	}
	if all != batches*size {
		c.Errorf("%d items were new; there are %d", all, batches*size)
	}
	c.finds(where(), ids...)
}

// writeSome writes the half of the batches that is writer w's, two writers
// sharing each half in opposite orders, and returns how many items were new.
func (c *check) writeSome(batches [][]actionlog.Item, w int) (fresh int) {
	for n := range batches {
		b := n
		if w >= 2 {
			b = len(batches) - 1 - n
		}
		if b%2 != w%2 {
			continue
		}
		outcomes, err := c.store.Write(context.Background(), batches[b])
		if err != nil {
			c.Errorf("Write: %v", err)
			return fresh
		}
		for _, o := range outcomes {
			switch o.Kind {
			case isNew:
				fresh++
			case isRepeat:
			default:
				c.Errorf("Write: %s, %v", kindName(o.Kind), o.Err)
			}
		}
	}
	return fresh
}

func (c *check) readUntil(done <-chan struct{}) {
	seen := 0
	for {
		select {
		case <-done:
			return
		default:
		}
		pages, err := walk(c.store, where(), actionlog.OldestFirst, 17)
		if err != nil {
			c.Errorf("Page while others write: %v", err)
			return
		}
		scanned, err := scan(c.store, where(), actionlog.NewestFirst)
		if err != nil {
			c.Errorf("Scan while others write: %v", err)
			return
		}
		n, _, err := c.store.Count(context.Background(), where(), 0)
		if err != nil || len(pages) < seen || len(scanned) < len(pages) || int(n) < len(scanned) {
			c.Errorf("what was visible is not any more: %d, pages %d, scan %d, count %d, %v", seen, len(pages), len(scanned), n, err)
			return
		}
		seen = int(n)
		if _, _, err := c.store.Lookup(context.Background(), home, actionlog.DirectoryPeople, actionlog.DirectoryMatch{ID: "U1"}, 5); err != nil {
			c.Errorf("Lookup while others write: %v", err)
			return
		}
	}
}

func testPositions(c *check) {
	items := c.items(action("a", noon), action("b", noon, of("other")), action("c", noon), action("d", noon.AddDate(0, 0, -1)))
	for i := range items {
		items[i].Position = actionlog.Position{Stream: []string{"s1", "s2"}[i%2], Sequence: uint64(1 + i*i)}
	}
	items[2].Position = actionlog.Position{}
	c.writeItems(items)
	for day, want := range map[actionlog.Day]string{today: "other s2.2,uni ,uni s1.1", today.Add(-1): "uni s2.10", today.Add(-2): ""} {
		var got []string
		for p, err := range c.store.Positions(context.Background(), day) {
			if err != nil {
				c.Errorf("Positions %s: %v", day, err)
			}
			got = append(got, p.Institution+" "+p.Position.String())
		}
		slices.Sort(got)
		if strings.Join(got, ",") != want {
			c.Errorf("Positions %s: %q, want %s", day, got, want)
		}
	}
	for range c.store.Positions(context.Background(), today) {
		break
	}
	c.days(-1, 1, 0, 3)
}

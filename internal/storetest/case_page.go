package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"actionlog"
)

func pageCases() []testCase {
	const walked = "Walking all pages by their Next gives every match exactly once, also among equal times."
	return []testCase{
		{"equal times", walked, testEqualTimes},
		{"exact fit", "Next is empty when there is no more.", testExactFit},
		{"order", "Among equal times the order is total and the same in every call; OldestFirst is the exact reverse of NewestFirst.", testSameOrder},
		{"arrivals", "Actions that arrive meanwhile appear if they lie behind the mark.", testArrivals},
		{"drop under a mark", walked, testDropUnderMark},
		{"bad marks", "A malformed mark is an *InvalidError.", testBadMarks},
		{"limits", "Page returns up to limit (1–1000) records.", testLimits},
	}
}

// crowd writes 300 actions of one millisecond and some before, after, and on
// the days beside it, in several batches.
func (c *check) crowd() (ids []string) {
	c.Helper()
	for batch := range 4 {
		var documents []string
		for i := range 75 {
			ids = append(ids, fmt.Sprintf("same%d-%d", batch, i))
			documents = append(documents, action(ids[len(ids)-1], noon, `"outcome":`+quote([]string{"success", "failure"}[i%2])))
		}
		for i, at := range []time.Duration{-24 * time.Hour, -1 * time.Millisecond, time.Millisecond, 24 * time.Hour} {
			ids = append(ids, fmt.Sprintf("near%d-%d", batch, i))
			documents = append(documents, action(ids[len(ids)-1], noon.Add(at)))
		}
		c.write(documents...)
	}
	return ids
}

func testEqualTimes(c *check) {
	ids := c.crowd()
	var first []string
	for _, size := range []int{1, 3, 50, 1000} {
		for _, order := range []actionlog.Order{actionlog.NewestFirst, actionlog.OldestFirst} {
			records, err := walk(c.store, where(), order, size)
			if err != nil {
				c.Fatalf("pages of %d, %s: %v", size, describeOrder(order), err)
			}
			got := idsOf(records)
			if missing, extra := difference(ids, got); len(missing)+len(extra) > 0 {
				c.Errorf("pages of %d, %s: leave out %s; besides %s", size, describeOrder(order), brief(missing), brief(extra))
			}
			if order == actionlog.OldestFirst {
				slices.Reverse(got)
			}
			if first == nil {
				first = got
			}
			if !slices.Equal(first, got) {
				c.Errorf("pages of %d, %s, are in another order than pages of 1, newest first", size, describeOrder(order))
			}
		}
	}
}

func testExactFit(c *check) {
	for i := range 6 {
		c.write(action(fmt.Sprint("a", i), noon.AddDate(0, 0, -i/2)))
	}
	for size, want := range map[int]bool{1: true, 2: true, 3: true, 5: true, 6: false, 7: false} {
		p, err := c.store.Page(context.Background(), where(), actionlog.NewestFirst, "", size)
		if err != nil || (p.Next != "") != want {
			c.Errorf("the first page of %d of 6: next %q, %v", size, p.Next, err)
		}
		if all, err := walk(c.store, where(), actionlog.NewestFirst, size); err != nil || len(all) != 6 {
			c.Errorf("pages of %d: %d records, %v", size, len(all), err)
		}
	}
	p, err := c.store.Page(context.Background(), where(is(actionlog.FieldID, text("nobody"))), actionlog.NewestFirst, "", 1)
	if err != nil || p.Next != "" || len(p.Records) > 0 || len(p.MissingDays) > 0 {
		c.Errorf("a list without a match: %v, %v", p, err)
	}
}

func testSameOrder(c *check) {
	c.crowd()
	all, err := walk(c.store, where(), actionlog.NewestFirst, 1000)
	if err != nil {
		c.Fatalf("Page: %v", err)
	}
	var successes []string
	for _, r := range all {
		for _, sent := range c.sent {
			if sent.ID == r.ID && sent.Action.Outcome == "success" {
				successes = append(successes, r.ID)
			}
		}
	}
	q := where(is(actionlog.FieldOutcome, text("success")))
	for range 2 {
		got, err := walk(c.store, q, actionlog.NewestFirst, 50)
		if err != nil || !slices.Equal(idsOf(got), successes) {
			c.Errorf("a filtered list has another order than the whole, %v", err)
		}
	}
	for _, order := range []actionlog.Order{actionlog.NewestFirst, actionlog.OldestFirst} {
		got, err := scan(c.store, where(), order)
		want := idsOf(all)
		if order == actionlog.OldestFirst {
			slices.Reverse(want)
		}
		if err != nil || !slices.Equal(idsOf(got), want) {
			c.Errorf("Scan, %s, has another order than the pages, %v", describeOrder(order), err)
		}
	}
}

func testArrivals(c *check) {
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	for _, m := range []int{0, 10, 20, 30, 40} {
		c.write(action(fmt.Sprint("a", m), at(m)))
	}
	ctx := context.Background()
	newest, err := c.store.Page(ctx, where(), actionlog.NewestFirst, "", 2) // a40 a30
	if err != nil {
		c.Fatalf("Page: %v", err)
	}
	oldest, err := c.store.Page(ctx, where(), actionlog.OldestFirst, "", 2) // a0 a10
	if err != nil {
		c.Fatalf("Page: %v", err)
	}
	c.write(action("a5", at(5)), action("a25", at(25)), action("a45", at(45)),
		action("yesterday", noon.AddDate(0, 0, -1)), action("tomorrow", noon.AddDate(0, 0, 1)))
	for _, test := range []struct {
		after actionlog.Mark
		order actionlog.Order
		want  []string
	}{
		{newest.Next, actionlog.NewestFirst, []string{"a25", "a20", "a10", "a5", "a0", "yesterday"}},
		{oldest.Next, actionlog.OldestFirst, []string{"a20", "a25", "a30", "a40", "a45", "tomorrow"}},
	} {
		var got []string
		for after := test.after; ; {
			p, err := c.store.Page(ctx, where(), test.order, after, 1)
			if err != nil {
				c.Fatalf("Page: %v", err)
			}
			got = append(got, idsOf(p.Records)...)
			if after = p.Next; after == "" {
				break
			}
		}
		if !slices.Equal(got, test.want) {
			c.Errorf("behind the mark, %s: %s; want %s", describeOrder(test.order), brief(got), brief(test.want))
		}
	}
}

func testDropUnderMark(c *check) {
	for i := range 6 {
		c.write(action(fmt.Sprint("a", i), noon.AddDate(0, 0, -i/2).Add(-time.Duration(i)*time.Minute)))
	}
	ctx := context.Background()
	p, err := c.store.Page(ctx, where(), actionlog.NewestFirst, "", 3) // the mark is in the middle of yesterday
	if err != nil {
		c.Fatalf("Page: %v", err)
	}
	if err := c.store.Drop(ctx, today.Add(-1)); err != nil {
		c.Fatalf("Drop: %v", err)
	}
	rest, err := c.store.Page(ctx, where(), actionlog.NewestFirst, p.Next, 10)
	if got := idsOf(rest.Records); err != nil || !slices.Equal(got, []string{"a4", "a5"}) {
		c.Errorf("behind a mark in a day that was dropped: %s, %v; want a4 a5", brief(got), err)
	}
}

func testBadMarks(c *check) {
	c.write(action("a", noon), action("b", noon))
	for _, mark := range []actionlog.Mark{"x", " ", "0", "'", "☃", "2026-11-10", "2026-11-10/", "null", "[]", "{}", "-", "\x00"} {
		_, err := c.store.Page(context.Background(), where(), actionlog.NewestFirst, mark, 1)
		if invalid := (*actionlog.InvalidError)(nil); !errors.As(err, &invalid) {
			c.Errorf("Page behind the mark %q: %v", mark, err)
		}
	}
}

func testLimits(c *check) {
	var documents []string
	for i := range 1001 {
		documents = append(documents, action(fmt.Sprint("a", i), noon))
	}
	c.write(documents...)
	for _, limit := range []int{1, 999, 1000} {
		p, err := c.store.Page(context.Background(), where(), actionlog.OldestFirst, "", limit)
		if err != nil || len(p.Records) != limit || p.Next == "" {
			c.Errorf("a page of %d of 1001: %d records, next %q, %v", limit, len(p.Records), p.Next, err)
		}
	}
	for _, limit := range []int{-1, 0, 1001, 1 << 40} {
		if p, err := c.store.Page(context.Background(), where(), actionlog.OldestFirst, "", limit); err == nil {
			c.Errorf("a page of %d is not refused: %d records", limit, len(p.Records))
		}
	}
}

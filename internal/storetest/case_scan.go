package storetest

import (
	"context"
	"fmt"
	"slices"

	"actionlog"
)

func scanCases() []testCase {
	return []testCase{
		{"scan", "Scan yields every match exactly once, in order.", testScan},
		{"scan stopped", "Stopping early releases everything.", testScanStopped},
		{"scan cancelled", "The sequence ends with an error, as its last element, when it cannot be completed.", testScanCancelled},
		{"scan while writing", "An action written while the scan runs may or may not be in it; all that was there is, exactly once.", testScanWhileWriting},
		{"calls cancelled", "A method that cannot answer completely returns an error, never part of an answer.", testCallsCancelled},
	}
}

// manyDays writes 60 actions on each of 5 days, in several batches.
func (c *check) manyDays() (ids []string) {
	c.Helper()
	for batch := range 3 {
		var documents []string
		for i := range 100 {
			ids = append(ids, fmt.Sprintf("a%d-%d", batch, i))
			documents = append(documents,
				action(ids[len(ids)-1], noon.AddDate(0, 0, -i%5).Add(-msOf(i*37%50)), `"outcome":`+quote([]string{"success", "failure"}[i%2])))
		}
		c.write(documents...)
	}
	return ids
}

func testScan(c *check) {
	ids := c.manyDays()
	for _, order := range []actionlog.Order{actionlog.NewestFirst, actionlog.OldestFirst} {
		got, err := scan(c.store, where(), order)
		if err != nil {
			c.Fatalf("Scan, %s: %v", describeOrder(order), err)
		}
		if missing, extra := difference(ids, idsOf(got)); len(missing)+len(extra) > 0 {
			c.Errorf("Scan, %s: leaves out %s; besides %s", describeOrder(order), brief(missing), brief(extra))
		}
		pages, err := walk(c.store, where(), order, 7)
		if err != nil || !slices.Equal(idsOf(pages), idsOf(got)) {
			c.Errorf("Scan and pages, %s, differ, %v", describeOrder(order), err)
		}
	}
	newest, err := scan(c.store, where(), actionlog.NewestFirst)
	oldest, err2 := scan(c.store, where(), actionlog.OldestFirst)
	if err != nil || err2 != nil || !slices.Equal(idsOf(newest), reversed(idsOf(oldest))) {
		c.Errorf("oldest first is not the reverse of newest first, %v, %v", err, err2)
	}
	if got, err := scan(c.store, between(where(), today.Start(), today.Start()), actionlog.NewestFirst); err != nil || len(got) > 0 {
		c.Errorf("Scan of nothing: %d records, %v", len(got), err)
	}
}

func testScanStopped(c *check) {
	c.manyDays()
	for n := range 60 {
		i := 0
		for _, err := range c.store.Scan(context.Background(), where(), actionlog.NewestFirst) {
			if err != nil {
				c.Fatalf("Scan %d: %v", n, err)
			}
			if i++; i > n*5 {
				break
			}
		}
	}
	c.write(action("after", noon))
	for day := range 5 {
		if err := c.store.Drop(context.Background(), today.Add(-day)); err != nil {
			c.Errorf("Drop after scans that were stopped: %v", err)
		}
	}
	c.finds(where())
}

func testScanCancelled(c *check) {
	c.manyDays()
	for _, at := range []int{0, 1, 10, 70, 200} {
		ctx, cancel := context.WithCancel(context.Background())
		if at == 0 {
			cancel()
		}
		n, failed, after := 0, error(nil), 0
		for _, err := range c.store.Scan(ctx, where(), actionlog.OldestFirst) {
			switch {
			case failed != nil:
				after++
			case err != nil:
				failed = err
			default:
				if n++; n == at {
					cancel()
				}
			}
		}
		cancel()
		if failed == nil || after > 0 || n >= 300 {
			c.Errorf("a scan that was cancelled after %d of 300: %d records, error %v, %d elements behind it", at, n, failed, after)
		}
	}
}

func testScanWhileWriting(c *check) {
	ids := c.manyDays()
	var got []string
	n := 0
	for r, err := range c.store.Scan(context.Background(), where(), actionlog.NewestFirst) {
		if err != nil {
			c.Fatalf("Scan: %v", err)
		}
		if n%50 == 0 {
			c.write(action(fmt.Sprint("new", n), noon.AddDate(0, 0, -n/50)), action(fmt.Sprint("now", n), r.OccurredAt))
		}
		n++
		got = append(got, r.ID)
	}
	if missing, _ := difference(ids, got); len(missing) > 0 {
		c.Errorf("the scan leaves out %s", brief(missing))
	}
	slices.Sort(got)
	if len(slices.Compact(slices.Clone(got))) != len(got) {
		c.Errorf("the scan yields an action twice")
	}
}

func testCallsCancelled(c *check) {
	ids := c.manyDays()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if p, err := c.store.Page(ctx, where(), actionlog.NewestFirst, "", 1000); err == nil && len(p.Records) != len(ids) {
		c.Errorf("a cancelled Page returns %d of %d records and no error", len(p.Records), len(ids))
	}
	if n, _, err := c.store.Count(ctx, where(), 0); err == nil && n != int64(len(ids)) {
		c.Errorf("a cancelled Count returns %d of %d and no error", n, len(ids))
	}
	if f, err := c.store.Facet(ctx, where(), actionlog.FieldOutcome, 5); err == nil && (len(f.Values) != 2 || f.Values[0].Count != 150) {
		c.Errorf("a cancelled Facet returns %v and no error", f)
	}
	if b, err := c.store.Histogram(ctx, where(), timesAround(), ""); err == nil && b[0].Count != int64(len(ids)) {
		c.Errorf("a cancelled Histogram returns %v and no error", b)
	}
	if r, err := c.store.Get(ctx, home, ids[0], actionlog.Day{}); err == nil && len(r) != 1 {
		c.Errorf("a cancelled Get returns %d records and no error", len(r))
	}
	c.finds(where(), ids...)
}

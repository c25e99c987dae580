package storetest

import (
	"context"
	"fmt"
	"time"

	"actionlog"

	"github.com/google/go-cmp/cmp"
)

func countCases() []testCase {
	return []testCase{{"count", "Count counts matches. With max > 0 it may stop there and return max with exact = false: there are at least max.",
		func(c *check) {
			for i := range 10 {
				c.write(action(fmt.Sprint("a", i), noon.AddDate(0, 0, -i%4), `"outcome":`+quote([]string{"success", "failure"}[i%2])))
			}
			for _, test := range []struct {
				q     actionlog.Query
				total int64
			}{{where(), 10}, {where(is(actionlog.FieldOutcome, text("success"))), 5}, {where(is(actionlog.FieldID, text("x"))), 0}, {between(where(), today.Start(), today.End()), 3}} {
				for _, max := range []int64{0, 1, 2, 3, 4, 5, 6, 9, 10, 11, 1 << 40} {
					n, exact, err := c.store.Count(context.Background(), test.q, max)
					right := exact && n == test.total || !exact && n == max && max > 0 && test.total >= max
					if err != nil || !right {
						c.Errorf("Count of %s, max %d = %d, exact %v, %v; there are %d", describe(test.q), max, n, exact, err, test.total)
					}
				}
			}
		}}}
}

func histogramCases() []testCase {
	return []testCase{
		{"histogram", "Histogram counts matches between consecutive edges: each interval includes its first edge and excludes the next.", testHistogram},
		{"histogram by", "With by, counts are split by that field's values; the empty value stands for none.", testHistogramBy},
		{"histogram refuses", "Edges are ascending, at least two; by is category, outcome, actor_kind or channel.", func(c *check) {
			c.write(action("a", noon))
			for _, edges := range [][]time.Time{nil, {noon}, {noon, noon.Add(-1)}, {noon, noon.Add(2), noon.Add(1)}} {
				if b, err := c.store.Histogram(context.Background(), where(), edges, ""); err == nil {
					c.Errorf("Histogram with edges %v: %v", edges, b)
				}
			}
			for _, by := range []actionlog.Field{actionlog.FieldID, actionlog.FieldActor, actionlog.FieldAny, "nonsense"} {
				if b, err := c.store.Histogram(context.Background(), where(), []time.Time{noon, noon.Add(1)}, by); err == nil {
					c.Errorf("Histogram by %q: %v", by, b)
				}
			}
		}},
	}
}

// histogram compares the counts of a histogram, and its intervals with edges.
func (c *check) histogram(q actionlog.Query, edges []time.Time, want ...int64) {
	c.Helper()
	got, err := c.store.Histogram(context.Background(), q, edges, "")
	if err != nil || len(got) != len(edges)-1 {
		c.Errorf("Histogram of %s with %d edges: %d buckets, %v", describe(q), len(edges), len(got), err)
		return
	}
	for i, b := range got {
		if b.Count != want[i] || !b.From.Equal(edges[i]) || !b.To.Equal(edges[i+1]) || b.By != nil {
			c.Errorf("Histogram of %s: bucket %d is %s to %s with %d, by %v; want %s to %s with %d", describe(q), i, stamp(b.From),
				stamp(b.To), b.Count, b.By, stamp(edges[i]), stamp(edges[i+1]), want[i])
		}
	}
}

func testHistogram(c *check) {
	ms, midnight := time.Millisecond, today.Start()
	c.write(action("eve", midnight.Add(-ms)), action("midnight", midnight), action("noon", noon), action("noon1", noon.Add(ms)),
		action("last", today.End().Add(-ms)), action("next", today.End()), action("month", midnight.AddDate(0, -1, 0)))
	day := func(n int) time.Time { return midnight.AddDate(0, 0, n) }
	c.histogram(where(), []time.Time{day(0), day(1)}, 4)
	c.histogram(where(), []time.Time{day(-1), day(0), day(1), day(2)}, 1, 4, 1)
	c.histogram(where(), []time.Time{noon, noon.Add(ms), noon.Add(2 * ms)}, 1, 1)
	c.histogram(where(), []time.Time{midnight.Add(-ms), midnight, midnight.Add(ms)}, 1, 1)
	c.histogram(where(), []time.Time{midnight.AddDate(-1, 0, 0), midnight.AddDate(0, 0, -20), noon.Add(ms), midnight.AddDate(1, 0, 0)}, 1, 3, 3)
	c.histogram(where(), []time.Time{midnight.AddDate(1, 0, 0), midnight.AddDate(2, 0, 0)}, 0)
	c.histogram(between(where(), noon, today.End()), []time.Time{day(-1), noon.Add(ms), day(2)}, 1, 2)
	c.histogram(where(is(actionlog.FieldID, text("noon"), text("next"), text("eve"))), []time.Time{day(-1), day(0), day(1), day(2)}, 1, 1, 1)
	c.histogram(where(is(actionlog.FieldID, text("nobody"))), []time.Time{day(-1), day(0), day(1)}, 0, 0)
	c.histogram(actionlog.Query{Institution: "other"}, []time.Time{day(-1), day(1)}, 0)
	zone := time.FixedZone("", -9*3600-1800)
	c.histogram(where(), []time.Time{day(0).In(zone), day(1).In(zone)}, 4)
	var hours []time.Time
	for h := range 49 {
		hours = append(hours, day(0).Add(time.Duration(h)*time.Hour))
	}
	want := make([]int64, 48)
	want[0], want[12], want[23], want[24] = 1, 2, 1, 1
	c.histogram(where(), hours, want...)
}

func testHistogramBy(c *check) {
	for i := range 12 {
		members := []string{`"category":` + quote([]string{"course", "api", "institution"}[i%3]),
			`"actor":{"kind":` + quote([]string{"user", "staff"}[i%2]) + `}`}
		if i%4 != 0 {
			members = append(members, `"outcome":`+quote([]string{"success", "failure"}[i%2]), `"origin":{"channel":"c`+fmt.Sprint(i%2)+`"}`)
		}
		c.write(action(fmt.Sprint("a", i), noon.AddDate(0, 0, -i/6), members...))
	}
	edges := []time.Time{today.Start().AddDate(0, 0, -2), today.Start().AddDate(0, 0, -1), today.Start(), today.End()}
	for by, want := range map[actionlog.Field][]map[string]int64{
		actionlog.FieldCategory:  {{}, {"course": 2, "api": 2, "institution": 2}, {"course": 2, "api": 2, "institution": 2}},
		actionlog.FieldActorKind: {{}, {"user": 3, "staff": 3}, {"user": 3, "staff": 3}},
		actionlog.FieldOutcome:   {{}, {"": 1, "success": 2, "failure": 3}, {"": 2, "success": 1, "failure": 3}},
		actionlog.FieldChannel:   {{}, {"": 1, "c0": 2, "c1": 3}, {"": 2, "c0": 1, "c1": 3}},
	} {
		got, err := c.store.Histogram(context.Background(), where(), edges, by)
		if err != nil || len(got) != 3 {
			c.Fatalf("Histogram by %s: %v, %v", by, got, err)
		}
		for i, b := range got {
			if d := cmp.Diff(want[i], nonZero(b.By)); d != "" || b.Count != total(b.By) {
				c.Errorf("Histogram by %s, bucket %d with %d (-want +got):\n%s", by, i, b.Count, d)
			}
		}
	}
}

// nonZero leaves out the values that nothing has.
func nonZero(by map[string]int64) map[string]int64 {
	m := map[string]int64{}
	for v, n := range by {
		if n != 0 {
			m[v] = n
		}
	}
	return m
}

func total(by map[string]int64) (n int64) {
	for _, k := range by {
		n += k
	}
	return n
}

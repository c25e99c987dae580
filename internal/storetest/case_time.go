package storetest

import (
	"time"
)

func timeCases() []testCase {
	return []testCase{
		{"bounds", "From (inclusive) and To (exclusive) bound OccurredAt, at millisecond precision; a zero time is no bound.", testBounds},
		{"finer than a millisecond", "OccurredAt is truncated to the millisecond.", testTruncated},
	}
}

func testBounds(c *check) {
	var none time.Time
	ms := time.Millisecond
	midnight := today.Start()
	c.write(
		action("eve", midnight.Add(-ms)), action("midnight", midnight), action("second", midnight.Add(ms)),
		action("noon", noon), action("noon1", noon.Add(ms)), action("noon999", noon.Add(999*ms)),
		action("last", today.End().Add(-ms)), action("next", today.End()), action("week", midnight.AddDate(0, 0, -7)))
	sydney := time.FixedZone("", 11*3600)
	for _, test := range []struct {
		name     string
		from, to time.Time
		want     []string
	}{
		{"none", none, none, []string{"week", "eve", "midnight", "second", "noon", "noon1", "noon999", "last", "next"}},
		{"from", midnight, none, []string{"midnight", "second", "noon", "noon1", "noon999", "last", "next"}},
		{"from a millisecond later", midnight.Add(ms), none, []string{"second", "noon", "noon1", "noon999", "last", "next"}},
		{"to", none, midnight, []string{"week", "eve"}},
		{"to a millisecond later", none, midnight.Add(ms), []string{"week", "eve", "midnight"}},
		{"a day", midnight, today.End(), []string{"midnight", "second", "noon", "noon1", "noon999", "last"}},
		{"a day and a millisecond", midnight.Add(-ms), today.End().Add(ms), []string{"eve", "midnight", "second", "noon", "noon1", "noon999", "last", "next"}},
		{"a millisecond", noon, noon.Add(ms), []string{"noon"}},
		{"a second", noon, noon.Add(1000 * ms), []string{"noon", "noon1", "noon999"}},
		{"its last millisecond left out", noon, noon.Add(999 * ms), []string{"noon", "noon1"}},
		{"nothing between", noon.Add(2 * ms), noon.Add(999 * ms), nil},
		{"empty", noon, noon, nil},
		{"before all", none, midnight.AddDate(-1, 0, 0), nil},
		{"behind all", midnight.AddDate(1, 0, 0), none, nil},
		{"days without actions", midnight.AddDate(0, 0, -6), midnight.AddDate(0, 0, -1), nil},
		{"in another zone", midnight.In(sydney), noon.Add(ms).In(sydney), []string{"midnight", "second", "noon"}},
		{"far beyond", time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC),
			[]string{"week", "eve", "midnight", "second", "noon", "noon1", "noon999", "last", "next"}},
	} {
		c.group(test.name, func(c *check) { c.finds(between(where(), test.from, test.to), test.want...) })
	}
}

func testTruncated(c *check) {
	written := func(id, at string) string {
		return action(id, noon, `"occurred_at":`+quote(at))
	}
	c.write(written("a", "2026-11-10T12:00:00.0009999Z"), written("b", "2026-11-10T23:59:59.999999999Z"),
		written("c", "2026-11-11T00:59:59.9999+01:00"))
	c.finds(between(where(), noon, noon.Add(time.Millisecond)), "a")
	c.finds(between(where(), today.Start(), today.End()), "a", "b", "c")
	c.finds(between(where(), today.End(), time.Time{}))
}

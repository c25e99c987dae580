package sqlite

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"actionlog"
)

// TestDaySet compares with a map, over days before and behind 1970.
func TestDaySet(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	epoch, err := actionlog.ParseDay("1970-01-01")
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		var s daySet
		want := map[actionlog.Day]bool{}
		for range 60 {
			d := epoch.Add(rng.IntN(120) - 60)
			before := slices.Clone(s)
			next := s.with(d)
			if rng.IntN(2) == 0 {
				next = s.without(d)
				delete(want, d)
			} else {
				want[d] = true
			}
			if !slices.Equal(before, s) {
				t.Fatal("a set was changed in place")
			}
			s = next
			days := slices.SortedFunc(maps.Keys(want), func(a, b actionlog.Day) int { return a.Start().Compare(b.Start()) })
			if got := slices.Collect(s.all()); !slices.Equal(got, days) || (len(days) == 0) != (s == nil) || s.has(d) != want[d] {
				t.Fatalf("%v; want %v", got, days)
			}
		}
	}
}

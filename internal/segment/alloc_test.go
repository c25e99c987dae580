package segment

import (
	"slices"
	"testing"

	"actionlog"
)

// What is done for each action allocates no more than this; counts are the same on every machine. What was measured
// stands beside.
func TestAllocations(t *testing.T) {
	const n = 4000
	c, key := codecOf(t), NewKey()
	all := entriesOf(t, n)
	b := NewBuilder(c, key)
	image, s, err := b.Build(slices.Clone(all))
	whole := opened(t, c, image, s, err)
	perAction := func(f func()) float64 { return testing.AllocsPerRun(3, f) / n }
	for name, x := range map[string]struct {
		most float64
		f    func()
	}{
		"building": {buildAllocations, func() {
			if _, _, err := b.Build(all); err != nil {
				t.Fatal(err)
			}
		}},
		"merging two": {mergeAllocations, func() {
			if _, _, err := Merge(c, []*Reader{whole.NewReader(c, InMemory(image)), whole.NewReader(c, InMemory(image))}); err != nil {
				t.Fatal(err)
			}
		}},
		"reading all": {readAllocations, func() {
			r := whole.NewReader(c, InMemory(image))
			for i := range r.All() {
				for row := i.Low; row < i.High; row++ {
					r.Record(row, i.ID, actionlog.DayOf(noon))
				}
			}
			if r.Err() != nil {
				t.Fatal(r.Err())
			}
		}},
	} {
		if got := perAction(x.f); got > x.most {
			t.Errorf("%s allocates %.2f times an action; at most %.2f are expected", name, got, x.most)
		} else {
			t.Logf("%s allocates %.2f times an action", name, got)
		}
	}
}

const buildAllocations, mergeAllocations, readAllocations = 11, 2.5, 3.3 // measured: 9.2, 2.1, 2.9

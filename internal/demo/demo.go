// Package demo invents believable actions of three institutions: every action of
// the catalogue, API calls with their codes, the platform's staff acting for
// users, bulk operations, failures, changes, people of many cultures. What it
// invents depends on its seed and the date only: a day is the same whenever it
// is asked for, so publishing it again adds nothing. It does no I/O, publishes
// nothing, and knows neither stream nor store.
package demo

import (
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	"actionlog"
)

// Days is how far a demo reaches back, today included.
const Days = 90

// Generator invents actions. It may be used by many goroutines.
type Generator struct {
	seed         uint64
	perDay       float64
	institutions []*institution
}

// New returns a generator of about count actions in Days days. The same seed
// and count invent the same.
func New(seed uint64, count int) *Generator {
	return &Generator{seed: seed, perDay: float64(count) / Days, institutions: world(seed)}
}

// Institution is the first institution's id: the one with Melody Wang.
func Institution() string { return "demo-academy" }

// Actions yields the documents (action/1) of the Days days that end at the time
// end, oldest first.
func (g *Generator) Actions(end time.Time) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		last := actionlog.DayOf(end)
		for back := Days - 1; back >= 0; back-- {
			for _, d := range g.day(last.Add(-back)) {
				if d.at.After(end) || !yield(encode(d)) {
					return
				}
			}
		}
	}
}

// Live invents one action that happens at the time now.
func (g *Generator) Live(now time.Time) []byte {
	rng := rand.New(rand.NewPCG(uint64(now.UnixNano()), g.seed))
	return encode(g.institutions[0].anything(rng, now))
}

func encode(d *document) []byte {
	raw, err := json.Marshal(d)
	if err != nil {
		panic(err) // cannot be: it holds strings, numbers and maps of them
	}
	return raw
}

// day invents a day's documents, in the order of their times.
func (g *Generator) day(day actionlog.Day) (docs []*document) {
	number := uint64(day.Start().Unix() / 86400)
	rng := rand.New(rand.NewPCG(g.seed, number))
	n := g.perDay
	if w := day.Start().Weekday(); w == time.Saturday || w == time.Sunday {
		n *= 0.4
	} else {
		n *= 1.24 // so that a week has seven days' worth
	}
	for i, share := range []float64{0.6, 0.28, 0.12} {
		part := int(n*share + rng.Float64())
		at := func() time.Time { return timeOfDay(rng, day) }
		x := g.institutions[i]
		var own []*document
		if day.Start().Weekday() == time.Monday {
			own = x.bulk(rng, at(), min(25, part/3))
		}
		for len(own) < part {
			own = append(own, x.anything(rng, at()))
		}
		docs = append(docs, own...)
	}
	docs = append(docs, g.institutions[0].melody(rng, day, number)...)
	slices.SortStableFunc(docs, func(a, b *document) int { return a.at.Compare(b.at) })
	return docs
}

// timeOfDay prefers working hours.
func timeOfDay(rng *rand.Rand, day actionlog.Day) time.Time {
	hour := rng.Float64() * 24
	if rng.IntN(10) > 0 {
		hour = 8 + 5*rng.Float64() + 5*rng.Float64()
	}
	return day.Start().Add(time.Duration(hour * float64(time.Hour))).Truncate(time.Millisecond)
}

// uuid is a UUIDv7 (RFC 9562) of a time, with bits from rng.
func uuid(rng *rand.Rand, at time.Time) string {
	ms, a, b := uint64(at.UnixMilli()), rng.Uint64(), rng.Uint64()
	return fmt.Sprintf("%08x-%04x-7%03x-%04x-%012x", ms>>16&0xffffffff, ms&0xffff, a&0xfff, 0x8000|a>>12&0x3fff, b&0xffffffffffff)
}

func pick[T any](rng *rand.Rand, list []T) T { return list[rng.IntN(len(list))] }

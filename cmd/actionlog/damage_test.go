package main

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/sqlite"
	"actionlog/internal/storetest"
)

// damages are what a disk does to a file, each at a place that chance has.
var damages = []struct {
	name string
	make func(rng *rand.Rand, data []byte) []byte
}{
	{"a bit is another", func(rng *rand.Rand, data []byte) []byte {
		data[rng.IntN(len(data))] ^= 1 << rng.IntN(8)
		return data
	}},
	{"some bytes are others", func(rng *rand.Rand, data []byte) []byte {
		return noise(rng, data, rng.IntN(len(data)), 1+rng.IntN(200))
	}},
	{"a page is noise", func(rng *rand.Rand, data []byte) []byte {
		return noise(rng, data, rng.IntN(len(data)/page)*page, page)
	}},
	{"a page is empty", func(rng *rand.Rand, data []byte) []byte {
		at := rng.IntN(len(data)/page) * page
		clear(data[at : at+page])
		return data
	}},
	{"pages change places", func(rng *rand.Rand, data []byte) []byte {
		from, to := rng.IntN(len(data)/page)*page, rng.IntN(len(data)/page)*page
		was := slices.Clone(data[to : to+page])
		copy(data[to:to+page], data[from:from+page])
		copy(data[from:from+page], was)
		return data
	}},
	{"a page is there twice", func(rng *rand.Rand, data []byte) []byte {
		from, to := rng.IntN(len(data)/page)*page, rng.IntN(len(data)/page)*page
		copy(data[to:to+page], data[from:from+page])
		return data
	}},
	{"cut short", func(rng *rand.Rand, data []byte) []byte { return data[:rng.IntN(len(data))] }},
	{undamaged, func(_ *rand.Rand, data []byte) []byte { return data }},
}

// undamaged is the control: nothing may be noticed then.
const undamaged = "none"

const page = 4096 // of a file, in bytes

func noise(rng *rand.Rand, data []byte, at, n int) []byte {
	for i := at; i < min(at+n, len(data)); i++ {
		data[i] = byte(rng.Uint32())
	}
	return data
}

// damagedDay is the day whose file is damaged; the day after it is not.
var damagedDay = actionlog.DayOf(time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC))

// Damage at any place of a day's file: every answer is as it was before, or an error that
// names the day, or names it as missing; never is an action lost in silence, changed,
// doubled or invented. ACTIONLOG_DAMAGE=n makes n damages of each kind,
// otherwise a few; ACTIONLOG_DAMAGE_SEED=n makes those of an earlier run.
func TestDamageAnywhere(t *testing.T) {
	times := 6
	if n, err := strconv.Atoi(os.Getenv("ACTIONLOG_DAMAGE")); err == nil {
		times = n
	}
	model, whole := storetest.NewModel(), t.TempDir()
	items := damageItems(t)
	s := openStore(t, whole)
	for _, w := range []actionlog.Writer{model, s} {
		for part := range slices.Chunk(items, 500) {
			if _, err := w.Write(t.Context(), part); err != nil {
				t.Fatal(err)
			}
		}
	}
	judge := newDamageJudge(t, model, items)
	if answered := judge.ask(t, s); answered != len(judge.questions) {
		t.Fatalf("%d of %d questions are answered by a store that is whole", answered, len(judge.questions))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	seed, err := strconv.ParseUint(os.Getenv("ACTIONLOG_DAMAGE_SEED"), 10, 64)
	if err != nil {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", seed)
	for k, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			seen := 0
			for n := range times {
				rng := rand.New(rand.NewPCG(seed, uint64(k*1_000_000+n)))
				if judge.damaged(t, whole, fmt.Sprint(n), func(data []byte) []byte { return d.make(rng, data) }) {
					seen++
				}
			}
			t.Logf("%d of %d were noticed; the others changed no answer", seen, times)
			if d.name == undamaged && seen > 0 {
				t.Error("damage was noticed where there is none")
			}
		})
	}
}

func openStore(t *testing.T, dir string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), dir, sqlite.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // closed already where nothing went wrong
	return s
}

// damageItems are some thousand actions of the day and some of the next, each at a
// millisecond of its own: then their order is known.
func damageItems(t *testing.T) (items []actionlog.Item) {
	t.Helper()
	rng := rand.New(rand.NewPCG(7, 7))
	for i := range 2400 {
		at := damagedDay.Start().Add(time.Duration(i)*41*time.Second + time.Duration(i)*time.Millisecond)
		doc := fmt.Sprintf(`{"id":"d-%d","occurred_at":%q,"institution":{"id":"uni"},"category":%q,"action":{"code":"c.%d"},"actor":{"kind":"user","id":"u%d","name":"Ann %d"},"outcome":%q,"origin":{"ip":"10.0.%d.%d"},"summary":"%x %x"}`,
			i, at.Format(time.RFC3339Nano), []string{"course", "api"}[rng.IntN(2)], rng.IntN(9), i%97, i%97, []string{"success", "failure"}[rng.IntN(2)], rng.IntN(4), rng.IntN(256), rng.Uint64(), rng.Uint64())
		item, err := actionlog.Parse([]byte(doc), nil)
		if err != nil {
			t.Fatal(err)
		}
		item.Position, item.ReceivedAt = actionlog.Position{Stream: "s", Sequence: uint64(i + 1)}, at.Add(time.Second).Truncate(time.Millisecond)
		items = append(items, item)
	}
	return items
}

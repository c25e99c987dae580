//go:build linux

package main

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"actionlog/internal/enginetest"
)

func TestMain(m *testing.M) {
	enginetest.Main(m, func() { _, _ = os.RemoveAll(once.dir), os.RemoveAll(clocked.dir) }) // a temporary folder
}

// short is what CI has time for; make torture goes on for as long as it is told.
func short(t *testing.T, name string, o options) (string, error) {
	t.Helper()
	var out bytes.Buffer
	dir := t.TempDir()
	t.Chdir("../..")
	if name != "" {
		binary, err := build(".", dir, controls[name])
		if err != nil {
			t.Fatal(err)
		}
		o.binary = binary
	} else if o.binary == "" {
		o.binary = sound(t)
	}
	o.dir, o.publishers, o.batch = dir, 3, 60
	if o.out == nil {
		o.out = &out
	}
	if o.seed == 0 {
		o.seed = seeded()
	}
	err := torture(t.Context(), o)
	return out.String(), err
}

// seeded is the seed of ACTIONLOG_TORTURE_SEED, to make the faults of a run again, or a new one.
func seeded() uint64 {
	if seed, err := strconv.ParseUint(os.Getenv("ACTIONLOG_TORTURE_SEED"), 10, 64); err == nil {
		return seed
	}
	return uint64(time.Now().UnixNano())
}

// built is a binary that is built once for all tests.
type built struct {
	sync.Once
	dir, binary string
	err         error
}

var once, clocked built

// sound is the service without a defect, built once for all tests.
func sound(t testing.TB) string {
	t.Helper()
	once.Do(func() {
		if once.dir, once.err = os.MkdirTemp("", "torture-binary-"); once.err == nil {
			once.binary, once.err = build(".", once.dir, control{})
		}
	})
	if once.err != nil {
		t.Fatal(once.err)
	}
	return once.binary
}

// Killed, stopped and disturbed under load, each fault at least once: what was acknowledged
// is there, once, byte for byte, in the store and in the archive, and nothing else is.
func TestTorture(t *testing.T) {
	said, err := short(t, "", options{duration: 20 * time.Second, rounds: 1 << 30, each: true})
	t.Log(said)
	if err != nil {
		t.Error(err)
	}
}

// long tells that there is time, and how much.
func long(t *testing.T) time.Duration {
	t.Helper()
	duration, err := time.ParseDuration(os.Getenv("ACTIONLOG_TORTURE"))
	if err != nil {
		t.Skip("the long form: ACTIONLOG_TORTURE=10m (make torture, make torture-engine)")
	}
	return duration
}

// The NATS server is a process of its own, which is killed, away, restarted and stands
// still, as the service is.
func TestTortureOfNATS(t *testing.T) {
	said, err := short(t, "", options{duration: 8 * time.Second, rounds: 1 << 30, each: true, nats: true, more: natsFaults, only: append(namesOf(natsFaults), "killed")})
	t.Log(said)
	if err != nil {
		t.Error(err)
	}
}

// withClock is the service with a clock of its own, built in minutes: every package is made
// anew.
func withClock(t *testing.T) string {
	t.Helper()
	long(t)
	clocked.Do(func() {
		if clocked.dir, clocked.err = os.MkdirTemp("", "torture-clock-"); clocked.err == nil {
			clocked.binary, clocked.err = build("../..", clocked.dir, control{clock: true})
		}
	})
	if clocked.err != nil {
		t.Fatal(clocked.err)
	}
	return clocked.binary
}

// The clock is set forward and back by up to 45 minutes, among all other faults: the
// stream's, the store's, the archive's. (Long form.)
func TestClockJumps(t *testing.T) {
	said, err := short(t, "", options{binary: withClock(t), duration: 40 * time.Second, rounds: 1 << 30, each: true, more: []fault{jump, jump, jump}})
	t.Log(said)
	if err != nil {
		t.Error(err)
	}
}

// A day ends while the service is killed and disturbed under load: the first half of what
// comes is of one day, the second of the next, and so are bulks. (Long form.)
func TestDayEnds(t *testing.T) {
	o := options{binary: withClock(t), duration: 40 * time.Second, rounds: 1 << 30, each: true}
	now := time.Now().UTC()
	o.shift = (now.Truncate(24*time.Hour).Add(24*time.Hour).Sub(now) - 25*time.Second).Truncate(time.Second)
	o.pace = 800 * time.Microsecond
	said, err := short(t, "", o)
	t.Log(said)
	if err != nil {
		t.Error(err)
	}
}

// Each fault alone, three times. (Long form: all of them are in TestTorture.)
func TestFaults(t *testing.T) {
	long(t)
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			said, err := short(t, "", options{duration: time.Minute, rounds: 3, only: []string{f.name}})
			t.Log(said)
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// The same, of the clock, and of a NATS server that is a process of its own. (Long form.)
func TestFaultsAround(t *testing.T) {
	long(t)
	for _, f := range append(slices.Clone(natsFaults), jump) {
		t.Run(f.name, func(t *testing.T) {
			o := options{duration: time.Minute, rounds: 3, more: []fault{f}, only: []string{f.name}, nats: f.name != jump.name}
			if !o.nats {
				o.binary = withClock(t)
			}
			said, err := short(t, "", o)
			t.Log(said)
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// quickControls are found by any load, at the first look.
var quickControls = []string{"no identity", "the archive leaves some out"}

// A defect that would lose, double, move or hide actions is found, each: an oracle that
// finds nothing proves nothing. Here those that are found quickly.
func TestControls(t *testing.T) {
	for _, name := range quickControls {
		t.Run(name, func(t *testing.T) {
			found(t, name, options{rounds: 1, duration: time.Minute, only: []string{"killed"}})
		})
	}
}

// All of them. (Long form only, before make torture begins: six builds.)
func TestAllControls(t *testing.T) {
	long(t)
	for name, c := range controls {
		t.Run(name, func(t *testing.T) { found(t, name, options{duration: 4 * time.Second, rounds: 1 << 30, only: c.needs}) })
	}
}

// found holds that a build with a defect is not taken for a sound one, and for what it is.
func found(t *testing.T, name string, o options) {
	t.Helper()
	c := controls[name]
	said, err := short(t, name, o)
	if err == nil || !slices.ContainsFunc(c.finds, func(what string) bool { return strings.Contains(err.Error(), what+": ") }) {
		t.Errorf("not found (%q): %v\n%s", c.finds, err, said)
	}
}

// The same seed makes the same documents; others are others, and spoilt ones keep their id.
func TestDocuments(t *testing.T) {
	a, b := run{seed: 7, start: time.Now()}, run{seed: 8, start: time.Now()}
	fates := map[fate]int{}
	o := &oracle{run: a}
	for n := range 5000 {
		d := a.document(n)
		if again := a.document(n); string(again.text) != string(d.text) || again.fate != d.fate {
			t.Fatalf("%d is another document the second time", n)
		}
		if string(b.document(n).text) == string(d.text) {
			t.Fatalf("%d is the same in two runs", n)
		}
		if found, ok := o.idIn(string(d.text)); !ok || found != n {
			t.Fatalf("%d is not found in %.200s", n, d.text)
		}
		fates[d.fate]++
	}
	if fates[stored] < 4000 || fates[dead] < 10 || fates[tooOld] < 10 {
		t.Error(fates)
	}
	if _, ok := a.number("t8-1"); ok {
		t.Error("an id of another run is taken for one of this")
	}
	if _, ok := a.number("t7-1x"); ok {
		t.Error("an id that nobody made is taken for one")
	}
}

// Every edit fits the sources as they are.
func TestEdits(t *testing.T) {
	t.Chdir("../..")
	fits := func(name string, e edit) {
		text, err := os.ReadFile(e.file)
		if err != nil || strings.Count(string(text), e.old) != 1 {
			t.Errorf("%s: %q stands %d times in %s: %v", name, e.old, strings.Count(string(text), e.old), e.file, err)
		}
	}
	for name, c := range controls {
		for _, e := range c.edits {
			fits(name, e)
		}
	}
	for _, edits := range []map[string]edit{places, syncs} {
		for name, e := range edits {
			fits(name, e)
		}
	}
}

package restore

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"actionlog"
)

// The whole life of a restore.
func TestRestore(t *testing.T) {
	w := newWorkplace(t)
	w.archive("uni", 40, 4)
	w.archive("other", 40, 4)
	r := w.ask(actionlog.Restore{Institution: "uni", From: old(1), To: old(2)}, admin)
	runner := w.runner()
	if err := w.settle(runner); err != nil {
		t.Fatal(err)
	}
	if got := w.is(r, actionlog.RestoreRequested, "requested"); got.Estimate == nil || got.Estimate.Actions != 20 {
		t.Errorf("estimate: %+v", got.Estimate)
	}
	w.holds("uni", map[actionlog.Day]int{})
	if _, err := w.desk().Grant(ctx, "other", r.ID, staff, ""); !errors.Is(err, actionlog.ErrNotFound) {
		t.Errorf("granted as another institution's: %v", err)
	}
	if _, err := w.desk().Grant(ctx, "uni", r.ID, staff, "ticket"); err != nil {
		t.Fatal(err)
	}
	if err := w.settle(runner); err != nil {
		t.Fatal(err)
	}
	got := w.is(r, actionlog.RestoreReady, "requested granted completed")
	if got.Progress != (actionlog.RestoreProgress{Read: 20, Restored: 20}) || !got.ExpiresAt.Equal(now.Add(Keep)) {
		t.Errorf("%+v until %s", got.Progress, got.ExpiresAt)
	}
	w.holds("uni", map[actionlog.Day]int{old(1): 10, old(2): 10})
	w.holds("other", map[actionlog.Day]int{})
	w.covers("uni", "2025-03-02/2025-03-03")
	w.covers("other")
	w.clock = now.Add(Keep - time.Hour)
	if _, err := w.desk().Renew(ctx, "uni", r.ID, admin, ""); err != nil {
		t.Fatal(err)
	}
	w.clock = now.Add(Keep + time.Hour)
	if err := w.settle(runner); err != nil {
		t.Fatal(err)
	}
	w.is(r, actionlog.RestoreReady, "requested granted completed renewed")
	w.clock = now.Add(2 * Keep)
	w.covers("uni") // even before anybody removed it
	if _, err := w.desk().Renew(ctx, "uni", r.ID, admin, ""); !errors.Is(err, actionlog.ErrConflict) {
		t.Errorf("renewed although its time is over: %v", err)
	}
	if err := w.settle(runner); err != nil {
		t.Fatal(err)
	}
	w.is(r, actionlog.RestoreExpired, "requested granted completed renewed expired")
	w.announced(r)
	if days, err := w.restored.Days(ctx); err != nil || len(days) > 0 {
		t.Errorf("what has expired is still there: %v, %v", days, err)
	}
}

// Wherever a Runner is killed, the next one brings what it began to the same end: nothing
// is missing, nothing double, and each step is published as one action.
func TestRestoreKilledAtEachStep(t *testing.T) {
	for _, filter := range []map[string][]string{nil, {"category": {"course"}}} {
		for steps := 0; ; steps++ {
			w := newWorkplace(t)
			w.archive("uni", 35, 3)
			r := w.ask(actionlog.Restore{Institution: "uni", From: old(0), To: old(2), Filter: filter}, staff)
			w.steps = steps
			first := w.settle(w.runner())
			w.steps = -1
			if err := w.settle(w.runner()); err != nil {
				t.Fatalf("killed after %d steps: %v", steps, err)
			}
			got := w.is(r, actionlog.RestoreReady, "requested granted completed")
			want := map[actionlog.Day]int{old(0): 12, old(1): 12, old(2): 11}
			if filter != nil {
				want = map[actionlog.Day]int{old(0): 6, old(1): 6, old(2): 6}
			}
			w.holds("uni", want)
			w.covers("uni", "2025-03-01/2025-03-03")
			if got.Progress.Read != 35 {
				t.Errorf("killed after %d steps: %+v", steps, got.Progress)
			}
			w.clock = got.ExpiresAt
			w.steps = steps
			second := w.settle(w.runner())
			w.steps = -1
			if err := w.settle(w.runner()); err != nil {
				t.Fatalf("killed after %d steps of its end: %v", steps, err)
			}
			w.is(r, actionlog.RestoreExpired, "requested granted completed expired")
			w.announced(r)
			w.holds("uni", map[actionlog.Day]int{})
			w.covers("uni")
			if first == nil && second == nil {
				if steps < 50 {
					t.Errorf("only %d steps", steps)
				}
				break
			}
			if t.Failed() {
				t.Fatalf("killed after %d steps: %v, %v", steps, first, second)
			}
		}
	}
}

// A day goes when nobody has brought it back any more, and nothing of another institution
// goes with it.
func TestRestoresOverlap(t *testing.T) {
	w := newWorkplace(t)
	w.archive("uni", 40, 4)
	w.archive("other", 40, 4)
	a := w.ask(actionlog.Restore{Institution: "uni", From: old(0), To: old(2)}, staff)
	b := w.ask(actionlog.Restore{Institution: "uni", From: old(2), To: old(3)}, staff)
	c := w.ask(actionlog.Restore{Institution: "other", From: old(1), To: old(1)}, staff)
	runner := w.runner()
	drop := func(r actionlog.Restore) {
		t.Helper()
		if _, err := w.desk().Drop(ctx, r.Institution, r.ID, staff, ""); err != nil {
			t.Fatal(err)
		}
		if err := w.settle(runner); err != nil {
			t.Fatal(err)
		}
		w.is(r, actionlog.RestoreExpired, "requested granted completed dropped")
	}
	if err := w.settle(runner); err != nil {
		t.Fatal(err)
	}
	w.covers("uni", "2025-03-01/2025-03-03", "2025-03-03/2025-03-04")
	w.holds("uni", map[actionlog.Day]int{old(0): 10, old(1): 10, old(2): 10, old(3): 10})
	drop(a)
	w.holds("uni", map[actionlog.Day]int{old(2): 10, old(3): 10})
	w.holds("other", map[actionlog.Day]int{old(1): 10})
	drop(c)
	drop(b)
	if days, err := w.restored.Days(ctx); err != nil || len(days) > 0 {
		t.Errorf("left: %v, %v", days, err)
	}
}

// What a restore with a filter did not ask for goes with the one that did.
func TestRestoresWithAndWithoutAFilterOverlap(t *testing.T) {
	w := newWorkplace(t)
	w.archive("uni", 40, 4)
	all := w.ask(actionlog.Restore{Institution: "uni", From: old(0), To: old(2)}, staff)
	part := w.ask(actionlog.Restore{Institution: "uni", From: old(1), To: old(3), Filter: map[string][]string{"category": {"course"}}}, staff)
	runner := w.runner()
	if err := w.settle(runner); err != nil {
		t.Fatal(err)
	}
	before := w.is(part, actionlog.RestoreReady, "requested granted completed")
	w.holds("uni", map[actionlog.Day]int{old(0): 10, old(1): 10, old(2): 10, old(3): 5})
	w.clock = w.clock.Add(time.Hour)
	if _, err := w.desk().Drop(ctx, "uni", all.ID, admin, ""); err != nil {
		t.Fatal(err)
	}
	if err := runner.keepHouse(ctx); err != nil {
		t.Fatal(err)
	}
	w.covers("uni") // until it is done again
	if err := w.settle(runner); err != nil {
		t.Fatal(err)
	}
	if after := w.is(part, actionlog.RestoreReady, "requested granted completed"); !after.ExpiresAt.Equal(before.ExpiresAt) {
		t.Errorf("it expires at %s now, at %s before", after.ExpiresAt, before.ExpiresAt)
	}
	w.holds("uni", map[actionlog.Day]int{old(1): 5, old(2): 5, old(3): 5})
	w.covers("uni", "2025-03-02/2025-03-04")
}

// Days that are still searchable are not restored, and not said to be back.
func TestRestoreLeavesSearchableDays(t *testing.T) {
	w := newWorkplace(t)
	w.archive("uni", 40, 4)
	item, err := actionlog.Parse(w.lines[15].Document, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.live.Write(ctx, []actionlog.Item{item}); err != nil { // on old(1)
		t.Fatal(err)
	}
	r := w.ask(actionlog.Restore{Institution: "uni", From: old(0), To: old(3)}, staff)
	if err := w.settle(w.runner()); err != nil {
		t.Fatal(err)
	}
	if got := w.is(r, actionlog.RestoreReady, "requested granted completed"); !slices.Equal(got.Kept, []actionlog.Day{old(1)}) {
		t.Errorf("kept: %v", got.Kept)
	}
	w.holds("uni", map[actionlog.Day]int{old(0): 10, old(2): 10, old(3): 10})
	w.covers("uni", "2025-03-01/2025-03-01", "2025-03-03/2025-03-04")
}

// Damage fails a restore and says where; once it is mended, it can be granted again. What
// was written until then is removed meanwhile.
func TestRestoreOfADamagedArchive(t *testing.T) {
	w := newWorkplace(t)
	w.archive("uni", 40, 4)
	w.damaged = 3
	r := w.ask(actionlog.Restore{Institution: "uni", From: old(0), To: old(3)}, staff)
	fine := w.ask(actionlog.Restore{Institution: "uni", From: old(0), To: old(1)}, staff)
	runner := w.runner()
	_ = w.settle(runner)
	if err := w.settle(runner); err != nil {
		t.Fatal(err)
	}
	if got := w.is(r, actionlog.RestoreFailed, "requested granted failed"); !strings.Contains(got.Problem, "segment 3") {
		t.Errorf("problem: %q", got.Problem)
	}
	w.is(fine, actionlog.RestoreReady, "requested granted completed")
	w.holds("uni", map[actionlog.Day]int{old(0): 10, old(1): 10})
	w.covers("uni", "2025-03-01/2025-03-02")
	w.damaged = 0
	if _, err := w.desk().Grant(ctx, "uni", r.ID, staff, "mended"); err != nil {
		t.Fatal(err)
	}
	if err := w.settle(runner); err != nil {
		t.Fatal(err)
	}
	w.is(r, actionlog.RestoreReady, "requested granted failed granted completed")
	w.holds("uni", map[actionlog.Day]int{old(0): 10, old(1): 10, old(2): 10, old(3): 10})
	w.announced(r)
}

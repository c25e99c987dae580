package restore

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"actionlog"
)

// What was restored and is lost, wholly or in part, is restored again; until then it is not
// said to be back.
func TestRestoredDaysAreLost(t *testing.T) {
	for _, how := range []string{"dropped", "removed", "damaged"} {
		w := newWorkplace(t)
		w.archive("uni", 40, 4)
		w.archive("other", 40, 4)
		r := w.ask(actionlog.Restore{Institution: "uni", From: old(0), To: old(3)}, staff)
		w.ask(actionlog.Restore{Institution: "other", From: old(1), To: old(1)}, staff)
		if err := w.settle(w.runner()); err != nil {
			t.Fatal(err)
		}
		switch how {
		case "dropped":
			if err := w.restored.Drop(ctx, old(1)); err != nil {
				t.Fatal(err)
			}
		case "removed":
			if err := w.restored.Remove(ctx, "uni", old(1)); err != nil {
				t.Fatal(err)
			}
		case "damaged":
			w.restored.Damage(old(1), "torn")
		}
		runner := w.runner()
		if err := runner.keepHouse(ctx); err != nil {
			t.Fatal(err)
		}
		w.covers("uni")
		if err := w.settle(runner); err != nil {
			t.Fatal(err)
		}
		w.is(r, actionlog.RestoreReady, "requested granted completed")
		w.holds("uni", map[actionlog.Day]int{old(0): 10, old(1): 10, old(2): 10, old(3): 10})
		w.holds("other", map[actionlog.Day]int{old(1): 10})
		w.covers("uni", "2025-03-01/2025-03-04")
		w.covers("other", "2025-03-02/2025-03-02")
	}
}

// However often it is renewed, a restore can be dropped and expires.
func TestRestoreRenewedForEver(t *testing.T) {
	w := newWorkplace(t)
	w.archive("uni", 10, 1)
	r := w.ask(actionlog.Restore{Institution: "uni", From: old(0), To: old(0)}, staff)
	runner := w.runner()
	if err := w.settle(runner); err != nil {
		t.Fatal(err)
	}
	reason := strings.Repeat("\x01", maxReason)
	for n := 0; ; n++ {
		_, err := w.desk().Renew(ctx, "uni", r.ID, admin, reason)
		if errors.Is(err, actionlog.ErrConflict) && n > 3 {
			break
		}
		if err != nil || n > 1000 {
			t.Fatal(n, err)
		}
	}
	if _, err := w.desk().Drop(ctx, "uni", r.ID, admin, reason); err != nil {
		t.Fatal(err)
	}
	if err := w.settle(runner); err != nil {
		t.Fatal(err)
	}
	w.holds("uni", map[actionlog.Day]int{})
}

// An institution may have so many actions restored without asking.
func TestQuota(t *testing.T) {
	w := newWorkplace(t)
	w.archive("uni", 40, 4)
	runner := w.runner()
	runner.Quota = 25
	ask := func(from, to int) actionlog.Restore {
		t.Helper()
		r := w.ask(actionlog.Restore{Institution: "uni", From: old(from), To: old(to)}, admin)
		if err := w.settle(runner); err != nil {
			t.Fatal(err)
		}
		w.clock = w.clock.Add(time.Second) // IDs sort by time
		return r
	}
	w.is(ask(0, 1), actionlog.RestoreReady, "requested granted completed") // 20
	w.is(ask(2, 2), actionlog.RestoreRequested, "requested")               // 30
	w.is(ask(0, 3), actionlog.RestoreRequested, "requested")
	w.clock = w.clock.Add(31 * 24 * time.Hour)
	w.is(ask(3, 3), actionlog.RestoreReady, "requested granted completed")
}

// What is cancelled while it runs stops, and leaves nothing.
func TestRestoreCancelled(t *testing.T) {
	w := newWorkplace(t)
	w.archive("uni", 40, 4)
	r := w.ask(actionlog.Restore{Institution: "uni", From: old(0), To: old(3)}, staff)
	runner := w.runner()
	w.steps = 60 // somewhere in it
	if err := w.settle(runner); err == nil {
		t.Fatal("it was not broken off")
	}
	w.steps = -1
	w.is(r, actionlog.RestoreRunning, "requested granted")
	if _, err := w.desk().Drop(ctx, "uni", r.ID, admin, "not needed"); err != nil {
		t.Fatal(err)
	}
	if err := w.settle(w.runner()); err != nil {
		t.Fatal(err)
	}
	w.is(r, actionlog.RestoreCancelled, "requested granted cancelled")
	w.holds("uni", map[actionlog.Day]int{})
	w.covers("uni")
	w.announced(r)
}

// A request that cannot be meant is refused, and the field is named.
func TestRefusedRequests(t *testing.T) {
	w := newWorkplace(t)
	for field, r := range map[string]actionlog.Restore{
		"/from":   {To: old(0), Reason: "x"},
		"/to":     {From: old(0), To: actionlog.OldestKept(now), Reason: "x"},
		"/reason": {From: old(0), To: old(1), Reason: " "},
		"/filter": {From: old(0), To: old(1), Reason: "x", Filter: map[string][]string{"any": {strings.Repeat("x", maxFilter)}}},
	} {
		r.Institution = "uni"
		var invalid *actionlog.InvalidError
		if _, err := w.desk().Create(ctx, r, staff); !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if r := w.ask(actionlog.Restore{Institution: "uni", From: old(0)}, staff); r.To != actionlog.OldestKept(now).Add(-1) {
		t.Errorf("without an end it ends on %s", r.To)
	}
	for range maxOpen - 1 {
		w.ask(actionlog.Restore{Institution: "uni", From: old(0)}, admin)
	}
	if _, err := w.desk().Create(ctx, actionlog.Restore{Institution: "uni", From: old(0), Reason: "x"}, staff); !errors.Is(err, actionlog.ErrConflict) {
		t.Errorf("one more than may be open: %v", err)
	}
}

// Days are made anew from the archive; what the store has and the archive has not stays.
func TestReindex(t *testing.T) {
	w := newWorkplace(t)
	w.clock = old(3).Start()
	w.archive("uni", 40, 4)
	w.archive("other", 4, 4)
	extra := itemAt(t, "extra", "uni", old(1).Start())
	if _, err := w.live.Write(ctx, []actionlog.Item{extra}); err != nil {
		t.Fatal(err)
	}
	w.live.Damage(old(2), "torn")
	if _, err := w.desk().Reindex(ctx, []actionlog.Day{old(-200)}); err == nil {
		t.Error("a day that is not searchable is made anew")
	}
	if _, err := w.desk().Reindex(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.settle(w.runner()); err != nil {
		t.Fatal(err)
	}
	jobs, err := w.desk().Reindexing(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs {
		want := int64(0)
		if !j.Day.Before(old(0)) && !old(3).Before(j.Day) {
			want = 11
		}
		if j.Status != dayDone || j.Actions != want {
			t.Errorf("%+v; want %d actions", j, want)
		}
	}
	if n, _, err := w.live.Count(ctx, actionlog.Query{Institution: "uni"}, 0); n != 41 || err != nil {
		t.Errorf("%d of 41, %v", n, err)
	}
	w.damaged = 2
	if _, err := w.desk().Reindex(ctx, []actionlog.Day{old(1), old(2)}); err != nil {
		t.Fatal(err)
	}
	if err := w.settle(w.runner()); !errors.Is(err, ErrDamaged) {
		t.Errorf("from a damaged archive: %v", err)
	}
	jobs, _ = w.desk().Reindexing(ctx)
	if a, b := jobs[len(jobs)-2], jobs[len(jobs)-1]; a.Day != old(1) || a.Status != dayFailed || b.Status != dayDone {
		t.Errorf("%+v, %+v", a, b)
	}
}

// takesMore is a store whose damaged day takes an action in the moment before it takes none
// any more.
type takesMore struct {
	liveModel
	w *workplace
}

func (l takesMore) Rebuild(ctx context.Context, day actionlog.Day, fill func(w actionlog.Writer) error) error {
	if len(l.w.unsealed) == 0 {
		item := itemAt(l.w.t, "late", "uni", day.Start())
		l.w.unsealed = []Archived{{Segment: 9, Position: actionlog.Position{Stream: "s1", Sequence: 99}, ReceivedAt: now, Document: item.Document}}
	}
	return l.liveModel.Rebuild(ctx, day, fill)
}

// Of a damaged day nothing is copied: what it took before it took nothing more comes from the
// archive, also where that was not sealed when the day's turn came.
func TestReindexOfADayThatTookMore(t *testing.T) {
	w := newWorkplace(t)
	w.clock = old(3).Start()
	w.archive("uni", 40, 4)
	w.live.Damage(old(2), "torn")
	runner := w.runner()
	runner.Live = takesMore{liveModel{w.live}, w}
	if _, err := w.desk().Reindex(ctx, []actionlog.Day{old(2)}); err != nil {
		t.Fatal(err)
	}
	if err := w.settle(runner); err != nil {
		t.Fatal(err)
	}
	if _, err := w.live.Get(ctx, "uni", "late", old(2)); err != nil {
		t.Errorf("what the damaged day took last: %v", err)
	}
}

// What another institution asks for is not listed, and does not use up one's quota, also
// where one's ID begins with the other's.
func TestRestoresOfAnother(t *testing.T) {
	w := newWorkplace(t)
	w.archive("uni", 40, 4)
	w.archive("uni2", 40, 4)
	runner := w.runner()
	runner.Quota = 25
	theirs := w.ask(actionlog.Restore{Institution: "uni2", From: old(0), To: old(1)}, admin)
	if err := w.settle(runner); err != nil {
		t.Fatal(err)
	}
	w.clock = w.clock.Add(time.Second)
	ours := w.ask(actionlog.Restore{Institution: "uni", From: old(0), To: old(1)}, admin)
	if err := w.settle(runner); err != nil {
		t.Fatal(err)
	}
	w.is(theirs, actionlog.RestoreReady, "requested granted completed")
	w.is(ours, actionlog.RestoreReady, "requested granted completed")
	for institution, want := range map[string]string{"uni": ours.ID, "uni2": theirs.ID} {
		list, err := w.desk().List(ctx, institution)
		if err != nil || len(list) != 1 || list[0].ID != want {
			t.Errorf("%s: %+v, %v", institution, list, err)
		}
	}
}

package restore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/sqlite"
	"actionlog/internal/storetest"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// old is a day of last year, counted from the first of March.
func old(n int) actionlog.Day {
	return actionlog.DayOf(time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)).Add(n)
}

// errKilled is what everything answers once a workplace was killed.
var errKilled = fmt.Errorf("killed: %w", actionlog.ErrUnavailable)

// workplace is everything around a Runner. All that it asks others for goes through step,
// so that it can be killed before each.
type workplace struct {
	t         *testing.T
	state     actionlog.State
	lines     []Archived // in segments of 10
	damaged   uint64     // a segment
	restored  *storetest.Model
	live      *storetest.Model
	clock     time.Time
	published map[string]string // documents by ID

	mu    sync.Mutex
	steps int // until it is killed; negative: never
}

func newWorkplace(t *testing.T) *workplace {
	state, err := sqlite.OpenState(filepath.Join(t.TempDir(), "state.sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = state.Close() })
	return &workplace{t: t, state: state, restored: storetest.NewModel(), live: storetest.NewModel(), clock: now, published: map[string]string{}, steps: -1}
}

func (w *workplace) step() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.steps == 0 {
		return errKilled
	}
	if w.steps > 0 {
		w.steps--
	}
	return nil
}

// archive adds n actions of an institution, one after the other over some days.
func (w *workplace) archive(institution string, n, days int) {
	for i := range n {
		at := old(i * days / n).Start().Add(time.Duration(i) * time.Second)
		doc := fmt.Sprintf(`{"id":"%s%d","occurred_at":%q,"institution":{"id":%q},"category":%q,"action":{"code":"a.b"},"actor":{"kind":"user","id":"u%d","name":"Ann %d"}}`,
			institution, i, at.Format(time.RFC3339), institution, []string{"course", "institution"}[i%2], i%3, i%3)
		w.lines = append(w.lines, Archived{Segment: uint64(len(w.lines)/10 + 1), Position: actionlog.Position{Stream: "s1", Sequence: uint64(len(w.lines) + 1)},
			ReceivedAt: at.Add(time.Second), Document: []byte(doc)})
	}
}

func (w *workplace) desk() *Desk {
	return &Desk{State: killableState{w}, Now: func() time.Time { return w.clock }, Log: slog.New(slog.DiscardHandler)}
}

func (w *workplace) runner() *Runner {
	return &Runner{Desk: w.desk(), Archive: w, Store: killableStore{w.restored, w}, Publisher: w, Active: func() bool { return true }, Live: liveModel{w.live}, Dead: noDead{},
		Scratch: func(context.Context) (Scratch, func() error, error) {
			return storetest.NewModel(), func() error { return nil }, w.step()
		},
		Filter: func(_ context.Context, _ actionlog.Directory, r actionlog.Restore) (actionlog.Query, error) {
			return actionlog.Query{Clauses: []actionlog.Clause{{Field: actionlog.FieldCategory, Values: []actionlog.Value{{Text: r.Filter["category"][0]}}}}}, nil
		}}
}

// settle runs a Runner until nothing is to be done any more.
func (w *workplace) settle(r *Runner) error {
	for range 5 {
		if err := errors.Join(r.keepHouse(ctx), r.work(ctx), r.rebuildDays(ctx)); err != nil {
			return err
		}
	}
	return nil
}

func (w *workplace) Seal(context.Context) error { return w.step() }

func (w *workplace) meant(institution string, from, to actionlog.Day, after uint64) (list []Archived) {
	for _, l := range w.lines {
		item, err := actionlog.Parse(l.Document, nil)
		if err != nil {
			w.t.Fatal(err)
		}
		if (institution == "" || item.Institution == institution) && !item.Day().Before(from) && !to.Before(item.Day()) && l.Segment > after {
			list = append(list, l)
		}
	}
	return list
}

func (w *workplace) Estimate(_ context.Context, institution string, from, to actionlog.Day) (actionlog.RestoreSize, error) {
	return actionlog.RestoreSize{Actions: int64(len(w.meant(institution, from, to, 0))), Bytes: 1}, w.step()
}

func (w *workplace) Actions(_ context.Context, institution string, from, to actionlog.Day, after uint64) iter.Seq2[Archived, error] {
	return func(yield func(Archived, error) bool) {
		for _, l := range w.meant(institution, from, to, after) {
			err := w.step()
			if l.Segment == w.damaged {
				err = fmt.Errorf("segment %d: %w", l.Segment, ErrDamaged)
			}
			if !yield(l, err) || err != nil {
				return
			}
		}
	}
}

func (w *workplace) Publish(_ context.Context, all []actionlog.Submission) []actionlog.Receipt {
	if err := w.step(); err != nil {
		return []actionlog.Receipt{{Err: err}}
	}
	s := all[0]
	if before, twice := w.published[s.ID]; twice && before != string(s.Document) {
		w.t.Errorf("%s is published as\n%s\nand then as\n%s", s.ID, before, s.Document)
	}
	w.published[s.ID] = string(s.Document)
	return []actionlog.Receipt{{}}
}

type killableState struct{ *workplace }

func (k killableState) Get(ctx context.Context, bucket, key string) ([]byte, uint64, error) {
	if err := k.step(); err != nil {
		return nil, 0, err
	}
	return k.state.Get(ctx, bucket, key)
}

func (k killableState) Put(ctx context.Context, bucket, key string, value []byte, revision uint64) (uint64, error) {
	if err := k.step(); err != nil {
		return 0, err
	}
	return k.state.Put(ctx, bucket, key, value, revision)
}

func (k killableState) Delete(ctx context.Context, bucket, key string) error {
	if err := k.step(); err != nil {
		return err
	}
	return k.state.Delete(ctx, bucket, key)
}

func (k killableState) List(ctx context.Context, bucket string) ([]string, error) {
	if err := k.step(); err != nil {
		return nil, err
	}
	return k.state.List(ctx, bucket)
}

type killableStore struct {
	*storetest.Model
	w *workplace
}

func (k killableStore) Write(ctx context.Context, items []actionlog.Item) ([]actionlog.Outcome, error) {
	if err := k.w.step(); err != nil {
		return nil, err
	}
	return k.Model.Write(ctx, items)
}

func (k killableStore) Remove(ctx context.Context, institution string, day actionlog.Day) error {
	if err := k.w.step(); err != nil {
		return err
	}
	return k.Model.Remove(ctx, institution, day)
}

func (k killableStore) Drop(ctx context.Context, day actionlog.Day) error {
	if err := k.w.step(); err != nil {
		return err
	}
	return k.Model.Drop(ctx, day)
}

type liveModel struct{ *storetest.Model }

func (m liveModel) Held(ctx context.Context, before actionlog.Day) (days []actionlog.Day, err error) {
	all, err := m.Days(ctx)
	for _, d := range all {
		if d.Day.Before(before) {
			days = append(days, d.Day)
		}
	}
	return days, err
}

type noDead struct{ actionlog.DeadLetters }

func (noDead) Get(context.Context, actionlog.Position) (actionlog.DeadLetter, error) {
	return actionlog.DeadLetter{}, actionlog.ErrNotFound
}

var staff, admin = actionlog.Requester{ID: "t1", Name: "Support", Staff: true}, actionlog.Requester{ID: "t2", Name: "Admin"}

func (w *workplace) ask(r actionlog.Restore, by actionlog.Requester) actionlog.Restore {
	w.t.Helper()
	if r.Reason == "" {
		r.Reason = "why"
	}
	made, err := w.desk().Create(ctx, r, by)
	if err != nil {
		w.t.Fatal(err)
	}
	return made
}

// is compares how a restore stands.
func (w *workplace) is(r actionlog.Restore, want actionlog.RestoreStatus, steps string) actionlog.Restore {
	w.t.Helper()
	got, err := w.desk().Get(ctx, r.Institution, r.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	var taken []string
	for _, s := range got.Steps {
		taken = append(taken, s.Step)
	}
	if got.Status != want || strings.Join(taken, " ") != steps {
		w.t.Errorf("restore of %s is %s (%s; %s); want %s (%s)", r.Institution, got.Status, strings.Join(taken, " "), got.Problem, want, steps)
	}
	return got
}

// holds compares how many actions of an institution are restored, by day.
func (w *workplace) holds(institution string, want map[actionlog.Day]int) {
	w.t.Helper()
	got := map[actionlog.Day]int{}
	for r, err := range w.restored.Scan(ctx, actionlog.Query{Institution: institution}, actionlog.OldestFirst) {
		if err != nil {
			w.t.Fatal(err)
		}
		if got[r.Day()]++; r.Position.Sequence == 0 || r.ReceivedAt.IsZero() {
			w.t.Errorf("%s has the position %s and the time %s", r.ID, r.Position, r.ReceivedAt)
		}
	}
	if !maps.Equal(got, want) {
		w.t.Errorf("%s has restored: %v, want %v", institution, got, want)
	}
}

// covers compares the days that are back of an institution.
func (w *workplace) covers(institution string, want ...string) {
	w.t.Helper()
	all, err := w.desk().Covered(ctx, institution)
	if err != nil {
		w.t.Fatal(err)
	}
	got := []string{}
	for _, r := range all {
		got = append(got, r.From.String()+"/"+r.To.String())
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		w.t.Errorf("%s covers %q, want %q", institution, got, want)
	}
}

// announced compares which steps of a restore were published.
func (w *workplace) announced(r actionlog.Restore) {
	w.t.Helper()
	got, err := w.desk().Get(ctx, r.Institution, r.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	for n, s := range got.Steps {
		var document struct {
			Action struct{ Code string }
			Actor  struct{ Kind, ID string }
		}
		if err := json.Unmarshal([]byte(w.published[fmt.Sprintf("restore-%s-%d", r.ID, n)]), &document); err != nil || document.Action.Code != "institution.restore."+s.Step || document.Actor.ID != s.By {
			w.t.Errorf("step %d (%s) is published as %+v, %v", n, s.Step, document, err)
		}
	}
}

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
	runner = w.runner()
	if err := w.settle(runner); err != nil {
		t.Fatal(err)
	}
	w.is(r, actionlog.RestoreReady, "requested granted failed granted completed")
	w.holds("uni", map[actionlog.Day]int{old(0): 10, old(1): 10, old(2): 10, old(3): 10})
	w.announced(r)
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

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
	unsealed  []Archived        // of the archive, which nobody can read yet

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

func (w *workplace) Seal(context.Context) error {
	err := w.step()
	if err == nil {
		w.lines, w.unsealed = append(w.lines, w.unsealed...), nil
	}
	return err
}

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

func (k killableStore) Listed(ctx context.Context, before actionlog.Day) ([]actionlog.Day, error) {
	return liveModel{k.Model}.Held(ctx, before)
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

package restore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"actionlog"
)

// noteEvery is how often a job notes how far it is, and looks whether it was cancelled.
const noteEvery = time.Second

// errOver: the restore was cancelled while its job ran.
var errOver = errors.New("the restore was cancelled")

// work runs the jobs that were granted, one after the other.
func (r *Runner) work(ctx context.Context) error {
	var errs []error
	for x, err := range r.open(ctx) {
		if err != nil {
			return err
		}
		if x.Status != actionlog.RestoreGranted && x.Status != actionlog.RestoreRunning {
			continue
		}
		err := r.job(ctx, x)
		if err == nil || ctx.Err() != nil || errors.Is(err, errOver) {
			continue
		}
		if errs = append(errs, fmt.Errorf("restore %s of %s: %w", x.ID, x.Institution, err)); r.fail(ctx, x, err) != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// fail notes why a job did not get on. What will not pass ends it.
func (r *Runner) fail(ctx context.Context, x *record, why error) error {
	var invalid *actionlog.InvalidError
	final := errors.Is(why, ErrDamaged) || errors.As(why, &invalid)
	_, err := r.Desk.update(ctx, keyOf(x.Institution, x.ID), func(x *record) error {
		x.Problem = brief(why.Error(), maxReason)
		if final && x.Status == actionlog.RestoreRunning {
			x.Status = actionlog.RestoreFailed
			x.step(r.Desk.now(), "failed", actionlog.Requester{}, "")
		}
		return nil
	})
	return err
}

// job restores what was asked for. It may be broken off anywhere and done again: what is
// there already is a repeat.
func (r *Runner) job(ctx context.Context, x *record) error {
	r.isBusy(keyOf(x.Institution, x.ID))
	defer r.isBusy("")
	if err := r.begin(ctx, x); err != nil {
		return err
	}
	j := &job{filling: filling{Runner: r, to: r.Store}, record: x, noted: time.Now()}
	var err error
	if len(x.Filter) > 0 {
		err = j.filtered(ctx)
	} else {
		err = j.all(ctx)
	}
	if err != nil {
		return err
	}
	return r.finish(ctx, j)
}

func (r *Runner) isBusy(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy = key
}

// begin notes that the job runs, from when on its days are not removed, and has the
// archive be readable up to now.
func (r *Runner) begin(ctx context.Context, x *record) error {
	through := r.Desk.now()
	if err := r.Archive.Seal(ctx); err != nil {
		return fmt.Errorf("what is archived is not sealed: %w", err)
	}
	size, err := r.Archive.Estimate(ctx, x.Institution, x.From, x.To)
	if err != nil {
		return err
	}
	// An hour later than the store: nothing that was judged to be searchable is on its way.
	held, err := r.Live.Held(ctx, actionlog.OldestKept(through.Add(-time.Hour)))
	if err != nil {
		return err
	}
	r.removing.Lock()
	defer r.removing.Unlock()
	if x.Status == actionlog.RestoreGranted {
		if err := r.Desk.uncover(ctx, x.Institution, x.ID); err != nil {
			return err
		}
	}
	*x, err = r.Desk.update(ctx, keyOf(x.Institution, x.ID), func(x *record) error {
		switch x.Status {
		case actionlog.RestoreGranted: // nothing of it is back until all of it is
			x.Kept = nil
			for _, d := range held {
				if x.Covers(d) {
					x.Kept = append(x.Kept, d)
				}
			}
			x.Status, x.Through, x.Estimate, x.Segment = actionlog.RestoreRunning, through, &size, 0
		case actionlog.RestoreRunning:
		default:
			return errOver
		}
		return nil
	})
	return err
}

// finish says that everything is there. The restore is covered first: who is told that
// it is ready finds it.
func (r *Runner) finish(ctx context.Context, j *job) error {
	now := r.Desk.now()
	ready := j.record.Restore
	if !j.Again {
		ready.ExpiresAt = now.Add(Keep)
	}
	n, _, err := r.Store.Count(ctx, rangeOf(&ready), 0)
	if err != nil {
		return err
	}
	// Nobody has it done again meanwhile: see doAgain.
	r.removing.Lock()
	defer r.removing.Unlock()
	if now, _, err := r.Desk.get(ctx, keyOf(ready.Institution, ready.ID)); err != nil || now.Status != actionlog.RestoreRunning {
		return errors.Join(err, errOver)
	}
	if err := r.Desk.cover(ctx, ready); err != nil {
		return err
	}
	_, err = r.Desk.update(ctx, keyOf(ready.Institution, ready.ID), func(x *record) error {
		if x.Status != actionlog.RestoreRunning {
			return errOver
		}
		x.Status, x.Progress, x.ExpiresAt, x.Problem = actionlog.RestoreReady, j.RestoreProgress, ready.ExpiresAt, ""
		if x.Stored = n; x.Again {
			x.Again = false
		} else {
			x.step(now, "completed", actionlog.Requester{}, "")
		}
		return nil
	})
	if errors.Is(err, errOver) {
		return errors.Join(err, r.Desk.uncover(ctx, ready.Institution, ready.ID))
	}
	r.Wake()
	return err
}

// rangeOf asks for everything that a restore's days have.
func rangeOf(r *actionlog.Restore) actionlog.Query {
	return actionlog.Query{Institution: r.Institution, From: r.From.Start(), To: r.To.End()}
}

// job is a restore at work.
type job struct {
	filling
	*record
	last  uint64 // the segment of the newest item
	noted time.Time
}

// all restores everything of the range. It goes on behind the segments that are done.
func (j *job) all(ctx context.Context) error {
	j.RestoreProgress = j.Base
	return j.read(ctx, j.Segment, true)
}

// read writes what the archive has behind a segment, and notes segments that are done.
func (j *job) read(ctx context.Context, after uint64, note bool) error {
	keep := func(d actionlog.Day) bool { return !slices.Contains(j.Kept, d) }
	for a, err := range j.Archive.Actions(ctx, j.record.Institution, j.From, j.To, after) {
		if err != nil {
			return err
		}
		if next := a.Segment != j.last && j.last != 0; next && note {
			if err := j.flush(ctx); err != nil {
				return err
			}
			if err := j.note(ctx, j.last); err != nil {
				return err
			}
		} else if time.Since(j.noted) > noteEvery {
			if err := j.note(ctx, 0); err != nil {
				return err
			}
		}
		j.last = a.Segment
		if err := j.take(ctx, &a, keep); err != nil {
			return err
		}
	}
	return j.flush(ctx)
}

// note notes how far the job is; behind a segment (not 0) it goes on after a restart.
func (j *job) note(ctx context.Context, segment uint64) error {
	j.noted = time.Now()
	_, err := j.Desk.update(ctx, keyOf(j.record.Institution, j.ID), func(x *record) error {
		if x.Status != actionlog.RestoreRunning {
			return errOver
		}
		x.Progress = j.RestoreProgress
		if segment > 0 {
			x.Segment, x.Base = segment, j.RestoreProgress
		}
		return nil
	})
	return err
}

// filtered restores what a filter finds: everything goes into a store for a while, in
// which the filter means what it means in a search, and what it finds there is restored.
func (j *job) filtered(ctx context.Context) (err error) {
	scratch, remove, err := j.Scratch(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	j.to = scratch
	if err := j.read(ctx, 0, false); err != nil {
		return err
	}
	q, err := j.Runner.Filter(ctx, scratch, j.Restore)
	if err != nil {
		return err
	}
	q.Institution, q.From, q.To = j.record.Institution, j.From.Start(), j.To.End()
	j.to, j.Restored = j.Store, 0
	for found, err := range scratch.Scan(ctx, q, actionlog.OldestFirst) {
		if err != nil {
			return err
		}
		item, err := found.Item()
		if err != nil {
			return err
		}
		if err := j.add(ctx, item); err != nil {
			return err
		}
		if time.Since(j.noted) > noteEvery {
			if err := j.note(ctx, 0); err != nil {
				return err
			}
		}
	}
	return j.flush(ctx)
}

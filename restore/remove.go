package restore

import (
	"context"
	"errors"
	"slices"

	"actionlog"
)

// remove removes from the store what no other restore has brought back too.
func (r *Runner) remove(ctx context.Context, x *record) error {
	if err := r.Desk.uncover(ctx, x.Institution, x.ID); err != nil {
		return err
	}
	days, err := r.Store.Listed(ctx, x.To.Add(1))
	if err != nil {
		return err
	}
	days = slices.DeleteFunc(days, func(d actionlog.Day) bool { return !x.Covers(d) })
	for part := range slices.Chunk(days, removeDays) {
		if err := r.removeAll(ctx, x.Institution, part); err != nil {
			return err
		}
	}
	*x, err = r.Desk.update(ctx, keyOf(x.Institution, x.ID), func(x *record) error {
		x.Removed = x.Status.Over()
		return nil
	})
	return err
}

// removeDays is how many days are removed before a job may begin or end between.
const removeDays = 20

// removeAll removes an institution's part of some days.
func (r *Runner) removeAll(ctx context.Context, institution string, days []actionlog.Day) error {
	r.removing.Lock()
	defer r.removing.Unlock()
	all, err := r.Desk.List(ctx, "")
	if err != nil {
		return err
	}
	for _, day := range days {
		if err := r.removeDay(ctx, institution, day, all); err != nil {
			return err
		}
	}
	return nil
}

// removeDay removes an institution's part of a day, unless a restore without a filter has
// brought it back too. One with a filter has brought back less than what is there: it is
// done again. all are everybody's restores; r.removing is held.
func (r *Runner) removeDay(ctx context.Context, institution string, day actionlog.Day, all []actionlog.Restore) error {
	shared := false
	var again []*actionlog.Restore
	for i := range all {
		o := &all[i]
		if o.Status == actionlog.RestoreRequested || o.Status.Over() || !o.Covers(day) {
			continue
		}
		shared = true
		switch {
		case o.Institution != institution:
		case len(o.Filter) == 0:
			return nil
		case o.Status != actionlog.RestoreGranted:
			again = append(again, o)
		}
	}
	for _, o := range again {
		if err := r.doAgain(ctx, o); err != nil {
			return err
		}
	}
	if !shared {
		return r.Store.Drop(ctx, day)
	}
	err := r.Store.Remove(ctx, institution, day)
	if errors.Is(err, actionlog.ErrUnavailable) {
		if is, e := isDamaged(ctx, r.Store, day); e == nil && is {
			return r.dropDamaged(ctx, day)
		}
	}
	return err
}

func isDamaged(ctx context.Context, store interface {
	Days(ctx context.Context) ([]actionlog.DayInfo, error)
}, day actionlog.Day) (bool, error) {
	days, err := store.Days(ctx)
	return slices.ContainsFunc(days, func(d actionlog.DayInfo) bool { return d.Day == day && d.Damage != "" }), err
}

// dropDamaged drops a day that cannot be read, and has all restores done again that
// brought it back. r.removing is held.
func (r *Runner) dropDamaged(ctx context.Context, day actionlog.Day) error {
	all, err := r.Desk.List(ctx, "")
	if err != nil {
		return err
	}
	for i := range all {
		if o := &all[i]; o.Covers(day) {
			if err := r.doAgain(ctx, o); err != nil {
				return err
			}
		}
	}
	return r.Store.Drop(ctx, day)
}

// doAgain has a restore that is ready or runs be done once more; until it is ready its days
// are not said to be back. r.removing is held.
func (r *Runner) doAgain(ctx context.Context, o *actionlog.Restore) error {
	if o.Status != actionlog.RestoreReady && o.Status != actionlog.RestoreRunning {
		return nil
	}
	if err := r.Desk.uncover(ctx, o.Institution, o.ID); err != nil {
		return err
	}
	_, err := r.Desk.update(ctx, keyOf(o.Institution, o.ID), func(x *record) error {
		if x.Status == actionlog.RestoreReady || x.Status == actionlog.RestoreRunning {
			x.Again = x.Again || x.Status == actionlog.RestoreReady
			x.Status, x.Progress, x.Base = actionlog.RestoreGranted, actionlog.RestoreProgress{}, actionlog.RestoreProgress{}
		}
		return nil
	})
	return err
}

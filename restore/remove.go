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
	for _, d := range days {
		if d.Before(x.From) {
			continue
		}
		if err := r.removeDay(ctx, x.Institution, d); err != nil {
			return err
		}
	}
	*x, err = r.Desk.update(ctx, keyOf(x.Institution, x.ID), func(x *record) error {
		x.Removed = x.Status.Over()
		return nil
	})
	return err
}

// removeDay removes an institution's part of a day, unless a restore without a filter has
// brought it back too. One with a filter has brought back less than what is there: it is
// done again.
func (r *Runner) removeDay(ctx context.Context, institution string, day actionlog.Day) error {
	r.removing.Lock()
	defer r.removing.Unlock()
	all, err := r.Desk.List(ctx, "")
	if err != nil {
		return err
	}
	shared := false
	var again []*actionlog.Restore
	for i := range all {
		o := &all[i]
		if o.Status == actionlog.RestoreRequested || o.Status.Over() || day.Before(o.From) || o.To.Before(day) {
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
	err = r.Store.Remove(ctx, institution, day)
	if errors.Is(err, actionlog.ErrUnavailable) {
		if is, e := r.isDamaged(ctx, day); e == nil && is {
			return r.dropDamaged(ctx, day)
		}
	}
	return err
}

func (r *Runner) isDamaged(ctx context.Context, day actionlog.Day) (bool, error) {
	days, err := r.Store.Days(ctx)
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
		if o := &all[i]; !day.Before(o.From) && !o.To.Before(day) {
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
			x.Status = actionlog.RestoreGranted
		}
		return nil
	})
	return err
}

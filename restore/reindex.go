package restore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"actionlog"
)

// Days of the live store are made anew from the archive by the same Runner. Which ones,
// and how far that is, is one value of the state.
const jobsBucket, reindexKey = "jobs", "reindex"

// The statuses of a DayJob.
const dayWaiting, dayRunning, dayDone, dayFailed = "waiting", "running", "done", "failed"

// Reindex has days be made anew; none: all that are searchable.
func (d *Desk) Reindex(ctx context.Context, days []actionlog.Day) ([]actionlog.DayJob, error) {
	now := d.now()
	oldest, newest := actionlog.OldestKept(now), actionlog.DayOf(now.Add(actionlog.MaxAhead))
	for _, day := range days {
		if day.Before(oldest) || newest.Before(day) {
			return nil, actionlog.Invalidf("/days", "%s is not searchable: %s to %s are; what is older is restored", day, oldest, newest)
		}
	}
	if len(days) == 0 {
		for day := newest; !day.Before(oldest); day = day.Add(-1) {
			days = append(days, day)
		}
	}
	list, err := d.changeDays(ctx, func(list []actionlog.DayJob) []actionlog.DayJob {
		for _, day := range days {
			i := slices.IndexFunc(list, func(j actionlog.DayJob) bool { return j.Day == day })
			if i >= 0 && (list[i].Status == dayWaiting || list[i].Status == dayRunning) {
				continue
			}
			if i >= 0 {
				list = slices.Delete(list, i, i+1)
			}
			list = append(list, actionlog.DayJob{Day: day, Status: dayWaiting, At: now})
		}
		return slices.DeleteFunc(list, func(j actionlog.DayJob) bool { return j.Day.Before(oldest) && j.Status != dayRunning })
	})
	d.wake()
	return list, err
}

// Reindexing lists the days that are made anew and those that were, in the order of
// their turns.
func (d *Desk) Reindexing(ctx context.Context) ([]actionlog.DayJob, error) {
	list, _, err := d.dayJobs(ctx)
	return list, err
}

func (d *Desk) dayJobs(ctx context.Context) (list []actionlog.DayJob, revision uint64, err error) {
	list, revision, err = actionlog.GetValue[[]actionlog.DayJob](ctx, d.State, jobsBucket, reindexKey)
	if errors.Is(err, actionlog.ErrNotFound) {
		return nil, 0, nil
	}
	return list, revision, err
}

func (d *Desk) changeDays(ctx context.Context, change func([]actionlog.DayJob) []actionlog.DayJob) ([]actionlog.DayJob, error) {
	for {
		list, revision, err := d.dayJobs(ctx)
		if err != nil {
			return nil, err
		}
		list = change(list)
		_, err = actionlog.PutValue(ctx, d.State, jobsBucket, reindexKey, list, revision)
		if !errors.Is(err, actionlog.ErrConflict) {
			return list, err
		}
	}
}

// note notes how a day is.
func (r *Runner) noteDay(ctx context.Context, job actionlog.DayJob) error {
	job.At = r.Desk.now()
	_, err := r.Desk.changeDays(ctx, func(list []actionlog.DayJob) []actionlog.DayJob {
		for i := range list {
			if list[i].Day == job.Day {
				list[i] = job
			}
		}
		return list
	})
	return err
}

// rebuildDays makes days anew, one after the other.
func (r *Runner) rebuildDays(ctx context.Context) error {
	list, _, err := r.Desk.dayJobs(ctx)
	if err != nil {
		return err
	}
	var errs []error
	sealed := false
	for _, job := range list {
		if job.Status != dayWaiting && job.Status != dayRunning {
			continue
		}
		job.Status, job.Problem = dayRunning, ""
		if err := r.noteDay(ctx, job); err != nil {
			return err
		}
		var err error
		if !sealed { // what comes later is in the store, and stays there
			if err := r.Archive.Seal(ctx); err != nil {
				return err // it is tried again
			}
			sealed = true
		}
		if err = r.rebuildDay(ctx, &job); errors.Is(err, actionlog.ErrUnavailable) {
			if damaged, e := isDamaged(ctx, r.Live, job.Day); e == nil && damaged { // that was found this moment: what came since is in the archive only
				err = r.rebuildDay(ctx, &job)
			}
		}
		if ctx.Err() != nil {
			return ctx.Err() // it is done again
		}
		job.Status = dayDone
		if err != nil {
			job.Status, job.Problem = dayFailed, brief(err.Error(), 200)
			errs = append(errs, fmt.Errorf("reindex %s: %w", job.Day, err))
		}
		if err := r.noteDay(ctx, job); err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}

func (r *Runner) rebuildDay(ctx context.Context, job *actionlog.DayJob) error {
	job.Actions, job.LeftOut = 0, 0
	size, err := r.Archive.Estimate(ctx, "", job.Day, job.Day)
	if err != nil || size.Actions == 0 { // the archive has nothing to make it of
		return err
	}
	return r.Live.Rebuild(ctx, job.Day, func(w actionlog.Writer) error {
		if err := r.Archive.Seal(ctx); err != nil { // what a damaged day took until now is copied from nowhere else
			return err
		}
		f := filling{Runner: r, to: w}
		for a, err := range r.Archive.Actions(ctx, "", job.Day, job.Day, 0) {
			if err == nil {
				err = f.take(ctx, &a, nil)
			}
			if err != nil {
				return err
			}
		}
		err := f.flush(ctx)
		job.Actions, job.LeftOut = f.Restored, f.LeftOut
		return err
	})
}

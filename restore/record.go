package restore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"actionlog"
)

// Buckets of the state: restores by institution and ID, and what is back, by institution.
const bucket, coverBucket = "restores", "restored"

func keyOf(institution, id string) string { return institution + "/" + id }

// record is a restore as it stands in the state.
type record struct {
	actionlog.Restore
	// Segment up to which the archive was read, so that a job goes on where it was.
	Segment uint64 `json:"segment,omitempty"`
	// Base is the progress at the end of that segment.
	Base actionlog.RestoreProgress `json:"base"`
	// Announced is how many steps are published.
	Announced int `json:"announced"`
	// Quota: it was granted within the institution's quota.
	Quota bool `json:"quota,omitempty"`
	// Again: it was ready before, and is done again; its time goes on.
	Again bool `json:"again,omitempty"`
	// Removed: nothing of it is in the store any more.
	Removed bool `json:"removed,omitempty"`
}

func (x *record) step(at time.Time, step string, by actionlog.Requester, reason string) {
	x.Steps = append(x.Steps, actionlog.RestoreStep{Step: step, At: at, By: by.ID, Name: by.Name, Staff: by.Staff, Reason: reason})
}

// over tells whether nothing is to be done for it any more.
func (x *record) over() bool {
	return x.Status.Over() && x.Removed && x.Announced == len(x.Steps)
}

func (d *Desk) get(ctx context.Context, key string) (x record, revision uint64, err error) {
	text, revision, err := d.State.Get(ctx, bucket, key)
	if errors.Is(err, actionlog.ErrNotFound) {
		return x, 0, fmt.Errorf("there is no such restore: %w", actionlog.ErrNotFound)
	}
	if err != nil {
		return x, 0, err
	}
	if err := json.Unmarshal(text, &x); err != nil {
		return x, 0, fmt.Errorf("restore %s: %w", key, err)
	}
	return x, revision, nil
}

func (d *Desk) put(ctx context.Context, x *record, revision uint64) error {
	text, err := json.Marshal(x)
	if err == nil {
		_, err = d.State.Put(ctx, bucket, keyOf(x.Institution, x.ID), text, revision)
	}
	return err
}

// update changes a restore, again where somebody else did meanwhile.
func (d *Desk) update(ctx context.Context, key string, change func(x *record) error) (record, error) {
	for {
		x, revision, err := d.get(ctx, key)
		if err == nil {
			err = change(&x)
		}
		if err != nil {
			return x, err
		}
		if err = d.put(ctx, &x, revision); !errors.Is(err, actionlog.ErrConflict) {
			return x, err
		}
		if ctx.Err() != nil {
			return x, ctx.Err()
		}
	}
}

// Covered lists what is back of an institution now.
func (d *Desk) Covered(ctx context.Context, institution string) ([]actionlog.Restored, error) {
	all, _, err := d.covered(ctx, institution)
	now := d.now()
	return slices.DeleteFunc(all, func(r actionlog.Restored) bool { return !now.Before(r.ExpiresAt) }), err
}

func (d *Desk) covered(ctx context.Context, institution string) (all []actionlog.Restored, revision uint64, err error) {
	text, revision, err := d.State.Get(ctx, coverBucket, institution)
	if errors.Is(err, actionlog.ErrNotFound) {
		return nil, 0, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	return all, revision, err
}

// cover says that a restore is back: a range for each stretch of days between those that
// were still searchable.
func (d *Desk) cover(ctx context.Context, r actionlog.Restore) error {
	return d.changeCover(ctx, r.Institution, func(all []actionlog.Restored) []actionlog.Restored {
		all = without(all, r.ID)
		from := r.From
		for day := r.From; ; day = day.Add(1) {
			kept, end := slices.Contains(r.Kept, day), r.To.Before(day)
			if !kept && !end {
				continue
			}
			if last := day.Add(-1); !last.Before(from) {
				all = append(all, actionlog.Restored{ID: r.ID, From: from, To: last, Filter: r.Filter, Through: r.Through, ExpiresAt: r.ExpiresAt})
			}
			if from = day.Add(1); end {
				return all
			}
		}
	})
}

// uncover says that a restore is not back any more.
func (d *Desk) uncover(ctx context.Context, institution, id string) error {
	return d.changeCover(ctx, institution, func(all []actionlog.Restored) []actionlog.Restored { return without(all, id) })
}

func without(all []actionlog.Restored, id string) []actionlog.Restored {
	return slices.DeleteFunc(all, func(r actionlog.Restored) bool { return r.ID == id })
}

func (d *Desk) changeCover(ctx context.Context, institution string, change func([]actionlog.Restored) []actionlog.Restored) error {
	for {
		all, revision, err := d.covered(ctx, institution)
		if err != nil {
			return err
		}
		if all = change(all); len(all) == 0 {
			if revision == 0 {
				return nil
			}
			all = []actionlog.Restored{}
		}
		text, err := json.Marshal(all)
		if err == nil {
			_, err = d.State.Put(ctx, coverBucket, institution, text, revision)
		}
		if !errors.Is(err, actionlog.ErrConflict) {
			return err
		}
	}
}

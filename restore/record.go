package restore

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
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
	// Stored is how many actions the days had when it was ready; they never become fewer.
	Stored int64 `json:"stored,omitempty"`
	// Again: it was ready before, and is done again; its time goes on.
	Again bool `json:"again,omitempty"`
	// Removed: nothing of it is in the store any more.
	Removed bool `json:"removed,omitempty"`
}

func (x *record) step(at time.Time, step string, by actionlog.Requester, reason string) {
	x.Steps = append(x.Steps, actionlog.RestoreStep{Step: step, At: at, By: by.ID, Name: by.Name, Staff: by.Staff, Reason: reason})
}

// over tells whether nothing will be to do for it any more; one that failed may be granted
// again.
func (x *record) over() bool {
	return x.Status.Over() && x.Status != actionlog.RestoreFailed && x.Removed && x.Announced == len(x.Steps)
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
	_, err := actionlog.PutValue(ctx, d.State, bucket, keyOf(x.Institution, x.ID), x, revision)
	return err
}

// maxRecord is how long a restore may become, in bytes, before it takes no more steps of
// people; what is left is for its end.
const maxRecord = 40 << 10

// room tells whether a restore may take one more step of people.
func (x *record) room() error {
	text, err := json.Marshal(x)
	if err == nil && len(text) > maxRecord {
		err = fmt.Errorf("the restore has taken too many steps (%d): ask for another: %w", len(x.Steps), actionlog.ErrConflict)
	}
	return err
}

// brief keeps a text from filling the state.
func brief(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
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

// cover is a range of days that is back, as it stands in the state.
type cover struct {
	actionlog.Restored
	Token string `json:"token"`
}

// Covered lists what is back of an institution now.
func (d *Desk) Covered(ctx context.Context, institution string) (list []actionlog.Restored, err error) {
	all, _, err := d.covered(ctx, institution)
	now := d.now()
	for _, c := range all {
		if c.Restored.Token = c.Token; now.Before(c.ExpiresAt) {
			list = append(list, c.Restored)
		}
	}
	return list, err
}

func (d *Desk) covered(ctx context.Context, institution string) (all []cover, revision uint64, err error) {
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
	token := rand.Text()
	return d.changeCover(ctx, r.Institution, func(all []cover) []cover {
		all = without(all, r.ID)
		from := r.From
		for day := r.From; ; day = day.Add(1) {
			kept, end := slices.Contains(r.Kept, day), r.To.Before(day)
			if !kept && !end {
				continue
			}
			if last := day.Add(-1); !last.Before(from) {
				all = append(all, cover{actionlog.Restored{ID: r.ID, From: from, To: last, Filter: r.Filter, Through: r.Through, ExpiresAt: r.ExpiresAt}, token})
			}
			if from = day.Add(1); end {
				return all
			}
		}
	})
}

// prolong lets what is back of a restore, if anything is, be found until then.
func (d *Desk) prolong(ctx context.Context, r actionlog.Restore) error {
	return d.changeCover(ctx, r.Institution, func(all []cover) []cover {
		for i := range all {
			if all[i].ID == r.ID {
				all[i].ExpiresAt = r.ExpiresAt
			}
		}
		return all
	})
}

// uncover says that a restore is not back any more.
func (d *Desk) uncover(ctx context.Context, institution, id string) error {
	return d.changeCover(ctx, institution, func(all []cover) []cover { return without(all, id) })
}

func without(all []cover, id string) []cover {
	return slices.DeleteFunc(all, func(c cover) bool { return c.ID == id })
}

func (d *Desk) changeCover(ctx context.Context, institution string, change func([]cover) []cover) error {
	for {
		all, revision, err := d.covered(ctx, institution)
		if err != nil {
			return err
		}
		before, err := json.Marshal(all)
		if err != nil {
			return err
		}
		if all = change(all); len(all) == 0 {
			if revision == 0 {
				return nil
			}
			all = []cover{}
		}
		text, err := json.Marshal(all)
		if err == nil && string(text) == string(before) {
			return nil
		}
		if err == nil {
			_, err = d.State.Put(ctx, coverBucket, institution, text, revision)
		}
		if !errors.Is(err, actionlog.ErrConflict) {
			return err
		}
	}
}

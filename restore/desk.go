// Package restore brings back actions that are older than what is searchable. A Desk
// takes requests and says how they are; a Runner reads the archive and writes what was
// asked for into a store of its own, apart from the live one, and removes it when its
// time is over; a Union lets searches find both.
package restore

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"actionlog"
)

const (
	// Keep is for how long what was restored can be found.
	Keep = 14 * 24 * time.Hour
	// quotaTime is the time in which a quota may be used up.
	quotaTime = 30 * 24 * time.Hour
	// maxOpen is how many restores of an institution may be open at once.
	maxOpen = 50
	// maxReason and maxFilter limit what a request says, in bytes.
	maxReason, maxFilter = 1000, 500
)

// Desk takes requests. All fields but Wake, Now and Log are required.
type Desk struct {
	State actionlog.State
	// Wake is called when there is something to do; nil: who does it looks by itself.
	Wake func()
	Now  func() time.Time // time.Now
	Log  *slog.Logger     // slog.Default
}

func (d *Desk) now() time.Time {
	if d.Now == nil {
		return time.Now().UTC()
	}
	return d.Now().UTC()
}

func (d *Desk) log() *slog.Logger { return cmp.Or(d.Log, slog.Default()) }

func (d *Desk) wake() {
	if d.Wake != nil {
		d.Wake()
	}
}

// Create takes a request: Institution, From, To (zero: the last day that is not
// searchable), Filter and Reason of r count. What staff ask for is granted.
func (d *Desk) Create(ctx context.Context, r actionlog.Restore, by actionlog.Requester) (actionlog.Restore, error) {
	now := d.now()
	last := actionlog.OldestKept(now).Add(-1)
	if r.To.IsZero() {
		r.To = last
	}
	filter, err := json.Marshal(r.Filter)
	switch {
	case err != nil:
		return r, err
	case r.From.IsZero():
		return r, actionlog.Invalidf("/from", "is missing: a date as 2025-01-31")
	case last.Before(r.To):
		return r, actionlog.Invalidf("/to", "%s is still searchable; the last day that can be restored is %s", r.To, last)
	case r.To.Before(r.From):
		return r, actionlog.Invalidf("/from", "%s is after %s", r.From, r.To)
	case strings.TrimSpace(r.Reason) == "":
		return r, actionlog.Invalidf("/reason", "is missing: say why the data is needed")
	case len(r.Reason) > maxReason:
		return r, actionlog.Invalidf("/reason", "is longer than %d bytes", maxReason)
	case len(filter) > maxFilter:
		return r, actionlog.Invalidf("/filter", "is longer than %d bytes", maxFilter)
	}
	there, err := d.List(ctx, r.Institution)
	if err != nil {
		return r, err
	}
	open := 0
	for _, x := range there {
		if !x.Status.Over() {
			open++
		}
	}
	if open >= maxOpen {
		return r, fmt.Errorf("the institution has %d open restores already: %w", open, actionlog.ErrConflict)
	}
	x := record{Restore: actionlog.Restore{ID: newID(now), Institution: r.Institution, From: r.From, To: r.To, Filter: r.Filter, Reason: r.Reason,
		Status: actionlog.RestoreRequested, CreatedAt: now}}
	x.step(now, "requested", by, r.Reason)
	if by.Staff {
		x.Status = actionlog.RestoreGranted
		x.step(now, "granted", by, "")
	}
	if err := d.put(ctx, &x, 0); err != nil {
		return r, err
	}
	d.wake()
	return x.Restore, nil
}

// newID makes an ID that sorts by time.
func newID(now time.Time) string {
	return now.Format("20060102-150405-") + strings.ToLower(rand.Text()[:8])
}

// Get returns a restore of an institution, or ErrNotFound.
func (d *Desk) Get(ctx context.Context, institution, id string) (actionlog.Restore, error) {
	x, _, err := d.get(ctx, keyOf(institution, id))
	return x.Restore, err
}

// List returns an institution's restores ("": everybody's), oldest first.
func (d *Desk) List(ctx context.Context, institution string) ([]actionlog.Restore, error) {
	records, err := d.records(ctx, institution)
	all := make([]actionlog.Restore, len(records))
	for i := range records {
		all[i] = records[i].Restore
	}
	return all, err
}

// records are an institution's restores ("": everybody's), oldest first.
func (d *Desk) records(ctx context.Context, institution string) (all []record, err error) {
	keys, err := d.State.List(ctx, bucket)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if institution != "" && !strings.HasPrefix(key, institution+"/") {
			continue
		}
		x, _, err := d.get(ctx, key)
		if errors.Is(err, actionlog.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, x)
	}
	slices.SortFunc(all, func(a, b record) int {
		return cmp.Or(strings.Compare(a.ID, b.ID), strings.Compare(a.Institution, b.Institution))
	})
	return all, nil
}

// Grant lets a request run.
func (d *Desk) Grant(ctx context.Context, institution, id string, by actionlog.Requester, reason string) (actionlog.Restore, error) {
	return d.decide(ctx, institution, id, by, "granted", reason, map[actionlog.RestoreStatus]actionlog.RestoreStatus{
		actionlog.RestoreRequested: actionlog.RestoreGranted, actionlog.RestoreFailed: actionlog.RestoreGranted})
}

// Decline refuses a request.
func (d *Desk) Decline(ctx context.Context, institution, id string, by actionlog.Requester, reason string) (actionlog.Restore, error) {
	return d.decide(ctx, institution, id, by, "declined", reason, map[actionlog.RestoreStatus]actionlog.RestoreStatus{
		actionlog.RestoreRequested: actionlog.RestoreDeclined})
}

// Renew lets what was restored be found for Keep from now on.
func (d *Desk) Renew(ctx context.Context, institution, id string, by actionlog.Requester, reason string) (actionlog.Restore, error) {
	r, err := d.decide(ctx, institution, id, by, "renewed", reason, map[actionlog.RestoreStatus]actionlog.RestoreStatus{
		actionlog.RestoreReady: actionlog.RestoreReady})
	if err == nil {
		err = d.prolong(ctx, r)
	}
	return r, err
}

// Drop gives back what was restored, or cancels what is on its way.
func (d *Desk) Drop(ctx context.Context, institution, id string, by actionlog.Requester, reason string) (actionlog.Restore, error) {
	x, _, err := d.get(ctx, keyOf(institution, id))
	if err != nil {
		return x.Restore, err
	}
	step := "cancelled"
	if x.Status == actionlog.RestoreReady {
		step = "dropped"
	}
	r, err := d.decide(ctx, institution, id, by, step, reason, map[actionlog.RestoreStatus]actionlog.RestoreStatus{
		actionlog.RestoreReady: actionlog.RestoreExpired, actionlog.RestoreRequested: actionlog.RestoreCancelled,
		actionlog.RestoreGranted: actionlog.RestoreCancelled, actionlog.RestoreRunning: actionlog.RestoreCancelled})
	if err == nil {
		err = d.uncover(ctx, institution, id)
	}
	return r, err
}

// decide takes a step from a status to another.
func (d *Desk) decide(ctx context.Context, institution, id string, by actionlog.Requester, step, reason string, change map[actionlog.RestoreStatus]actionlog.RestoreStatus) (actionlog.Restore, error) {
	if len(reason) > maxReason {
		return actionlog.Restore{}, actionlog.Invalidf("/reason", "is longer than %d bytes", maxReason)
	}
	x, err := d.update(ctx, keyOf(institution, id), func(x *record) error {
		now := d.now()
		next := change[x.Status]
		if next == "" || x.Status == actionlog.RestoreReady && !now.Before(x.ExpiresAt) {
			return fmt.Errorf("the restore is %s: it cannot be %s: %w", x.Status, step, actionlog.ErrConflict)
		}
		x.Status, x.Problem = next, ""
		switch step {
		case "renewed":
			x.ExpiresAt = now.Add(Keep)
		case "granted": // from the beginning, where it failed before
			x.Segment, x.Removed = 0, false
			x.Progress, x.Base = actionlog.RestoreProgress{}, actionlog.RestoreProgress{}
		}
		x.step(now, step, by, reason)
		if next.Over() {
			return nil // there is always room for an end
		}
		return x.room()
	})
	if err == nil {
		d.wake()
	}
	return x.Restore, err
}

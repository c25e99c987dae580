// Package saved keeps searches that people named, and watches those that have an alert.
package saved

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

// Desk keeps saved searches. All fields but those with a default are required.
type Desk struct {
	State actionlog.State
	// Watched: there is a feed, so that searches can be watched.
	Watched bool
	// Clean tells whether a text holds no credential; nil: it is not looked.
	Clean func(text string) bool
	Wake  func()           // called when there is something else to watch; nil: who watches looks by itself
	Now   func() time.Time // time.Now
}

const (
	searchBucket   = "saved-searches"
	progressBucket = "alert-progress"
	maxSearches    = 500      // of an institution
	maxAlerts      = 100      // of an institution
	maxFilter      = 16 << 10 // bytes
	maxName        = 200      // characters
	maxMoreThan    = 10_000
	maxMinutes     = 24 * 60
)

func (d *Desk) now() time.Time {
	if d.Now == nil {
		return time.Now().UTC()
	}
	return d.Now().UTC()
}

func (d *Desk) wake() {
	if d.Wake != nil {
		d.Wake()
	}
}

// keyOf is where a search stands in the state. Neither part has a dot.
func keyOf(institution, id string) string { return institution + "." + id }

// check judges a search, and fills in what an alert leaves out.
func (d *Desk) check(s *actionlog.SavedSearch) error {
	s.Name = strings.TrimSpace(s.Name)
	if s.Name == "" || len([]rune(s.Name)) > maxName {
		return actionlog.Invalidf("/name", "is not a text of 1 to %d characters", maxName)
	}
	filter, err := json.Marshal(s.Filter)
	if err != nil || len(filter) > maxFilter {
		return actionlog.Invalidf("/filter", "is longer than %d bytes", maxFilter)
	}
	for field, text := range map[string]string{"/name": s.Name, "/filter": string(filter)} {
		if d.Clean != nil && !d.Clean(text) {
			return actionlog.Invalidf(field, "holds a credential, which is not stored")
		}
	}
	if s.Alert == nil {
		return nil
	}
	if !d.Watched {
		return actionlog.Invalidf("/alert", "cannot be watched: this service has no archive, and so no feed")
	}
	return checkAlert(s.Alert)
}

func checkAlert(a *actionlog.Alert) error {
	switch a.Kind {
	case actionlog.AlertCount:
		if a.MoreThan < 0 || a.MoreThan > maxMoreThan {
			return actionlog.Invalidf("/alert/more_than", "%d is not a number from 0 to %d", a.MoreThan, maxMoreThan)
		}
		if a.Minutes < 1 || a.Minutes > maxMinutes {
			return actionlog.Invalidf("/alert/minutes", "%d is not a number from 1 to %d", a.Minutes, maxMinutes)
		}
		if a.Quiet == 0 {
			a.Quiet = a.Minutes
		}
		if a.Quiet < 0 || a.Quiet > maxMinutes {
			return actionlog.Invalidf("/alert/quiet", "%d is not a number from 1 to %d", a.Quiet, maxMinutes)
		}
		if a.Of != "" {
			return actionlog.Invalidf("/alert/of", "is of the kind first only")
		}
	case actionlog.AlertFirst:
		if a.MoreThan != 0 || a.Minutes != 0 || a.Quiet != 0 {
			return actionlog.Invalidf("/alert/kind", "first has no more_than, minutes or quiet")
		}
		if !slices.Contains([]actionlog.AlertOf{actionlog.AlertOfActor, actionlog.AlertOfIP, actionlog.AlertOfAPIKey}, a.Of) {
			return actionlog.Invalidf("/alert/of", "%q is not one of %s", a.Of, "actor, ip, api_key")
		}
	default:
		return actionlog.Invalidf("/alert/kind", "%q is not one of %s", a.Kind, "count, first")
	}
	return nil
}

// room tells whether one more search may be kept.
func (d *Desk) room(ctx context.Context, s *actionlog.SavedSearch) error {
	all, err := d.List(ctx, s.Institution)
	if err != nil {
		return err
	}
	alerts := 0
	for i := range all {
		if all[i].ID != s.ID && all[i].Name == s.Name {
			return fmt.Errorf("there is a search of that name already: %w", actionlog.ErrConflict)
		}
		if all[i].ID != s.ID && all[i].Alert != nil {
			alerts++
		}
	}
	if len(all) >= maxSearches && s.ID == "" {
		return fmt.Errorf("the institution has %d searches already: %w", len(all), actionlog.ErrConflict)
	}
	if s.Alert != nil && alerts >= maxAlerts {
		return fmt.Errorf("the institution has %d alerts already: %w", alerts, actionlog.ErrConflict)
	}
	return nil
}

// Create keeps a search of what s says (Institution, Name, Filter, Alert, By).
func (d *Desk) Create(ctx context.Context, s actionlog.SavedSearch) (actionlog.SavedSearch, error) {
	s.ID = ""
	err := d.check(&s)
	if err == nil {
		err = d.room(ctx, &s)
	}
	if err != nil {
		return s, err
	}
	s.ID, s.CreatedAt, s.Watch = strings.ToLower(rand.Text()[:16]), d.now().Truncate(time.Second), 1
	s.ChangedAt, s.ChangedBy, s.WatchedFrom = s.CreatedAt, s.By, d.now()
	err = d.put(ctx, &s, 0)
	d.wake()
	return s, err
}

func (d *Desk) put(ctx context.Context, s *actionlog.SavedSearch, revision uint64) error {
	_, err := actionlog.PutValue(ctx, d.State, searchBucket, keyOf(s.Institution, s.ID), s, revision)
	return err
}

func (d *Desk) putProgress(ctx context.Context, s *actionlog.SavedSearch, p *actionlog.AlertProgress, revision uint64) (uint64, error) {
	return actionlog.PutValue(ctx, d.State, progressBucket, keyOf(s.Institution, s.ID), p, revision)
}

func (d *Desk) get(ctx context.Context, key string) (s actionlog.SavedSearch, revision uint64, err error) {
	s, revision, err = actionlog.GetValue[actionlog.SavedSearch](ctx, d.State, searchBucket, key)
	if err == nil && keyOf(s.Institution, s.ID) != key {
		err = errors.New("its key is another's")
	}
	if err != nil {
		return actionlog.SavedSearch{}, 0, fmt.Errorf("saved search %s: %w", key, err)
	}
	return s, revision, nil
}

// progress is how far an alert is; zero, with the revision 0, where nobody watched yet.
func (d *Desk) progress(ctx context.Context, s *actionlog.SavedSearch) (p actionlog.AlertProgress, revision uint64, err error) {
	p, revision, err = actionlog.GetValue[actionlog.AlertProgress](ctx, d.State, progressBucket, keyOf(s.Institution, s.ID))
	if errors.Is(err, actionlog.ErrNotFound) {
		return p, 0, nil
	}
	return p, revision, err
}

// kept is a search that somebody names.
func (d *Desk) kept(ctx context.Context, institution, id string) (s actionlog.SavedSearch, revision uint64, err error) {
	if !actionlog.IsInstitutionID(id) {
		return s, 0, fmt.Errorf("there is no such search: %w", actionlog.ErrNotFound)
	}
	s, revision, err = d.get(ctx, keyOf(institution, id))
	if errors.Is(err, actionlog.ErrNotFound) {
		err = fmt.Errorf("there is no such search: %w", actionlog.ErrNotFound)
	}
	return s, revision, err
}

// Get returns a search of an institution and how far its alert is, or ErrNotFound.
func (d *Desk) Get(ctx context.Context, institution, id string) (s actionlog.SavedSearch, p actionlog.AlertProgress, err error) {
	s, _, err = d.kept(ctx, institution, id)
	if err == nil && s.Alert != nil {
		p, _, err = d.progress(ctx, &s)
	}
	return s, p, err
}

// List returns an institution's searches, by name.
func (d *Desk) List(ctx context.Context, institution string) (list []actionlog.SavedSearch, err error) {
	keys, err := d.State.List(ctx, searchBucket)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if of, _, _ := strings.Cut(key, "."); of != institution {
			continue
		}
		s, _, err := d.get(ctx, key)
		if errors.Is(err, actionlog.ErrNotFound) {
			continue // dropped meanwhile
		}
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	slices.SortStableFunc(list, func(a, b actionlog.SavedSearch) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// Change puts what s says (Institution, ID, Name, Filter, Alert, ChangedBy) in the place of
// what is kept, if may does not refuse that. What is watched for is watched anew where it is
// another.
func (d *Desk) Change(ctx context.Context, s actionlog.SavedSearch, may func(was *actionlog.SavedSearch) error) (actionlog.SavedSearch, error) {
	if err := d.check(&s); err != nil {
		return s, err
	}
	for {
		was, revision, err := d.kept(ctx, s.Institution, s.ID)
		if err == nil {
			err = may(&was)
		}
		if err == nil {
			err = d.room(ctx, &s)
		}
		if err != nil {
			return s, err
		}
		s.By, s.CreatedAt, s.Watch, s.WatchedFrom, s.ChangedAt = was.By, was.CreatedAt, was.Watch, was.WatchedFrom, d.now().Truncate(time.Second)
		if !sameWatch(&was, &s) {
			s.Watch, s.WatchedFrom = s.Watch+1, d.now()
		}
		if err = d.put(ctx, &s, revision); errors.Is(err, actionlog.ErrConflict) && ctx.Err() == nil {
			continue
		}
		d.wake()
		return s, err
	}
}

// sameWatch tells whether what is watched for stays the same.
func sameWatch(a, b *actionlog.SavedSearch) bool {
	watched := func(s *actionlog.SavedSearch) string {
		if s.Alert == nil {
			return ""
		}
		alert := *s.Alert
		alert.Webhook, alert.Paused = "", false
		text, err := json.Marshal(map[string]any{"filter": s.Filter, "alert": alert})
		if err != nil {
			return ""
		}
		return string(text)
	}
	return watched(a) == watched(b)
}

// Drop removes a search, if may does not refuse that, and returns what it was.
func (d *Desk) Drop(ctx context.Context, institution, id string, may func(was *actionlog.SavedSearch) error) (actionlog.SavedSearch, error) {
	for {
		s, revision, err := d.kept(ctx, institution, id)
		if err == nil {
			err = may(&s)
		}
		if err != nil {
			return s, err
		}
		gone := s
		gone.Alert = nil
		err = d.put(ctx, &gone, revision) // what was judged is what is removed
		if errors.Is(err, actionlog.ErrConflict) && ctx.Err() == nil {
			continue
		}
		if err == nil {
			err = d.State.Delete(ctx, searchBucket, keyOf(institution, id))
		}
		if err == nil {
			err = d.State.Delete(ctx, progressBucket, keyOf(institution, id))
		}
		d.wake()
		return s, err
	}
}

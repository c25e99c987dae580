package main

import (
	"context"
	"time"

	"actionlog"
	"actionlog/saved"
	"actionlog/search"
)

// addSearches gives the API saved searches, and starts what watches them, where there is a
// feed.
func (r *running) addSearches(api *search.Options, failed chan<- error) {
	if api.Operations {
		return
	}
	desk := &saved.Desk{State: api.State, Watched: api.Feed != nil, Clean: func(text string) bool { return string(api.Scrubber.Bytes([]byte(text))) == text }}
	api.Searches = desk
	if api.Feed == nil {
		return
	}
	api.Alerts = &search.Alerts{}
	runner := saved.New(saved.Options{Desk: desk, Log: watchedLog{api.Alerts, api.Feed}, Slog: r.log})
	r.senders = append(r.senders, func() { r.background("alerts", failed, runner.Run) })
}

// watchedLog is the log as alerts look at it.
type watchedLog struct {
	*search.Alerts
	feed search.Feed
}

// Read implements saved.Log.
func (l watchedLog) Read(ctx context.Context, s *actionlog.SavedSearch, at string, most int) (saved.Page, error) {
	found, next, more, err := l.Page(ctx, s, at, most)
	page := saved.Page{Next: next, More: more}
	for i := range found {
		x := &found[i]
		page.Sightings = append(page.Sightings, saved.Sighting{ID: x.Record.ID, OccurredAt: x.Record.OccurredAt, ReceivedAt: x.Record.ReceivedAt, Position: x.Record.Position, Behind: x.Behind, Value: x.Value, Label: x.Label})
	}
	return page, err
}

// Seen implements saved.Log.
func (l watchedLog) Seen(ctx context.Context, s *actionlog.SavedSearch, x *saved.Sighting) (bool, error) {
	return l.Alerts.Seen(ctx, s, x.Value, x.Position, x.ReceivedAt)
}

// Describe implements saved.Log.
func (l watchedLog) Describe(s *actionlog.SavedSearch, r *saved.Raised) ([]byte, error) {
	return l.Alerts.Describe(s, &search.Raised{ID: r.By.ID, Day: actionlog.DayOf(r.By.OccurredAt), At: r.By.ReceivedAt, Label: r.By.Label, Count: r.Count, From: r.From, To: r.To})
}

// Start implements saved.Log.
func (l watchedLog) Start(ctx context.Context, since time.Time) (string, error) {
	return l.feed.Start(ctx, since)
}

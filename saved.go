package actionlog

import "time"

// SavedSearch is a search that somebody named, for all who may search in the institution.
// With an alert it is watched.
type SavedSearch struct {
	ID          string              `json:"id"`
	Institution string              `json:"institution"`
	Name        string              `json:"name"`
	Filter      map[string][]string `json:"filter"` // parameters of a search, time included
	Alert       *Alert              `json:"alert,omitempty"`
	By          ExportedBy          `json:"by"`
	CreatedAt   time.Time           `json:"created_at"`
	ChangedBy   ExportedBy          `json:"changed_by"`
	ChangedAt   time.Time           `json:"changed_at"`
	// Watch counts what it was told to watch for; the last since WatchedFrom.
	Watch       int       `json:"watch"`
	WatchedFrom time.Time `json:"watched_from"`
}

// Alert says when somebody is told of what a search finds as it comes. The search's time
// means nothing to it.
type Alert struct {
	Kind AlertKind `json:"kind"`
	// MoreThan so many, within Minutes: of AlertCount.
	MoreThan int `json:"more_than,omitempty"`
	Minutes  int `json:"minutes,omitempty"`
	// Of what: of AlertFirst.
	Of AlertOf `json:"of,omitempty"`
	// Quiet is for how many minutes it says nothing more of the same, of AlertCount.
	Quiet   int    `json:"quiet,omitempty"`
	Webhook string `json:"webhook,omitempty"` // to which it goes besides the log; "" none
	Paused  bool   `json:"paused,omitempty"`
}

// AlertKind is when an alert is raised.
type AlertKind string

// The kinds of alerts.
const (
	AlertCount AlertKind = "count" // more than so many in so many minutes
	AlertFirst AlertKind = "first" // the first time that somebody or something is seen
)

// AlertOf is of what a first time is told.
type AlertOf string

// What a first time is told of.
const (
	AlertOfActor  AlertOf = "actor"
	AlertOfIP     AlertOf = "ip"
	AlertOfAPIKey AlertOf = "api_key"
)

// AlertProgress is how far an alert is. It is the watcher's to write.
type AlertProgress struct {
	Watch int    `json:"watch"` // of the search that it is about
	At    string `json:"at"`    // place in the feed: everything before was looked at
	// Window is how many came lately, of AlertCount.
	Window AlertWindow `json:"window,omitzero"`
	// Fired is an action that is to be recorded before anything else is looked at.
	Fired   []byte    `json:"fired,omitempty"`
	Count   int64     `json:"count"` // of alerts
	FiredAt time.Time `json:"fired_at,omitzero"`
	Through time.Time `json:"through,omitzero"` // when the stream took what it looked at last
	Late    int64     `json:"late,omitempty"`   // actions that came too late to be counted
}

// AlertWindow counts by slots of time, a sixtieth of the alert's minutes each; slots are
// numbered from 1970 on.
type AlertWindow struct {
	First  int64 `json:"first,omitempty"`  // slot of the first count
	Counts []int `json:"counts,omitempty"` // of that slot and those after it
	// Silent is the first slot that is counted; 0: all are.
	Silent int64 `json:"silent,omitempty"`
}

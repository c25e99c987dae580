package actionlog

import "time"

// Restore is a request for actions that are older than what is searchable, and what
// became of it: somebody of the institution asks, staff grant it, the actions are read
// from the archive and can be found for a while.
type Restore struct {
	ID          string `json:"id"`
	Institution string `json:"institution"`
	From        Day    `json:"from"` // UTC days, both included
	To          Day    `json:"to"`
	// Filter limits what is restored, by parameters of the search; none: everything.
	Filter map[string][]string `json:"filter,omitempty"`
	// Reason is why somebody needs it, in their words.
	Reason    string        `json:"reason"`
	Status    RestoreStatus `json:"status"`
	CreatedAt time.Time     `json:"created_at"`
	// Estimate is what will be read; nil until it is known.
	Estimate *RestoreSize    `json:"estimate,omitempty"`
	Progress RestoreProgress `json:"progress"`
	// Kept are days of the range that were still searchable when the rest was restored.
	Kept []Day `json:"kept,omitempty"`
	// Through: what the stream took later is not among what was restored.
	Through   time.Time `json:"through,omitzero"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// Problem is why it failed or does not get on.
	Problem string        `json:"problem,omitempty"`
	Steps   []RestoreStep `json:"steps"`
}

// Covers tells whether a day is among those that it asks for.
func (r *Restore) Covers(d Day) bool { return !d.Before(r.From) && !r.To.Before(d) }

// RestoreStatus is how far a restore is.
type RestoreStatus string

// The statuses of a restore.
const (
	RestoreRequested RestoreStatus = "requested" // waits to be granted
	RestoreGranted   RestoreStatus = "granted"   // waits for its turn
	RestoreRunning   RestoreStatus = "running"
	RestoreReady     RestoreStatus = "ready"    // its actions can be found
	RestoreDeclined  RestoreStatus = "declined" // by staff
	RestoreCancelled RestoreStatus = "cancelled"
	RestoreFailed    RestoreStatus = "failed"
	RestoreExpired   RestoreStatus = "expired" // its time is over, or it was given back
)

// RestoreStatuses are all of them, in their order.
var RestoreStatuses = [...]RestoreStatus{RestoreRequested, RestoreGranted, RestoreRunning, RestoreReady, RestoreDeclined, RestoreCancelled, RestoreFailed, RestoreExpired}

// Over tells whether nothing will become of it any more.
func (s RestoreStatus) Over() bool {
	return s == RestoreDeclined || s == RestoreCancelled || s == RestoreFailed || s == RestoreExpired
}

// RestoreSize is how much is read for a restore.
type RestoreSize struct {
	Actions int64 `json:"actions"`
	Bytes   int64 `json:"bytes"` // of the archive, compressed
}

// RestoreProgress counts actions.
type RestoreProgress struct {
	Read     int64 `json:"read"`     // of the archive
	Restored int64 `json:"restored"` // new ones; those of another restore are there already
	// LeftOut are those that the store does not take: repeats of an identity with another
	// content, which were dead letters when they came, and what today's rules refuse.
	LeftOut int64 `json:"left_out,omitempty"`
}

// RestoreStep is what somebody decided, or what happened. Each is an action in the
// institution's log too.
type RestoreStep struct {
	Step   string    `json:"step"` // requested, granted, declined, completed, failed, renewed, cancelled, dropped, expired
	At     time.Time `json:"at"`
	By     string    `json:"by,omitempty"`   // the ID of the token; "" the service itself
	Name   string    `json:"name,omitempty"` // of the token
	Staff  bool      `json:"staff,omitempty"`
	Reason string    `json:"reason,omitempty"`
}

// Requester is who asks for a step.
type Requester struct {
	ID, Name string
	Staff    bool // of the platform: may grant
}

// Restored is a range of days that is back.
type Restored struct {
	ID        string              `json:"id"`
	From      Day                 `json:"from"`
	To        Day                 `json:"to"`
	Filter    map[string][]string `json:"filter,omitempty"` // what was restored; none: everything
	Through   time.Time           `json:"through"`
	ExpiresAt time.Time           `json:"expires_at"`
	// Token is another one each time that the days come back: what was there between may
	// have been less.
	Token string `json:"-"`
}

// DayJob is a day that is, or was, made anew from the archive.
type DayJob struct {
	Day     Day       `json:"day"`
	Status  string    `json:"status"` // waiting, running, done, failed
	Actions int64     `json:"actions"`
	LeftOut int64     `json:"left_out,omitempty"` // see RestoreProgress
	Problem string    `json:"problem,omitempty"`
	At      time.Time `json:"at"` // of the status
}

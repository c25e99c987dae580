package saved

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"actionlog"
	"actionlog/internal/crew"
)

// Log is the action log as alerts mean it.
type Log interface {
	// Read returns up to most actions that a search means, whatever its time says, that
	// come at a place of the feed. From the same place the same come again. What an alert
	// recorded is not among them.
	Read(ctx context.Context, s *actionlog.SavedSearch, at string, most int) (Page, error)
	// Seen tells whether an action that the search means, of the same Value, came before.
	Seen(ctx context.Context, s *actionlog.SavedSearch, x *Sighting) (bool, error)
	// Describe makes the action that says that an alert was raised.
	Describe(s *actionlog.SavedSearch, r *Raised) ([]byte, error)
	// Record puts it into the log. The same again changes nothing.
	Record(ctx context.Context, document []byte) error
	// Start is the place of the feed from an instant on.
	Start(ctx context.Context, since time.Time) (string, error)
}

// Page is a part of the feed.
type Page struct {
	Sightings []Sighting
	Next      string // behind all that was looked at
	More      bool   // there is more already
}

// Sighting is an action that a search means.
type Sighting struct {
	ID         string
	OccurredAt time.Time
	ReceivedAt time.Time
	Position   actionlog.Position
	Behind     string // the place behind it
	// Value is whom or what an alert of the kind first looks at, "" where the action has
	// none; Label is how people call it.
	Value, Label string
}

// Raised is why an alert was raised.
type Raised struct {
	By       Sighting  // the action by which it was
	Count    int       // of AlertCount
	From, To time.Time // in which there were so many; To exclusive
}

// Runner watches: all alerts, each by itself. Of several processes that share a state one
// does it, another when that is gone. Use New.
type Runner struct {
	Options
	crew *crew.Crew
}

// Options of a Runner. Desk and Log are required.
type Options struct {
	Desk  *Desk
	Log   Log
	Slog  *slog.Logger  // slog.Default
	Lease time.Duration // for how long a process that died keeps others from watching; 15 s
	Look  time.Duration // how often it looks for searches that were changed elsewhere; 2 s
}

// New returns a runner, and has its desk wake it.
func New(o Options) *Runner {
	r := &Runner{Options: o}
	r.crew = crew.New(crew.Options{What: "alerts", Look: o.Look, Log: o.Slog, Tasks: r.tasks,
		Lease: actionlog.Lease{State: o.Desk.State, Bucket: "alert-lease", Key: "runner", Time: o.Lease}})
	o.Desk.Wake = r.crew.Wake
	return r
}

// Run watches until ctx is done. It always returns nil: what goes wrong meanwhile is logged
// and tried again.
func (r *Runner) Run(ctx context.Context) error {
	r.crew.Run(ctx)
	return nil
}

// tasks are the searches that are watched.
func (r *Runner) tasks(ctx context.Context) (map[string]crew.Task, error) {
	keys, err := r.Desk.State.List(ctx, searchBucket)
	if err != nil {
		return nil, err
	}
	tasks := map[string]crew.Task{}
	for _, key := range keys {
		s, revision, err := r.Desk.get(ctx, key)
		if errors.Is(err, actionlog.ErrNotFound) {
			continue
		}
		if err != nil {
			tasks[key] = crew.Task{Unread: err}
			continue
		}
		if s.Alert != nil && !s.Alert.Paused {
			tasks[key] = crew.Task{Revision: revision, Work: (&watch{Runner: r, search: s}).run}
		}
	}
	return tasks, nil
}

package webhooks

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"actionlog"
	"actionlog/internal/crew"
)

// Runner sends: all webhooks, each by itself. Of several processes that share a state one
// does it, another when that is gone. Use New.
type Runner struct {
	Options
	client *http.Client
	crew   *crew.Crew
}

// Options of a Runner. Desk and Reader are required.
type Options struct {
	Desk   *Desk
	Reader Reader
	// Stopped is called for a webhook that the service stopped: somebody should be told.
	Stopped func(ctx context.Context, w actionlog.Webhook) error
	// Allowed are networks inside to which something may be sent all the same.
	Allowed []netip.Prefix
	Log     *slog.Logger  // slog.Default
	Lease   time.Duration // for how long a process that died keeps others from sending; 15 s
	Look    time.Duration // how often it looks for webhooks that were changed elsewhere; 2 s
}

// New returns a runner, and has its desk wake it.
func New(o Options) *Runner {
	r := &Runner{Options: o, client: guarded(o.Allowed)}
	r.crew = crew.New(crew.Options{What: "webhooks", Look: o.Look, Log: o.Log, Tasks: r.tasks,
		Lease: actionlog.Lease{State: o.Desk.State, Bucket: "webhook-lease", Key: "runner", Time: o.Lease}})
	o.Desk.Wake = r.crew.Wake
	return r
}

func (r *Runner) log() *slog.Logger { return r.crew.Log }

// Run sends until ctx is done. It always returns nil: what goes wrong meanwhile is logged
// and tried again.
func (r *Runner) Run(ctx context.Context) error {
	defer r.client.CloseIdleConnections()
	r.crew.Run(ctx)
	return nil
}

// tasks are the webhooks that send.
func (r *Runner) tasks(ctx context.Context) (map[string]crew.Task, error) {
	keys, err := r.Desk.State.List(ctx, webhookBucket)
	if err != nil {
		return nil, err
	}
	tasks := map[string]crew.Task{}
	for _, key := range keys {
		w, revision, err := r.Desk.get(ctx, key)
		if errors.Is(err, actionlog.ErrNotFound) {
			continue
		}
		if err != nil {
			tasks[key] = crew.Task{Unread: err}
			continue
		}
		if w.Status == actionlog.WebhookActive {
			tasks[key] = crew.Task{Revision: revision, Work: (&sink{Runner: r, webhook: w}).run}
		}
	}
	return tasks, nil
}

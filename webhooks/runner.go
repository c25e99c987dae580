package webhooks

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"actionlog"
)

// Runner sends: all webhooks, each by itself. Of several processes that share a state one
// does it, another when that is gone. Use New.
type Runner struct {
	Options
	client *http.Client
	woken  chan struct{}

	mu      sync.Mutex
	running map[string]*running
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

// running is a sink that runs.
type running struct {
	revision uint64 // of its webhook
	cancel   context.CancelFunc
	done     chan struct{}
}

// New returns a runner, and has its desk wake it.
func New(o Options) *Runner {
	o.Lease, o.Look = cmp.Or(o.Lease, 15*time.Second), cmp.Or(o.Look, 2*time.Second)
	r := &Runner{Options: o, client: guarded(o.Allowed), woken: make(chan struct{}, 1), running: map[string]*running{}}
	o.Desk.Wake = func() {
		select {
		case r.woken <- struct{}{}:
		default:
		}
	}
	return r
}

func (r *Runner) log() *slog.Logger { return cmp.Or(r.Log, slog.Default()) }

// Run sends until ctx is done. It always returns nil: what goes wrong meanwhile is logged
// and tried again.
func (r *Runner) Run(ctx context.Context) error {
	defer r.client.CloseIdleConnections()
	lease := &actionlog.Lease{State: r.Desk.State, Bucket: "webhook-lease", Key: "runner", Time: r.Lease}
	for ctx.Err() == nil {
		held, lose := context.WithCancel(ctx)
		release, err := lease.Take(held, func(err error) {
			r.log().Warn("webhooks: another process sends", "error", err)
			lose()
		})
		if err == nil {
			r.look(held)
			err = release()
		}
		lose()
		if err != nil && ctx.Err() == nil && !errors.Is(err, actionlog.ErrLeased) {
			r.log().Warn("webhooks: nothing is sent for the time being", "error", err)
		}
		_ = wait(ctx, r.Look) // the loop ends by itself
	}
	return nil
}

// look runs what is to run, until ctx is done.
func (r *Runner) look(ctx context.Context) {
	defer r.stopAll()
	for ctx.Err() == nil {
		if err := r.compare(ctx); err != nil && ctx.Err() == nil {
			r.log().Warn("webhooks: what is to be sent cannot be read", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-r.woken:
		case <-time.After(r.Look):
		}
	}
}

// compare begins what is to run and does not, and ends what was changed or is gone.
func (r *Runner) compare(ctx context.Context) error {
	keys, err := r.Desk.State.List(ctx, webhookBucket)
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, key := range keys {
		w, revision, err := r.Desk.get(ctx, key)
		if errors.Is(err, actionlog.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if w.Status == actionlog.WebhookActive {
			wanted[key] = true
			r.keep(ctx, key, w, revision)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, x := range r.running {
		if !wanted[key] {
			x.cancel()
			delete(r.running, key)
		}
	}
	return nil
}

// keep has a webhook run as it is now.
func (r *Runner) keep(ctx context.Context, key string, w actionlog.Webhook, revision uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if x := r.running[key]; x != nil {
		ended := false
		select {
		case <-x.done:
			ended = true
		default:
		}
		if x.revision == revision && !ended {
			return
		}
		x.cancel()
		<-x.done // two of the same would send twice
	}
	sending, cancel := context.WithCancel(ctx)
	x := &running{revision, cancel, make(chan struct{})}
	r.running[key] = x
	go func() {
		defer close(x.done)
		defer cancel()
		s := &sink{Runner: r, webhook: w}
		if err := s.run(sending); err != nil && sending.Err() == nil && !errors.Is(err, actionlog.ErrConflict) {
			r.log().Warn("webhook: it does not get on, and is begun anew", "webhook", w.ID, "error", err)
		}
	}()
}

func (r *Runner) stopAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, x := range r.running {
		x.cancel()
		<-x.done
		delete(r.running, key)
	}
}

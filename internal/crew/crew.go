// Package crew keeps one worker at work for each value of a state that wants one: each
// webhook, each alert. Of several processes that share the state one does it, another when
// that is gone.
package crew

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"actionlog"
)

// Task is what is to be done for a value as it is now.
type Task struct {
	Revision uint64 // of the value: where it is another, the work begins anew
	// Work is done until its context is; it may return before, and is begun again then.
	// ErrConflict means that the value was changed meanwhile, which is nothing to speak of.
	Work func(ctx context.Context) error
	// Unread is why the value cannot be read. What is done for it goes on, and nothing else
	// is harmed by it.
	Unread error
}

// Options of a Crew. All without a default are required.
type Options struct {
	What  string // it does, for logs: "webhooks"
	Lease actionlog.Lease
	Look  time.Duration // how often it looks for what was changed elsewhere; 2 s
	Log   *slog.Logger  // slog.Default
	// Tasks are what is to be done, by the keys of their values.
	Tasks func(ctx context.Context) (map[string]Task, error)
}

// Crew does what its tasks are. Use New.
type Crew struct {
	Options
	woken chan struct{}

	mu      sync.Mutex
	running map[string]*running
}

// running is a task that is being done.
type running struct {
	revision uint64
	cancel   context.CancelFunc
	done     chan struct{}
}

// New returns a crew.
func New(o Options) *Crew {
	o.Lease.Time, o.Look, o.Log = cmp.Or(o.Lease.Time, 15*time.Second), cmp.Or(o.Look, 2*time.Second), cmp.Or(o.Log, slog.Default())
	return &Crew{Options: o, woken: make(chan struct{}, 1), running: map[string]*running{}}
}

// Wake has it look now.
func (c *Crew) Wake() {
	select {
	case c.woken <- struct{}{}:
	default:
	}
}

// Run works until ctx is done. What goes wrong meanwhile is logged and tried again.
func (c *Crew) Run(ctx context.Context) {
	for ctx.Err() == nil {
		held, lose := context.WithCancel(ctx)
		release, err := c.Lease.Take(held, func(err error) {
			c.Log.Warn(c.What+": another process does it", "error", err)
			lose()
		})
		if err == nil {
			c.look(held)
			err = release()
		}
		lose()
		if err != nil && ctx.Err() == nil && !errors.Is(err, actionlog.ErrLeased) {
			c.Log.Warn(c.What+": nothing is done for the time being", "error", err)
		}
		_ = Wait(ctx, c.Look) // the loop ends by itself
	}
}

// Wait waits, or returns why ctx is done.
func Wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// look does what is to be done, until ctx is done.
func (c *Crew) look(ctx context.Context) {
	defer c.stopAll()
	for ctx.Err() == nil {
		if err := c.compare(ctx); err != nil && ctx.Err() == nil {
			c.Log.Warn(c.What+": what is to be done cannot be read", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-c.woken:
		case <-time.After(c.Look):
		}
	}
}

// compare begins what is to be done and is not, and ends what was changed or is gone.
func (c *Crew) compare(ctx context.Context) error {
	tasks, err := c.Tasks(ctx)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, x := range c.running {
		if _, wanted := tasks[key]; !wanted {
			x.cancel()
			<-x.done
			delete(c.running, key)
		}
	}
	for key, task := range tasks {
		if task.Unread != nil {
			c.Log.Warn(c.What+": one cannot be read", "key", key, "error", task.Unread)
			continue
		}
		c.keep(ctx, key, task)
	}
	return nil
}

// keep has a task done as it is now.
func (c *Crew) keep(ctx context.Context, key string, task Task) {
	if x := c.running[key]; x != nil {
		ended := false
		select {
		case <-x.done:
			ended = true
		default:
		}
		if x.revision == task.Revision && !ended {
			return
		}
		x.cancel()
		<-x.done // two of the same would do it twice
	}
	working, cancel := context.WithCancel(ctx)
	x := &running{task.Revision, cancel, make(chan struct{})}
	c.running[key] = x
	go func() {
		defer close(x.done)
		defer cancel()
		if err := task.Work(working); err != nil && working.Err() == nil && !errors.Is(err, actionlog.ErrConflict) {
			c.Log.Warn(c.What+": one does not get on, and is begun anew", "key", key, "error", err)
		}
	}()
}

func (c *Crew) stopAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, x := range c.running {
		x.cancel()
		<-x.done
		delete(c.running, key)
	}
}

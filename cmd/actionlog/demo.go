package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"actionlog"
	"actionlog/internal/demo"
)

const (
	// demoSeed makes the demo the same everywhere.
	demoSeed = 1
	// liveEvery is how often the demo goes on while it is watched.
	liveEvery = 15 * time.Second
	// demoBatch is how many documents are published at once.
	demoBatch = 1000
)

// startDemo publishes the demo, and lets it go on.
func (r *running) startDemo(ctx context.Context, p actionlog.Publisher, failed chan<- error) error {
	invented := demo.New(demoSeed, r.cmd.DemoActions)
	if err := publishDemo(ctx, p, invented, time.Now(), r.log); err != nil {
		return err
	}
	r.background("demo", failed, liveDemo(p, invented, r.log))
	return nil
}

// publishDemo puts the demo's actions of the last 90 days on the stream. What is
// there already is not doubled.
func publishDemo(ctx context.Context, p actionlog.Publisher, g *demo.Generator, now time.Time, log *slog.Logger) error {
	start, taken, repeats := time.Now(), 0, 0
	batch := make([]actionlog.Submission, 0, demoBatch)
	flush := func() error {
		for i, r := range p.Publish(ctx, batch) {
			if r.Err != nil {
				return fmt.Errorf("demo %s: %w", batch[i].ID, r.Err)
			}
			taken++
			if r.Duplicate {
				repeats++
			}
		}
		batch = batch[:0]
		return nil
	}
	for raw := range g.Actions(now) {
		s, err := submission(raw)
		if err != nil {
			return err
		}
		if batch = append(batch, s); len(batch) == demoBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	log.Info("demo actions published", "actions", taken, "duplicates", repeats, "took", time.Since(start).Round(time.Millisecond))
	return nil
}

func submission(raw []byte) (actionlog.Submission, error) {
	item, err := actionlog.Parse(raw, nil)
	if err != nil {
		return actionlog.Submission{}, fmt.Errorf("demo: %w", err)
	}
	return actionlog.Submission{Institution: item.Institution, Category: item.Action.Category, ID: item.ID, Digest: item.Digest, Document: item.Document}, nil
}

// liveDemo publishes an action now and then until ctx is done.
func liveDemo(p actionlog.Publisher, g *demo.Generator, log *slog.Logger) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		tick := time.NewTicker(liveEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case now := <-tick.C:
				s, err := submission(g.Live(now))
				if err != nil {
					return err
				}
				if r := p.Publish(ctx, []actionlog.Submission{s})[0]; r.Err != nil {
					log.Warn("demo: an action was not published", "error", r.Err)
				}
			}
		}
	}
}

// generateCmd writes what the demo invents to a file.
type generateCmd struct {
	Count  int    `short:"n" default:"100000" env:"-" help:"About how many actions, over 90 days."`
	Seed   uint64 `default:"1" env:"-" help:"The same seed invents the same."`
	End    string `placeholder:"TIME" env:"-" help:"The last instant, RFC 3339. Default: now."`
	Output string `short:"o" placeholder:"FILE" env:"-" help:"Write here; - is standard output, the default."`
}

// Run writes NDJSON.
func (c *generateCmd) Run(ctx context.Context, out *console) error {
	end := time.Now()
	if c.Count < 1 {
		return usagef("--count must be positive")
	}
	if c.End != "" {
		var err error
		if end, err = time.Parse(time.RFC3339, c.End); err != nil {
			return usagef("--end: %q is not a time as 2006-01-02T15:04:05Z", c.End)
		}
	}
	o, err := out.open(c.Output)
	if err != nil {
		return err
	}
	n := 0
	for doc := range demo.New(c.Seed, c.Count).Actions(end) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if _, err := o.Write(append(doc, '\n')); err != nil {
			return err
		}
		n++
	}
	if err := o.commit(); err != nil {
		return err
	}
	out.say("%d actions", n)
	return nil
}

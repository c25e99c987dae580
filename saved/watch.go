package saved

import (
	"context"
	"crypto/sha256"
	"time"

	"actionlog"
	"actionlog/internal/crew"
)

const (
	pageSize = 500
	// idleLeast and idleMost are how long an alert waits before it looks again whether
	// something came: the longer nothing does, the longer.
	idleLeast, idleMost = 250 * time.Millisecond, 2 * time.Second
	// restLeast and restMost are the same where the log cannot be read or written.
	restLeast, restMost = time.Second, 30 * time.Second
	// noteEvery is how often it notes how far it looked where nothing was found.
	noteEvery = 30 * time.Second
	// mostKnown is how many values it remembers as seen before.
	mostKnown = 10_000
)

// watch is one alert while it is watched.
type watch struct {
	*Runner
	search   actionlog.SavedSearch
	progress actionlog.AlertProgress
	revision uint64
	noted    time.Time
	idle     time.Duration
	rest     time.Duration
	known    map[[sha256.Size]byte]bool // values that were seen before, however long they are
}

// run watches until ctx is done, or the search was changed.
func (w *watch) run(ctx context.Context) (err error) {
	if w.progress, w.revision, err = w.Desk.progress(ctx, &w.search); err != nil {
		return err
	}
	w.noted, w.idle, w.rest, w.known = w.Desk.now(), idleLeast, restLeast, map[[sha256.Size]byte]bool{}
	for ctx.Err() == nil {
		if err := w.step(ctx); err != nil {
			if ctx.Err() == nil {
				w.crew.Log.Warn("alert: the log cannot be read or written", "search", w.search.ID, "institution", w.search.Institution, "error", err)
			}
			if err := crew.Wait(ctx, w.rest); err != nil {
				return err
			}
			w.rest = min(2*w.rest, restMost)
			clear(w.known) // back to what is noted
			if w.progress, w.revision, err = w.Desk.progress(ctx, &w.search); err != nil {
				return err
			}
			continue
		}
		w.rest = restLeast
	}
	return ctx.Err()
}

// step records what is to be recorded, and looks at a page of the feed.
func (w *watch) step(ctx context.Context) error {
	p := &w.progress
	if err := w.tell(ctx); err != nil {
		return err
	}
	if p.Watch != w.search.Watch {
		at, err := w.Log.Start(ctx, w.search.WatchedFrom)
		if err != nil {
			return err
		}
		*p = actionlog.AlertProgress{Watch: w.search.Watch, At: at}
		if err := w.note(ctx); err != nil {
			return err
		}
	}
	page, err := w.Log.Read(ctx, &w.search, p.At, pageSize)
	if err != nil {
		return err
	}
	for i := range page.Sightings {
		if err := w.see(ctx, &page.Sightings[i]); err != nil {
			return err
		}
	}
	found := len(page.Sightings) > 0
	if moved := page.Next != p.At; found || moved && w.Desk.now().Sub(w.noted) > noteEvery {
		p.At = page.Next
		if err := w.note(ctx); err != nil {
			return err
		}
	}
	p.At = page.Next
	if w.idle = min(2*w.idle, idleMost); found {
		w.idle = idleLeast
	}
	if page.More {
		return ctx.Err()
	}
	return crew.Wait(ctx, w.idle)
}

// note keeps how far it is.
func (w *watch) note(ctx context.Context) (err error) {
	w.noted = w.Desk.now()
	w.revision, err = w.Desk.putProgress(ctx, &w.search, &w.progress, w.revision)
	return err
}

// see looks at one action, and raises the alert if it is due.
func (w *watch) see(ctx context.Context, x *Sighting) error {
	p := &w.progress
	var r *Raised
	if w.search.Alert.Kind == actionlog.AlertCount {
		seen := window{&p.Window, w.search.Alert}
		many, late := seen.add(x.OccurredAt, x.ReceivedAt)
		if late {
			p.Late++
		}
		if many != nil {
			r = &Raised{By: *x, Count: many.count, From: many.from, To: many.to}
		}
	} else {
		first, err := w.first(ctx, x)
		if err != nil {
			return err
		}
		if first {
			r = &Raised{By: *x}
		}
	}
	p.At, p.Through = x.Behind, x.ReceivedAt
	if r == nil {
		return nil
	}
	return w.raise(ctx, r)
}

// first tells whether whom or what an action names was not seen before it.
func (w *watch) first(ctx context.Context, x *Sighting) (bool, error) {
	value := sha256.Sum256([]byte(x.Value))
	if x.Value == "" || w.known[value] {
		return false, nil
	}
	seen, err := w.Log.Seen(ctx, &w.search, x)
	if err != nil {
		return false, err
	}
	if len(w.known) >= mostKnown {
		clear(w.known)
	}
	w.known[value] = true
	return !seen, nil
}

// raise has an alert recorded, once: what is to be recorded is noted together with how far
// was looked, and recorded then, by whoever goes on from there.
func (w *watch) raise(ctx context.Context, r *Raised) error {
	document, err := w.Log.Describe(&w.search, r)
	if err != nil {
		return err
	}
	p := &w.progress
	p.Fired, p.Count, p.FiredAt = document, p.Count+1, r.By.ReceivedAt
	if err := w.note(ctx); err != nil {
		return err
	}
	return w.tell(ctx)
}

// tell records what is to be recorded.
func (w *watch) tell(ctx context.Context) error {
	if len(w.progress.Fired) == 0 {
		return nil
	}
	if err := w.Log.Record(ctx, w.progress.Fired); err != nil {
		return err
	}
	w.progress.Fired = nil
	return w.note(ctx)
}

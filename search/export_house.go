package search

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"actionlog"
)

const (
	// rememberExports is for how long one that is over stands in the list.
	rememberExports = 30 * 24 * time.Hour
	// sweepEvery is how often it is looked for files that no export has.
	sweepEvery = time.Hour
)

// keepHouse does for all exports what takes little time: what is over is noted, files go
// with their time, ends are recorded.
func (e *Exports) keepHouse(ctx context.Context) error {
	var errs []error
	if now := time.Now(); now.Sub(e.swept) > sweepEvery {
		if err := e.sweep(ctx); err != nil {
			errs = append(errs, err)
		} else {
			e.swept = now
		}
	}
	keys, err := e.server.State.List(ctx, exportsBucket)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	e.forgetKeys(keys)
	for _, key := range keys {
		if e.isQuiet(key) {
			continue
		}
		if err := e.tidy(ctx, key); err != nil && !errors.Is(err, actionlog.ErrNotFound) {
			errs = append(errs, fmt.Errorf("export %s: %w", key, err))
		}
	}
	return errors.Join(errs...)
}

// forgetKeys forgets what is not there any more.
func (e *Exports) forgetKeys(keys []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	there := map[string]bool{}
	for _, key := range keys {
		there[key] = true
	}
	for key := range e.quiet {
		if !there[key] {
			delete(e.quiet, key)
		}
	}
	for key, at := range e.fetched {
		if e.server.Now().Sub(at) > fetchedFor {
			delete(e.fetched, key)
		}
	}
}

// tidy does what is to be done for an export now, and remembers until when nothing is.
func (e *Exports) tidy(ctx context.Context, key string) error {
	x, _, err := e.book().get(ctx, key)
	if err != nil {
		return err
	}
	if x.End != nil {
		if x, err = e.announce(ctx, key, &x); err != nil {
			return err
		}
	}
	now := e.server.Now()
	if x.Status == actionlog.ExportReady && x.expired(now) {
		if x, err = e.book().update(ctx, key, func(x *exportRecord) error {
			if x.expired(now) {
				x.Status = actionlog.ExportExpired
			}
			return nil
		}); err != nil {
			return err
		}
	}
	if x.Status.Over() && x.Content != "" {
		if err := e.Storage.Remove(ctx, x.Content); err != nil {
			return err
		}
		if x, err = e.book().update(ctx, key, func(x *exportRecord) error { x.Content = ""; return nil }); err != nil {
			return err
		}
	}
	until := time.Time{}
	switch {
	case x.Status == actionlog.ExportReady:
		until = x.ExpiresAt
	case x.settled() && now.Sub(x.EndedAt) > rememberExports:
		return e.server.State.Delete(ctx, exportsBucket, key)
	case x.settled():
		until = x.EndedAt.Add(rememberExports)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.quiet[key] = until
	return nil
}

// announce records how an export ended. It has an ID and a time of its own: what is
// recorded again, by a process that was killed in between, is a repeat.
func (e *Exports) announce(ctx context.Context, key string, x *exportRecord) (exportRecord, error) {
	if err := e.server.record(ctx, x.document()); err != nil {
		return *x, err
	}
	id := x.End.ID
	return e.book().update(ctx, key, func(x *exportRecord) error {
		if x.End != nil && x.End.ID == id {
			x.End = nil
		}
		return nil
	})
}

// sweep removes the files of this service that no export has: of processes that were
// killed, and of exports that another process saw expire.
func (e *Exports) sweep(ctx context.Context) error {
	var names []string
	for name, err := range e.Storage.List(ctx, e.service) {
		if err != nil {
			return err
		}
		names = append(names, name)
	}
	for _, name := range names {
		if err := e.removeUnless(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// removeUnless removes a file unless an export has it, or is about to.
func (e *Exports) removeUnless(ctx context.Context, name string) error {
	parts := strings.Split(strings.TrimPrefix(name, e.service), ".")
	if len(parts) < 3 {
		return nil // not of ours
	}
	institution, id, attempt := parts[0], strings.Join(parts[1:len(parts)-1], "."), parts[len(parts)-1]
	x, _, err := e.book().get(ctx, exportKey(institution, id))
	if err != nil && !errors.Is(err, actionlog.ErrNotFound) {
		return err
	}
	if err == nil && (x.Content == name || x.Status == actionlog.ExportRunning && x.Attempt == attempt) {
		return nil
	}
	return e.Storage.Remove(ctx, name)
}

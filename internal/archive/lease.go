package archive

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"actionlog"
)

// Lease lets one archiver at a time write to storage that several reach. Its holder
// writes it anew every third of Time; who sees it unchanged for that long by its own
// clock takes it. (The clocks of machines are never compared. That two archivers, one of
// which slept, cannot both write is held by the manifests' numbers; the lease spares them
// the quarrel.)
type Lease struct {
	State actionlog.State
	Time  time.Duration
}

const leaseBucket, leaseKey = "archive", "lease"

// ErrLeased: another archiver holds the lease.
var ErrLeased = errors.New("another archiver writes the archive; this one waits")

// Take waits until the lease is free for up to Time, and holds it until release is
// called. lost is called once, if it could not be kept.
func (l *Lease) Take(ctx context.Context, lost func(error)) (release func() error, err error) {
	revision, err := l.free(ctx)
	if err != nil {
		return nil, err
	}
	holder := []byte(rand.Text())
	if revision, err = l.State.Put(ctx, leaseBucket, leaseKey, holder, revision); err != nil {
		if errors.Is(err, actionlog.ErrConflict) {
			err = fmt.Errorf("archive: %w", ErrLeased)
		}
		return nil, err
	}
	keeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.keep(keeping, holder, &revision, lost)
	}()
	return func() error {
		stop()
		<-done
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if now, at, err := l.State.Get(ctx, leaseBucket, leaseKey); err != nil || at != revision || string(now) != string(holder) {
			return nil // somebody else's by now, or not to be asked: it runs out
		}
		return l.State.Delete(ctx, leaseBucket, leaseKey)
	}, nil
}

// free returns the revision over which the lease can be written, 0 where there is none.
func (l *Lease) free(ctx context.Context) (revision uint64, err error) {
	_, first, err := l.State.Get(ctx, leaseBucket, leaseKey)
	if errors.Is(err, actionlog.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(l.Time):
	}
	_, second, err := l.State.Get(ctx, leaseBucket, leaseKey)
	switch {
	case errors.Is(err, actionlog.ErrNotFound):
		return 0, nil
	case err == nil && second != first:
		err = fmt.Errorf("archive: %w", ErrLeased)
	}
	return second, err
}

// keep renews the lease until ctx is done.
func (l *Lease) keep(ctx context.Context, holder []byte, revision *uint64, lost func(error)) {
	tick := time.NewTicker(l.Time / 3)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		next, err := l.State.Put(ctx, leaseBucket, leaseKey, holder, *revision)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			*revision, last = next, time.Now()
		case errors.Is(err, actionlog.ErrConflict) || time.Since(last) > l.Time:
			lost(fmt.Errorf("archive: the lease was lost: %w", err))
			return
		}
	}
}

package actionlog

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// Lease lets one process at a time do what several could. Its holder writes it anew every
// third of Time; who sees it unchanged for that long by its own clock takes it. (The clocks
// of machines are never compared. Two holders, one of which slept, are possible: what they
// do must bear it. The lease spares them the quarrel.)
type Lease struct {
	State       State
	Bucket, Key string // where it stands
	Time        time.Duration
}

// ErrLeased: another process holds the lease.
var ErrLeased = errors.New("another process does that; this one waits")

// Take waits until the lease is free for up to Time, and holds it until release is
// called. lost is called once, if it could not be kept.
func (l *Lease) Take(ctx context.Context, lost func(error)) (release func() error, err error) {
	revision, err := l.free(ctx)
	if err != nil {
		return nil, err
	}
	holder := []byte(rand.Text())
	if revision, err = l.State.Put(ctx, l.Bucket, l.Key, holder, revision); err != nil {
		if errors.Is(err, ErrConflict) {
			err = fmt.Errorf("%s: %w", l.Bucket, ErrLeased)
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
		if now, at, err := l.State.Get(ctx, l.Bucket, l.Key); err != nil || at != revision || string(now) != string(holder) {
			return nil // somebody else's by now, or not to be asked: it runs out
		}
		return l.State.Delete(ctx, l.Bucket, l.Key)
	}, nil
}

// free returns the revision over which the lease can be written, 0 where there is none.
func (l *Lease) free(ctx context.Context) (revision uint64, err error) {
	_, first, err := l.State.Get(ctx, l.Bucket, l.Key)
	if errors.Is(err, ErrNotFound) {
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
	_, second, err := l.State.Get(ctx, l.Bucket, l.Key)
	switch {
	case errors.Is(err, ErrNotFound):
		return 0, nil
	case err == nil && second != first:
		err = fmt.Errorf("%s: %w", l.Bucket, ErrLeased)
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
		next, err := l.State.Put(ctx, l.Bucket, l.Key, holder, *revision)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			*revision, last = next, time.Now()
		case errors.Is(err, ErrConflict) || time.Since(last) > l.Time:
			lost(fmt.Errorf("%s: the lease was lost: %w", l.Bucket, err))
			return
		}
	}
}

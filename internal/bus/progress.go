package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"actionlog"

	"github.com/nats-io/nats.go/jetstream"
)

// An older answer of Settled claims less, never too much. One is handed out again for
// settledFor; then another is asked for, and while that takes longer than settledWait, as it
// does where the stream syncs one batch after the other, the older one, until it is
// settledAtMost old. A question is given up after settledGivenUp.
const settledFor, settledWait, settledAtMost, settledGivenUp = 50 * time.Millisecond, 2 * time.Millisecond, time.Second, 5 * time.Second

// Progress is an actionlog.Progress of the consumer Indexer.
type Progress struct {
	ask func(ctx context.Context) (time.Time, error)

	mu     sync.Mutex
	asked  time.Time // of the newest answer
	until  time.Time
	err    error         // of the last question
	asking chan struct{} // closed once the question is answered that is under way; nil: none is
}

var _ actionlog.Progress = (*Progress)(nil)

// Progress returns how far the stream has been taken in: the same for all who ask.
func (b *Bus) Progress() *Progress {
	b.progressOnce.Do(func() { b.progress.ask = b.askProgress })
	return &b.progress
}

// Settled implements actionlog.Progress. All instants are the server's clock,
// which also gives ReceivedAt.
func (p *Progress) Settled(ctx context.Context) (time.Time, error) {
	p.mu.Lock()
	age, until := time.Since(p.asked), p.until
	if age < settledFor {
		p.mu.Unlock()
		return until, nil
	}
	if p.asking == nil {
		p.asking = make(chan struct{})
		go p.askAgain(context.WithoutCancel(ctx), p.asking)
	}
	asking := p.asking
	p.mu.Unlock()
	var older <-chan time.Time // never
	if age < settledAtMost {
		older = time.After(settledWait)
	}
	select {
	case <-asking:
	case <-older:
		return until, nil
	case <-ctx.Done():
		return time.Time{}, fmt.Errorf("progress: %w: %w", actionlog.ErrUnavailable, ctx.Err())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.until, p.err
}

// askAgain asks for whoever waits, and for those who come after.
func (p *Progress) askAgain(ctx context.Context, answered chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, settledGivenUp)
	defer cancel()
	asked := time.Now()
	until, err := p.ask(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err = nil; err != nil {
		p.err = fmt.Errorf("progress: %w: %w", actionlog.ErrUnavailable, err)
	} else {
		p.asked, p.until = asked, until
	}
	p.asking = nil
	close(answered)
}

func (b *Bus) askProgress(ctx context.Context) (time.Time, error) {
	start := time.Now()
	s, err := b.JS.Stream(ctx, StreamActions)
	if err != nil {
		return time.Time{}, err
	}
	took := time.Since(start)
	// The stream is asked first: what it holds by then, the consumer's floor is
	// compared with afterwards.
	// (The server stamps its answer a little after it looked; when it was asked
	// is at most the round trip earlier.)
	state, now := s.CachedInfo().State, s.CachedInfo().TimeStamp.Add(-took)
	c, err := s.Consumer(ctx, Indexer)
	if err != nil {
		return time.Time{}, err
	}
	floor := c.CachedInfo().AckFloor.Stream
	if state.Msgs == 0 || floor >= state.LastSeq {
		return now, nil
	}
	m, err := (&Source{stream: s}).get(ctx, max(floor+1, state.FirstSeq))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return now, nil // settled and trimmed meanwhile
	}
	if err != nil {
		return time.Time{}, err
	}
	return m.Time.Add(-1), nil
}

// ClockOffset is how far the server's clock is ahead of ours, to about what an answer takes;
// 0 where nothing shows.
func (b *Bus) ClockOffset(ctx context.Context) (time.Duration, error) {
	asked := time.Now()
	s, err := b.actions(ctx)
	if err != nil {
		return 0, err
	}
	return offset(asked, s.CachedInfo().TimeStamp, time.Now()), nil
}

// offset is how far a clock is off that said at between two instants of ours.
func offset(asked, at, answered time.Time) time.Duration {
	switch {
	case at.Before(asked):
		return at.Sub(asked)
	case at.After(answered):
		return at.Sub(answered)
	}
	return 0
}

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

// settledFor is how long an answer of Settled is handed out again. An older
// answer claims less, never too much.
const settledFor = 50 * time.Millisecond

// Progress is an actionlog.Progress of the consumer Indexer.
type Progress struct {
	js    jetstream.JetStream
	mu    sync.Mutex
	asked time.Time
	until time.Time
}

var _ actionlog.Progress = (*Progress)(nil)

// Progress returns how far the stream has been taken in.
func (b *Bus) Progress() *Progress { return &Progress{js: b.JS} }

// Settled implements actionlog.Progress. All instants are the server's clock,
// which also gives ReceivedAt.
func (p *Progress) Settled(ctx context.Context) (time.Time, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.asked) < settledFor {
		return p.until, nil
	}
	asked := time.Now()
	until, err := p.ask(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("progress: %w: %w", actionlog.ErrUnavailable, err)
	}
	p.asked, p.until = asked, until
	return until, nil
}

func (p *Progress) ask(ctx context.Context) (time.Time, error) {
	start := time.Now()
	s, err := p.js.Stream(ctx, StreamActions)
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

package bus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// stillFor is how long a consumer may stand still, with messages and somebody who
	// asks for them, before its leader is asked to step down.
	stillFor = 30 * time.Second
	// stillAfterStepDown is how long from then on, before the consumer is made anew.
	stillAfterStepDown = 30 * time.Second
)

// remedy is what is done about a consumer that stands still.
type remedy int

const (
	nothing remedy = iota
	stepDown
	makeAnew
)

// stall notices that a consumer stands still: messages wait for it, somebody waits for
// messages, and none is handed out. That was seen of NATS 2.15 after three servers were
// killed within seconds; no client can get a message from such a consumer, and it does
// not recover by itself.
type stall struct {
	delivered uint64 // of the stream, when last looked at
	since     time.Time
	asked     time.Time // to step down; zero: not yet
}

// look judges what the consumer says of itself now.
func (s *stall) look(now time.Time, i *jetstream.ConsumerInfo) remedy {
	full := i.Config.MaxAckPending > 0 && i.NumAckPending >= i.Config.MaxAckPending
	if i.Delivered.Stream != s.delivered || i.NumPending == 0 || i.NumWaiting == 0 || i.Paused || full || s.since.IsZero() {
		*s = stall{delivered: i.Delivered.Stream, since: now}
		return nothing
	}
	switch {
	case s.asked.IsZero() && now.Sub(s.since) >= stillFor:
		s.asked = now
		return stepDown
	case !s.asked.IsZero() && now.Sub(s.asked) >= stillAfterStepDown:
		*s = stall{}
		return makeAnew
	}
	return nothing
}

// Watch looks at the stream and the indexer's consumer about every interval, until ctx is
// done: one that stands still it sets going again, and a stream that went back or is gone
// it notices. It always returns nil.
func (b *Bus) Watch(ctx context.Context, interval time.Duration) error {
	var s stall
	var t tide
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(interval + rand.N(interval/2+1)): // several watchers do not act at once
		}
		c, err := b.JS.Consumer(ctx, StreamActions, Indexer)
		if err == nil {
			err = b.mend(ctx, s.look(time.Now(), c.CachedInfo()), c.CachedInfo())
		} else {
			s = stall{}
			err = nil // the indexer says so
		}
		if err := errors.Join(err, b.look(ctx, &t, c)); err != nil && ctx.Err() == nil {
			b.log.Error("the stream was not mended", "error", err)
		}
	}
}

// tide is how far the stream was when it was last looked at.
type tide struct {
	incarnation string
	last        uint64
}

// back tells whether the stream ends before where it ended already.
func (t *tide) back(incarnation string, last uint64) bool {
	gone := incarnation == t.incarnation && last < t.last
	*t = tide{incarnation, last}
	return gone
}

// look notices a stream that is gone or went back. c is its consumer as it was before, nil
// where it could not be asked. Where there is an archive, it is for the archiver to say
// that the positions from now on are others: it alone knows up to where they were taken.
func (b *Bus) look(ctx context.Context, t *tide, c jetstream.Consumer) error {
	stream, err := b.JS.Stream(ctx, StreamActions)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		b.log.Error("the stream is gone, with what was not indexed; it is made anew", "stream", StreamActions)
		return b.ensure(ctx)
	}
	if err != nil {
		return nil // readiness says so
	}
	i := stream.CachedInfo()
	incarnation := b.incarnationOf(i)
	if c != nil && c.CachedInfo().Delivered.Stream > i.State.LastSeq {
		b.log.Error("the stream ends before what its consumer was given; the consumer begins anew", "stream", StreamActions, "last", i.State.LastSeq, "delivered", c.CachedInfo().Delivered.Stream)
		info := *c.CachedInfo()
		info.AckFloor.Stream = 0
		if err := b.makeAnew(ctx, &info); err != nil {
			return err
		}
	}
	was := t.last
	if !t.back(incarnation, i.State.LastSeq) {
		return nil
	}
	b.log.Error("the stream went back: what came since was lost there, if it was not indexed", "stream", StreamActions, "last", i.State.LastSeq, "was", was)
	if b.archived.Load() {
		return nil
	}
	return b.StartAnew(ctx, incarnation)
}

func (b *Bus) mend(ctx context.Context, r remedy, i *jetstream.ConsumerInfo) error {
	switch r {
	case stepDown:
		b.log.Warn("a consumer stands still though messages wait; its leader is asked to step down", "consumer", i.Name, "pending", i.NumPending)
		return b.StepDown(ctx, i.Name)
	case makeAnew:
		b.log.Error("a consumer stands still though messages wait; it is made anew from its acknowledgement floor", "consumer", i.Name, "pending", i.NumPending, "floor", i.AckFloor.Stream)
		return b.makeAnew(ctx, i)
	}
	return nil
}

// StepDown asks for another leader: https://docs.nats.io/reference/reference-protocols/nats_api_reference
func (b *Bus) StepDown(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err := b.Conn.RequestWithContext(ctx, "$JS.API.CONSUMER.LEADER.STEPDOWN."+StreamActions+"."+name, nil)
	return err
}

// makeAnew makes a consumer anew from its acknowledgement floor. What was acknowledged
// beyond the floor, or is in somebody's hands, is delivered again: to the store it is a
// repeat.
func (b *Bus) makeAnew(ctx context.Context, i *jetstream.ConsumerInfo) error {
	config := i.Config
	config.DeliverPolicy, config.OptStartSeq = jetstream.DeliverByStartSequencePolicy, i.AckFloor.Stream+1
	if err := b.JS.DeleteConsumer(ctx, StreamActions, i.Name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return fmt.Errorf("consumer %s: %w", i.Name, err)
	}
	if _, err := b.JS.CreateConsumer(ctx, StreamActions, config); err != nil {
		return fmt.Errorf("consumer %s: %w", i.Name, err)
	}
	return nil
}

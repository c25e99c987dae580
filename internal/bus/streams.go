package bus

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"actionlog"

	"github.com/nats-io/nats.go/jetstream"
)

// Names of streams and consumers.
const (
	StreamActions = "ACTIONS"
	StreamDead    = "DEAD"
	Indexer       = "indexer"
	Archiver      = "archiver"
)

// archiverAckWait is that of the archiver, who acknowledges in order: what is archived in
// storage elsewhere only when its segment is sealed.
const archiverAckWait = 30 * time.Minute

// duplicateWindow is how long the stream recognises what it holds already. It
// saves work, and memory in the server for every message of it; what comes
// again later is a repeat in the store.
const duplicateWindow = 30 * time.Second

// AckWait is after what time an unacknowledged message is delivered again.
const AckWait = 15 * time.Second

// ensure makes the streams and consumers, or brings their limits up to date.
//
// The stream keeps messages until they are trimmed (limits retention), rather
// than while a consumer has an interest in them: with interest retention a
// message that arrives before a consumer is made, or after one was deleted by
// mistake, is deleted at once although it was acknowledged to its publisher.
func (b *Bus) ensure(ctx context.Context) error {
	config := jetstream.StreamConfig{
		Name: StreamActions, Subjects: []string{actionlog.SubjectPrefix + ".*.*"}, Storage: jetstream.FileStorage,
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew, MaxBytes: b.max, MaxMsgs: -1, MaxAge: 0,
		MaxMsgSize: maxMessage(b.Conn.MaxPayload()),
		Duplicates: duplicateWindow, AllowAtomicPublish: true, AllowDirect: true,
		Metadata: map[string]string{incarnationKey: newIncarnation()},
	}
	s, err := b.JS.Stream(ctx, StreamActions)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		config.Replicas = b.copies(0)
		if s, err = b.JS.CreateStream(ctx, config); errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return b.ensure(ctx) // another process has just done so, under its own name
		}
	case err == nil:
		if known := s.CachedInfo().Config.Metadata[incarnationKey]; known != "" {
			config.Metadata = s.CachedInfo().Config.Metadata
		}
		config.Replicas = b.copies(s.CachedInfo().Config.Replicas)
		s, err = b.JS.UpdateStream(ctx, config)
	}
	if err != nil {
		return fmt.Errorf("stream %s: %w", StreamActions, err)
	}
	b.incarnationOf(s.CachedInfo())
	dead := jetstream.StreamConfig{
		Name: StreamDead, Subjects: []string{"dead.*.*.*.*"}, Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy,
		MaxMsgsPerSubject: 1, Discard: jetstream.DiscardNew, DiscardNewPerSubject: true, MaxBytes: b.max, Replicas: config.Replicas,
	}
	if _, err := b.JS.CreateOrUpdateStream(ctx, dead); err != nil {
		return fmt.Errorf("stream %s: %w", StreamDead, err)
	}
	if err := b.ensureConsumer(ctx, Indexer); err != nil {
		return fmt.Errorf("consumer %s: %w", Indexer, err)
	}
	return nil
}

// copies is how many servers keep each stream: as many as the operator says, else as
// many as do, else three where there are three servers.
func (b *Bus) copies(there int) int {
	switch {
	case b.replicas > 0:
		return b.replicas
	case there > 0:
		return there
	case b.process == nil && len(b.Conn.Servers()) >= 3:
		return 3
	}
	return 1
}

// ensureConsumer makes a durable consumer. When the server is this process,
// nobody can have messages in hand while it starts: what an earlier process had
// is delivered at once, and not only after AckWait. To that end the consumer is
// made anew from its acknowledgement floor; what was acknowledged beyond it is
// delivered again, as a repeat.
func (b *Bus) ensureConsumer(ctx context.Context, name string) error {
	config := jetstream.ConsumerConfig{
		Durable: name, AckPolicy: jetstream.AckExplicitPolicy, DeliverPolicy: jetstream.DeliverAllPolicy,
		AckWait: AckWait, MaxDeliver: -1, MaxAckPending: 50_000, FilterSubject: actionlog.SubjectPrefix + ".>",
	}
	if name == Archiver {
		config.AckPolicy, config.AckWait, config.MaxAckPending = jetstream.AckAllPolicy, archiverAckWait, 500_000
	}
	c, err := b.JS.Consumer(ctx, StreamActions, name)
	switch {
	case errors.Is(err, jetstream.ErrConsumerNotFound):
	case err != nil:
		return err
	case b.process != nil && c.CachedInfo().NumAckPending > 0:
		if err := b.JS.DeleteConsumer(ctx, StreamActions, name); err != nil {
			return err
		}
		config.DeliverPolicy, config.OptStartSeq = jetstream.DeliverByStartSequencePolicy, c.CachedInfo().AckFloor.Stream+1
	default:
		config.DeliverPolicy, config.OptStartSeq = c.CachedInfo().Config.DeliverPolicy, c.CachedInfo().Config.OptStartSeq
	}
	_, err = b.JS.CreateOrUpdateConsumer(ctx, StreamActions, config)
	return err
}

// Renew returns a durable consumer, which it makes anew where it is not there
// any more.
func (b *Bus) Renew(ctx context.Context, name string) (jetstream.Consumer, error) {
	c, err := b.JS.Consumer(ctx, StreamActions, name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		b.log.Error("a durable consumer was deleted; it is made anew and begins with the oldest message", "consumer", name)
		if err = b.ensureConsumer(ctx, name); err == nil {
			c, err = b.JS.Consumer(ctx, StreamActions, name)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("consumer %s: %w: %w", name, actionlog.ErrUnavailable, err)
	}
	return c, nil
}

// Consumer returns a durable consumer of the stream.
func (b *Bus) Consumer(ctx context.Context, name string) (jetstream.Consumer, error) {
	c, err := b.JS.Consumer(ctx, StreamActions, name)
	if err != nil {
		return nil, fmt.Errorf("consumer %s: %w: %w", name, actionlog.ErrUnavailable, err)
	}
	return c, nil
}

// Fill returns how many bytes the stream holds and how many it may; an error
// also when the stream takes no writes.
func (b *Bus) Fill(ctx context.Context) (used, max int64, err error) {
	if b.process != nil {
		if err := b.process.trouble(); err != nil {
			return 0, 0, fmt.Errorf("stream %s: %w: %w", StreamActions, actionlog.ErrUnavailable, err)
		}
	}
	s, err := b.actions(ctx)
	if err != nil {
		return 0, 0, err
	}
	info := s.CachedInfo()
	return int64(info.State.Bytes), info.Config.MaxBytes, nil
}

// TrimOnce purges what all durable consumers have acknowledged: the indexer's, and the
// archiver's where there is an archive.
func (b *Bus) TrimOnce(ctx context.Context) error {
	floor := uint64(math.MaxUint64)
	for _, name := range []string{Indexer, Archiver} {
		c, err := b.JS.Consumer(ctx, StreamActions, name)
		if name == Archiver && !b.archived.Load() && errors.Is(err, jetstream.ErrConsumerNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("trim: consumer %s: %w", name, err)
		}
		floor = min(floor, c.CachedInfo().AckFloor.Stream)
	}
	s, err := b.JS.Stream(ctx, StreamActions)
	if err != nil {
		return fmt.Errorf("trim: %w", err)
	}
	switch state := s.CachedInfo().State; {
	case floor > state.LastSeq:
		return fmt.Errorf("trim: its consumers acknowledged %d, and the stream ends at %d: it went back", floor, state.LastSeq)
	case floor < state.FirstSeq:
		return nil
	}
	if err := s.Purge(ctx, jetstream.WithPurgeSequence(floor+1)); err != nil {
		return fmt.Errorf("trim: %w", err)
	}
	return nil
}

// Trim trims every interval until ctx is done, warns when the stream fills up, at
// 70 and at 85 % of its limit, and mends a server in the process after the disk
// was full. It returns an error only when that cannot be done.
func (b *Bus) Trim(ctx context.Context, interval time.Duration) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if b.process != nil && b.process.trouble() != nil {
			if err := b.process.heal(); err != nil {
				return fmt.Errorf("restart: %w", err)
			}
			continue
		}
		if err := b.TrimOnce(ctx); err != nil && ctx.Err() == nil {
			b.log.Warn("the stream was not trimmed", "error", err)
		}
		if used, most, err := b.Fill(ctx); err == nil {
			b.warnFull("the stream", "publishing will be refused", used, most)
		}
		if s, err := b.JS.Stream(ctx, StreamDead); err == nil { // otherwise the indexer says so
			i := s.CachedInfo()
			b.warnFull("the room for dead letters", "nothing more is indexed: replay or drop them (actionlog dead)", int64(i.State.Bytes), i.Config.MaxBytes)
		}
	}
}

// warnFull warns at 70 and at 85 % of a limit, in bytes, and says what happens at 100 %; 0 or less is no limit.
func (b *Bus) warnFull(what, then string, used, most int64) {
	switch {
	case most <= 0:
	case used*100 >= most*85:
		b.log.Error(what+" is 85 % full; at 100 % "+then, "bytes", used, "limit", most)
	case used*100 >= most*70:
		b.log.Warn(what+" is 70 % full; at 100 % "+then, "bytes", used, "limit", most)
	}
}

package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"actionlog"
	"actionlog/internal/tracing"

	"github.com/nats-io/nats.go/jetstream"
)

// Source is the stream as the archiver reads it, through a durable consumer whose
// acknowledgements stand for all that was before. It is of one goroutine.
type Source struct {
	bus     *Bus
	stream  jetstream.Stream
	pending []batchEnd // of batches that are not acknowledged, the oldest first
}

// batchEnd is the last message of a batch.
type batchEnd struct {
	sequence uint64
	msg      jetstream.Msg
}

// ArchiveMessage is a message of the stream.
type ArchiveMessage struct {
	Sequence   uint64
	ReceivedAt time.Time // UTC
	Subject    string
	Data       []byte
	Trace      string // tracing.Header of it
}

// Source returns the archiver's view of the stream. From then on nothing leaves the
// stream before it is acknowledged there.
func (b *Bus) Source(ctx context.Context) (*Source, error) {
	if err := b.ensureConsumer(ctx, Archiver); err != nil {
		return nil, fmt.Errorf("consumer %s: %w: %w", Archiver, actionlog.ErrUnavailable, err)
	}
	b.archived.Store(true)
	s, err := b.actions(ctx)
	if err != nil {
		return nil, err
	}
	return &Source{bus: b, stream: s}, nil
}

// EndArchive deletes the archiver's consumer: the stream waits for the indexer alone.
func (b *Bus) EndArchive(ctx context.Context) error {
	err := b.JS.DeleteConsumer(ctx, StreamActions, Archiver)
	if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return fmt.Errorf("consumer %s: %w", Archiver, err)
	}
	return nil
}

// Fetch returns the messages that come within wait, at most max and about so many bytes.
func (s *Source) Fetch(ctx context.Context, max, bytes int, wait time.Duration) ([]ArchiveMessage, error) {
	c, err := s.bus.Renew(ctx, Archiver)
	if err != nil {
		return nil, err
	}
	within, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	batch, err := c.Fetch(max, jetstream.FetchMaxBytes(bytes), jetstream.FetchContext(within))
	if err != nil {
		return nil, fmt.Errorf("consumer %s: %w: %w", Archiver, actionlog.ErrUnavailable, err)
	}
	var messages []ArchiveMessage
	var last jetstream.Msg
	for m := range batch.Messages() {
		meta, err := m.Metadata()
		if err != nil {
			return nil, fmt.Errorf("consumer %s: %w", Archiver, err)
		}
		messages = append(messages, ArchiveMessage{meta.Sequence.Stream, meta.Timestamp.UTC(), m.Subject(), m.Data(), m.Headers().Get(tracing.Header)})
		last = m
	}
	if err := batch.Error(); err != nil && within.Err() == nil {
		return messages, fmt.Errorf("consumer %s: %w: %w", Archiver, actionlog.ErrUnavailable, err)
	}
	if last != nil {
		s.pending = append(s.pending, batchEnd{messages[len(messages)-1].Sequence, last})
	}
	return messages, ctx.Err()
}

// At returns a message, or ErrNotFound where the stream does not hold it.
func (s *Source) At(ctx context.Context, sequence uint64) (ArchiveMessage, error) {
	m, err := s.get(ctx, sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return ArchiveMessage{}, fmt.Errorf("message %d: %w", sequence, actionlog.ErrNotFound)
	}
	if err != nil {
		return ArchiveMessage{}, fmt.Errorf("message %d: %w: %w", sequence, actionlog.ErrUnavailable, err)
	}
	return ArchiveMessage{Sequence: m.Sequence, ReceivedAt: m.Time.UTC(), Subject: m.Subject, Data: m.Data}, nil
}

// get reads a message. Any server that keeps the stream answers, also one that is behind and does not have it yet: that it is
// not there is believed only where the leader's account of the stream has no place for it.
func (s *Source) get(ctx context.Context, sequence uint64) (m *jetstream.RawStreamMsg, err error) {
	for range 20 {
		if m, err = s.stream.GetMsg(ctx, sequence); !errors.Is(err, jetstream.ErrMsgNotFound) {
			return m, err
		}
		info, e := s.stream.Info(ctx)
		if e != nil {
			return nil, e
		}
		if sequence < info.State.FirstSeq || sequence > info.State.LastSeq || info.State.NumDeleted > 0 {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil, errors.New("a server that answers has less than the stream's leader")
}

// Held is the incarnation, and the first and the last sequence that the stream holds.
func (s *Source) Held(ctx context.Context) (stream string, first, last uint64, err error) {
	info, err := s.stream.Info(ctx)
	if err != nil {
		return "", 0, 0, fmt.Errorf("stream %s: %w: %w", StreamActions, actionlog.ErrUnavailable, err)
	}
	return s.bus.incarnationOf(info), info.State.FirstSeq, info.State.LastSeq, nil
}

// StartAnew gives the stream another incarnation than was.
func (s *Source) StartAnew(ctx context.Context, was string) error {
	s.pending = nil // their sequences are no longer those of the stream
	return s.bus.StartAnew(ctx, was)
}

// Acknowledge says that all messages up to a sequence are archived.
func (s *Source) Acknowledge(ctx context.Context, sequence uint64) error {
	var last *batchEnd
	for len(s.pending) > 0 && s.pending[0].sequence <= sequence {
		if end := s.pending[0]; last == nil || end.sequence > last.sequence { // redelivered ones are older
			last = &end
		}
		s.pending = s.pending[1:]
	}
	if last == nil {
		return nil
	}
	if err := last.msg.DoubleAck(ctx); err != nil {
		return fmt.Errorf("consumer %s: %w: %w", Archiver, actionlog.ErrUnavailable, err)
	}
	return nil
}

// At returns a message of an incarnation of the stream, or ErrNotFound where the stream
// does not hold it.
func (b *Bus) At(ctx context.Context, p actionlog.Position) (ArchiveMessage, error) {
	s, err := b.actions(ctx)
	if err != nil {
		return ArchiveMessage{}, err
	}
	if b.incarnationOf(s.CachedInfo()) != p.Stream {
		return ArchiveMessage{}, fmt.Errorf("message %s: %w", p, actionlog.ErrNotFound)
	}
	return (&Source{bus: b, stream: s}).At(ctx, p.Sequence)
}

// Behind returns messages behind a position, in the order of the stream, at most most of
// them, and the incarnation that they are of. What it does not hold any more is left out.
func (b *Bus) Behind(ctx context.Context, p actionlog.Position, most int) (stream string, messages []ArchiveMessage, err error) {
	s, err := b.actions(ctx)
	if err != nil {
		return "", nil, err
	}
	source := &Source{bus: b, stream: s}
	state := s.CachedInfo().State
	stream = b.incarnationOf(s.CachedInfo())
	next := state.FirstSeq
	if p.Stream == stream {
		next = max(next, p.Sequence+1)
	}
	for ; next <= state.LastSeq && len(messages) < most; next++ {
		m, err := source.At(ctx, next)
		if errors.Is(err, actionlog.ErrNotFound) {
			continue
		}
		if err != nil {
			return stream, messages, err
		}
		messages = append(messages, m)
	}
	return stream, messages, nil
}

// LastSequence is the newest sequence of the stream.
func (b *Bus) LastSequence(ctx context.Context) (uint64, error) {
	s, err := b.actions(ctx)
	if err != nil {
		return 0, err
	}
	return s.CachedInfo().State.LastSeq, nil
}

// SettledPosition is the position up to which the indexer has acknowledged everything.
func (b *Bus) SettledPosition(ctx context.Context) (actionlog.Position, error) {
	stream, err := b.Incarnation(ctx)
	if err != nil {
		return actionlog.Position{}, err
	}
	c, err := b.Consumer(ctx, Indexer)
	if err != nil {
		return actionlog.Position{}, err
	}
	return actionlog.Position{Stream: stream, Sequence: c.CachedInfo().AckFloor.Stream}, nil
}

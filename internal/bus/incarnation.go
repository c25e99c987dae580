package bus

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"strings"

	"actionlog"

	"github.com/nats-io/nats.go/jetstream"
)

// incarnationKey is the stream's metadata that names its incarnation.
const incarnationKey = "actionlog_incarnation"

// newIncarnation is a name that no stream had before.
func newIncarnation() string { return strings.ToLower(rand.Text()[:8]) }

// actions is the stream; ErrUnavailable where it cannot be asked.
func (b *Bus) actions(ctx context.Context) (jetstream.Stream, error) {
	s, err := b.JS.Stream(ctx, StreamActions)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w: %w", StreamActions, actionlog.ErrUnavailable, err)
	}
	return s, nil
}

// Incarnation is the stream part of every position of this stream.
func (b *Bus) Incarnation(ctx context.Context) (string, error) {
	s, err := b.actions(ctx)
	if err != nil {
		return "", err
	}
	return b.incarnationOf(s.CachedInfo()), nil
}

// Stream is the incarnation as this process last heard of it, which is when it was last
// asked for anything of the stream: it costs nothing.
func (b *Bus) Stream() string { return *b.stream.Load() }

// incarnationOf reads the incarnation, and remembers it.
func (b *Bus) incarnationOf(i *jetstream.StreamInfo) string {
	name := i.Config.Metadata[incarnationKey]
	if was := b.stream.Swap(&name); was != nil && *was != name {
		b.log.Error("the stream has another incarnation now: its positions are others from here on", "stream", StreamActions, "was", *was, "is", name)
	}
	return name
}

// StartAnew gives the stream another incarnation, unless it has another one than was
// already. It is for a stream that went back, as one does whose folder was put back from
// an older copy, or whose server lost what it had not synced: it gives out sequences a
// second time, and what is known of the old ones is not true of the new ones. What the
// stream holds stays there.
func (b *Bus) StartAnew(ctx context.Context, was string) error {
	s, err := b.actions(ctx)
	if err != nil {
		return err
	}
	config := s.CachedInfo().Config
	if config.Metadata[incarnationKey] == was {
		config.Metadata = maps.Clone(config.Metadata)
		config.Metadata[incarnationKey] = newIncarnation()
		if s, err = b.JS.UpdateStream(ctx, config); err != nil {
			return fmt.Errorf("stream %s: %w: %w", StreamActions, actionlog.ErrUnavailable, err)
		}
	}
	b.incarnationOf(s.CachedInfo())
	return nil
}

package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"actionlog"

	"github.com/nats-io/nats.go/jetstream"
)

// Condition is how NATS servers, and the streams there, are.
type Condition struct {
	Server      string // version of the one that answers
	Servers     int    // that the connection knows of
	There       bool   // the stream is
	Bytes, Max  int64
	Replicas    int
	Lagging     []string // servers whose copy of the stream is not current
	Incarnation string
	Dead        uint64        // dead letters
	Clock       time.Duration // how far the server's is ahead of ours
	Consumers   map[string]ConsumerCondition
}

// ConsumerCondition is how far a durable consumer is.
type ConsumerCondition struct {
	Pending, InHand int64
	Again           int // messages in hand that were delivered more than once
	Waiting         int // requests for messages
}

// Look asks servers how they are, and changes nothing there: a stream that is not there is
// not made.
func Look(ctx context.Context, o DialOptions) (*Condition, error) {
	nc, err := o.connect()
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("nats: %w", err)
	}
	c := &Condition{Server: nc.ConnectedServerVersion(), Servers: len(nc.Servers()), Consumers: map[string]ConsumerCondition{}}
	asked := time.Now()
	s, err := js.Stream(ctx, StreamActions)
	answered := time.Now()
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w: %w", StreamActions, actionlog.ErrUnavailable, err)
	}
	i := s.CachedInfo()
	c.There, c.Bytes, c.Max, c.Replicas = true, int64(i.State.Bytes), i.Config.MaxBytes, i.Config.Replicas
	c.Incarnation, c.Clock = i.Config.Metadata[incarnationKey], offset(asked, i.TimeStamp, answered)
	if i.Cluster != nil {
		for _, peer := range i.Cluster.Replicas {
			if !peer.Current || peer.Offline {
				c.Lagging = append(c.Lagging, peer.Name)
			}
		}
	}
	for _, name := range []string{Indexer, Archiver} {
		consumer, err := s.Consumer(ctx, name)
		if errors.Is(err, jetstream.ErrConsumerNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("consumer %s: %w: %w", name, actionlog.ErrUnavailable, err)
		}
		i := consumer.CachedInfo()
		c.Consumers[name] = ConsumerCondition{int64(i.NumPending), int64(i.NumAckPending), i.NumRedelivered, i.NumWaiting}
	}
	dead, err := js.Stream(ctx, StreamDead)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w: %w", StreamDead, actionlog.ErrUnavailable, err)
	}
	c.Dead = dead.CachedInfo().State.Msgs
	return c, nil
}

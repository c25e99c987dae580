// Package indexer takes actions from the stream into the store: it judges each,
// writes them in batches, acknowledges what is durable, and makes dead letters
// of what can never be indexed. It never searches, and it knows neither engine.
package indexer

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"actionlog"
	"actionlog/internal/tracing"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	maxBatch      = 4096
	maxBatchBytes = 8 << 20
	// minBatch is how many actions a batch has at most after many of which nothing was
	// written: what fails now and then still lets a small one pass.
	minBatch = 64
	// atFirst is how often the most of a batch is halved at the start: whoever is killed
	// every few seconds has written some by then.
	atFirst = 3
	// linger is how long a batch waits for more once the stream has paused.
	linger = 5 * time.Millisecond
	// gather is how long it waits while other batches are being written: a store
	// that answers late is served better by few large batches than by many small.
	gather = 100 * time.Millisecond
	// finishWithin is how long the batch in hand may take after the stop.
	finishWithin = 5 * time.Second
	// keepAlive is how often a batch in hand tells the stream that it is worked on.
	keepAlive = 4 * time.Second
	minRetry  = 250 * time.Millisecond
	maxRetry  = 30 * time.Second
	// maxPause is the longest rest between batches of which nothing was written.
	maxPause = 5 * time.Second
)

// Indexer takes actions from a consumer into a store. All fields but Renew, Workers,
// Log, Tracer and Now are required.
type Indexer struct {
	Consumer    jetstream.Consumer
	Renew       func(ctx context.Context) (jetstream.Consumer, error) // makes the consumer anew where somebody deleted it; nil: nothing does
	Incarnation func(ctx context.Context) string                      // of the stream, for positions; waits until it is known. Asked for each message
	Writer      actionlog.Writer
	Workers     int // batches that are written at the same time; default 1
	Dead        actionlog.DeadLetters
	Scrubber    *actionlog.Scrubber
	Metrics     *Metrics
	Log         *slog.Logger     // default slog.Default
	Tracer      *tracing.Tracer  // nil: nothing is traced
	Now         func() time.Time // default time.Now

	health  health
	writing atomic.Int32 // batches
	fewer   atomic.Int32 // how often the most of a batch is halved, see most
}

// Run indexes until ctx is done; the batch in hand is then finished, and what
// waits behind it is given back. It always returns nil: what goes wrong meanwhile
// is logged and tried again.
func (x *Indexer) Run(ctx context.Context) error {
	if x.Log == nil {
		x.Log = slog.Default()
	}
	if x.Now == nil {
		x.Now = time.Now
	}
	x.fewer.Store(atFirst)
	incoming, ready := make(chan jetstream.Msg), make(chan []entry)
	var feeding sync.WaitGroup
	defer feeding.Wait()
	feeding.Go(func() { x.receive(ctx, incoming) })
	feeding.Go(func() { x.collect(ctx, incoming, ready) })
	for range max(1, x.Workers) {
		feeding.Go(func() { x.work(ctx, ready) })
	}
	return nil
}

// work writes one batch after the other.
func (x *Indexer) work(ctx context.Context, ready <-chan []entry) {
	pause := minRetry
	for batch := range ready {
		finish, cancel := context.WithCancel(context.WithoutCancel(ctx))
		stop := context.AfterFunc(ctx, func() { time.AfterFunc(finishWithin, cancel) })
		x.writing.Add(1)
		stuck := x.settle(finish, batch)
		x.writing.Add(-1)
		stop()
		cancel()
		x.learn(stuck)
		if !stuck {
			pause = minRetry
			continue
		}
		select { // nothing can be written: hammering would not help
		case <-ctx.Done():
		case <-time.After(pause):
			pause = min(2*pause, maxPause)
		}
	}
}

// most is how many actions a batch may have now.
func (x *Indexer) most() int { return maxBatch >> x.fewer.Load() }

// learn halves the most of a batch after one of which nothing was written, and doubles it
// after another: a store that fails every few seconds is never done with a large one.
func (x *Indexer) learn(stuck bool) {
	now := x.fewer.Load()
	switch {
	case stuck && maxBatch>>now > minBatch:
		x.fewer.CompareAndSwap(now, now+1) // another worker that learned at the same time will do
	case !stuck && now > 0:
		x.fewer.CompareAndSwap(now, now-1)
	}
}

// receive hands messages on until ctx is done. It asks for one batch after the
// other, so that no more than a batch is on its way.
func (x *Indexer) receive(ctx context.Context, to chan<- jetstream.Msg) {
	defer close(to)
	for ctx.Err() == nil {
		batch, err := x.Consumer.Fetch(x.most(), jetstream.FetchMaxBytes(maxBatchBytes), jetstream.FetchContext(ctx))
		if err == nil {
			for m := range batch.Messages() {
				select {
				case to <- m:
				case <-ctx.Done():
					giveBack(m)
				}
			}
			// A batch that ends early has lost some on the way, which are delivered again.
			if err = batch.Error(); errors.Is(err, jetstream.ErrBatchCompleted) {
				err = nil
			}
		}
		if err != nil && ctx.Err() == nil {
			x.Log.Warn("indexer: waiting for the stream", "error", err)
			x.renew(ctx)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}
}

// renew asks for the consumer again: it may have been deleted, which the stream
// does not always say.
func (x *Indexer) renew(ctx context.Context) {
	if x.Renew == nil {
		return
	}
	c, err := x.Renew(ctx)
	if err != nil {
		x.Log.Warn("indexer: the consumer was not made anew", "error", err)
		return
	}
	x.Consumer = c
}

// giveBack has messages delivered again at once, to whoever asks.
func giveBack(m jetstream.Msg) {
	_ = m.Nak() // without it, it is delivered again after its time
}

// collect judges messages and puts them into batches. A batch is handed on when
// the writer is free, and grows while it is not: few actions are searchable at
// once, and many are written in large batches, which cost less each.
func (x *Indexer) collect(ctx context.Context, from <-chan jetstream.Msg, to chan<- []entry) {
	defer close(to)
	for m := range from {
		batch, size := []entry{x.judge(ctx, m)}, len(m.Data())
		wait := linger
		if x.Workers > 1 && x.writing.Load() > 0 {
			wait = gather
		}
		pause := time.After(wait)
		for open := true; open; {
			more, ready := from, to
			if len(batch) >= x.most() || size >= maxBatchBytes {
				more, pause = nil, nil
			}
			if pause != nil {
				ready = nil
			}
			select {
			case m, ok := <-more:
				if !ok {
					giveBackAll(batch)
					return
				}
				batch = append(batch, x.judge(ctx, m))
				size += len(m.Data())
				actionlog.Yield(len(batch))
			case <-pause:
				pause = nil
			case ready <- batch:
				open = false
			case <-ctx.Done():
				giveBackAll(batch)
				return
			}
		}
	}
}

func giveBackAll(batch []entry) {
	for i := range batch {
		giveBack(batch[i].msg)
	}
}

// entry is a message and what was decided about it.
type entry struct {
	msg  jetstream.Msg
	done *tracing.Batch // of which it is; nil: nobody wants to know
	item actionlog.Item
	dead *actionlog.DeadLetter // set: a dead letter
	old  bool                  // older than is kept
}

// judge decides what a message is.
func (x *Indexer) judge(ctx context.Context, m jetstream.Msg) entry {
	e := entry{msg: m}
	position, received := actionlog.Position{}, x.Now()
	if meta, err := m.Metadata(); err == nil {
		position = actionlog.Position{Stream: x.Incarnation(ctx), Sequence: meta.Sequence.Stream}
		received = meta.Timestamp.UTC()
	}
	item, reason, err := x.check(m, received)
	if err != nil {
		institution, _, _ := actionlog.ParseSubject(m.Subject())
		e.dead = &actionlog.DeadLetter{Position: position, ReceivedAt: received, Institution: institution,
			Reason: reason, Detail: err.Error(), Subject: m.Subject(), Document: x.Scrubber.Bytes(m.Data())}
		var invalid *actionlog.InvalidError
		if errors.As(err, &invalid) {
			e.dead.Field, e.dead.Detail = invalid.Field, invalid.Reason.String()
		}
		return e
	}
	item.Position, item.ReceivedAt = position, received
	e.item = item
	e.old = item.Day().Before(actionlog.OldestKept(x.Now()))
	return e
}

// check judges a document; reason is that of the dead letter. Whether it is too far ahead says the stream's time, which
// stays the same when it is delivered again.
func (x *Indexer) check(m jetstream.Msg, received time.Time) (item actionlog.Item, reason string, err error) {
	if item, reason, err = actionlog.Judge(m.Subject(), m.Data(), x.Scrubber); err != nil {
		return item, reason, err
	}
	if err := actionlog.CheckTime(item.OccurredAt, received); err != nil {
		return item, actionlog.DeadFuture, err
	}
	return item, "", nil
}

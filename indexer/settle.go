package indexer

import (
	"context"
	"errors"
	"time"

	"actionlog"
	"actionlog/internal/tracing"

	"github.com/nats-io/nats.go/jetstream"
)

// settle writes a batch and tells the stream what became of each message. Only
// what is durable, or a durable dead letter, or too old, is acknowledged. stuck
// means that something is to be tried again and that nothing was written.
func (x *Indexer) settle(ctx context.Context, batch []entry) (stuck bool) {
	start := x.Now()
	working := keepWorking(batch)
	defer close(working)
	ctx, traced := x.trace(ctx, batch)
	var items []actionlog.Item
	var written []*entry
	wrote, failed := 0, error(nil) // items or, where there are none, dead letters
	for i := range batch {
		switch e := &batch[i]; {
		case e.dead != nil:
			if err := x.bury(ctx, e, *e.dead); err != nil {
				failed = err
			} else {
				wrote++
			}
		case e.old:
			x.Metrics.actions.WithLabelValues("too_old").Inc()
			x.ack(e.msg)
		default:
			items = append(items, e.item)
			written = append(written, e)
		}
	}
	if len(items) > 0 {
		n, err := x.write(ctx, items, written)
		if wrote = n; err != nil {
			failed = err
		}
	}
	traced.End("searchable", failed)
	x.health.note(x.Log, x.Now(), failed)
	x.Metrics.batch.Observe(float64(len(batch)))
	x.Metrics.seconds.Observe(x.Now().Sub(start).Seconds())
	return failed != nil && wrote == 0
}

// trace begins the span of a batch, where somebody traces one of its messages.
func (x *Indexer) trace(ctx context.Context, batch []entry) (context.Context, *tracing.Batch) {
	if x.Tracer == nil {
		return ctx, nil
	}
	ctx, traced := x.Tracer.Begin(ctx, "ACTIONS", "index", len(batch), func(i int) (string, time.Time) {
		return batch[i].msg.Headers().Get(tracing.Header), batch[i].received()
	})
	for i := range batch {
		batch[i].done = traced
	}
	return ctx, traced
}

// received is when the stream took a message.
func (e *entry) received() time.Time {
	if e.dead != nil {
		return e.dead.ReceivedAt
	}
	return e.item.ReceivedAt
}

// settled says that a message can be searched.
func (e *entry) settled() {
	if e.done != nil {
		e.done.Done(e.msg.Headers().Get(tracing.Header))
	}
}

// keepWorking tells the stream that the messages are in hand, so that they are
// not delivered again meanwhile; closing the channel ends it.
func keepWorking(batch []entry) chan struct{} {
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(keepAlive)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				for i := range batch {
					_ = batch[i].msg.InProgress() // one that is acknowledged already says no
				}
			}
		}
	}()
	return done
}

// write writes items; failed is why some of them are to be tried again.
func (x *Indexer) write(ctx context.Context, items []actionlog.Item, written []*entry) (done int, failed error) {
	writing, end := x.Tracer.Step(ctx, "write")
	outcomes, err := x.Writer.Write(writing, items)
	end(err)
	if err != nil {
		for _, e := range written {
			x.retry(e.msg)
		}
		return 0, err
	}
	for i, o := range outcomes {
		if err := x.conclude(ctx, written[i], o); err != nil {
			failed = err
		} else {
			done++
		}
	}
	return done, failed
}

// conclude tells the stream what became of a message; an error is why it is to
// be tried again.
func (x *Indexer) conclude(ctx context.Context, e *entry, o actionlog.Outcome) error {
	switch o.Kind {
	case actionlog.OutcomeNew:
		x.Metrics.observe(&e.item, x.Now())
		x.Metrics.actions.WithLabelValues("new").Inc()
		e.settled()
		x.ack(e.msg)
	case actionlog.OutcomeRepeat:
		x.Metrics.actions.WithLabelValues("repeat").Inc()
		e.settled()
		x.ack(e.msg)
	case actionlog.OutcomeCollision:
		return x.bury(ctx, e, x.letter(e, actionlog.DeadCollision, actionlog.Invalidf("/id", "another document of this institution and day has this id")))
	case actionlog.OutcomeRefused:
		return x.bury(ctx, e, x.letter(e, actionlog.DeadRefused, o.Err))
	default:
		x.retry(e.msg)
		if o.Err == nil {
			return errors.New("the store wants it to be tried again")
		}
		return o.Err
	}
	return nil
}

// letter makes a dead letter of a valid document.
func (x *Indexer) letter(e *entry, reason string, err error) actionlog.DeadLetter {
	l := actionlog.DeadLetter{Position: e.item.Position, ReceivedAt: e.item.ReceivedAt, Institution: e.item.Institution,
		Reason: reason, Subject: e.msg.Subject(), Document: e.item.Document}
	var invalid *actionlog.InvalidError
	if errors.As(err, &invalid) {
		l.Field, l.Detail = invalid.Field, invalid.Reason.String()
	} else if err != nil {
		l.Detail = err.Error()
	}
	return l
}

// bury stores a dead letter and then acknowledges the original; an error means
// that the original will be delivered again.
func (x *Indexer) bury(ctx context.Context, e *entry, l actionlog.DeadLetter) error {
	if err := x.Dead.Add(ctx, l); err != nil {
		x.retry(e.msg)
		return err
	}
	x.Metrics.actions.WithLabelValues("dead").Inc()
	x.Metrics.dead.WithLabelValues(l.Reason).Inc()
	x.Log.Warn("dead letter", "position", l.Position.String(), "institution", l.Institution, "reason", l.Reason, "field", l.Field, "detail", l.Detail)
	x.ack(e.msg)
	return nil
}

func (x *Indexer) ack(m jetstream.Msg) {
	if err := m.Ack(); err != nil {
		x.Log.Warn("indexer: not acknowledged; it will be delivered again", "error", err)
	}
}

// retry has a message delivered again, later the more often that happened.
func (x *Indexer) retry(m jetstream.Msg) {
	x.Metrics.actions.WithLabelValues("retry").Inc()
	delay := minRetry
	if meta, err := m.Metadata(); err == nil {
		delay = min(maxRetry, minRetry<<min(meta.NumDelivered, 8))
	}
	if err := m.NakWithDelay(delay); err != nil {
		x.Log.Warn("indexer: not refused; it will be delivered again after its time", "error", err)
	}
}

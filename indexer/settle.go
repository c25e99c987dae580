package indexer

import (
	"context"
	"errors"
	"time"

	"actionlog"

	"github.com/nats-io/nats.go/jetstream"
)

// settle writes a batch and tells the stream what became of each message. Only
// what is durable, or a durable dead letter, or too old, is acknowledged.
func (x *Indexer) settle(ctx context.Context, batch []entry) {
	start := x.Now()
	working := keepWorking(batch)
	defer close(working)
	var items []actionlog.Item
	var written []*entry
	for i := range batch {
		switch e := &batch[i]; {
		case e.dead != nil:
			x.bury(ctx, e, *e.dead)
		case e.old:
			x.Metrics.actions.WithLabelValues("too_old").Inc()
			x.ack(e.msg)
		default:
			items = append(items, e.item)
			written = append(written, e)
		}
	}
	if len(items) > 0 {
		x.write(ctx, items, written)
	}
	x.Metrics.batch.Observe(float64(len(batch)))
	x.Metrics.seconds.Observe(x.Now().Sub(start).Seconds())
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

func (x *Indexer) write(ctx context.Context, items []actionlog.Item, written []*entry) {
	outcomes, err := x.Writer.Write(ctx, items)
	if err != nil {
		x.Log.Error("indexer: a batch was not written; it will be delivered again", "actions", len(items), "error", err)
		for _, e := range written {
			x.retry(e.msg)
		}
		return
	}
	var failed error
	for i, o := range outcomes {
		if o.Kind == actionlog.OutcomeRetry {
			failed = o.Err
		}
		x.conclude(ctx, written[i], o)
	}
	if failed != nil {
		x.Log.Warn("indexer: some actions were not written; they will be delivered again", "error", failed)
	}
}

func (x *Indexer) conclude(ctx context.Context, e *entry, o actionlog.Outcome) {
	switch o.Kind {
	case actionlog.OutcomeNew:
		x.Metrics.observe(&e.item, x.Now())
		x.Metrics.actions.WithLabelValues("new").Inc()
		x.ack(e.msg)
	case actionlog.OutcomeRepeat:
		x.Metrics.actions.WithLabelValues("repeat").Inc()
		x.ack(e.msg)
	case actionlog.OutcomeCollision:
		x.bury(ctx, e, x.letter(e, actionlog.DeadCollision, actionlog.Invalidf("/id", "another document of this institution and day has this id")))
	case actionlog.OutcomeRefused:
		x.bury(ctx, e, x.letter(e, actionlog.DeadRefused, o.Err))
	default:
		x.Metrics.actions.WithLabelValues("retry").Inc()
		x.retry(e.msg)
	}
}

// letter makes a dead letter of a valid document.
func (x *Indexer) letter(e *entry, reason string, err error) actionlog.DeadLetter {
	l := actionlog.DeadLetter{Position: e.item.Position, ReceivedAt: e.item.ReceivedAt, Institution: e.item.Institution,
		Reason: reason, Subject: e.msg.Subject(), Document: e.item.Document}
	var invalid *actionlog.InvalidError
	if errors.As(err, &invalid) {
		l.Field, l.Detail = invalid.Field, invalid.Reason
	} else if err != nil {
		l.Detail = err.Error()
	}
	return l
}

// bury stores a dead letter and then acknowledges the original.
func (x *Indexer) bury(ctx context.Context, e *entry, l actionlog.DeadLetter) {
	if err := x.Dead.Add(ctx, l); err != nil {
		x.Log.Error("indexer: a dead letter was not stored; its original will be delivered again", "error", err)
		x.retry(e.msg)
		return
	}
	x.Metrics.actions.WithLabelValues("dead").Inc()
	x.Metrics.dead.WithLabelValues(l.Reason).Inc()
	x.Log.Warn("dead letter", "position", l.Position.String(), "institution", l.Institution, "reason", l.Reason, "field", l.Field, "detail", l.Detail)
	x.ack(e.msg)
}

func (x *Indexer) ack(m jetstream.Msg) {
	if err := m.Ack(); err != nil {
		x.Log.Warn("indexer: not acknowledged; it will be delivered again", "error", err)
	}
}

// retry has a message delivered again, later the more often that happened.
func (x *Indexer) retry(m jetstream.Msg) {
	delay := minRetry
	if meta, err := m.Metadata(); err == nil {
		delay = min(maxRetry, minRetry<<min(meta.NumDelivered, 8))
	}
	if err := m.NakWithDelay(delay); err != nil {
		x.Log.Warn("indexer: not refused; it will be delivered again after its time", "error", err)
	}
}

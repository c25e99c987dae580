package tracing

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// maxSenders is how many different senders of one batch are traced.
const maxSenders = 128

// Batch is some messages of a stream that are worked on together. A nil one is of messages
// of which nobody wants to know.
type Batch struct {
	tracer  *Tracer
	span    trace.Span
	stream  string
	senders map[string]*sender // by what their messages carry
}

// sender is a span that sent messages of the batch.
type sender struct {
	context  trace.SpanContext
	received time.Time // the first of them
	done     int
}

// Begin begins the span of a batch of n messages, if the trace of one of them is kept. carried
// returns what a message carries in Header, and when the stream took it. The span is linked
// to those of all senders; where there is one, it is a part of its trace.
func (t *Tracer) Begin(ctx context.Context, stream, operation string, n int, carried func(i int) (string, time.Time)) (context.Context, *Batch) {
	if t == nil {
		return ctx, nil
	}
	var senders map[string]*sender
	for i := range n {
		text, received := carried(i)
		if text == "" {
			continue
		}
		s, known := senders[text]
		switch {
		case known && s != nil && received.Before(s.received):
			s.received = received
		case !known && len(senders) < maxSenders:
			if senders == nil {
				senders = map[string]*sender{}
			}
			senders[text] = senderOf(text, received)
		}
	}
	var links []trace.Link
	for _, s := range senders {
		if s != nil {
			links = append(links, trace.Link{SpanContext: s.context})
		}
	}
	if len(links) == 0 {
		return ctx, nil
	}
	b, begin := &Batch{tracer: t, stream: stream, senders: senders}, ctx
	if len(links) == 1 {
		begin = trace.ContextWithRemoteSpanContext(ctx, links[0].SpanContext)
	}
	inner, span := t.tracer.Start(begin, operation+" "+stream, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithLinks(links...), messaging(stream, "process", n))
	b.span = span
	return inner, b
}

// senderOf is who sent a message; nil where its trace is not kept.
func senderOf(carried string, received time.Time) *sender {
	sc := parse(carried)
	if !sc.IsValid() || !sc.IsSampled() {
		return nil
	}
	return &sender{context: sc, received: received}
}

// Done says that a message of the batch came to its end. It may be called by one goroutine.
func (b *Batch) Done(carried string) {
	if b == nil {
		return
	}
	if s := b.senders[carried]; s != nil {
		s.done++
	}
}

// End ends the batch. In each sender's trace stands what was reached for its messages, from
// when the stream took the first of them until now.
func (b *Batch) End(reached string, err error) {
	if b == nil {
		return
	}
	ending(b.span)(err)
	for _, s := range b.senders {
		if s == nil || s.done == 0 {
			continue
		}
		ctx := trace.ContextWithRemoteSpanContext(context.Background(), s.context)
		_, span := b.tracer.tracer.Start(ctx, reached, trace.WithTimestamp(s.received), trace.WithLinks(trace.Link{SpanContext: b.span.SpanContext()}),
			messaging(b.stream, "process", s.done))
		span.End()
	}
}

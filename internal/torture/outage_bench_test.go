//go:build linux

package main

import (
	"context"
	"syscall"
	"testing"
	"time"

	"actionlog/internal/enginetest"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// BenchmarkOutage: an engine that answers 503 for a minute, while 1,000 actions a second are
// published, before and afterwards too; how long it takes until what is published is
// searchable within two seconds again.
func BenchmarkOutage(b *testing.B) {
	const outage, each, usual = time.Minute, 100 * time.Millisecond, 2 * time.Second
	engine := enginetest.URL(b, enginetest.OpenSearch3)
	for b.Loop() {
		p, o := behind(b, engine, uint64(time.Now().UnixNano()))
		b.Chdir("../..")
		s := started(b, sound(b), b.TempDir(), o.args...)
		ctx, cancel := context.WithCancel(b.Context())
		if err := s.ready(ctx); err != nil {
			b.Fatal(err)
		}
		q := &oracle{run: run{seed: o.seed, start: time.Now().Truncate(time.Second), days: 5, usual: true}, ledger: &ledger{}, service: s}
		done := make(chan int)
		js := publisherOf(b, s)
		go func() { done <- q.steadily(ctx, b, js, each, 100) }()
		time.Sleep(20 * time.Second)
		b.ReportMetric(q.behind(b).Seconds(), "s-behind-before")
		p.begin("503")
		time.Sleep(outage)
		p.end()
		over := time.Now()
		b.ReportMetric(outage.Seconds(), "s-outage")
		for q.behind(b) > usual {
			if time.Since(over) > 5*time.Minute {
				pending, err := q.metric(ctx, s, "actionlog_pending_messages")
				b.Fatalf("it is behind still: by %v and %d messages (%v)", q.behind(b), pending, err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		b.ReportMetric(time.Since(over).Seconds(), "s-to-drain")
		cancel()
		b.ReportMetric(float64(<-done)/(time.Since(over)+outage+20*time.Second).Seconds(), "actions/s")
		if _, err := s.stop(syscall.SIGTERM, 30*time.Second); err != nil {
			b.Fatal(err)
		}
	}
}

// steadily publishes n documents each so often, and returns how many were acknowledged.
func (o *oracle) steadily(ctx context.Context, b *testing.B, js jetstream.JetStream, each time.Duration, n int) (acknowledged int) {
	for tick := time.Tick(each); ; {
		select {
		case <-ctx.Done():
			return acknowledged
		case <-tick:
		}
		var answers []jetstream.PubAckFuture
		for range n {
			d := o.run.document(o.ledger.next())
			answer, err := js.PublishMsgAsync(&nats.Msg{Subject: d.subject(), Data: d.text})
			if err != nil {
				b.Error(err)
				return acknowledged
			}
			answers = append(answers, answer)
		}
		for _, a := range answers {
			select {
			case <-a.Ok():
				acknowledged++
			case err := <-a.Err():
				b.Error(err)
			case <-ctx.Done():
				return acknowledged
			}
		}
	}
}

// behind is how far the store is behind the stream now.
func (o *oracle) behind(b *testing.B) time.Duration {
	until, err := o.completeThrough(b.Context())
	if err != nil {
		return time.Hour // it says that it cannot be asked
	}
	return time.Since(until)
}

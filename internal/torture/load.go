//go:build linux

package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// load publishes as foreign services do: straight to the stream, several at once, never
// stopping for what goes wrong, and again what was not acknowledged, sooner or later.
type load struct {
	run    run
	ledger *ledger
	url    func() (address, password string) // of the stream as it is now
	each   time.Duration                     // between two batches of a publisher
	paused atomic.Bool
	sizes  int // documents of a batch, at most
}

// publishers run until ctx is done.
func (l *load) publishers(ctx context.Context, n int) (wait func()) {
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { l.publisher(ctx, rand.New(rand.NewPCG(l.run.seed, uint64(1_000_000+i)))) })
	}
	return group.Wait
}

func (l *load) publisher(ctx context.Context, rng *rand.Rand) {
	var again []int // not acknowledged yet, or acknowledged and sent once more
	for ctx.Err() == nil {
		address, password := l.url()
		gone := make(chan struct{})
		nc, err := nats.Connect(address, nats.UserInfo("publisher", password), nats.NoReconnect(), nats.Timeout(2*time.Second), nats.ClosedHandler(func(*nats.Conn) { close(gone) }))
		if err != nil {
			sleep(ctx, 20*time.Millisecond)
			continue
		}
		js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(4096))
		for err == nil && ctx.Err() == nil && nc.IsConnected() {
			if l.paused.Load() {
				sleep(ctx, 20*time.Millisecond)
				continue
			}
			again = l.batch(ctx, js, nc, gone, rng, again)
			sleep(ctx, l.each)
		}
		nc.Close()
	}
}

// batch publishes new documents and some again, and returns what is to be sent again.
func (l *load) batch(ctx context.Context, js jetstream.JetStream, nc *nats.Conn, gone <-chan struct{}, rng *rand.Rand, again []int) []int {
	numbers := again
	for range 1 + rng.IntN(l.sizes) {
		numbers = append(numbers, l.ledger.next())
	}
	type sent struct {
		n      int
		answer jetstream.PubAckFuture
	}
	var all []sent
	again = nil
	for _, n := range numbers {
		d := l.run.document(n)
		l.ledger.note(n, unknown)
		// Without an id of its message: the stream's own window against repeats is not
		// what makes an action unique.
		answer, err := js.PublishMsgAsync(&nats.Msg{Subject: d.subject(), Data: d.text}, jetstream.WithRetryAttempts(0))
		if err != nil {
			again = append(again, n)
			continue
		}
		all = append(all, sent{n, answer})
	}
	if rng.IntN(200) == 0 { // cut off between the publish and the answer
		nc.Close()
	}
	timeout := time.After(10 * time.Second)
	for _, s := range all {
		select {
		case <-s.answer.Ok():
			l.ledger.note(s.n, taken)
			if rng.IntN(100) == 0 { // a publisher that did not get the answer sends again
				again = append(again, s.n)
			}
		case <-s.answer.Err():
			again = append(again, s.n)
		case <-gone: // the answer may have come just before
			select {
			case <-s.answer.Ok():
				l.ledger.note(s.n, taken)
			default:
				again = append(again, s.n)
			}
		case <-timeout:
			again = append(again, s.n)
		case <-ctx.Done():
			return again
		}
	}
	return again
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

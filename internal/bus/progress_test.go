package bus

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"actionlog"
)

// Who asks how far the stream is settled does not wait for a stream that is slow to say so,
// as long as it said so lately; nor does it ask once for each.
func TestProgressOfASlowStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		questions, takes := 0, settledAtMost-2*settledFor
		var fails error
		p := &Progress{ask: func(ctx context.Context) (time.Time, error) {
			questions++
			at := time.Now()
			select {
			case <-time.After(takes):
				return at, fails
			case <-ctx.Done():
				return time.Time{}, ctx.Err()
			}
		}}
		settled := func(wants time.Time, within time.Duration) {
			t.Helper()
			start := time.Now()
			got, err := p.Settled(t.Context())
			if err != nil || !got.Equal(wants) || time.Since(start) != within {
				t.Errorf("%v, %v after %v; want %v after %v", got, err, time.Since(start), wants, within)
			}
		}
		first := time.Now()
		settled(first, takes)       // nothing is known
		settled(first, settledWait) // it was asked less than a second ago
		var many sync.WaitGroup
		for range 50 {
			many.Go(func() { settled(first, settledWait) })
		}
		many.Wait()
		if questions != 2 {
			t.Errorf("%d questions, want 2", questions)
		}
		time.Sleep(time.Second)
		takes = time.Millisecond
		settled(time.Now(), takes) // a stream that is quick again says how far it is now
		settled(p.until, 0)
		takes = settledAtMost + time.Second
		time.Sleep(settledAtMost)
		third := time.Now()
		settled(third, takes) // what is known is too old
		takes = settledGivenUp + time.Second
		time.Sleep(settledAtMost)
		start := time.Now()
		if _, err := p.Settled(t.Context()); !errors.Is(err, actionlog.ErrUnavailable) || time.Since(start) != settledGivenUp {
			t.Errorf("a stream that does not answer: %v after %v", err, time.Since(start))
		}
		fails, takes = errors.New("away"), 0
		time.Sleep(settledAtMost)
		if _, err := p.Settled(t.Context()); !errors.Is(err, actionlog.ErrUnavailable) {
			t.Errorf("the stream is away: %v", err)
		}
		fails = nil
		settled(time.Now(), 0)
	})
}

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
		var mu sync.Mutex // of what the stream is like
		questions, takes, fails := 0, settledAtMost-2*settledFor, error(nil)
		is := func(slow time.Duration, err error) {
			mu.Lock()
			defer mu.Unlock()
			takes, fails = slow, err
		}
		p := &Progress{ask: func(ctx context.Context) (time.Time, error) {
			mu.Lock()
			questions++
			slow, err := takes, fails
			mu.Unlock()
			at := time.Now()
			select {
			case <-time.After(slow):
				return at, err
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
		mu.Lock()
		if questions != 2 {
			t.Errorf("%d questions, want 2", questions)
		}
		mu.Unlock()
		time.Sleep(time.Second)
		is(time.Millisecond, nil)
		again := time.Now()
		settled(again, time.Millisecond) // a stream that is quick again says how far it is now
		settled(again, 0)
		is(settledAtMost+time.Second, nil)
		time.Sleep(settledAtMost)
		settled(time.Now(), settledAtMost+time.Second) // what is known is too old
		is(settledGivenUp+time.Second, nil)
		time.Sleep(settledAtMost)
		start := time.Now()
		if _, err := p.Settled(t.Context()); !errors.Is(err, actionlog.ErrUnavailable) || time.Since(start) != settledGivenUp {
			t.Errorf("a stream that does not answer: %v after %v", err, time.Since(start))
		}
		is(0, errors.New("away"))
		time.Sleep(settledAtMost)
		if _, err := p.Settled(t.Context()); !errors.Is(err, actionlog.ErrUnavailable) {
			t.Errorf("the stream is away: %v", err)
		}
		is(0, nil)
		settled(time.Now(), 0)
	})
}

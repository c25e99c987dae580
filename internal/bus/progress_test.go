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

// slowStream is a stream that takes long to say how far it is settled, or fails.
type slowStream struct {
	mu        sync.Mutex
	questions int
	takes     time.Duration
	fails     error
}

func (s *slowStream) is(takes time.Duration, fails error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takes, s.fails = takes, fails
}

func (s *slowStream) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.questions
}

func (s *slowStream) ask(ctx context.Context) (time.Time, error) {
	s.mu.Lock()
	s.questions++
	takes, fails := s.takes, s.fails
	s.mu.Unlock()
	at := time.Now()
	select {
	case <-time.After(takes):
		return at, fails
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	}
}

// settles holds what is answered, and after what time.
func settles(t *testing.T, p *Progress, wants time.Time, within time.Duration) {
	t.Helper()
	start := time.Now()
	got, err := p.Settled(t.Context())
	if err != nil || !got.Equal(wants) || time.Since(start) != within {
		t.Errorf("%v, %v after %v; want %v after %v", got, err, time.Since(start), wants, within)
	}
}

// Who asks how far the stream is settled does not wait for a stream that is slow to say so,
// as long as it said so lately; nor does it ask once for each.
func TestProgressOfASlowStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slow = settledAtMost - 2*settledFor
		s := &slowStream{takes: slow}
		p := &Progress{ask: s.ask}
		first := time.Now()
		settles(t, p, first, slow)        // nothing is known
		settles(t, p, first, settledWait) // it was asked less than a second ago
		var many sync.WaitGroup
		for range 50 {
			many.Go(func() { settles(t, p, first, settledWait) })
		}
		many.Wait()
		if n := s.asked(); n != 2 {
			t.Errorf("%d questions, want 2", n)
		}
		time.Sleep(time.Second)
		s.is(time.Millisecond, nil)
		again := time.Now()
		settles(t, p, again, time.Millisecond) // a stream that is quick again says how far it is now
		settles(t, p, again, 0)
		s.is(settledAtMost+time.Second, nil)
		time.Sleep(settledAtMost)
		settles(t, p, time.Now(), settledAtMost+time.Second) // what is known is too old
		s.is(settledGivenUp+time.Second, nil)
		time.Sleep(settledAtMost)
		start := time.Now()
		if _, err := p.Settled(t.Context()); !errors.Is(err, actionlog.ErrUnavailable) || time.Since(start) != settledGivenUp {
			t.Errorf("a stream that does not answer: %v after %v", err, time.Since(start))
		}
		s.is(0, errors.New("away"))
		time.Sleep(settledAtMost)
		if _, err := p.Settled(t.Context()); !errors.Is(err, actionlog.ErrUnavailable) {
			t.Errorf("the stream is away: %v", err)
		}
		s.is(0, nil)
		settles(t, p, time.Now(), 0)
	})
}

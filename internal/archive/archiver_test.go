package archive

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"actionlog"
)

// tape is a stream in memory whose consumer may go back with it, or not.
type tape struct {
	mu       sync.Mutex
	name     string
	names    int
	messages []Message // position i+1
	given    int       // how many were delivered
	purged   int       // so many of them it does not hold any more
}

func (s *tape) Fetch(ctx context.Context, limit, _ int, wait time.Duration) ([]Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := max(s.purged, min(s.given, len(s.messages)))
	list := slices.Clone(s.messages[from:min(len(s.messages), from+limit)])
	s.given = max(s.given, from+len(list))
	if len(list) == 0 {
		time.Sleep(time.Millisecond)
	}
	return list, ctx.Err()
}

func (s *tape) At(_ context.Context, sequence uint64) (Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sequence > uint64(len(s.messages)) || sequence <= uint64(s.purged) {
		return Message{}, actionlog.ErrNotFound
	}
	return s.messages[sequence-1], nil
}

func (s *tape) Held(context.Context) (stream string, first, last uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.name, uint64(s.purged) + 1, uint64(len(s.messages)), nil
}

func (s *tape) StartAnew(_ context.Context, was string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.name == was {
		s.names++
		s.name = fmt.Sprintf("s%d", s.names)
	}
	return nil
}

func (s *tape) Acknowledge(context.Context, uint64) error { return nil }

// take has the stream take n actions.
func (s *tape) take(n int, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range n {
		doc := fmt.Appendf(nil, `{"id":"%s%d","occurred_at":"2026-11-01T08:00:00Z","institution":{"id":"alpha"},"category":"course","action":{"code":"course.opened"},"actor":{"kind":"user"}}`, name, i)
		s.messages = append(s.messages, Message{Sequence: uint64(len(s.messages) + 1), ReceivedAt: time.Now(), Subject: "actions.alpha.course", Data: doc})
	}
}

// back has the stream end at a position, and its consumer too, unless it is to remember.
func (s *tape) back(last int, remembers bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = s.messages[:last]
	if !remembers {
		s.given = min(s.given, last)
	}
}

// A stream that went back gives out sequences a second time. Whether it is shorter than
// what is archived when the archiver looks, or longer again already, and whether its
// consumer went back too or not, whether the archiver ran meanwhile or not: every action
// that it took is archived, and none that was archived is gone.
func TestStreamThatWentBack(t *testing.T) {
	for name, c := range map[string]struct {
		more               int
		remembers, running bool
	}{
		"shorter":              {3, false, false},
		"shorter, running":     {3, false, true},
		"longer":               {30, false, false},
		"longer, running":      {30, false, true},
		"longer, remembers":    {30, true, false},
		"shorter, remembers":   {3, true, false},
		"not longer by chance": {10, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := &tape{name: "s1", names: 1}
			start := func() (a *Archiver, stop func()) {
				a = &Archiver{Open: func(ctx context.Context, _ Held) (*Writer, error) { return openIn(ctx, dir) }, Source: s, Scrubber: actionlog.NewScrubber(), Log: slog.New(slog.DiscardHandler)}
				ctx, cancel := context.WithCancel(t.Context())
				var running sync.WaitGroup
				running.Go(func() { _ = a.Run(ctx) })
				return a, sync.OnceFunc(func() { cancel(); running.Wait() })
			}
			a, stop := start()
			defer func() { stop() }()
			s.take(20, "a")
			archivedAll(t, a)
			if !c.running {
				stop()
				s.back(10, c.remembers)
				s.take(c.more, "b")
				a, stop = start()
			} else {
				s.mu.Lock()
				s.messages, s.given = s.messages[:10], 10
				s.mu.Unlock()
				s.take(c.more, "b")
			}
			archivedAll(t, a)
			stop()
			holdsTaken(t, dir, map[string]int{"a": 20, "b": c.more})
			if s.name == "s1" {
				t.Error("the stream has the same incarnation still")
			}
		})
	}
}

// said counts what an archiver says, by message.
type said struct {
	slog.Handler
	mu     sync.Mutex
	counts map[string]int
}

func (s *said) Handle(_ context.Context, r slog.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[r.Level.String()+" "+r.Message]++
	return nil
}

func (s *said) Enabled(context.Context, slog.Level) bool { return true }

// A stream that somebody emptied before all was archived: that is said, once, also while
// nothing comes, and what comes is archived.
func TestStreamThatWasEmptied(t *testing.T) {
	for name, c := range map[string]struct {
		before int // archived before
		want   string
	}{
		"a gap":    {20, "ERROR archive: the stream does not hold these positions any more; the archive has a gap"},
		"from one": {0, "WARN archive: what the stream held earlier is archived under another incarnation, or is not"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, s := t.TempDir(), &tape{name: "s1", names: 1}
			log := &said{Handler: slog.DiscardHandler, counts: map[string]int{}}
			run := func(until func(a *Archiver)) {
				a := &Archiver{Open: func(ctx context.Context, _ Held) (*Writer, error) { return openIn(ctx, dir) }, Source: s, Scrubber: actionlog.NewScrubber(), Log: slog.New(log)}
				ctx, cancel := context.WithCancel(t.Context())
				var running sync.WaitGroup
				running.Go(func() { _ = a.Run(ctx) })
				until(a)
				cancel()
				running.Wait()
			}
			if c.before > 0 {
				s.take(c.before, "a")
				run(func(a *Archiver) { archivedAll(t, a) })
			}
			s.take(5, "lost")
			s.mu.Lock()
			s.purged = len(s.messages)
			s.mu.Unlock()
			run(func(a *Archiver) {
				for end := time.Now().Add(time.Minute); log.count(c.want) == 0; time.Sleep(time.Millisecond) {
					if time.Now().After(end) {
						t.Fatal("nothing is said of the gap")
					}
				}
				archivedAll(t, a) // nobody waits for what is gone
				for end := time.Now().Add(time.Minute); a.Archived().Sequence != uint64(c.before+5); time.Sleep(time.Millisecond) {
					if time.Now().After(end) {
						t.Fatalf("archived up to %v; the gap ends at %d", a.Archived(), c.before+5)
					}
				}
				s.take(3, "b")
				archivedAll(t, a)
			})
			holdsTaken(t, dir, map[string]int{"a": c.before, "b": 3})
			if n := log.count(c.want); n != 1 {
				t.Errorf("said %d times: %v", n, log.counts)
			}
		})
	}
}

func (s *said) count(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[what]
}

// holdsTaken holds that what the stream took is archived: so many of each name.
func holdsTaken(t *testing.T, dir string, taken map[string]int) {
	t.Helper()
	ids := map[string]bool{}
	for _, l := range everything(t, dir, Selection{}) {
		item, err := actionlog.Parse(l.Document, nil)
		if err != nil {
			t.Fatal(err)
		}
		ids[item.ID] = true
	}
	for name, n := range taken {
		for i := range n {
			if !ids[fmt.Sprint(name, i)] {
				t.Errorf("%s%d is not archived", name, i)
			}
		}
	}
}

// archivedAll waits until all that the stream holds now is sealed.
func archivedAll(t *testing.T, a *Archiver) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := a.Seal(ctx); err != nil {
		t.Fatal(err)
	}
}

package indexer_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"actionlog"
	"actionlog/indexer"
	"actionlog/internal/storetest"

	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"
)

// A step is what happens to an indexer; all that it needs is drawn before it runs.
type step struct {
	kind string
	n    int           // of messages, or which fault
	seed int           // what messages are
	wait time.Duration // afterwards
}

var stepKinds = []string{"publish", "publish", "publish", "repeat", "store fails", "letters fail", "slow", "restart", "second", "answers lost", "to the end of a day", "clock back"}

// Any sequence of publishing, failing stores, lost answers, restarts, a second indexer,
// days that end and clocks that go back: when all is well again, each message is exactly
// one of stored, repeat, dead letter, too old; what is stored is what was published first
// of its identity to be written; and nothing is delivered for ever.
func TestRandomPrograms(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		steps := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) step {
			return step{rapid.SampledFrom(stepKinds).Draw(r, "kind"), rapid.IntRange(1, 20).Draw(r, "n"), rapid.IntRange(0, 1<<20).Draw(r, "seed"),
				time.Duration(rapid.IntRange(0, 40_000).Draw(r, "ms")) * time.Millisecond}
		}), 1, 16).Draw(r, "steps")
		var wrong []string
		synctest.Test(t, func(t *testing.T) { wrong = newMachine(t).all(steps) })
		if len(wrong) > 0 {
			r.Fatalf("%s", strings.Join(wrong, "\n"))
		}
	})
}

// machine is indexers on a stream in memory, in a bubble of time.
type machine struct {
	t       *testing.T
	stream  *memory
	store   *flaky
	letters *letters
	stop    []context.CancelFunc
	running sync.WaitGroup
	clock   time.Duration // how far the indexers' clock is behind
}

func newMachine(t *testing.T) *machine {
	m := &machine{t: t, stream: &memory{wake: make(chan struct{})}, store: &flaky{Model: storetest.NewModel()}, letters: &letters{all: map[actionlog.Position]actionlog.DeadLetter{}}}
	return m
}

func (m *machine) start() { m.startOn(m.store) }

func (m *machine) startOn(store actionlog.Writer) {
	ctx, cancel := context.WithCancel(context.Background())
	clock := m.clock
	x := &indexer.Indexer{Consumer: m.stream, Incarnation: func(context.Context) string { return "m" }, Writer: store, Dead: m.letters, Workers: 2,
		Metrics: indexer.NewMetrics(prometheus.NewRegistry()), Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Now().Add(-clock) }}
	m.stop = append(m.stop, cancel)
	m.running.Go(func() { _ = x.Run(ctx) })
}

func (m *machine) end() {
	for _, stop := range m.stop {
		stop()
	}
	m.stop = nil
	m.running.Wait()
}

func (m *machine) all(steps []step) []string {
	m.start()
	for _, s := range steps {
		m.step(s)
		time.Sleep(s.wait)
	}
	m.store.set("", 0)
	m.letters.set(false)
	for end := time.Now().Add(time.Hour); m.stream.open() > 0 && time.Now().Before(end); {
		time.Sleep(time.Second)
	}
	m.end()
	return m.judge()
}

func (m *machine) step(s step) {
	switch s.kind {
	case "publish":
		for i := range s.n {
			m.stream.publish(message(s.seed+i, time.Now()))
		}
	case "repeat":
		m.stream.repeat(s.seed, s.n)
	case "store fails":
		m.store.set([]string{"all", "some", ""}[s.n%3], 0)
	case "answers lost":
		m.store.set("lost", 0)
	case "slow": // longer than a message may be in hand
		m.store.set("", time.Duration(s.n)*time.Second)
	case "letters fail":
		m.letters.set(s.n%2 == 0)
	case "restart":
		m.end()
		m.start()
	case "second":
		if len(m.stop) < 3 {
			m.start()
		}
	case "clock back":
		m.clock = time.Duration(s.n%7) * time.Hour // of the indexers that start from now on
	case "to the end of a day":
		tomorrow := time.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
		time.Sleep(time.Until(tomorrow) - time.Duration(s.n)*100*time.Millisecond)
	}
}

// message makes what a seed stands for: few identities, so that they meet.
func message(seed int, now time.Time) *published {
	id := fmt.Sprint("id-", seed%23)
	at := now.Truncate(24 * time.Hour).Add(time.Duration(seed%5) * time.Hour)
	kind := seed % 19
	switch kind {
	case 0:
		at = at.Add(-95 * 24 * time.Hour)
	case 1:
		at = now.Add(40 * time.Hour)
	}
	p := &published{subject: "actions.uni.course", document: fmt.Sprintf(`{"id":%q,"occurred_at":%q,"institution":{"id":"uni"},"category":"course","action":{"code":"x"},"actor":{"kind":"user"},"summary":"%d"}`,
		id, at.UTC().Format(time.RFC3339), seed%3)}
	switch kind {
	case 2:
		p.document = p.document[:len(p.document)-1]
	case 3:
		p.subject = "actions.other.course"
	}
	return p
}

// judge says what is wrong.
func (m *machine) judge() (wrong []string) {
	for _, p := range m.stream.messages {
		if !p.acked {
			wrong = append(wrong, fmt.Sprintf("%d was never acknowledged (delivered %d times)", p.sequence, p.delivered))
			continue
		}
		letter, dead := m.letters.all[actionlog.Position{Stream: "m", Sequence: p.sequence}]
		item, reason, err := actionlog.Judge(p.subject, []byte(p.document), nil)
		var stored []actionlog.Record
		if err == nil {
			stored, _ = m.store.Get(context.Background(), "uni", item.ID, item.Day()) // none is an error, too
		}
		same := slices.ContainsFunc(stored, func(r actionlog.Record) bool { return string(r.Document) == p.document })
		switch {
		case len(stored) > 1:
			wrong = append(wrong, fmt.Sprintf("%d is stored %d times", p.sequence, len(stored)))
		case err != nil && letter.Reason != reason:
			wrong = append(wrong, fmt.Sprintf("%d, which can be no action (%s), is a dead letter for %q", p.sequence, reason, letter.Reason))
		case err != nil || same && !dead:
		case dead && same && letter.Reason == actionlog.DeadFuture: // and published again when it was not ahead any more
		case dead && same:
			wrong = append(wrong, fmt.Sprintf("%d is stored and a dead letter", p.sequence))
		case dead: // a collision, or ahead of the indexer's clock
			if letter.Reason != actionlog.DeadFuture && (letter.Reason != actionlog.DeadCollision || len(stored) == 0) {
				wrong = append(wrong, fmt.Sprintf("%d is a dead letter for %q, and %d of its identity are stored", p.sequence, letter.Reason, len(stored)))
			}
		case !p.tooOld(item):
			wrong = append(wrong, fmt.Sprintf("%d was acknowledged and is nowhere: %s", p.sequence, p.document))
		}
	}
	return wrong
}

// tooOld tells whether a message was older than is kept when it was acknowledged.
func (p *published) tooOld(item actionlog.Item) bool {
	return item.Day().Before(actionlog.OldestKept(p.ackedAt))
}

package indexer_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"actionlog"
	"actionlog/internal/bus"
	"actionlog/internal/storetest"

	"github.com/nats-io/nats.go/jetstream"
)

// memory is a stream and its consumer as JetStream has them: what is not acknowledged
// within its time is delivered again, also to another.
type memory struct {
	jetstream.Consumer // what the indexer does not ask for
	mu                 sync.Mutex
	wake               chan struct{} // closed when there may be something to deliver
	messages           []*published
}

// published is a message of the stream.
type published struct {
	subject, document string
	sequence          uint64
	at                time.Time
	due               time.Time // when it is delivered (again)
	delivered         int
	acked             bool
	ackedAt           time.Time
}

func (m *memory) publish(p *published) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.sequence, p.at, p.due = uint64(len(m.messages)+1), time.Now(), time.Now()
	m.messages = append(m.messages, p)
	m.awake()
}

func (m *memory) awake() {
	close(m.wake)
	m.wake = make(chan struct{})
}

// repeat publishes some again, the last first.
func (m *memory) repeat(seed, n int) {
	m.mu.Lock()
	all := slices.Clone(m.messages)
	m.mu.Unlock()
	for i := range min(n, len(all)) {
		p := all[len(all)-1-(seed+i)%len(all)]
		m.publish(&published{subject: p.subject, document: p.document})
	}
}

// open is how many are not acknowledged.
func (m *memory) open() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.messages {
		if !p.acked {
			n++
		}
	}
	return n
}

// due returns what is to be delivered now, and when there may be more.
func (m *memory) due(limit int) (list []jetstream.Msg, wake chan struct{}, next time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	next = time.Minute
	for _, p := range m.messages {
		switch {
		case p.acked || len(list) == limit:
		case p.due.After(now):
			next = min(next, p.due.Sub(now))
		default:
			p.due = now.Add(bus.AckWait)
			p.delivered++
			list = append(list, &handed{p: p, m: m, delivered: uint64(p.delivered)})
		}
	}
	return list, m.wake, next
}

// batch is what one request brought.
type batch struct{ messages chan jetstream.Msg }

func (b *batch) Messages() <-chan jetstream.Msg { return b.messages }
func (b *batch) Error() error                   { return nil }

func (m *memory) Fetch(limit int, _ ...jetstream.FetchOpt) (jetstream.MessageBatch, error) {
	list, wake, next := m.due(limit)
	if len(list) == 0 {
		select {
		case <-wake:
		case <-time.After(next):
		}
		list, _, _ = m.due(limit)
	}
	b := &batch{make(chan jetstream.Msg, len(list))}
	for _, h := range list {
		b.messages <- h
	}
	close(b.messages)
	return b, nil
}

// handed is a message in somebody's hands.
type handed struct {
	jetstream.Msg // what the indexer does not ask for
	p             *published
	m             *memory
	delivered     uint64
}

func (h *handed) Data() []byte    { return []byte(h.p.document) }
func (h *handed) Subject() string { return h.p.subject }
func (h *handed) Metadata() (*jetstream.MsgMetadata, error) {
	return &jetstream.MsgMetadata{Sequence: jetstream.SequencePair{Stream: h.p.sequence}, NumDelivered: h.delivered, Timestamp: h.p.at}, nil
}

func (h *handed) change(f func(p *published)) error {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	if !h.p.acked {
		f(h.p)
	}
	return nil
}

func (h *handed) Ack() error {
	return h.change(func(p *published) { p.acked, p.ackedAt = true, time.Now() })
}
func (h *handed) Nak() error { return h.NakWithDelay(0) }
func (h *handed) NakWithDelay(d time.Duration) error {
	return h.change(func(p *published) { p.due = time.Now().Add(d) })
}
func (h *handed) InProgress() error {
	return h.change(func(p *published) { p.due = time.Now().Add(bus.AckWait) })
}

// flaky is a store that fails.
type flaky struct {
	*storetest.Model
	mu   sync.Mutex
	mode string
	slow time.Duration
	n    int
}

func (f *flaky) set(mode string, slow time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mode, f.slow = mode, slow
}

func (f *flaky) Write(ctx context.Context, items []actionlog.Item) ([]actionlog.Outcome, error) {
	f.mu.Lock()
	mode, slow := f.mode, f.slow
	f.n++
	n := f.n
	f.mu.Unlock()
	select {
	case <-time.After(slow):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	switch {
	case mode == "all":
		return nil, errors.New("the store is away")
	case mode == "lost" && n%2 == 0: // done, and nobody is told
		_, _ = f.Model.Write(ctx, items) // whatever it says
		return nil, errors.New("no answer came")
	case mode == "some":
		return f.some(ctx, items, n)
	}
	return f.Model.Write(ctx, items)
}

// some refuses every third item for now.
func (f *flaky) some(ctx context.Context, items []actionlog.Item, n int) ([]actionlog.Outcome, error) {
	outcomes := make([]actionlog.Outcome, len(items))
	for i := range items {
		if (i+n)%3 == 0 {
			outcomes[i] = actionlog.Outcome{Kind: actionlog.OutcomeRetry, Err: errors.New("busy")}
			continue
		}
		one, err := f.Model.Write(ctx, items[i:i+1])
		if err != nil {
			return nil, err
		}
		outcomes[i] = one[0]
	}
	return outcomes, nil
}

// letters are dead letters in memory.
type letters struct {
	actionlog.DeadLetters // what the indexer does not ask for
	mu                    sync.Mutex
	fail                  bool
	all                   map[actionlog.Position]actionlog.DeadLetter
}

func (l *letters) set(fail bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail = fail
}

func (l *letters) Add(_ context.Context, d actionlog.DeadLetter) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail {
		return errors.New("dead letters cannot be kept")
	}
	if _, there := l.all[d.Position]; !there {
		l.all[d.Position] = d
	}
	return nil
}

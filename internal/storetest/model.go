package storetest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"

	"actionlog"
	"actionlog/internal/match"
)

// Model is a store that keeps items in memory and answers every question by
// looking at all of them. It is the measure of the engines, and the store of
// tests that need any. It is not durable. Use NewModel.
type Model struct {
	// Fault, where set, is asked at the beginning of every call, with the name
	// of the method, and by Scan with "record" before each record; its error is
	// returned (by Scan, yielded as the last element). Set it before the first
	// use; it may be called by many goroutines.
	Fault func(call string) error

	mu       sync.RWMutex
	items    []*kept // oldest first; never changed in place
	writes   int64   // how many items were kept so far
	entries  map[entryKey]*entry
	damaged  map[actionlog.Day]string
	identity map[identity]*kept
}

var _ actionlog.Store = (*Model)(nil)

// kept is an item, and whether it is meant.
type kept struct {
	actionlog.Item
	match       *match.Action
	number      int64 // in the order of writing: the order among equal times
	occurredDay actionlog.Day
}

type identity struct {
	institution, id string
	day             actionlog.Day
}

// NewModel returns an empty model.
func NewModel() *Model {
	return &Model{entries: map[entryKey]*entry{}, damaged: map[actionlog.Day]string{}, identity: map[identity]*kept{}}
}

func (m *Model) fault(ctx context.Context, call string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.Fault != nil {
		return m.Fault(call)
	}
	return nil
}

// Write implements actionlog.Writer.
func (m *Model) Write(ctx context.Context, items []actionlog.Item) ([]actionlog.Outcome, error) {
	if err := m.fault(ctx, "Write"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	outcomes := make([]actionlog.Outcome, len(items))
	all := slices.Clone(m.items)
	for i := range items {
		item := &items[i]
		key := identity{item.Institution, item.ID, item.Day()}
		switch old := m.identity[key]; {
		case old == nil:
			k := m.keep(item)
			m.identity[key] = k
			all = append(all, k)
			m.learn(k)
			outcomes[i].Kind = actionlog.OutcomeNew
		case old.Digest == item.Digest:
			outcomes[i].Kind = actionlog.OutcomeRepeat
		default:
			outcomes[i].Kind = actionlog.OutcomeCollision
		}
	}
	slices.SortStableFunc(all, func(a, b *kept) int { return a.OccurredAt.Compare(b.OccurredAt) })
	m.items = all
	return outcomes, nil
}

func (m *Model) keep(item *actionlog.Item) *kept {
	m.writes++
	k := &kept{Item: *item, number: m.writes, occurredDay: item.Day()}
	k.Record = copyOf(item.Record)
	k.match = match.Of(&k.Item)
	return k
}

func copyOf(r actionlog.Record) actionlog.Record {
	r.Document = bytes.Clone(r.Document)
	r.Warnings = slices.Clone(r.Warnings)
	return r
}

// matches returns what a query finds, in order, and the damaged days that it
// covers, oldest first.
func (m *Model) matches(q *actionlog.Query, order actionlog.Order) (found []*kept, missing []actionlog.Day, err error) {
	if err := q.Check(); err != nil {
		return nil, nil, err
	}
	m.mu.RLock()
	items := m.items
	for day := range m.damaged {
		if (q.From.IsZero() || q.From.Before(day.End())) && (q.To.IsZero() || q.To.After(day.Start())) {
			missing = append(missing, day)
		}
	}
	m.mu.RUnlock()
	slices.SortFunc(missing, actionlog.Day.Compare)
	if len(missing) > 0 && !q.MissingDays {
		return nil, missing, fmt.Errorf("day %s is set aside as damaged: %w", missing[0], actionlog.ErrUnavailable)
	}
	for _, k := range items {
		if k.match.Is(q) {
			found = append(found, k)
		}
	}
	if order == actionlog.NewestFirst {
		slices.Reverse(found)
	}
	return found, missing, nil
}

package storetest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"actionlog"
	"actionlog/internal/people"
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

// kept is an item and its words.
type kept struct {
	actionlog.Item
	number      int64 // in the order of writing: the order among equal times
	words       map[string]bool
	staffWords  map[string]bool // of StaffText
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

// Damage sets a day aside, as an engine does with a damaged file: its actions
// are gone, and queries that cover it are ErrUnavailable unless they say
// MissingDays. why is DayInfo.Damage.
func (m *Model) Damage(day actionlog.Day, why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remove(day)
	m.damaged[day] = why
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
	k := &kept{Item: *item, number: m.writes, words: map[string]bool{}, staffWords: map[string]bool{}, occurredDay: item.Day()}
	k.Record = copyOf(item.Record)
	for _, s := range item.Text {
		for _, w := range people.Words(s) {
			k.words[w] = true
		}
	}
	for _, s := range item.StaffText {
		for _, w := range people.Words(s) {
			k.staffWords[w] = true
		}
	}
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
	if err := valid(q); err != nil {
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
	slices.SortFunc(missing, func(a, b actionlog.Day) int { return a.Start().Compare(b.Start()) })
	if len(missing) > 0 && !q.MissingDays {
		return nil, missing, fmt.Errorf("day %s is set aside as damaged: %w", missing[0], actionlog.ErrUnavailable)
	}
	for _, k := range items {
		if k.matches(q) {
			found = append(found, k)
		}
	}
	if order == actionlog.NewestFirst {
		slices.Reverse(found)
	}
	return found, missing, nil
}

// Page implements actionlog.Searcher.
func (m *Model) Page(ctx context.Context, q actionlog.Query, order actionlog.Order, after actionlog.Mark, limit int) (actionlog.Page, error) {
	if err := m.fault(ctx, "Page"); err != nil {
		return actionlog.Page{}, err
	}
	if limit < 1 || limit > 1000 {
		return actionlog.Page{}, actionlog.Invalidf("limit", "is not 1 to 1000")
	}
	from, err := parsePlace(after)
	if err != nil {
		return actionlog.Page{}, err
	}
	found, missing, err := m.matches(&q, order)
	if err != nil {
		return actionlog.Page{}, err
	}
	if after != "" {
		found = slices.DeleteFunc(found, func(k *kept) bool {
			c := placeOf(k).compare(from)
			return c == 0 || (c < 0) == (order == actionlog.OldestFirst)
		})
	}
	page := actionlog.Page{MissingDays: missing}
	for i, k := range found {
		if i == limit {
			page.Next = placeOf(found[i-1]).mark()
			break
		}
		page.Records = append(page.Records, copyOf(k.Record))
	}
	return page, nil
}

// place is where an item stands in the order of time.
type place struct{ ms, number int64 }

func placeOf(k *kept) place { return place{k.OccurredAt.UnixMilli(), k.number} }

func (p place) compare(o place) int {
	return cmp.Or(cmp.Compare(p.ms, o.ms), cmp.Compare(p.number, o.number))
}

func (p place) mark() actionlog.Mark {
	return actionlog.Mark(strconv.FormatInt(p.ms, 36) + "_" + strconv.FormatInt(p.number, 36))
}

func parsePlace(m actionlog.Mark) (p place, err error) {
	if m == "" {
		return p, nil
	}
	ms, number, ok := strings.Cut(string(m), "_")
	p.ms, err = strconv.ParseInt(ms, 36, 64)
	if err == nil {
		p.number, err = strconv.ParseInt(number, 36, 64)
	}
	if err != nil || !ok {
		return p, actionlog.Invalidf("cursor", "is not a mark of this store")
	}
	return p, nil
}

// Get implements actionlog.Searcher.
func (m *Model) Get(ctx context.Context, institution, id string, day actionlog.Day) ([]actionlog.Record, error) {
	if err := m.fault(ctx, "Get"); err != nil {
		return nil, err
	}
	q := actionlog.Query{Institution: institution, MissingDays: day.IsZero()}
	if !day.IsZero() {
		q.From, q.To = day.Start(), day.End()
	}
	found, missing, err := m.matches(&q, actionlog.NewestFirst)
	if err != nil {
		return nil, err
	}
	var records []actionlog.Record
	for _, k := range found {
		if k.ID == id {
			records = append(records, copyOf(k.Record))
		}
	}
	switch {
	case len(records) > 0:
		return records, nil
	case len(missing) > 0:
		return nil, fmt.Errorf("day %s is set aside as damaged: %w", missing[0], actionlog.ErrUnavailable)
	}
	return nil, fmt.Errorf("action %s: %w", id, actionlog.ErrNotFound)
}

// Scan implements actionlog.Scanner.
func (m *Model) Scan(ctx context.Context, q actionlog.Query, order actionlog.Order) iter.Seq2[actionlog.Record, error] {
	return func(yield func(actionlog.Record, error) bool) {
		err := m.fault(ctx, "Scan")
		var found []*kept
		if err == nil {
			found, _, err = m.matches(&q, order)
		}
		for _, k := range found {
			if err = m.fault(ctx, "record"); err != nil {
				break
			}
			if !yield(copyOf(k.Record), nil) {
				return
			}
		}
		if err != nil {
			yield(actionlog.Record{}, err)
		}
	}
}

// Days implements actionlog.Keeper. Bytes are those of the documents.
func (m *Model) Days(ctx context.Context) ([]actionlog.DayInfo, error) {
	if err := m.fault(ctx, "Days"); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	var infos []actionlog.DayInfo
	for _, k := range m.items {
		if n := len(infos); n == 0 || infos[n-1].Day != k.occurredDay {
			infos = append(infos, actionlog.DayInfo{Day: k.occurredDay})
		}
		last := &infos[len(infos)-1]
		last.Actions++
		last.Bytes += int64(len(k.Document))
	}
	for day, why := range m.damaged {
		infos = append(infos, actionlog.DayInfo{Day: day, Damage: why})
	}
	slices.SortStableFunc(infos, func(a, b actionlog.DayInfo) int { return a.Day.Start().Compare(b.Day.Start()) })
	return infos, nil
}

// Drop implements actionlog.Keeper. What Damage set aside stays so.
func (m *Model) Drop(ctx context.Context, day actionlog.Day) error {
	if err := m.fault(ctx, "Drop"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remove(day)
	return nil
}

// remove forgets a day; m.mu is held.
func (m *Model) remove(day actionlog.Day) {
	var rest []*kept
	for _, k := range m.items {
		if k.occurredDay == day {
			delete(m.identity, identity{k.Institution, k.ID, day})
		} else {
			rest = append(rest, k)
		}
	}
	m.items = rest
	m.forget(day)
}

// Institutions lists the institutions that have actions, by ID, each with the
// newest name that it was given.
func (m *Model) Institutions(ctx context.Context) ([]actionlog.Institution, error) {
	if err := m.fault(ctx, "Institutions"); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	names := map[string]string{}
	for _, k := range m.items {
		names[k.Institution] = cmp.Or(k.Action.Institution.Name, names[k.Institution])
	}
	var list []actionlog.Institution
	for id, name := range names {
		list = append(list, actionlog.Institution{ID: id, Name: name})
	}
	slices.SortFunc(list, func(a, b actionlog.Institution) int { return strings.Compare(a.ID, b.ID) })
	return list, nil
}

func within(t, from, to time.Time) bool {
	return (from.IsZero() || !t.Before(from)) && (to.IsZero() || t.Before(to))
}

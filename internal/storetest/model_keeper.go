package storetest

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"actionlog"
)

// Damage sets a day aside, as an engine does with a damaged file: its actions
// are gone, and queries that cover it are ErrUnavailable unless they say
// MissingDays. why is DayInfo.Damage.
func (m *Model) Damage(day actionlog.Day, why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remove(day, "")
	m.damaged[day] = why
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
	slices.SortStableFunc(infos, func(a, b actionlog.DayInfo) int { return a.Day.Compare(b.Day) })
	return infos, nil
}

// Drop implements actionlog.Keeper. What Damage set aside is not missed any more.
func (m *Model) Drop(ctx context.Context, day actionlog.Day) error {
	if err := m.fault(ctx, "Drop"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remove(day, "")
	delete(m.damaged, day)
	return nil
}

// Remove implements actionlog.Keeper.
func (m *Model) Remove(ctx context.Context, institution string, day actionlog.Day) error {
	if err := m.fault(ctx, "Remove"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if why, damaged := m.damaged[day]; damaged {
		return fmt.Errorf("day %s: %s: %w", day, why, actionlog.ErrUnavailable)
	}
	m.remove(day, institution)
	return nil
}

// Rebuild implements actionlog.Keeper.
func (m *Model) Rebuild(ctx context.Context, day actionlog.Day, fill func(w actionlog.Writer) error) error {
	if err := m.fault(ctx, "Rebuild"); err != nil {
		return err
	}
	r := &rebuilding{day: day, fresh: NewModel()}
	if err := fill(r); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []*kept
	for _, k := range m.items {
		if r.fresh.identity[identity{k.Institution, k.ID, k.occurredDay}] == nil {
			all = append(all, k)
		}
	}
	for _, k := range r.fresh.items {
		m.identity[identity{k.Institution, k.ID, day}] = k
		m.learn(k)
		all = append(all, k)
	}
	slices.SortStableFunc(all, func(a, b *kept) int { return a.OccurredAt.Compare(b.OccurredAt) })
	m.items = all
	delete(m.damaged, day)
	return nil
}

// rebuilding takes the actions of one day.
type rebuilding struct {
	day   actionlog.Day
	fresh *Model
}

// Write implements actionlog.Writer.
func (r *rebuilding) Write(ctx context.Context, items []actionlog.Item) ([]actionlog.Outcome, error) {
	outcomes := make([]actionlog.Outcome, len(items))
	for i := range items {
		if items[i].Day() != r.day {
			outcomes[i] = actionlog.Outcome{Kind: actionlog.OutcomeRefused, Err: fmt.Errorf("it is not of %s", r.day)}
			continue
		}
		one, err := r.fresh.Write(ctx, items[i:i+1])
		if err != nil {
			return nil, err
		}
		outcomes[i] = one[0]
	}
	return outcomes, nil
}

// Positions implements actionlog.Keeper.
func (m *Model) Positions(ctx context.Context, day actionlog.Day) iter.Seq2[actionlog.Placed, error] {
	return func(yield func(actionlog.Placed, error) bool) {
		if err := m.fault(ctx, "Positions"); err != nil {
			yield(actionlog.Placed{}, err)
			return
		}
		m.mu.RLock()
		items := slices.Clone(m.items)
		m.mu.RUnlock()
		for _, k := range items {
			if k.occurredDay == day && !yield(actionlog.Placed{Institution: k.Institution, Position: k.Position}, nil) {
				return
			}
		}
	}
}

// remove forgets a day, of an institution ("": of all); m.mu is held.
func (m *Model) remove(day actionlog.Day, institution string) {
	var rest []*kept
	for _, k := range m.items {
		if k.occurredDay == day && (institution == "" || k.Institution == institution) {
			delete(m.identity, identity{k.Institution, k.ID, day})
		} else {
			rest = append(rest, k)
		}
	}
	m.items = rest
	m.forget(day, institution)
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

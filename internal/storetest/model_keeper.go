package storetest

import (
	"cmp"
	"context"
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
	m.remove(day)
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

package archive

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"actionlog"
)

// Meter counts how much of the log is each institution's. Days that the store has are counted
// by the store, which has every action once; older ones are read from the archive, where one
// that was published again stands again.
type Meter struct {
	Storage      Storage // nil: there is no archive
	Searcher     actionlog.Searcher
	Institutions func(ctx context.Context) ([]actionlog.Institution, error) // of the store
	Oldest       func() actionlog.Day                                       // that is searchable
	// Newest is the last day on which an action may have occurred.
	Newest  func() actionlog.Day
	Settled func(ctx context.Context) (actionlog.Position, error)

	distinct int // how many identities are remembered at once; default maxDistinct
}

// maxDistinct is how many identities are remembered at once, some 60 bytes each.
const maxDistinct = 200_000

// usageRow is a row while it is counted.
type usageRow struct {
	actionlog.Usage
	unsized bool   // of some of its lines the length is not known
	old     uint64 // lines of days that the store has not
}

// usageRows are the first rows behind a key: as many as a page needs to know, however many
// institutions there are.
type usageRows struct {
	q    *actionlog.UsageQuery
	rows map[actionlog.UsageKey]*usageRow
	// last is the last row that can be among them; zero: any can.
	last actionlog.UsageKey
}

// of is the row of an institution's day; nil: it is on none or on another page. What was
// left out once stays out: there are enough rows before it.
func (u *usageRows) of(institution string, day actionlog.Day) *usageRow {
	if day.Before(u.q.From) || u.q.To.Before(day) {
		return nil
	}
	from, to := u.q.Span(day)
	key := actionlog.UsageKey{Institution: institution, From: from}
	if u.beyond(key) || u.q.After != (actionlog.UsageKey{}) && key.Compare(u.q.After) <= 0 {
		return nil
	}
	if u.rows[key] == nil {
		if len(u.rows) >= 2*u.q.Limit+2 {
			u.cut()
			if u.beyond(key) {
				return nil
			}
		}
		u.rows[key] = &usageRow{Usage: actionlog.Usage{Institution: institution, From: from, To: to}}
	}
	return u.rows[key]
}

func (u *usageRows) beyond(key actionlog.UsageKey) bool {
	return u.last != (actionlog.UsageKey{}) && key.Compare(u.last) > 0
}

// sorted are the keys in their order.
func (u *usageRows) sorted() []actionlog.UsageKey {
	return slices.SortedFunc(maps.Keys(u.rows), actionlog.UsageKey.Compare)
}

// cut leaves one row more than a page has.
func (u *usageRows) cut() {
	keys := u.sorted()
	if len(keys) <= u.q.Limit+1 {
		return
	}
	for _, key := range keys[u.q.Limit+1:] {
		delete(u.rows, key)
	}
	u.last = keys[u.q.Limit]
}

// Usage counts. Its memory grows with the limit only.
func (m *Meter) Usage(ctx context.Context, q actionlog.UsageQuery) (page actionlog.UsagePage, err error) {
	if m.Storage == nil {
		return m.usage(ctx, q)
	}
	l := &Ledger{Storage: m.Storage}
	err = l.steady(ctx, func() error {
		page, err = m.usage(ctx, q)
		return err
	})
	return page, err
}

func (m *Meter) usage(ctx context.Context, q actionlog.UsageQuery) (page actionlog.UsagePage, err error) {
	oldest := m.Oldest()
	if page.Through, err = m.Settled(ctx); err != nil {
		return page, err
	}
	u := &usageRows{q: &q, rows: map[actionlog.UsageKey]*usageRow{}}
	if m.Storage == nil {
		if q.From.Before(oldest) {
			page.Counted = oldest
		}
	} else if page.Through, err = m.tally(ctx, u, oldest, page.Through); err != nil {
		return page, err
	}
	if err := m.stored(ctx, u, oldest); err != nil {
		return page, err
	}
	keys := u.sorted()
	page.More = len(keys) > q.Limit
	keys = keys[:min(len(keys), q.Limit)]
	if err := m.distinctOf(ctx, u, keys, oldest); err != nil {
		return page, err
	}
	for _, key := range keys {
		r := u.rows[key]
		if r.HasBytes = m.Storage != nil && !r.unsized; !r.HasBytes {
			r.Bytes = 0
		}
		page.Rows = append(page.Rows, r.Usage)
	}
	return page, nil
}

// tally counts what the archive has, by its manifests and the open segment. It returns up to
// which position all is counted: as far as both the store and the archive are.
func (m *Meter) tally(ctx context.Context, u *usageRows, oldest actionlog.Day, settled actionlog.Position) (through actionlog.Position, err error) {
	add := func(institution string, d Day) error {
		day, err := actionlog.ParseDay(d.Day)
		if err != nil {
			return err
		}
		r := u.of(institution, day)
		if r == nil {
			return nil
		}
		r.Archived += int64(d.Count)
		r.Bytes += d.Bytes
		r.unsized = r.unsized || d.Bytes == 0
		if day.Before(oldest) {
			r.old += d.Count
		}
		return nil
	}
	reader, ends, last := &Reader{m.Storage}, map[string]uint64{}, actionlog.Position{}
	for f, err := range reader.manifests(ctx) {
		if err != nil {
			return last, err
		}
		for i := range f.Institutions {
			for _, d := range f.Institutions[i].Days {
				if err := add(f.Institutions[i].ID, d); err != nil {
					return last, fmt.Errorf("archive: %s: %w", manifestName(f.Number), err)
				}
			}
		}
		ends[f.Stream] = f.Last
		last = actionlog.Position{Stream: f.Stream, Sequence: f.Last}
	}
	for o, err := range reader.open(ctx, ends) {
		if err != nil {
			return last, err
		}
		last = o.header.position()
		if o.header.dead != "" {
			continue
		}
		if err := add(o.header.institution, Day{Day: o.header.day, Count: 1, Bytes: int64(len(o.text))}); err != nil {
			return last, fmt.Errorf("archive: %s: %w", openName, err)
		}
	}
	if last.Stream == settled.Stream && settled.Sequence < last.Sequence {
		return settled, nil
	}
	return last, nil
}

// stored counts what the store has.
func (m *Meter) stored(ctx context.Context, u *usageRows, oldest actionlog.Day) error {
	from, to := u.q.From, u.q.To
	if from.Before(oldest) {
		from = oldest
	}
	if newest := m.Newest(); newest.Before(to) {
		to = newest
	}
	if to.Before(from) {
		return nil
	}
	edges := []time.Time{from.Start()}
	for day := from; !to.Before(day); {
		_, last := u.q.Span(day)
		if to.Before(last) {
			last = to
		}
		edges = append(edges, last.End())
		day = last.Add(1)
	}
	all, err := m.Institutions(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b actionlog.Institution) int { return cmp.Compare(a.ID, b.ID) })
	for _, x := range all {
		if x.ID < u.q.After.Institution || u.beyond(actionlog.UsageKey{Institution: x.ID}) {
			continue
		}
		buckets, err := m.Searcher.Histogram(ctx, actionlog.Query{Institution: x.ID, From: edges[0], To: edges[len(edges)-1], Staff: actionlog.StaffShown}, edges, "")
		if err != nil {
			return fmt.Errorf("usage of %s: %w", x.ID, err)
		}
		for _, b := range buckets {
			if b.Count == 0 {
				continue
			}
			if r := u.of(x.ID, actionlog.DayOf(b.From)); r != nil {
				r.Actions += b.Count
			}
		}
	}
	return nil
}

// distinctOf counts the actions of rows on days that the store has not: identities, each
// once. What does not fit into memory is read several times, a part of the identities each.
func (m *Meter) distinctOf(ctx context.Context, u *usageRows, keys []actionlog.UsageKey, oldest actionlog.Day) error {
	old, lines := map[string]bool{}, uint64(0) // institutions
	for _, key := range keys {
		if n := u.rows[key].old; n > 0 {
			old[key.Institution] = true
			lines += n
		}
	}
	if lines == 0 {
		return nil
	}
	end := keys[len(keys)-1]
	parts := lines/uint64(cmp.Or(m.distinct, maxDistinct)) + 1
	for part := range parts {
		seen := map[[sha256.Size]byte]bool{}
		for l, err := range m.oldLines(ctx, u.q, old, oldest) {
			if err != nil {
				return err
			}
			r := u.of(l.Institution, l.Day)
			if r == nil || end.Compare(actionlog.UsageKey{Institution: l.Institution, From: r.From}) < 0 {
				continue
			}
			item, reason, err := actionlog.Skim("", l.Document, nil) // its subject was judged when it was archived
			if err != nil && reason != actionlog.DeadSubject || actionlog.CheckTime(item.OccurredAt, l.ReceivedAt) != nil {
				continue // a dead letter by now
			}
			identity := sha256.Sum256(fmt.Appendf(nil, "%s %s %s", l.Institution, l.Day, item.ID))
			if binary.BigEndian.Uint64(identity[:])%parts == part && !seen[identity] {
				seen[identity] = true
				r.Actions++
			}
		}
	}
	return nil
}

// oldLines yields the archived actions of institutions on the days in question that the store
// has not.
func (m *Meter) oldLines(ctx context.Context, q *actionlog.UsageQuery, institutions map[string]bool, oldest actionlog.Day) iter.Seq2[*Line, error] {
	s := Selection{From: q.From, To: q.To}
	if !q.To.Before(oldest) {
		s.To = oldest.Add(-1)
	}
	reader, ends := &Reader{m.Storage}, map[string]uint64{}
	return func(yield func(*Line, error) bool) {
		for f, err := range reader.manifests(ctx) {
			if err != nil {
				yield(nil, err)
				return
			}
			ends[f.Stream] = f.Last
			for i := range f.Institutions {
				s.Institution = f.Institutions[i].ID
				if institutions[s.Institution] && s.count(&f.Details) > 0 && !reader.segment(ctx, f, &s, yield) {
					return
				}
			}
		}
		for o, err := range reader.open(ctx, ends) {
			if err != nil {
				yield(nil, err)
				return
			}
			if h := &o.header; h.dead != "" || !institutions[h.institution] || !s.day(h.day) {
				continue
			}
			line, err := parseLine(o.text)
			if !yield(line, err) || err != nil {
				return
			}
		}
	}
}

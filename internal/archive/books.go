package archive

import (
	"context"
	"fmt"

	"actionlog"
)

// books are what is archived, by day and institution.
type books struct {
	days map[string]map[string]*account
	dead uint64
	past uint64            // archived, of days that are too old and that the store has not
	ends map[string]uint64 // the last archived position of each incarnation
	// settled is up to where the store was when the archive was read.
	settled actionlog.Position
}

func (b *books) of(day, institution string) *account {
	if b.days[day] == nil {
		b.days[day] = map[string]*account{}
	}
	if b.days[day][institution] == nil {
		b.days[day][institution] = &account{}
	}
	return b.days[day][institution]
}

// read reads the manifests and the open segment; only is the day that matters, zero all. Of
// days that are past, of which an archive has as many as it is old, it only counts.
func (l *Ledger) read(ctx context.Context, only actionlog.Day, past func(day string) bool) (*books, error) {
	settled, err := l.Settled(ctx)
	if err != nil {
		return nil, err
	}
	b := &books{days: map[string]map[string]*account{}, ends: map[string]uint64{}, settled: settled}
	s := Selection{From: only, To: only}
	r := &Reader{l.Storage}
	for m, err := range r.manifests(ctx) {
		if err != nil {
			return nil, err
		}
		b.ends[m.Stream] = m.Last
		for i := range m.Institutions {
			t := &m.Institutions[i]
			b.dead += t.Dead
			for _, d := range t.Days {
				if !s.day(d.Day) {
					continue
				}
				if past(d.Day) {
					b.past += d.Count
					continue
				}
				sum, err := ParsePositionSum(d.Positions)
				if err != nil {
					return nil, fmt.Errorf("archive: %s: %w", manifestName(m.Number), err)
				}
				a := b.of(d.Day, t.ID)
				a.count += d.Count
				a.sum.Join(sum)
			}
		}
	}
	for h, err := range r.open(ctx, b.ends) {
		if err != nil {
			return nil, err
		}
		switch day := h.header.day; {
		case h.header.dead != "":
			b.dead++
		case !s.day(day):
		case past(day):
			b.past++
		default:
			b.of(day, h.header.institution).add(h.header.position())
		}
		b.ends[h.header.stream] = h.header.sequence
	}
	return b, nil
}

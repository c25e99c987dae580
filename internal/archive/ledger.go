package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"actionlog"
)

// Ledger accounts for every position: each that is archived is exactly one of indexed,
// a repeat, a dead letter, or too old; and each that is indexed is archived.
type Ledger struct {
	Storage  Storage
	Keeper   actionlog.Keeper
	Searcher actionlog.Searcher
	Dead     interface {
		// Has tells whether there is a dead letter of a position.
		Has(ctx context.Context, p actionlog.Position) (bool, error)
	}
	Oldest func() actionlog.Day // that is searchable
	// Settled is the position up to which the stream is settled: indexed, a repeat, a
	// dead letter or too old.
	Settled func(ctx context.Context) (actionlog.Position, error)
}

// Accounts are what an account of days says.
type Accounts struct {
	Archived   uint64 `json:"archived"` // lines of the days in question, dead ones included
	Indexed    uint64 `json:"indexed"`
	Repeats    uint64 `json:"repeats"`
	Dead       uint64 `json:"dead"`
	TooOld     uint64 `json:"too_old"`
	Missing    uint64 `json:"missing"`    // archived, and nothing of these
	Unarchived uint64 `json:"unarchived"` // indexed, and not archived although what came after is
	Pending    uint64 `json:"pending"`    // archived, and the store is not as far yet
	Ahead      uint64 `json:"ahead"`      // indexed, and the archive is not as far yet
	// Differences are the institutions' days that do not add up.
	Differences []Difference `json:"differences"`
}

// Whole tells whether everything adds up.
func (a *Accounts) Whole() bool { return a.Missing == 0 && a.Unarchived == 0 }

// Difference is an institution's day that does not add up.
type Difference struct {
	Institution string   `json:"institution"`
	Day         string   `json:"day"`
	Archived    uint64   `json:"archived"`
	Indexed     uint64   `json:"indexed"`
	Missing     uint64   `json:"missing"`
	Unarchived  uint64   `json:"unarchived"`
	Positions   []string `json:"positions,omitempty"` // of missing ones, the first few
}

// maxNamed is how many positions a difference names.
const maxNamed = 20

// open yields the lines of the open segment that no manifest up to ends has.
func (r *Reader) open(ctx context.Context, ends map[string]uint64) iter.Seq2[openLine, error] {
	sealed := maps.Clone(ends)
	return func(yield func(openLine, error) bool) {
		for o, err := range openLines(ctx, r.Storage) {
			if err == nil && o.header.sequence <= sealed[o.header.stream] {
				continue
			}
			if !yield(o, err) || err != nil {
				return
			}
		}
	}
}

// steady does something that reads the archive more than once, again if a segment was
// sealed meanwhile: then what looks like damage may be of two open segments.
func (l *Ledger) steady(ctx context.Context, do func() error) error {
	for try := 1; ; try++ {
		before, err := newest(ctx, l.Storage)
		if err == nil {
			err = do()
		}
		if err != nil && !errors.Is(err, ErrDamaged) {
			return err
		}
		switch after, e := newest(ctx, l.Storage); {
		case e != nil:
			return e
		case after == before:
			return err
		case try == maxTries:
			return fmt.Errorf("archive: segments are sealed all the time: %w", actionlog.ErrUnavailable)
		}
	}
}

const maxTries = 5

// Account accounts for all days.
func (l *Ledger) Account(ctx context.Context) (a *Accounts, err error) {
	err = l.steady(ctx, func() error {
		a, err = l.account(ctx)
		return err
	})
	return a, err
}

func (l *Ledger) account(ctx context.Context) (*Accounts, error) {
	days, err := l.Keeper.Days(ctx)
	if err != nil {
		return nil, err
	}
	oldest, there := l.Oldest().String(), map[string]bool{}
	for _, d := range days {
		there[d.Day.String()] = true
	}
	b, err := l.read(ctx, actionlog.Day{}, func(day string) bool { return day < oldest && !there[day] })
	if err != nil {
		return nil, err
	}
	a := &Accounts{Archived: b.dead + b.past, Dead: b.dead, TooOld: b.past, Differences: []Difference{}}
	for _, d := range days {
		if d.Damage != "" {
			return nil, fmt.Errorf("day %s: %s: %w", d.Day, d.Damage, actionlog.ErrUnavailable)
		}
		if err := l.day(ctx, b, d.Day, a); err != nil {
			return nil, err
		}
		delete(b.days, d.Day.String())
	}
	for _, text := range slices.Sorted(maps.Keys(b.days)) { // days that the store has not
		day, err := actionlog.ParseDay(text)
		if err != nil {
			return nil, fmt.Errorf("archive: %w", err)
		}
		if err := l.day(ctx, b, day, a); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Proven tells whether all that the store holds of a day is archived.
func (l *Ledger) Proven(ctx context.Context, day actionlog.Day) (proven bool, err error) {
	err = l.steady(ctx, func() error {
		b, err := l.read(ctx, day, func(string) bool { return false })
		if err != nil {
			return err
		}
		a := &Accounts{}
		if err := l.day(ctx, b, day, a); err != nil {
			return err
		}
		proven = a.Unarchived == 0 && a.Ahead == 0
		return nil
	})
	return proven && err == nil, err
}

// day accounts for a day.
func (l *Ledger) day(ctx context.Context, b *books, day actionlog.Day, a *Accounts) error {
	stored := map[string]*account{}
	for p, err := range l.Keeper.Positions(ctx, day) {
		if err != nil {
			return err
		}
		if p.Position.Sequence > b.ends[p.Position.Stream] && b.ends[p.Position.Stream] > 0 {
			a.Ahead++
			continue
		}
		if stored[p.Institution] == nil {
			stored[p.Institution] = &account{}
		}
		stored[p.Institution].add(p.Position)
	}
	institutions, all := map[string]bool{}, uint64(0)
	for id, in := range stored {
		institutions[id] = true
		all += in.count
	}
	for id := range b.days[day.String()] {
		institutions[id] = true
	}
	for _, id := range slices.Sorted(maps.Keys(institutions)) {
		in, out := stored[id], b.days[day.String()][id]
		if in == nil {
			in = &account{}
		}
		if out == nil {
			out = &account{}
		}
		a.Archived += out.count
		switch {
		case *in == *out:
			a.Indexed += in.count
		case in.count == 0 && day.Before(l.Oldest()):
			a.TooOld += out.count
		default:
			if err := l.explain(ctx, b, day, id, in, out, all, a); err != nil {
				return err
			}
		}
	}
	return nil
}

// readsForOne is about how many positions are read in the time in which the store is asked for one action.
const readsForOne = 100

// explain says of each archived action of an institution's day, of which the store holds all of all institutions, what became of it.
func (l *Ledger) explain(ctx context.Context, b *books, day actionlog.Day, institution string, in, out *account, all uint64, a *Accounts) error {
	d := Difference{Institution: institution, Day: day.String(), Archived: out.count, Indexed: in.count}
	found, there := account{}, indexed{keeper: l.Keeper, day: day, institution: institution}
	for line, err := range l.lines(ctx, b, day, institution) {
		if err != nil {
			return err
		}
		what, is := actionlog.OutcomeNew, false
		if out.count > all/readsForOne { // otherwise asking for each is less than reading the day
			if is, err = there.has(ctx, line.Position); err != nil {
				return err
			}
		}
		if !is {
			if what, err = l.became(ctx, line, day); err != nil {
				return err
			}
		}
		switch what {
		case actionlog.OutcomeNew:
			found.add(line.Position)
			a.Indexed++
		case actionlog.OutcomeRepeat:
			a.Repeats++
		case actionlog.OutcomeCollision:
			a.Dead++
		default:
			if line.Position.Stream == b.settled.Stream && line.Position.Sequence > b.settled.Sequence {
				a.Pending++
				continue
			}
			if day.Before(l.Oldest()) {
				a.TooOld++
				continue
			}
			if d.Missing++; len(d.Positions) < maxNamed {
				d.Positions = append(d.Positions, line.Position.String())
			}
		}
	}
	if found != *in && in.count >= found.count {
		d.Unarchived = in.count - found.count
		if d.Unarchived == 0 {
			d.Unarchived = 1 // as many, and not the same
		}
	}
	a.Missing += d.Missing
	a.Unarchived += d.Unarchived
	if d.Missing > 0 || d.Unarchived > 0 {
		a.Differences = append(a.Differences, d)
	}
	return nil
}

// lines yields the archived actions of an institution's day, the open segment's too.
func (l *Ledger) lines(ctx context.Context, b *books, day actionlog.Day, institution string) iter.Seq2[*Line, error] {
	r := &Reader{l.Storage}
	return func(yield func(*Line, error) bool) {
		seen := map[string]uint64{}
		for line, err := range r.Actions(ctx, Selection{Institution: institution, From: day, To: day}) {
			if err == nil && line.Position.Sequence > b.ends[line.Position.Stream] { // archived since
				continue
			}
			if err == nil {
				seen[line.Position.Stream] = max(seen[line.Position.Stream], line.Position.Sequence)
			}
			if !yield(line, err) || err != nil {
				return
			}
		}
		for o, err := range r.open(ctx, seen) {
			if err != nil {
				yield(nil, err)
				return
			}
			if h := o.header; h.institution != institution || h.day != day.String() || h.dead != "" || h.sequence > b.ends[h.stream] {
				continue
			}
			line, err := parseLine(o.text)
			if !yield(line, err) || err != nil {
				return
			}
		}
	}
}

// became says what became of an archived action: OutcomeNew where it is indexed itself,
// OutcomeRepeat or OutcomeCollision where another one is (the dead letter of a collision
// may have been dropped since), OutcomeCollision where it is another kind of dead letter,
// 0 where nothing is known of it.
func (l *Ledger) became(ctx context.Context, line *Line, day actionlog.Day) (actionlog.OutcomeKind, error) {
	item, err := actionlog.Parse(line.Document, nil)
	if err != nil {
		return actionlog.OutcomeCollision, nil // a dead letter by now: judged by an earlier version
	}
	records, err := l.Searcher.Get(ctx, line.Institution, item.ID, day)
	if err != nil && !errors.Is(err, actionlog.ErrNotFound) {
		return 0, err
	}
	for i := range records {
		if records[i].Position == line.Position {
			return actionlog.OutcomeNew, nil
		}
		if bytes.Equal(records[i].Document, line.Document) {
			return actionlog.OutcomeRepeat, nil
		}
		if other, err := actionlog.Parse(records[i].Document, nil); err == nil && other.Digest == item.Digest {
			return actionlog.OutcomeRepeat, nil
		}
	}
	if len(records) > 0 {
		return actionlog.OutcomeCollision, nil
	}
	if dead, err := l.Dead.Has(ctx, line.Position); err != nil || !dead {
		return 0, err
	}
	return actionlog.OutcomeCollision, nil
}

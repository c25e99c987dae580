package sqlite

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"actionlog"
	"actionlog/internal/segment"
)

// writers is how many days are written at the same time.
const writers = 4

// Write implements actionlog.Writer: one synced transaction per day, then one
// for the directory.
func (s *Store) Write(ctx context.Context, items []actionlog.Item) ([]actionlog.Outcome, error) {
	outcomes := make([]actionlog.Outcome, len(items))
	for round := range actionlog.Rounds(items) {
		s.writeRound(ctx, items, round, outcomes)
	}
	if err := s.people.learn(ctx, items, outcomes); err != nil {
		return nil, s.judgePeople(err)
	}
	return outcomes, nil
}

// writeRound writes items of distinct identities, day by day.
func (s *Store) writeRound(ctx context.Context, items []actionlog.Item, round []int, outcomes []actionlog.Outcome) {
	byDay := map[actionlog.Day][]int{}
	for _, i := range round {
		d := items[i].Day()
		byDay[d] = append(byDay[d], i)
	}
	work := make(chan actionlog.Day)
	var wg sync.WaitGroup
	for range min(writers, len(byDay)) {
		wg.Go(func() {
			for d := range work {
				s.writeDay(ctx, d, items, byDay[d], outcomes)
			}
		})
	}
	for d := range byDay {
		work <- d
	}
	close(work)
	wg.Wait()
}

// writeDay writes one day's items; if the day cannot be written, all of them
// are to be retried and nothing of them is kept.
func (s *Store) writeDay(ctx context.Context, date actionlog.Day, items []actionlog.Item, indexes []int, outcomes []actionlog.Outcome) {
	d := s.day(date, true)
	if segments := d.current(); len(segments) > maxSegments && len(pick(segments, false)) > 1 {
		if err := s.compactor.compact(ctx, d, false); err != nil { // reading only becomes slower
			s.log.Warn("segments of a day are not merged", "day", date, "error", err)
		}
	}
	d.write.Lock()
	for next := d.next(); next != nil; next = d.next() { // it was rebuilt meanwhile
		d.write.Unlock()
		d = next
		d.write.Lock()
	}
	err := s.writeLocked(ctx, d, items, indexes, outcomes)
	d.write.Unlock()
	if len(d.current()) >= fanOut {
		s.compactor.add(d)
	}
	if err == nil {
		return
	}
	err = s.judge(ctx, d, err)
	for _, i := range indexes {
		outcomes[i] = actionlog.Outcome{Kind: actionlog.OutcomeRetry, Err: err}
	}
}

func (s *Store) writeLocked(ctx context.Context, d *day, items []actionlog.Item, indexes []int, outcomes []actionlog.Outcome) error {
	if err := d.writable(); err != nil {
		return err // it is made anew for the next attempt
	}
	if err := s.openWriter(d); err != nil {
		return err
	}
	d.lastUsed = time.Now()
	w := dayWriter{store: s, day: d, items: items, outcomes: outcomes}
	if err := w.judge(ctx, indexes); err != nil {
		return err
	}
	return w.write()
}

// openWriter opens the day's file, and makes it durable if it is new.
func (s *Store) openWriter(d *day) error {
	if d.writer != nil {
		return nil
	}
	s.limitWriters(d)
	_, statErr := os.Stat(d.path)
	c, err := open(d.path, s.newFile(), true, writerCacheKiB)
	if err != nil {
		return err
	}
	if os.IsNotExist(statErr) {
		if err := syncFolder(filepath.Dir(d.path)); err != nil {
			_ = c.Close()
			return err
		}
	}
	d.mu.Lock()
	d.written = true
	err = d.load(c)
	d.mu.Unlock()
	if err == nil && !d.swept {
		err = d.sweep(c)
	}
	if err != nil {
		_ = c.Close()
		return err
	}
	d.writer = c
	return nil
}

// limitWriters closes the writer that was used longest ago, if there are too many.
func (s *Store) limitWriters(but *day) {
	open := 0
	var oldest *day
	var used time.Time
	for _, d := range s.allDays() {
		if d == but || !d.write.TryLock() {
			continue
		}
		if d.writer != nil {
			open++
			if oldest == nil || d.lastUsed.Before(used) {
				oldest, used = d, d.lastUsed
			}
		}
		d.write.Unlock()
	}
	if open >= maxWriters && oldest.write.TryLock() {
		_ = oldest.closeWriter()
		oldest.write.Unlock()
	}
}

// newFile is the schema of a new day, which has the key of the other days, so that texts are hashed once.
func (s *Store) newFile() schema {
	n := daySchema
	n.sql += fmt.Sprintf("INSERT INTO setting VALUES ('key', x'%x'), ('key_sum', x'%x'), ('segments', x'%x');", s.key[:], sumOf(s.key[:]), listOf(nil))
	return n
}

// dayWriter writes items of one day; day.write is held.
type dayWriter struct {
	store    *Store
	day      *day
	items    []actionlog.Item
	outcomes []actionlog.Outcome
	entries  []segment.Entry // what is new
	taken    map[uint64]bool // their identities
}

// maxEntries of a segment that is written at once.
const maxEntries = 1 << 15

// judge tells which items are new.
func (w *dayWriter) judge(ctx context.Context, indexes []int) error {
	v := view{day: w.day, store: w.store, ctx: context.WithoutCancel(ctx), conn: w.day.writer, segments: w.day.current()}
	readers := make([]*segment.Reader, len(v.segments))
	for i, h := range v.segments {
		readers[i] = v.reader(h)
	}
	w.taken = make(map[uint64]bool, len(indexes))
	for _, i := range indexes {
		item := &w.items[i]
		kind, identity, err := w.compare(readers, item)
		if err != nil {
			return err
		}
		w.outcomes[i] = actionlog.Outcome{Kind: kind}
		switch kind {
		case actionlog.OutcomeRefused:
			w.outcomes[i].Err = actionlog.Invalidf("/id", "cannot be told apart from others")
		case actionlog.OutcomeNew:
			w.taken[identity] = true
			w.entries = append(w.entries, segment.Entry{Item: item, Milli: uint32(item.OccurredAt.Sub(w.day.date.Start()).Milliseconds()), Identity: identity})
		}
	}
	return nil
}

// compare tells whether an item is there already and with which content; a new one gets an identity.
func (w *dayWriter) compare(readers []*segment.Reader, item *actionlog.Item) (actionlog.OutcomeKind, uint64, error) {
	for identity := range segment.Identities(item.Institution, item.ID) {
		taken := w.taken[identity]
		for _, r := range readers {
			row, there := r.Find(identity)
			if there && r.Is(row, item.Institution, item.ID) {
				kind, err := same(r.Document(row), item)
				return kind, 0, cmp.Or(r.Err(), err)
			}
			if err := r.Err(); err != nil {
				return 0, 0, err
			}
			taken = taken || there
		}
		if !taken {
			return actionlog.OutcomeNew, identity, nil
		}
	}
	return actionlog.OutcomeRefused, 0, nil
}

// same compares the content of an action that is there with an item.
func same(document []byte, item *actionlog.Item) (actionlog.OutcomeKind, error) {
	if bytes.Equal(document, item.Document) {
		return actionlog.OutcomeRepeat, nil
	}
	there, err := actionlog.Parse(document, nil)
	if err != nil || there.Digest != item.Digest { // or a rule that is newer than the action
		return actionlog.OutcomeCollision, nil
	}
	return actionlog.OutcomeRepeat, nil
}

// write writes what is new, as one segment if it can be.
func (w *dayWriter) write() error {
	for len(w.entries) > 0 {
		n := min(len(w.entries), maxEntries)
		b := w.store.builder(w.day.key)
		image, s, err := b.Build(w.entries[:n])
		w.store.builders.Put(b)
		if err == nil {
			err = w.day.insert(image, s)
		}
		if err != nil {
			return err
		}
		w.entries = w.entries[n:]
	}
	return nil
}

// builder returns a builder of segments whose words have a key.
func (s *Store) builder(key segment.Key) *segment.Builder {
	if b, ok := s.builders.Get().(*segment.Builder); ok && b.Key() == key {
		return b
	}
	return segment.NewBuilder(s.codec, key)
}

package sqlite

import (
	"cmp"
	"context"
	"math/bits"
	"slices"
	"sync"
	"time"

	"actionlog/internal/segment"

	"zombiezen.com/go/sqlite/sqlitex"
)

// Every write makes a segment. Where fanOut are of about the same size they are merged into one, in the background, so that
// an action is rewritten a few times and a day has a few dozen segments at most. A day that nobody writes to any more
// becomes one segment, if that is not too large.
const (
	fanOut = 8
	// maxMerged is how large a merged segment may become, in bytes: what a merge holds in memory.
	maxMerged = 64 << 20
	// maxSegments is where who writes waits until some are merged.
	maxSegments = 64
	// insertStep is how many pieces of a merged segment are written in one transaction.
	insertStep = 64
	// quietShare is which part of the largest segment the others must be for a quiet day to become one, as long as
	// there are fewer than fanOut.
	quietShare = 16
)

// mergePause is how long a day is left alone after a merge that failed.
const mergePause = time.Minute

// compactor merges segments, one day at a time.
type compactor struct {
	store *Store
	mu    sync.Mutex
	due   []*day
	more  chan struct{} // holds one where due may not be empty
	one   sync.Mutex    // held by who merges
}

// add has a day looked at.
func (c *compactor) add(d *day) {
	c.mu.Lock()
	if !slices.Contains(c.due, d) {
		c.due = append(c.due, d)
	}
	c.mu.Unlock()
	select {
	case c.more <- struct{}{}:
	default:
	}
}

func (c *compactor) take() *day {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.due) == 0 {
		return nil
	}
	d := c.due[0]
	c.due = c.due[1:]
	return d
}

// run merges until the store is closed.
func (c *compactor) run() {
	ctx, cancel := c.store.untilClosed()
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.more:
		}
		for d := c.take(); d != nil && ctx.Err() == nil; d = c.take() {
			if time.Now().Before(d.mergeAgain) {
				continue
			}
			if err := c.compact(ctx, d, d.quiet()); err != nil && ctx.Err() == nil {
				d.mergeAgain = time.Now().Add(mergePause)
				c.store.log.Warn("segments of a day are not merged", "day", d.date, "error", err, "again_in", mergePause)
			}
		}
	}
}

// quiet tells whether nobody has written to the day for a while.
func (d *day) quiet() bool {
	if !d.write.TryLock() {
		return false
	}
	defer d.write.Unlock()
	return d.lastUsed.Before(time.Now().Add(-idleAfter))
}

// compact merges what is to be merged of a day, and removes what nobody needs any more.
func (c *compactor) compact(ctx context.Context, d *day, quiet bool) error {
	c.one.Lock()
	defer c.one.Unlock()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		merged := false
		err := c.store.read(ctx, d, func(v *view) (err error) {
			if v.day != d {
				return nil
			}
			v.spare()
			if picked := pick(v.segments, quiet); len(picked) > 1 {
				merged, err = v.merge(picked)
			}
			return err
		})
		if e := c.store.judge(ctx, d, c.store.removeTrash(d)); err == nil {
			err = e
		}
		if err != nil || !merged {
			return err
		}
	}
}

// tier of a segment: those of a tier differ in size by less than fanOut.
func tier(h *held) int { return (bits.Len(uint(h.Rows)) - 1) / 3 }

// pick chooses the segments to be merged next; fewer than two: none.
func pick(all []*held, quiet bool) []*held {
	tiers := map[int][]*held{}
	lowest := -1
	for _, h := range all {
		t := tier(h)
		tiers[t] = append(tiers[t], h)
		if len(tiers[t]) >= fanOut && (lowest < 0 || t < lowest) {
			lowest = t
		}
	}
	if lowest >= 0 {
		if some := fitting(tiers[lowest]); len(some) >= fanOut/2 {
			return some
		}
	}
	if !quiet {
		return nil
	}
	some := fitting(all)
	rows, largest := 0, 0
	for _, h := range some {
		rows, largest = rows+h.Rows, max(largest, h.Rows)
	}
	if len(some) >= fanOut || (rows-largest)*quietShare >= largest {
		return some
	}
	return nil
}

// fitting are as many segments, the smallest first, as can become one.
func fitting(all []*held) []*held {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b *held) int { return cmp.Or(cmp.Compare(a.Rows, b.Rows), cmp.Compare(a.no, b.no)) })
	rows, size := 0, 0
	for i, h := range all {
		rows, size = rows+h.Rows, size+h.Bytes
		if rows > segment.MaxRows || size > maxMerged {
			return all[:i]
		}
	}
	return all
}

// merge makes one segment of some.
func (v *view) merge(picked []*held) (bool, error) {
	readers := make([]*segment.Reader, len(picked))
	for i, h := range picked {
		readers[i] = v.reader(h)
	}
	image, s, err := segment.Merge(v.store.codec, readers)
	if err != nil {
		return false, err
	}
	h := &held{Segment: s, no: v.nextNumber()}
	for from := 0; from < s.Pieces(); from += insertStep {
		to := min(from+insertStep, s.Pieces())
		err := v.writing(func() error {
			err := transaction(v.writer, func() error {
				if err := insertPieces(v.writer, h.no, image, from, to); err != nil || to < s.Pieces() {
					return err
				}
				return v.enter(h, picked)
			})
			if to == s.Pieces() {
				return v.inserted(err, h, picked)
			}
			return err
		})
		if err != nil {
			if to < s.Pieces() { // it never counted, and nobody reads it
				v.discard(h.no)
			}
			return false, err
		}
	}
	return true, nil
}

// writing runs f with the day's connection for writing.
func (v *view) writing(f func() error) error {
	v.write.Lock()
	defer v.write.Unlock()
	if err := v.writable(); err != nil {
		return err
	}
	if err := v.store.openWriter(v.day); err != nil {
		return err
	}
	return f()
}

// removeTrash removes the pieces of segments that nobody needs any more, and gives the room back where it is much.
func (s *Store) removeTrash(d *day) error {
	d.mu.Lock()
	trash := d.trash
	d.trash = nil
	d.mu.Unlock()
	defer func() { // what is left after an error is for the next time
		for _, no := range trash {
			d.discard(no)
		}
	}()
	for len(trash) > 0 {
		err := func() error {
			d.write.Lock()
			defer d.write.Unlock()
			if d.writable() != nil { // there is no such file any more
				trash = nil
				return nil
			}
			if err := s.openWriter(d); err != nil {
				return err
			}
			more, err := removeSome(d.writer, trash[0])
			if err == nil && !more {
				if trash = trash[1:]; len(trash) == 0 {
					err = d.giveRoomBack()
				}
			}
			return err
		}()
		if err != nil {
			return err
		}
	}
	return nil
}

// discard notes a segment whose pieces nobody needs.
func (d *day) discard(no int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.trash = append(d.trash, no)
}

// roomPages is how many unused pages a file may have, beside a quarter of its own.
const roomPages = 32

func (d *day) giveRoomBack() error {
	pages, err := number(d.writer, "PRAGMA page_count")
	if err != nil {
		return err
	}
	unused, err := number(d.writer, "PRAGMA freelist_count")
	if err != nil || unused < roomPages+pages/4 {
		return err
	}
	return sqlitex.ExecuteTransient(d.writer, "PRAGMA incremental_vacuum", nil)
}

package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"actionlog"
	"actionlog/internal/segment"

	"zombiezen.com/go/sqlite"
)

// day is a day's file and its open connections.
type day struct {
	date   actionlog.Day
	number int // how often it was rebuilt
	path   string

	serial uint64 // another for each day that is opened

	write    sync.Mutex // held by who writes
	writer   *sqlite.Conn
	lastUsed time.Time
	swept    bool // no piece is left of a merge that did not end
	building bool // it is no day yet: nobody but who makes it writes to it

	idle *idleReaders

	mergeAgain time.Time // the compactor's: not before

	mu      sync.Mutex
	written bool  // the file is there, with its schema
	gone    bool  // dropped or set aside: no connection is made any more
	leaving bool  // another file is about to take its place: nobody sets it aside
	damage  error // why it was set aside
	readers []*reader

	loaded      bool // segments, key and nextSegment are those of the file
	segments    []*held
	key         segment.Key
	nextSegment int64
	trash       []int64 // segments whose pieces can be removed

	// successor has taken this file's place: it was rebuilt. It is gone then.
	successor *day
}

// maxIdle is how many unused connections for reading a store keeps: each has three files
// open, and a store may have years of days.
const maxIdle = 512

// idleReaders counts the unused connections of all days.
type idleReaders struct{ atomic.Int64 }

type reader struct {
	conn     *sqlite.Conn
	lastUsed time.Time
}

// judge translates an error of SQLite.
func (s *Store) judge(ctx context.Context, d *day, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("day %s: %w", d.date, ctx.Err())
	case errors.Is(err, errGone):
		return fmt.Errorf("%w (%w)", damageError(d.date), err)
	case corrupt(err) || errors.Is(err, errPiece) || segment.IsDamage(err):
		s.setAside(d, err)
		return fmt.Errorf("%w (%v)", damageError(d.date), err)
	default:
		return fmt.Errorf("day %s: %w: %w", d.date, actionlog.ErrUnavailable, err)
	}
}

// corrupt tells whether SQLite found damage.
func corrupt(err error) bool {
	code := sqlite.ErrCode(err).ToPrimary()
	return code == sqlite.ResultCorrupt || code == sqlite.ResultNotADB
}

// setAside renames a damaged day's files, so that everything else goes on.
func (s *Store) setAside(d *day, cause error) {
	if !d.leave(cause) {
		return // somebody else does it
	}
	mark := fmt.Sprintf("%s%d", damagedMark, s.now().Unix())
	s.log.Error("a day's file is damaged and set aside", "day", d.date, "file", d.path+mark, "error", cause)
	_ = d.close()
	if d.next() != nil { // it was rebuilt this moment
		return
	}
	if err := errors.Join(s.setFilesAside(d.path, mark), s.removeNumbers(d.date, d.number)); err != nil {
		s.log.Error("setting aside", "file", d.path, "error", err)
	}
	// Only now may the day be made anew: what is written must not be renamed.
	s.mu.Lock()
	s.damaged[d.date] = "set aside as " + filepath.Base(d.path) + mark + ": " + cause.Error()
	s.days.remove(d)
	s.mu.Unlock()
}

// errGone: the day was dropped or set aside, or its file has vanished.
var errGone = errors.New("its file is not there any more")

// errReplaced: another file is the day now.
var errReplaced = errors.New("it was rebuilt")

// next is the day that took the place of d; nil: none did.
func (d *day) next() *day {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.successor
}

// leave marks a day as gone; false: it was already. damage is nil for a day that
// is dropped.
func (d *day) leave(damage error) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gone || d.leaving {
		return false
	}
	d.gone, d.damage = true, damage
	return true
}

// replace says that another file is about to take the day's place, or is not any more; false: the day is gone already.
func (d *day) replace(begin bool) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.leaving = begin && !d.gone
	return d.leaving
}

// dropped tells whether the day was to be dropped.
func (d *day) dropped() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.gone && d.damage == nil && d.successor == nil
}

// writable tells whether a connection for writing may be made; d.write is held.
func (d *day) writable() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gone {
		return errGone
	}
	return nil
}

// reader returns a connection, nil where there is nothing; d.mu is held.
func (d *day) reader() (*sqlite.Conn, error) {
	if d.successor != nil {
		return nil, errReplaced
	}
	if d.gone && d.damage != nil {
		return nil, fmt.Errorf("%w: %w", errGone, d.damage)
	}
	if d.gone {
		return nil, nil
	}
	if n := len(d.readers); n > 0 {
		r := d.readers[n-1]
		d.readers = d.readers[:n-1]
		d.idle.Add(-1)
		return r.conn, nil
	}
	if !d.written {
		return nil, nil
	}
	if _, err := os.Stat(d.path); os.IsNotExist(err) {
		return nil, errGone
	}
	c, err := open(d.path, daySchema, false, readerCacheKiB)
	if errors.Is(err, errEmpty) {
		return nil, nil
	}
	return c, err
}

// giveBack takes a connection back; d.mu is held.
func (d *day) giveBack(c *sqlite.Conn) {
	if d.gone || len(d.readers) >= maxIdleReaders || d.idle.Load() >= maxIdle {
		_ = c.Close()
		return
	}
	d.idle.Add(1)
	d.readers = append(d.readers, &reader{c, time.Now()})
}

// close closes the day for good.
func (d *day) close() error {
	d.mu.Lock()
	d.gone = true
	var errs []error
	for _, r := range d.readers {
		errs = append(errs, r.conn.Close())
	}
	d.idle.Add(-int64(len(d.readers)))
	d.readers = nil
	d.mu.Unlock()
	d.write.Lock()
	defer d.write.Unlock()
	return errors.Join(append(errs, d.closeWriter())...)
}

func (d *day) closeWriter() error {
	if d.writer == nil {
		return nil
	}
	err := d.writer.Close()
	d.writer = nil
	return err
}

// closeIdle closes connections that nobody used for a while. One reader a day
// stays: a search that finds little asks every day, and opening costs more than
// the search.
func (s *Store) closeIdle() {
	tick := time.NewTicker(idleAfter / 4)
	defer tick.Stop()
	for {
		select {
		case <-s.stopJanitor:
			return
		case <-tick.C:
		}
		limit := time.Now().Add(-idleAfter)
		for _, d := range s.allDays() {
			if d.closeIdle(limit) && d.mergeable() {
				s.compactor.add(d)
			}
		}
		if err := s.judgePeople(s.people.mergeNames(s.stopJanitor)); err != nil {
			s.log.Warn("merging the directory's names", "error", err)
		}
	}
}

// mergeable tells whether there is anything to do for the compactor of a day that nobody writes to.
func (d *day) mergeable() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.loaded && !d.gone && (len(d.trash) > 0 || len(pick(d.segments, true)) > 1)
}

// closeIdle tells whether nobody writes to the day any more.
func (d *day) closeIdle(limit time.Time) (quiet bool) {
	d.mu.Lock()
	for len(d.readers) > 1 && d.readers[0].lastUsed.Before(limit) {
		_ = d.readers[0].conn.Close()
		d.readers = d.readers[1:]
		d.idle.Add(-1)
	}
	d.mu.Unlock()
	if d.write.TryLock() {
		if d.lastUsed.Before(limit) {
			_ = d.closeWriter()
			quiet = true
		}
		d.write.Unlock()
	}
	return quiet
}

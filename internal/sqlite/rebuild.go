package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"actionlog"

	"zombiezen.com/go/sqlite/sqlitex"
)

// The directory is a view of the days: where its file is missing, damaged or of
// another version it is made anew from them. Until it is whole nobody is looked
// up, because somebody who is not found yet would look like nobody.

const directoryFile = "directory.sqlite"

// building is how far the directory has been made anew.
type building struct {
	active      atomic.Bool
	done, total atomic.Int64 // days
}

// err says why nobody can be looked up; nil: everybody can.
func (b *building) err() error {
	if !b.active.Load() {
		return nil
	}
	return fmt.Errorf("the directory of people and courses is being made anew (%d of %d days): %w", b.done.Load(), b.total.Load(), actionlog.ErrUnavailable)
}

func unusable(err error) bool {
	return corrupt(err) || errors.Is(err, errVersion) || errors.Is(err, errNoDirectory)
}

// errNoDirectory: the directory was closed, and another one could not be opened.
var errNoDirectory = errors.New("the directory is not open")

// openPeople opens the directory, and has it made anew if need be.
func (s *Store) openPeople() error {
	path := filepath.Join(s.dir, directoryFile)
	d, err := openDirectory(path)
	var whole bool
	if err == nil {
		whole, err = d.whole()
	}
	if unusable(err) {
		if d != nil {
			_ = d.close()
		}
		d, err = s.anotherDirectory(err)
	}
	if err != nil {
		return err
	}
	s.people = d
	switch {
	case whole:
		return nil
	case len(s.days.of) == 0:
		return d.setWhole()
	}
	s.building.active.Store(true)
	s.janitor.Go(s.rebuild)
	return nil
}

// anotherDirectory sets the directory's file aside and opens an empty one.
func (s *Store) anotherDirectory(cause error) (*directory, error) {
	s.log.Error("the directory cannot be used; it is set aside and made anew", "error", cause)
	path := filepath.Join(s.dir, directoryFile)
	if err := s.setFilesAside(path, fmt.Sprintf("%s%d", damagedMark, s.now().Unix())); err != nil {
		return nil, err
	}
	return openDirectory(path)
}

// judgePeople translates an error of the directory. Where it is damaged it is
// made anew.
func (s *Store) judgePeople(err error) error {
	if err == nil {
		return nil
	}
	if unusable(err) && s.building.active.CompareAndSwap(false, true) {
		if e := s.people.replace(func() (*directory, error) { return s.anotherDirectory(err) }); e != nil {
			s.building.active.Store(false) // the next call tries again
			return fmt.Errorf("directory: %w: %w", actionlog.ErrUnavailable, e)
		}
		s.janitor.Go(s.rebuild)
	}
	return fmt.Errorf("directory: %w: %w", actionlog.ErrUnavailable, err)
}

// replace closes the directory and takes the connections of another.
func (d *directory) replace(open func() (*directory, error)) error {
	d.write.Lock()
	defer d.write.Unlock()
	_ = d.readers.close()
	if d.conn != nil {
		_ = d.conn.Close()
		d.conn = nil
	}
	other, err := open()
	if err != nil {
		return err
	}
	d.conn, d.known, d.unmerged = other.conn, other.known, other.unmerged
	d.readers.take(&other.readers)
	return nil
}

func (s *Store) setFilesAside(path, mark string) (err error) {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if e := os.Rename(path+suffix, path+mark+suffix); e != nil && !os.IsNotExist(e) {
			err = e
		}
	}
	return err
}

func (d *directory) whole() (bool, error) {
	if err := d.begin(); err != nil {
		return false, err
	}
	defer d.write.Unlock()
	n, err := number(d.conn, "SELECT EXISTS (SELECT 1 FROM whole)")
	return n != 0, err
}

func (d *directory) setWhole() error {
	if err := d.begin(); err != nil {
		return err
	}
	defer d.write.Unlock()
	return sqlitex.Execute(d.conn, "INSERT INTO whole VALUES (1)", nil)
}

// rebuild fills the directory from all days, however often that needs to be tried. What is
// written meanwhile is learned as always.
func (s *Store) rebuild() {
	ctx, cancel := s.untilClosed()
	defer cancel()
	days, pause := s.allDays(), rebuildPause
	s.building.total.Store(int64(len(days)))
	for {
		unread, err := s.learnAll(ctx, days)
		if err == nil && len(unread) == 0 {
			err = s.people.setWhole()
		}
		switch {
		case ctx.Err() != nil:
			return // the next start begins again
		case err == nil && len(unread) == 0:
			s.building.active.Store(false)
			s.log.Info("the directory is made anew", "days", s.building.total.Load())
			return
		case err == nil:
			days = unread
		default: // perhaps it is another one now, and empty
			days = s.allDays()
			s.building.total.Store(int64(len(days)))
			s.building.done.Store(0)
			s.log.Error("the directory is not made anew yet", "error", err, "again_in", pause)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
			pause = min(2*pause, time.Minute)
		}
	}
}

// rebuildPause is how long the directory is left alone at first when it could not be made anew.
const rebuildPause = time.Second

// learnAll learns days. Those that are there and could not be read are unread, and an error is the directory's: one that is
// damaged is another one afterwards, and empty.
func (s *Store) learnAll(ctx context.Context, days []*day) (unread []*day, err error) {
	for _, d := range days {
		e, failed := s.learnDay(ctx, d)
		if unusable(failed) {
			failed = errors.Join(failed, s.people.replace(func() (*directory, error) { return s.anotherDirectory(failed) }))
		}
		if failed != nil || ctx.Err() != nil {
			return nil, cmp.Or(failed, ctx.Err())
		}
		s.mu.Lock()
		_, damaged := s.damaged[d.date]
		s.mu.Unlock()
		if e != nil {
			s.log.Error("the directory is made anew, and a day cannot be read", "day", d.date, "error", e, "damaged", damaged)
		}
		if e != nil && !damaged {
			unread = append(unread, d)
			continue
		}
		s.building.done.Add(1) // a damaged day is no day of the directory's
	}
	return unread, nil
}

// begin takes the lock of who writes.
func (d *directory) begin() error {
	d.write.Lock()
	if d.conn == nil {
		d.write.Unlock()
		return errNoDirectory
	}
	return nil
}

// learnBatch is how many actions are learned in one transaction.
const learnBatch = 500

// learnDay learns whom and what a day names. unread is an error of the day, failed one of the directory.
func (s *Store) learnDay(ctx context.Context, d *day) (unread, failed error) {
	outcomes := make([]actionlog.Outcome, learnBatch)
	for i := range outcomes {
		outcomes[i].Kind = actionlog.OutcomeNew
	}
	b := batch{most: learnBatch, take: func(items []actionlog.Item) error { return s.people.learn(ctx, items, outcomes[:len(items)]) }}
	unread = s.read(ctx, d, func(v *view) error {
		v.spare()
		for _, h := range v.segments {
			r := v.reader(h)
			for row := range h.Rows {
				document := r.Document(row)
				if err := cmp.Or(r.Err(), ctx.Err()); err != nil {
					return err
				}
				item, err := actionlog.Parse(document, nil)
				if err != nil { // a rule that is newer than the action
					s.log.Warn("the directory is made anew without whom an action names", "day", d.date, "error", err)
					continue
				}
				if failed = b.add(item); failed != nil {
					return nil
				}
			}
		}
		failed = b.flush()
		return nil
	})
	return unread, failed
}

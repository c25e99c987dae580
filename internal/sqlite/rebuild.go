package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

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

func unusable(err error) bool { return corrupt(err) || errors.Is(err, errVersion) }

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
	case len(s.days) == 0:
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
	_, _ = d.readers.close(), d.conn.Close()
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
	d.write.Lock()
	defer d.write.Unlock()
	n, err := number(d.conn, "SELECT EXISTS (SELECT 1 FROM whole)")
	return n != 0, err
}

func (d *directory) setWhole() error {
	d.write.Lock()
	defer d.write.Unlock()
	return sqlitex.Execute(d.conn, "INSERT INTO whole VALUES (1)", nil)
}

// rebuild fills the directory from all days. What is written meanwhile is
// learned as always.
func (s *Store) rebuild() {
	ctx, cancel := s.untilClosed()
	defer cancel()
	days := s.allDays()
	s.building.total.Store(int64(len(days)))
	for _, d := range days {
		err := s.learnDay(ctx, d)
		if ctx.Err() != nil {
			return // the next start begins again
		}
		if err != nil { // a damaged day is set aside by now, and no day of the directory's
			s.log.Error("the directory is made anew without a day that cannot be read", "day", d.date, "error", err)
		}
		s.building.done.Add(1)
	}
	if err := s.people.setWhole(); err != nil {
		s.log.Error("the directory is made anew, but not marked so", "error", err)
	}
	s.building.active.Store(false)
	s.log.Info("the directory is made anew", "days", len(days))
}

// learnBatch is how many actions are learned in one transaction.
const learnBatch = 500

// learnDay learns whom and what a day names.
func (s *Store) learnDay(ctx context.Context, d *day) error {
	items, outcomes := make([]actionlog.Item, 0, learnBatch), make([]actionlog.Outcome, learnBatch)
	for i := range outcomes {
		outcomes[i].Kind = actionlog.OutcomeNew
	}
	learn := func() error {
		err := s.people.learn(ctx, items, outcomes[:len(items)])
		items = items[:0]
		return err
	}
	return s.read(ctx, d, func(v *view) (err error) {
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
				if items = append(items, item); len(items) == learnBatch {
					if err := learn(); err != nil {
						return err
					}
				}
			}
		}
		return learn()
	})
}

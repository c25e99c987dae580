package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"actionlog"
	"actionlog/internal/segment"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// A day is made anew in a file beside the day's own, and gets the next number. Where
// there are two, the one with the higher number is the day (load): giving it its name
// is the moment of the exchange. Who reads the old file meanwhile reads it to its end.

// buildingMark ends the name of a file that is not whole yet; mendedMark that of a
// damaged one whose day was made anew.
const buildingMark, mendedMark = ".building", ".mended-"

// Rebuild implements actionlog.Keeper.
func (s *Store) Rebuild(ctx context.Context, date actionlog.Day, fill func(w actionlog.Writer) error) error {
	err := s.renew(ctx, date, fill, func(string) bool { return true })
	if err != nil {
		return fmt.Errorf("rebuild %s: %w", date, err)
	}
	return nil
}

// Remove implements actionlog.Keeper: the day is made anew without the institution.
func (s *Store) Remove(ctx context.Context, institution string, date actionlog.Day) error {
	s.mu.Lock()
	_, damaged := s.damaged[date]
	s.mu.Unlock()
	err := error(nil)
	switch {
	case damaged:
		err = damageError(date)
	case s.day(date, false) != nil:
		err = s.renew(ctx, date, nil, func(i string) bool { return i != institution })
	}
	if err == nil {
		err = s.people.drop(ctx, date, institution)
	}
	if err != nil {
		return fmt.Errorf("remove %s of %s: %w", institution, date, err)
	}
	return nil
}

// renewal is a day that is made anew.
type renewal struct {
	store *Store
	date  actionlog.Day
	to    *day // the new file
	keep  func(institution string) bool
}

// renew makes a day anew from what fill writes and from what is there, of the institutions
// that are kept.
func (s *Store) renew(ctx context.Context, date actionlog.Day, fill func(w actionlog.Writer) error, keep func(institution string) bool) (err error) {
	s.renewing.Lock() // one at a time
	defer s.renewing.Unlock()
	r := s.newRenewal(date, keep)
	defer r.giveUp(&err)
	if err := r.begin(); err != nil {
		return err
	}
	if fill != nil {
		if err := fill(r); err != nil {
			return err
		}
	}
	// What is there is copied while others go on writing, and what they wrote
	// meanwhile while they wait.
	if old := s.day(date, false); old != nil {
		if err := r.copyAll(ctx, old); err != nil {
			return err
		}
	}
	if err := s.compactor.compact(ctx, r.to, true); err != nil {
		return err
	}
	return r.exchange(ctx)
}

func (s *Store) newRenewal(date actionlog.Day, keep func(institution string) bool) *renewal {
	r := &renewal{store: s, date: date, keep: keep, to: s.newDay(date, 0, s.dayPath(date, 0)+buildingMark)}
	r.to.building = true
	return r
}

// begin makes the new file.
func (r *renewal) begin() error {
	if err := removeFiles(r.to.path); err != nil {
		return err
	}
	return r.store.openWriter(r.to)
}

// giveUp removes the new file after an error.
func (r *renewal) giveUp(err *error) {
	if *err != nil {
		*err = errors.Join(*err, r.to.close(), removeFiles(r.to.path))
	}
}

// Write implements actionlog.Writer, for the new file.
func (r *renewal) Write(ctx context.Context, items []actionlog.Item) ([]actionlog.Outcome, error) {
	outcomes := make([]actionlog.Outcome, len(items))
	for round := range actionlog.Rounds(items) {
		var own []int
		for _, i := range round {
			if items[i].Day() == r.date {
				own = append(own, i)
				continue
			}
			outcomes[i] = actionlog.Outcome{Kind: actionlog.OutcomeRefused, Err: fmt.Errorf("it is of %s, and %s is rebuilt", items[i].Day(), r.date)}
		}
		if err := r.write(items, own, outcomes); err != nil {
			return nil, fmt.Errorf("%w: %w", actionlog.ErrUnavailable, err)
		}
	}
	if err := r.store.people.learn(ctx, items, outcomes); err != nil {
		return nil, r.store.judgePeople(err)
	}
	return outcomes, nil
}

func (r *renewal) write(items []actionlog.Item, indexes []int, outcomes []actionlog.Outcome) error {
	r.to.write.Lock()
	defer r.to.write.Unlock()
	return r.store.writeLocked(context.Background(), r.to, items, indexes, outcomes)
}

// copyAll copies what the new file has not. A day that turns out to be damaged, or whose file has vanished, is set aside, and
// that is an error: it has what is nowhere else yet. Whoever makes it anew once more does so without it, and knows.
func (r *renewal) copyAll(ctx context.Context, from *day) error {
	c := r.copier()
	err := r.store.read(ctx, from, c.run)
	if errors.Is(err, errGone) {
		r.store.setAside(from, err)
	}
	return cmp.Or(c.failed, err)
}

// copier copies what the new file has not.
type copier struct {
	*renewal
	batch
	failed error // of the new file
}

func (r *renewal) copier() *copier {
	return &copier{renewal: r, batch: batch{most: learnBatch, take: r.put}}
}

// run reads all of a day from one view; an error is one of reading.
func (c *copier) run(v *view) error {
	v.spare()
	for _, h := range v.segments {
		r := v.reader(h)
		for i := range r.All() {
			if !c.keep(i.ID) {
				continue
			}
			for row := i.Low; row < i.High; row++ {
				if err := c.row(r, row, i.ID); err != nil || c.failed != nil {
					return err
				}
			}
		}
		if err := r.Err(); err != nil {
			return err
		}
	}
	c.failed = c.flush()
	return nil
}

// row copies one, if the new file has not got it.
func (c *copier) row(r *segment.Reader, row int, institution string) error {
	record := r.Record(row, institution, c.date)
	if err := r.Err(); err != nil {
		return err
	}
	there := false
	if there, c.failed = c.has(institution, record.ID); c.failed != nil || there {
		return nil
	}
	item, err := record.Item()
	if err != nil {
		c.failed = err
		return nil
	}
	c.failed = c.add(item)
	return nil
}

// put writes actions to the new file.
func (r *renewal) put(items []actionlog.Item) error {
	indexes := make([]int, len(items))
	for i := range indexes {
		indexes[i] = i
	}
	return r.write(items, indexes, make([]actionlog.Outcome, len(items)))
}

// has tells whether the new file has an identity.
func (r *renewal) has(institution, id string) (bool, error) {
	r.to.write.Lock()
	defer r.to.write.Unlock()
	if err := r.store.openWriter(r.to); err != nil {
		return false, err
	}
	v := view{day: r.to, store: r.store, ctx: context.Background(), conn: r.to.writer, segments: r.to.current()}
	for _, h := range v.segments {
		if of := v.reader(h); of.Has(institution, id) || of.Err() != nil {
			return true, of.Err()
		}
	}
	return false, nil
}

// exchange puts the new file in the place of the day.
func (r *renewal) exchange(ctx context.Context) error {
	s := r.store
	old := s.day(r.date, true)
	old.write.Lock() // nobody writes to it any more
	defer old.write.Unlock()
	if !old.replace(true) { // somebody set it aside this moment
		return fmt.Errorf("%w: %w", actionlog.ErrUnavailable, errGone)
	}
	defer old.replace(false)
	c := r.copier()
	if err := cmp.Or(s.with(ctx, old, c.run), c.failed); err != nil {
		return fmt.Errorf("%w: %w", actionlog.ErrUnavailable, err)
	}
	fresh, err := r.install()
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.days.set(r.date, fresh)
	delete(s.damaged, r.date)
	s.mu.Unlock()
	old.replacedBy(fresh)
	if err := errors.Join(old.closeWriter(), s.removeNumbers(r.date, fresh.number)); err != nil {
		s.log.Warn("the old file of a day that was rebuilt stays until the next start", "file", old.path, "error", err)
	}
	return s.putMended(r.date)
}

// install gives the new file the name of the day; after an error the old one goes on being it,
// after a restart too.
func (r *renewal) install() (*day, error) {
	if err := r.toOneFile(); err != nil {
		return nil, err
	}
	s := r.store
	number := s.nextFile(r.date) // behind that of the file whose place it takes
	fresh := s.newDay(r.date, number, s.dayPath(r.date, number))
	fresh.written = true
	err := removeFiles(fresh.path)
	if err == nil {
		err = os.Rename(r.to.path, fresh.path)
	}
	if err == nil {
		err = syncFolder(s.dir)
	}
	if err != nil {
		return nil, errors.Join(err, removeFiles(fresh.path))
	}
	return fresh, nil
}

// toOneFile closes the new file, all of which is in one file then: what SQLite leaves
// beside it when it is closed would stay behind when it is renamed, and closing says
// nothing.
func (r *renewal) toOneFile() error {
	if err := r.checkpoint(); err != nil {
		return err
	}
	if err := r.to.close(); err != nil {
		return err
	}
	if n := fileSize(r.to.path + "-wal"); n > 0 {
		return fmt.Errorf("%d bytes of it are beside the file", n)
	}
	return nil
}

func (r *renewal) checkpoint() error {
	r.to.write.Lock()
	defer r.to.write.Unlock()
	if err := r.store.openWriter(r.to); err != nil {
		return err
	}
	busy := int64(1)
	err := sqlitex.ExecuteTransient(r.to.writer, "PRAGMA wal_checkpoint(TRUNCATE)", &sqlitex.ExecOptions{ResultFunc: func(stmt *sqlite.Stmt) error {
		busy = stmt.ColumnInt64(0)
		return nil
	}})
	if err == nil && busy != 0 {
		err = errors.New("it cannot be written into one file")
	}
	return err
}

// replacedBy has everybody use another file from now on.
func (d *day) replacedBy(fresh *day) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gone, d.successor = true, fresh
	for _, r := range d.readers {
		_ = r.conn.Close()
	}
	d.idle.Add(-int64(len(d.readers)))
	d.readers = nil
}

// putMended renames what was set aside of a day that is whole now.
func (s *Store) putMended(date actionlog.Day) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if d, _, rest, ok := parseDayName(e.Name()); ok && d == date && strings.HasPrefix(rest, damagedMark) {
			name := filepath.Join(s.dir, e.Name())
			if err := os.Rename(name, strings.Replace(name, damagedMark, mendedMark, 1)); err != nil {
				return err
			}
		}
	}
	return nil
}

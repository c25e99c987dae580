package sqlite

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"actionlog"

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
	number := 1
	if old := s.day(date, false); old != nil {
		number = old.number + 1
	}
	r := &renewal{store: s, date: date, keep: keep, to: &day{date: date, number: number, path: s.dayPath(date, number) + buildingMark, idle: &s.idle}}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.to.close(), removeFiles(r.to.path))
		}
	}()
	if err := removeFiles(r.to.path); err != nil {
		return err
	}
	if err := s.openWriter(r.to); err != nil {
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
	return r.exchange(ctx)
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
	return r.store.writeLocked(r.to, items, indexes, outcomes)
}

const selectForCopy = `SELECT a.id, i.value, a.block, a.slot, a.received, s.value, a.sequence, a.warnings
  FROM action a JOIN term i ON i.no = a.institution LEFT JOIN term s ON s.no = a.stream ORDER BY a.n`

// copyAll copies what the new file has not. A day that turns out to be damaged is set
// aside and is no source any more, and neither is one whose file has vanished.
func (r *renewal) copyAll(ctx context.Context, from *day) error {
	c := copier{renewal: r}
	err := r.store.read(ctx, from, c.run)
	if err != nil && (r.store.day(r.date, false) != from || errors.Is(err, errGone)) {
		r.store.log.Warn("of a day that is rebuilt, only what was read until it was found damaged is taken over", "day", r.date, "error", err)
		err = c.flush()
	}
	return cmp.Or(c.failed, err)
}

// copier copies what the new file has not.
type copier struct {
	*renewal
	items  []actionlog.Item
	failed error // of the new file
}

// run reads all of a day from one view; an error is one of reading.
func (c *copier) run(from *sqlite.Conn) (err error) {
	end := sqlitex.Transaction(from)
	defer end(&err)
	b := c.store.blocksOf(from)
	stmt, err := prepare(from, selectForCopy)
	if err != nil {
		return err
	}
	defer stmt.Reset()
	for {
		more, err := stmt.Step()
		if err != nil {
			return err
		}
		if !more {
			c.failed = c.flush()
			return nil
		}
		id, institution := stmt.ColumnText(0), stmt.ColumnText(1)
		if !c.keep(institution) {
			continue
		}
		there := false
		if there, c.failed = c.has(institution, id); c.failed != nil || there {
			if c.failed != nil {
				return nil
			}
			continue
		}
		document, err := b.document(stmt.ColumnInt64(2), stmt.ColumnInt(3))
		if err != nil {
			return err
		}
		if c.failed = c.add(stmt, document); c.failed != nil {
			return nil
		}
	}
}

func (c *copier) add(stmt *sqlite.Stmt, document []byte) error {
	item, err := copied(stmt, document)
	if err != nil {
		return err
	}
	if c.items = append(c.items, item); len(c.items) < learnBatch {
		return nil
	}
	return c.flush()
}

func (c *copier) flush() error {
	indexes := make([]int, len(c.items))
	for i := range indexes {
		indexes[i] = i
	}
	err := c.write(c.items, indexes, make([]actionlog.Outcome, len(c.items)))
	c.items = c.items[:0]
	return err
}

// copied is an action as it stands in a file.
func copied(stmt *sqlite.Stmt, document []byte) (actionlog.Item, error) {
	r := actionlog.Record{ID: stmt.ColumnText(0), Institution: stmt.ColumnText(1), Document: document, ReceivedAt: time.Unix(0, stmt.ColumnInt64(4)).UTC(),
		Position: actionlog.Position{Stream: stmt.ColumnText(5), Sequence: uint64(stmt.ColumnInt64(6))}}
	if text := columnBytes(stmt, 7); len(text) > 0 {
		if err := json.Unmarshal(text, &r.Warnings); err != nil {
			return actionlog.Item{}, err
		}
	}
	return r.Item()
}

// has tells whether the new file has an identity.
func (r *renewal) has(institution, id string) (bool, error) {
	r.to.write.Lock()
	defer r.to.write.Unlock()
	if err := r.store.openWriter(r.to); err != nil {
		return false, err
	}
	w := dayWriter{conn: r.to.writer}
	kind, err := w.compare(&actionlog.Item{Record: actionlog.Record{Institution: institution, ID: id}})
	return kind != actionlog.OutcomeNew, err
}

// exchange puts the new file in the place of the day.
func (r *renewal) exchange(ctx context.Context) error {
	s := r.store
	old := s.day(r.date, true)
	old.write.Lock() // nobody writes to it any more
	defer old.write.Unlock()
	if err := old.writable(); err != nil { // somebody set it aside or dropped it this moment
		return fmt.Errorf("%w: %w", actionlog.ErrUnavailable, err)
	}
	c := copier{renewal: r}
	if err := cmp.Or(old.with(ctx, c.run), c.failed); err != nil && !errors.Is(err, errGone) {
		return err
	}
	if err := r.toOneFile(); err != nil {
		return err
	}
	fresh := &day{date: r.date, number: r.to.number, path: s.dayPath(r.date, r.to.number), idle: &s.idle, written: true}
	err := removeFiles(fresh.path)
	if err == nil {
		err = os.Rename(r.to.path, fresh.path)
	}
	if err == nil {
		err = syncFolder(s.dir)
	}
	if err != nil { // the old file goes on being the day, after a restart too
		return errors.Join(err, removeFiles(fresh.path))
	}
	s.mu.Lock()
	s.days[r.date] = fresh
	delete(s.damaged, r.date)
	s.mu.Unlock()
	old.replacedBy(fresh)
	if err := errors.Join(old.closeWriter(), removeFiles(old.path)); err != nil {
		s.log.Warn("the old file of a day that was rebuilt stays until the next start", "file", old.path, "error", err)
	}
	return s.putMended(r.date)
}

// toOneFile closes the new file, all of which is in one file then: what SQLite leaves
// beside it when it is closed would stay behind when it is renamed, and closing says
// nothing.
func (r *renewal) toOneFile() error {
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
	if err = errors.Join(err, r.to.close()); err != nil {
		return err
	}
	if n := fileSize(r.to.path + "-wal"); n > 0 {
		return fmt.Errorf("%d bytes of it are beside the file", n)
	}
	return nil
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

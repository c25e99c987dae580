package sqlite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"actionlog"
)

const dayPrefix, daySuffix, damagedMark = "actions-", ".sqlite", ".damaged-"

// dayPath is a day's file. One that was rebuilt has another number, 0 is the first.
func (s *Store) dayPath(d actionlog.Day, number int) string {
	name := dayPrefix + strings.ReplaceAll(d.String(), "-", ".")
	if number > 0 {
		name += "-" + strconv.Itoa(number)
	}
	return filepath.Join(s.dir, name+daySuffix)
}

// parseDayName reads the name of a file: the day, its number, and what stands behind.
func parseDayName(name string) (d actionlog.Day, number int, rest string, ok bool) {
	name, ok = strings.CutPrefix(name, dayPrefix)
	if !ok {
		return d, 0, "", false
	}
	name, rest, ok = strings.Cut(name, daySuffix)
	date, n, numbered := strings.Cut(name, "-")
	d, err := actionlog.ParseDay(strings.ReplaceAll(date, ".", "-"))
	if numbered && err == nil {
		number, err = strconv.Atoi(n)
	}
	return d, number, rest, ok && err == nil
}

// load finds the days of the folder and those set aside.
func (s *Store) load(ctx context.Context) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		d, number, rest, ok := parseDayName(e.Name())
		switch {
		case !ok:
		case strings.HasPrefix(rest, buildingMark): // whoever built it did not end
			if err := os.Remove(filepath.Join(s.dir, e.Name())); err != nil && !os.IsNotExist(err) {
				return err
			}
		case rest == "":
			if err := s.loadDay(d, number); err != nil {
				return err
			}
		case strings.HasPrefix(rest, damagedMark) && !strings.HasSuffix(rest, "-wal") && !strings.HasSuffix(rest, "-shm"):
			s.damaged[d] = "set aside as " + e.Name()
		}
	}
	begin := func(d *day) func(context.Context) (bool, error) {
		return func(ctx context.Context) (bool, error) {
			err := s.probe(ctx, d)
			if errors.Is(err, errVersion) {
				if err := s.convert(ctx, d); err != nil {
					return false, err
				}
				if d = s.day(d.date, false); d == nil { // it was damaged
					return true, ctx.Err()
				}
				err = s.probe(ctx, d)
			}
			if err != nil && ctx.Err() == nil {
				s.log.Error("a day cannot be read", "day", d.date, "error", err)
			}
			return true, ctx.Err()
		}
	}
	if err := inOrder(ctx, s.allDays(), lookahead, begin, func(goOn bool) bool { return goOn }); err != nil {
		return err
	}
	for _, d := range s.allDays() { // the newest that can be read
		if d.loaded {
			s.key = d.key
		}
	}
	return nil
}

// newDay is a day with a file.
func (s *Store) newDay(date actionlog.Day, number int, path string) *day {
	return &day{date: date, number: number, path: path, idle: &s.idle, serial: s.serial.Add(1)}
}

// loadDay notes a day's file. Of two the newer one counts: the other one was to go.
func (s *Store) loadDay(date actionlog.Day, number int) error {
	d := s.newDay(date, number, s.dayPath(date, number))
	d.written = true
	if there := s.days.get(date); there != nil {
		old := there
		if there.number > number {
			d, old = there, d
		}
		if err := removeFiles(old.path); err != nil {
			return err
		}
	}
	s.days.set(date, d)
	s.numbers[date] = d.number
	return nil
}

// removeNumbers removes a day's files with a number below one.
func (s *Store) removeNumbers(date actionlog.Day, below int) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if d, number, rest, ok := parseDayName(e.Name()); ok && d == date && number < below && (rest == "" || rest == "-wal" || rest == "-shm") {
			if err := os.Remove(filepath.Join(s.dir, e.Name())); err != nil && !os.IsNotExist(err) {
				return err
			}
		}
	}
	return nil
}

// removeFiles removes a file of SQLite.
func removeFiles(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}

// probe reads a little of a day, so that damage shows at the start and the
// first search finds the day open.
func (s *Store) probe(ctx context.Context, d *day) error {
	return s.read(ctx, d, func(v *view) error {
		for _, h := range v.segments {
			r := v.reader(h)
			if r.Document(0); r.Err() != nil {
				return r.Err()
			}
		}
		return nil
	})
}

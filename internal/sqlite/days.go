package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"actionlog"
	"actionlog/internal/segment"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	maxWriters     = 96               // days that may be open for writing at once
	maxIdleReaders = 2                // connections kept per day
	idleAfter      = 60 * time.Second // unused connections are closed after this, but for one reader a day
	writerCacheKiB = 512
	readerCacheKiB = 128
	pieceCache     = 2048 // pieces of segments that are kept in memory: 32 MiB at most
)

// Options of a store; zero values are the defaults named.
type Options struct {
	Log *slog.Logger     // default: slog.Default
	Now func() time.Time // default: time.Now
}

// Store is an actionlog.Store on a folder.
type Store struct {
	dir   string
	log   *slog.Logger
	now   func() time.Time
	codec *segment.Codec
	lock  *os.File
	key   segment.Key // of the words of new days

	pieces    *lru.Cache[pieceKey, []byte]
	builders  sync.Pool // of *segment.Builder
	compactor compactor
	idle      idleReaders
	serial    atomic.Uint64 // of days

	mu      sync.Mutex
	days    map[actionlog.Day]*day
	damaged map[actionlog.Day]string
	people  *directory

	building building   // of people
	renewing sync.Mutex // held by who makes a day anew

	stopJanitor chan struct{}
	janitor     sync.WaitGroup
	closeOnce   func() error
}

var _ actionlog.Store = (*Store)(nil)

// Open opens the store on dir, which is made if it is not there. A folder that
// another process has open is refused.
func Open(ctx context.Context, dir string, o Options) (*Store, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	lock, err := LockFolder(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{dir: dir, log: o.Log, now: o.Now, lock: lock,
		days: map[actionlog.Day]*day{}, damaged: map[actionlog.Day]string{}, stopJanitor: make(chan struct{})}
	s.compactor = compactor{store: s, more: make(chan struct{}, 1)}
	s.key = segment.NewKey()
	s.codec, err = segment.NewCodec()
	if err == nil {
		s.pieces, err = lru.New[pieceKey, []byte](pieceCache)
	}
	if err == nil {
		err = s.load(ctx)
	}
	if err == nil {
		err = s.openPeople()
	}
	if err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("store %s: %w", dir, err)
	}
	s.closeOnce = sync.OnceValue(s.closeAll)
	s.janitor.Go(s.closeIdle)
	s.janitor.Go(s.compactor.run)
	return s, nil
}

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
			if err := s.convert(ctx, d); err != nil {
				return false, err
			}
			if err := s.probe(ctx, s.day(d.date, false)); err != nil && ctx.Err() == nil {
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
	if there := s.days[date]; there != nil {
		old := there
		if there.number > number {
			d, old = there, d
		}
		if err := removeFiles(old.path); err != nil {
			return err
		}
	}
	s.days[date] = d
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

// Close closes everything; again, it does nothing. Calls in progress must have
// ended.
func (s *Store) Close() error { return s.closeOnce() }

func (s *Store) closeAll() error {
	close(s.stopJanitor)
	s.janitor.Wait()
	var errs []error
	for _, d := range s.allDays() {
		errs = append(errs, d.close())
	}
	errs = append(errs, s.people.close(), s.lock.Close())
	return errors.Join(errs...)
}

func (s *Store) allDays() []*day {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*day, 0, len(s.days))
	for _, d := range s.days {
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b *day) int { return a.date.Compare(b.date) })
	return all
}

// within lists the days that a query covers, oldest first. missing are those
// of them that are set aside.
func (s *Store) within(q *actionlog.Query) (days []*day, missing []actionlog.Day, err error) {
	covers := func(d actionlog.Day) bool {
		return (q.From.IsZero() || q.From.Before(d.End())) && (q.To.IsZero() || d.Start().Before(q.To))
	}
	for _, d := range s.allDays() {
		if covers(d.date) {
			days = append(days, d)
		}
	}
	s.mu.Lock()
	for d := range s.damaged {
		if covers(d) {
			missing = append(missing, d)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(missing, actionlog.Day.Compare)
	if len(missing) > 0 && !q.MissingDays {
		return nil, missing, damageError(missing[0])
	}
	return days, missing, nil
}

func damageError(d actionlog.Day) error {
	return fmt.Errorf("day %s is set aside as damaged: %w", d, actionlog.ErrUnavailable)
}

// day returns a day, and makes it if create is set; nil where there is none.
func (s *Store) day(date actionlog.Day, create bool) *day {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.days[date]
	if d == nil && create {
		d = s.newDay(date, 0, s.dayPath(date, 0))
		s.days[date] = d
	}
	return d
}

// Days implements actionlog.Keeper.
func (s *Store) Days(ctx context.Context) ([]actionlog.DayInfo, error) {
	var infos []actionlog.DayInfo
	for _, d := range s.allDays() {
		info := actionlog.DayInfo{Day: d.date, Bytes: fileSize(d.path) + fileSize(d.path+"-wal")}
		err := s.read(ctx, d, func(v *view) error {
			for _, h := range v.segments {
				info.Actions += int64(h.Rows)
			}
			return nil
		})
		if err != nil && !errors.Is(err, actionlog.ErrUnavailable) {
			return nil, err
		}
		if err == nil && info.Actions > 0 {
			infos = append(infos, info)
		}
	}
	s.mu.Lock()
	for d, why := range s.damaged {
		infos = append(infos, actionlog.DayInfo{Day: d, Damage: why})
	}
	s.mu.Unlock()
	slices.SortStableFunc(infos, func(a, b actionlog.DayInfo) int { return a.Day.Compare(b.Day) })
	return infos, nil
}

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// Drop implements actionlog.Keeper. Files that were set aside stay, and are not missed any
// more.
func (s *Store) Drop(ctx context.Context, date actionlog.Day) error {
	if d := s.day(date, false); d != nil {
		d.leave(nil)
		if err := d.close(); err != nil {
			return fmt.Errorf("drop %s: %w", date, err)
		}
		err := removeFiles(d.path)
		if err == nil {
			err = syncFolder(s.dir)
		}
		if err != nil {
			return fmt.Errorf("drop %s: %w", date, err)
		}
		// Only now may the day be made anew: what is written must not be removed.
		s.mu.Lock()
		if s.days[date] == d {
			delete(s.days, date)
		}
		s.mu.Unlock()
	}
	if err := s.people.drop(ctx, date, ""); err != nil {
		return err
	}
	s.mu.Lock()
	_, damaged := s.damaged[date]
	delete(s.damaged, date)
	s.mu.Unlock()
	if !damaged {
		return nil
	}
	return s.putMended(date)
}

// Listed lists the days before a day that have a file, oldest first.
func (s *Store) Listed(ctx context.Context, before actionlog.Day) ([]actionlog.Day, error) {
	return s.Held(ctx, before)
}

// Held lists the days before a day that there are, set aside or not, oldest first.
func (s *Store) Held(_ context.Context, before actionlog.Day) (days []actionlog.Day, err error) {
	for _, d := range s.allDays() {
		if d.date.Before(before) {
			days = append(days, d.date)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for d := range s.damaged {
		if d.Before(before) && !slices.Contains(days, d) {
			days = append(days, d)
		}
	}
	slices.SortFunc(days, actionlog.Day.Compare)
	return days, nil
}

// Missing says what cannot be answered from: days that are set aside, and why,
// and the directory while it is made anew.
func (s *Store) Missing() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	if err := s.building.err(); err != nil {
		list = append(list, err.Error())
	}
	for d, why := range s.damaged {
		list = append(list, "day "+d.String()+" ("+why+")")
	}
	slices.Sort(list)
	return list
}

// Bytes is the size of all days' files.
func (s *Store) Bytes() (sum int64) {
	for _, d := range s.allDays() {
		sum += fileSize(d.path) + fileSize(d.path+"-wal")
	}
	return sum
}

// Len is the number of days.
func (s *Store) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.days)
}

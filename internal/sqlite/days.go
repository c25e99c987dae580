package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"slices"
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
	chunkCache     = 4096 // chunks of columns that are kept unpacked: 4 to 12 KiB each
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
	chunks    *lru.Cache[chunkKey, []byte]
	builders  sync.Pool // of *segment.Builder
	compactor compactor
	idle      idleReaders
	serial    atomic.Uint64 // of days

	mu      sync.Mutex
	days    dayTable
	damaged map[actionlog.Day]string
	numbers map[actionlog.Day]int // the highest number of a file that the day has or had
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
		damaged: map[actionlog.Day]string{}, numbers: map[actionlog.Day]int{}, stopJanitor: make(chan struct{})}
	s.compactor = compactor{store: s, more: make(chan struct{}, 1)}
	s.key = segment.NewKey()
	s.codec, err = segment.NewCodec()
	if err == nil {
		s.pieces, err = lru.New[pieceKey, []byte](pieceCache)
	}
	if err == nil {
		s.chunks, err = lru.New[chunkKey, []byte](chunkCache)
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

// untilClosed is a context that ends when the store is closed.
func (s *Store) untilClosed() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		select {
		case <-s.stopJanitor:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
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
	return s.days.all()
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
	d := s.days.get(date)
	if d == nil && create {
		number := s.nextFileLocked(date)
		d = s.newDay(date, number, s.dayPath(date, number))
		s.days.set(date, d)
	}
	return d
}

// nextFile is the number of the day's next file: behind every one that there was, so that no file of before, which could
// not be renamed or removed, is ever taken for the newer one.
func (s *Store) nextFile(date actionlog.Day) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nextFileLocked(date)
}

func (s *Store) nextFileLocked(date actionlog.Day) int {
	number, used := s.numbers[date]
	if used {
		number++
	}
	s.numbers[date] = number
	return number
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
		if err == nil && d.dropped() {
			info.Damage = "it was to be dropped, and its file could not be removed"
		}
		if err == nil && (info.Actions > 0 || info.Damage != "") {
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
	s.renewing.Lock() // a day that is being made anew would come back
	defer s.renewing.Unlock()
	if d := s.day(date, false); d != nil {
		d.leave(nil)
		if err := d.close(); err != nil {
			return fmt.Errorf("drop %s: %w", date, err)
		}
		err := s.removeNumbers(date, math.MaxInt)
		if err == nil {
			err = syncFolder(s.dir)
		}
		if err != nil {
			return fmt.Errorf("drop %s: %w", date, err)
		}
		// Only now may the day be made anew: what is written must not be removed.
		s.mu.Lock()
		s.days.remove(d)
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
	return len(s.days.of)
}

package restore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"actionlog"
)

const (
	// lookEvery is how often a Runner looks for what nobody woke it for.
	lookEvery = time.Second
	// leaveAlone is how long nobody looks at a restore that is ready, of which there may be
	// many: what another process decided is noticed so much later.
	leaveAlone = 15 * time.Second
	// againAfter is how long it rests when something did not get on.
	againAfter = 5 * time.Second
)

// Archive is what a Runner reads.
type Archive interface {
	// Seal has everything that the stream took before the call be readable.
	Seal(ctx context.Context) error
	// Estimate says what Actions would read.
	Estimate(ctx context.Context, institution string, from, to actionlog.Day) (actionlog.RestoreSize, error)
	// Actions yields an institution's actions of some days (both included), segment by
	// segment behind a segment, in an order in which of two with the same identity the
	// earlier comes first. An error, which is the last element, that wraps ErrDamaged
	// will not pass.
	Actions(ctx context.Context, institution string, from, to actionlog.Day, after uint64) iter.Seq2[Archived, error]
}

// Store keeps what is restored.
type Store interface {
	actionlog.Store
	// Listed lists days before a day that there are, also those that are empty or cannot
	// be read.
	Listed(ctx context.Context, before actionlog.Day) ([]actionlog.Day, error)
}

// Live is the store of what is searchable as it is.
type Live interface {
	Days(ctx context.Context) ([]actionlog.DayInfo, error)
	// Held lists days before a day that have actions, or cannot be read.
	Held(ctx context.Context, before actionlog.Day) ([]actionlog.Day, error)
	Rebuild(ctx context.Context, day actionlog.Day, fill func(w actionlog.Writer) error) error
}

// Scratch is a store for the time of a job.
type Scratch interface {
	actionlog.Writer
	actionlog.Scanner
	actionlog.Directory
}

// Archived is an action as the archive keeps it. Document may be kept.
type Archived struct {
	Segment    uint64
	Position   actionlog.Position
	ReceivedAt time.Time
	Document   []byte
}

// ErrDamaged: the archive is not as it was written.
var ErrDamaged = errors.New("the archive is damaged")

// Runner does what the Desk takes. One at a time may run on a state and a store. All
// fields but Quota are required.
type Runner struct {
	Desk      *Desk
	Archive   Archive
	Store     Store // of what is restored, and of nothing else
	Publisher actionlog.Publisher
	// Active tells whether this is the one that is to run now.
	Active func() bool
	// Quota is how many actions an institution may have restored in 30 days without
	// anybody granting it; 0: none.
	Quota int64
	Live  Live
	Dead  actionlog.DeadLetters
	// Scratch returns an empty store for a while, for restores with a filter.
	Scratch func(ctx context.Context) (store Scratch, remove func() error, err error)
	// Filter reads the filter of a restore; store holds everything that it may find.
	Filter func(ctx context.Context, store actionlog.Directory, r actionlog.Restore) (actionlog.Query, error)

	// removing is held by who removes a day and by who begins a job: a day that is
	// removed is nobody's.
	removing  sync.Mutex
	inspected map[string]time.Time // when what is back was looked at; of keepHouse

	mu       sync.Mutex
	done     map[string]bool // restores that need nothing any more
	quietFor time.Duration   // how long one that is ready is left alone, unless somebody wakes the Runner
	quiet    map[string]time.Time
	busy     string // whose job runs
	woken    chan struct{}
}

// Wake has the Runner look now.
func (r *Runner) Wake() {
	r.mu.Lock()
	r.quiet = nil
	r.mu.Unlock()
	select {
	case r.wakes() <- struct{}{}:
	default:
	}
}

func (r *Runner) wakes() chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.woken == nil {
		r.woken = make(chan struct{}, 1)
	}
	return r.woken
}

// Run works until ctx is done; it always returns nil. Jobs run one after the other, and
// beside them days that are made anew and what takes little time: estimates, what is over,
// announcements.
func (r *Runner) Run(ctx context.Context) error {
	r.mu.Lock()
	r.quietFor = leaveAlone
	r.mu.Unlock()
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { r.loop(ctx, r.keepHouse) })
	all.Go(func() { r.loop(ctx, r.work) })
	all.Go(func() { r.loop(ctx, r.rebuildDays) })
	return nil
}

func (r *Runner) loop(ctx context.Context, do func(ctx context.Context) error) {
	said := ""
	for {
		pause, wakes := lookEvery, r.wakes()
		if r.Active() {
			err := r.whileActive(ctx, do)
			if err != nil {
				pause, wakes = againAfter, nil
			}
			switch {
			case ctx.Err() != nil:
				return
			case errors.Is(err, context.Canceled): // somebody else may do it by now
			case err == nil:
				said = ""
			case err.Error() != said:
				said = err.Error()
				r.Desk.log().Error("restores", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-wakes:
		case <-time.After(pause):
		}
	}
}

// lookActive is how often it is looked whether work is still this process's to do.
const lookActive = 100 * time.Millisecond

// whileActive does what is to be done as long as it is this process's: another one begins as soon as it may.
func (r *Runner) whileActive(ctx context.Context, do func(ctx context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		for tick := time.NewTicker(lookActive); ; {
			select {
			case <-ctx.Done():
				tick.Stop()
				return
			case <-tick.C:
				if !r.Active() {
					cancel()
				}
			}
		}
	}()
	return do(ctx)
}

// open yields the restores for which something may be to do, oldest first.
func (r *Runner) open(ctx context.Context) iter.Seq2[*record, error] {
	return func(yield func(*record, error) bool) {
		keys, err := r.Desk.State.List(ctx, bucket)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, key := range keys {
			r.mu.Lock()
			done := r.done[key] || time.Now().Before(r.quiet[key])
			r.mu.Unlock()
			if done {
				continue
			}
			x, _, err := r.Desk.get(ctx, key)
			if errors.Is(err, actionlog.ErrNotFound) {
				continue
			}
			if err == nil && x.over() {
				r.mu.Lock()
				if r.done == nil {
					r.done = map[string]bool{}
				}
				r.done[key] = true
				r.mu.Unlock()
				continue
			}
			if !yield(&x, err) || err != nil {
				return
			}
		}
	}
}

// keepHouse does what takes little time. What is over is noted for all of them before
// anything is removed: a day that nobody needs any more goes as a whole.
func (r *Runner) keepHouse(ctx context.Context) error {
	var errs []error
	for _, do := range []func(context.Context, *record) error{r.advance, r.tidy} {
		for x, err := range r.open(ctx) {
			if err == nil {
				err = do(ctx, x)
			}
			if err != nil && x != nil {
				err = fmt.Errorf("restore %s of %s: %w", x.ID, x.Institution, err)
			}
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// advance takes the steps that a restore takes by itself, but for its job.
func (r *Runner) advance(ctx context.Context, x *record) error {
	now := r.Desk.now()
	switch {
	case x.Status == actionlog.RestoreRequested && x.Estimate == nil:
		return r.estimate(ctx, x)
	case x.Status == actionlog.RestoreReady && !now.Before(x.ExpiresAt):
		_, err := r.Desk.update(ctx, keyOf(x.Institution, x.ID), func(x *record) error {
			if x.Status == actionlog.RestoreReady && !now.Before(x.ExpiresAt) {
				x.Status = actionlog.RestoreExpired
				x.step(now, "expired", actionlog.Requester{}, "")
			}
			return nil
		})
		return err
	case x.Status == actionlog.RestoreReady:
		if err := r.confirm(ctx, x); err != nil {
			return err
		}
		return r.inspect(ctx, x)
	}
	return nil
}

// inspectEvery is how often what is back is looked at.
const inspectEvery = time.Minute

// inspect notices that days that are back have lost actions or were lost as a whole: the
// store was removed, somebody's policy dropped an index, a file is damaged. They are
// restored again.
func (r *Runner) inspect(ctx context.Context, x *record) error {
	key, now := keyOf(x.Institution, x.ID), time.Now()
	if last, ok := r.inspected[key]; ok && now.Sub(last) < inspectEvery {
		return nil
	}
	q := rangeOf(&x.Restore)
	q.MissingDays = true
	n, _, err := r.Store.Count(ctx, q, 0)
	if err != nil {
		return err
	}
	if r.inspected == nil {
		r.inspected = map[string]time.Time{}
	}
	if n >= x.Stored {
		r.inspected[key] = now
		return nil
	}
	r.Desk.log().Error("what was restored has become less; it is restored again", "restore", x.ID, "institution", x.Institution, "actions", n, "before", x.Stored)
	days, err := r.Store.Days(ctx)
	if err != nil {
		return err
	}
	r.removing.Lock()
	defer r.removing.Unlock()
	for _, d := range days {
		if d.Damage != "" && x.Covers(d.Day) {
			if err := r.dropDamaged(ctx, d.Day); err != nil {
				return err
			}
		}
	}
	return r.doAgain(ctx, &x.Restore)
}

// tidy removes what is over, and announces what happened.
func (r *Runner) tidy(ctx context.Context, x *record) error {
	r.mu.Lock()
	busy := r.busy == keyOf(x.Institution, x.ID) // its job has not noticed yet
	r.mu.Unlock()
	if x.Status.Over() && !x.Removed && !busy {
		if err := r.remove(ctx, x); err != nil {
			return err
		}
	}
	if x.Announced < len(x.Steps) {
		return r.announce(ctx, x)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if x.Status == actionlog.RestoreReady && r.quietFor > 0 {
		if r.quiet == nil {
			r.quiet = map[string]time.Time{}
		}
		r.quiet[keyOf(x.Institution, x.ID)] = time.Now().Add(r.quietFor)
	}
	return nil
}

// confirm has what is ready be covered: whoever made it so may have been killed between
// the two.
func (r *Runner) confirm(ctx context.Context, x *record) error {
	all, _, err := r.Desk.covered(ctx, x.Institution)
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.ID == x.ID {
			return r.Desk.prolong(ctx, x.Restore)
		}
	}
	return r.Desk.cover(ctx, x.Restore)
}

// estimate says how much a request will read, and grants it where the quota allows.
func (r *Runner) estimate(ctx context.Context, x *record) error {
	if err := r.Archive.Seal(ctx); err != nil { // an estimate looks at what is sealed
		return err
	}
	size, err := r.Archive.Estimate(ctx, x.Institution, x.From, x.To)
	if err != nil {
		return err
	}
	within, err := r.withinQuota(ctx, x, size.Actions)
	if err != nil {
		return err
	}
	*x, err = r.Desk.update(ctx, keyOf(x.Institution, x.ID), func(x *record) error {
		x.Estimate = &size
		if x.Status == actionlog.RestoreRequested && within {
			x.Status, x.Quota = actionlog.RestoreGranted, true
			x.step(r.Desk.now(), "granted", actionlog.Requester{}, "within the institution's quota")
		}
		return nil
	})
	if err == nil && within {
		r.Wake()
	}
	return err
}

func (r *Runner) withinQuota(ctx context.Context, x *record, more int64) (bool, error) {
	if r.Quota <= 0 || more > r.Quota {
		return false, nil
	}
	all, err := r.Desk.records(ctx, x.Institution)
	if err != nil {
		return false, err
	}
	used := more
	for _, other := range all {
		if other.ID != x.ID && other.Quota && other.Estimate != nil && r.Desk.now().Sub(other.CreatedAt) < quotaTime {
			used += other.Estimate.Actions
		}
	}
	return used <= r.Quota, nil
}

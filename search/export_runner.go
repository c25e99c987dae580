package search

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"actionlog"
)

const (
	// beatEvery is how often a job says that it runs, and how far it is.
	beatEvery = time.Second
	// leaseTime is for how long a job whose process died is left alone by others. Clocks are
	// never compared: it is how long one has seen nothing change.
	leaseTime = 15 * time.Second
	// lookForJobs is how often a process looks for what nobody woke it for.
	lookForJobs = time.Second
	// restAfter is how long a job rests that could not get on.
	restAfter = 5 * time.Second
	// maxTries is how often a job is begun that breaks off, or takes its process with it.
	maxTries = 5
)

// ExportStorage keeps the files of exports. What Create wrote is durable when it returns;
// what could not be asked wraps actionlog.ErrUnavailable, and a file that is not there is
// actionlog.ErrNotFound.
type ExportStorage interface {
	// Create takes a local file, whole or not at all, under a name that is not taken.
	Create(ctx context.Context, name, path string, bytes int64) error
	// ReadRange returns length bytes (more than 0) of a file from offset.
	ReadRange(ctx context.Context, name string, offset, length int64) ([]byte, error)
	// List yields the names that begin with prefix.
	List(ctx context.Context, prefix string) iter.Seq2[string, error]
	// Remove removes a file; one that is not there is no error.
	Remove(ctx context.Context, name string) error
}

// Exports runs export jobs: one at a time in a process, one at a time of an institution.
// Any number of processes may share a state and a storage.
type Exports struct {
	Storage ExportStorage
	// Dir is a local folder of this process alone, where files are written before they are
	// whole. What is in it when Run begins is removed.
	Dir string
	// Name of this process, which no other has at the same time, and which it has again
	// after it was killed: a job of its own it takes up at once. "": it waits as others do.
	Name string
	Keep time.Duration // how long files are kept; default 72 h
	Most int           // jobs of an institution that wait, run or have a file; default 20
	// Room returns how many bytes there is room for in Dir; nil: it is not looked.
	Room func() (int64, error)

	server  *server
	service string        // what the names of this service's files begin with
	lease   time.Duration // leaseTime
	beat    time.Duration // beatEvery
	rest    time.Duration // restAfter
	look    time.Duration // lookForJobs

	admitting sync.Mutex
	mu        sync.Mutex
	running   map[string]context.CancelCauseFunc
	quiet     map[string]time.Time // until when nothing is to do for a job
	fetching  map[string]int
	fetched   map[string]time.Time // when a caller's fetching was recorded
	woken     [2]chan struct{}     // of the two loops

	swept time.Time // when files without a job were looked for; of keepHouse alone

	// Of work alone:
	seen    map[string]beat      // of jobs that others run
	resting map[string]time.Time // until when a job is not begun
	served  map[string]int64     // when an institution had its last turn
	turns   int64
}

// beat is what was last seen of a job that another process runs, and since when.
type beat struct {
	revision uint64
	since    time.Time
}

// bind has the jobs be of an API.
func (e *Exports) bind(s *server, key []byte) {
	e.server = s
	e.Keep, e.Most = cmp.Or(e.Keep, 72*time.Hour), cmp.Or(e.Most, 20)
	e.lease, e.beat, e.rest, e.look = cmp.Or(e.lease, leaseTime), cmp.Or(e.beat, beatEvery), cmp.Or(e.rest, restAfter), cmp.Or(e.look, lookForJobs)
	sum := sha256.Sum256(append([]byte("exports "), key...))
	e.service = strings.ToLower(base32.StdEncoding.EncodeToString(sum[:5])) + "."
	e.running, e.quiet, e.seen, e.resting = map[string]context.CancelCauseFunc{}, map[string]time.Time{}, map[string]beat{}, map[string]time.Time{}
	e.served, e.fetching, e.fetched, e.woken = map[string]int64{}, map[string]int{}, map[string]time.Time{}, [2]chan struct{}{make(chan struct{}, 1), make(chan struct{}, 1)}
}

func (e *Exports) book() exportBook { return exportBook{e.server.State} }

// wake has the process look for jobs now.
func (e *Exports) wake() {
	for _, woken := range e.woken {
		select {
		case woken <- struct{}{}:
		default:
		}
	}
}

// stop ends a job that runs here.
func (e *Exports) stop(key string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if cancel := e.running[key]; cancel != nil {
		cancel(errOver)
	}
}

// lookAgain has a job be looked at that was left alone.
func (e *Exports) lookAgain(key string) {
	e.mu.Lock()
	delete(e.quiet, key)
	e.mu.Unlock()
	e.wake()
}

// admit makes a job, once begun has recorded it.
func (e *Exports) admit(ctx context.Context, x *exportRecord, begun func() error) error {
	e.admitting.Lock() // another process's may still make it one more than Most
	defer e.admitting.Unlock()
	all, err := e.book().of(ctx, x.Institution)
	if err != nil {
		return err
	}
	open := 0
	for i := range all {
		if !all[i].Status.Over() && !all[i].expired(e.server.Now()) {
			open++
		}
	}
	if open >= e.Most {
		return fmt.Errorf("the institution has %d exports that wait, run or are ready, which is the most: drop one that is not needed: %w", open, actionlog.ErrConflict)
	}
	for i := range all { // the oldest of what is over is forgotten
		if old := &all[i]; len(all)-i >= maxExportRecords && old.settled() {
			if err := e.book().state.Delete(ctx, exportsBucket, exportKey(old.Institution, old.ID)); err != nil {
				return err
			}
		}
	}
	if err := begun(); err != nil {
		return err
	}
	if err := e.book().put(ctx, x, 0); err != nil {
		return err
	}
	e.wake()
	return nil
}

// settled tells whether nothing is to do for it any more but to be forgotten.
func (x *exportRecord) settled() bool { return x.Status.Over() && x.Content == "" && x.End == nil }

// Run works until ctx is done; it always returns nil, but for a folder that it cannot use.
func (e *Exports) Run(ctx context.Context) error {
	if err := os.RemoveAll(e.Dir); err != nil {
		return fmt.Errorf("exports: %w", err)
	}
	if err := os.MkdirAll(e.Dir, 0o700); err != nil {
		return fmt.Errorf("exports: %w", err)
	}
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { e.loop(ctx, e.woken[0], e.keepHouse) })
	all.Go(func() { e.loop(ctx, e.woken[1], e.work) })
	return nil
}

func (e *Exports) loop(ctx context.Context, woken <-chan struct{}, do func(ctx context.Context) error) {
	said := ""
	for ctx.Err() == nil {
		now := ""
		if err := do(ctx); err != nil && ctx.Err() == nil {
			now = err.Error()
			if now != said {
				e.server.Log.Error("exports", "error", err)
			}
		}
		said = now
		select {
		case <-ctx.Done():
		case <-woken:
		case <-time.After(e.look):
		}
	}
}

// work runs jobs one after the other until none waits.
func (e *Exports) work(ctx context.Context) error {
	for ctx.Err() == nil {
		x, err := e.next(ctx)
		if err != nil || x == nil {
			return err
		}
		e.run(ctx, x)
	}
	return nil
}

// next is the job whose turn it is: of the institution that had its last turn longest ago
// the oldest, unless another of its runs. nil: there is none.
func (e *Exports) next(ctx context.Context) (*exportRecord, error) {
	open, revisions, err := e.open(ctx)
	if err != nil {
		return nil, err
	}
	busy, now := map[string]bool{}, time.Now()
	maps.DeleteFunc(e.resting, func(_ string, until time.Time) bool { return now.After(until) })
	maps.DeleteFunc(e.seen, func(_ string, b beat) bool { return now.Sub(b.since) > time.Hour+e.lease }) // of what is over
	for i := range open {
		if x := &open[i]; x.Status == actionlog.ExportRunning && !e.abandoned(x, revisions[i]) {
			busy[x.Institution] = true
		}
	}
	slices.SortStableFunc(open, func(a, b exportRecord) int {
		return cmp.Or(cmp.Compare(e.served[a.Institution], e.served[b.Institution]), cmp.Compare(a.ID, b.ID))
	})
	for i := range open {
		x := &open[i]
		if busy[x.Institution] || now.Before(e.resting[exportKey(x.Institution, x.ID)]) {
			continue
		}
		e.turns++
		e.served[x.Institution] = e.turns
		return x, nil
	}
	return nil, nil
}

// open are all jobs that wait or run, oldest first.
func (e *Exports) open(ctx context.Context) (open []exportRecord, revisions []uint64, err error) {
	keys, err := e.server.State.List(ctx, exportsBucket)
	if err != nil {
		return nil, nil, err
	}
	for _, key := range keys {
		if e.isQuiet(key) {
			continue
		}
		x, revision, err := e.book().get(ctx, key)
		if errors.Is(err, actionlog.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		if x.Status == actionlog.ExportWaiting || x.Status == actionlog.ExportRunning {
			open, revisions = append(open, x), append(revisions, revision)
		}
	}
	return open, revisions, nil
}

// abandoned tells whether nobody runs a job any more that is said to run.
func (e *Exports) abandoned(x *exportRecord, revision uint64) bool {
	key := exportKey(x.Institution, x.ID)
	if e.Name != "" && x.Holder == e.Name {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.running[key] == nil // it was this process's, before it was killed
	}
	if b := e.seen[key]; b.revision == revision && time.Since(b.since) > e.lease {
		return true
	} else if b.revision != revision {
		e.seen[key] = beat{revision, time.Now()}
	}
	return false
}

func (e *Exports) isQuiet(key string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.server.Now().Before(e.quiet[key])
}

package search

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"actionlog"
)

const (
	// maxProblem limits what is kept of why a job failed, in bytes.
	maxProblem = 1000
	// leaveRoom is what a job leaves of the disk to the stream, the store and the archive,
	// in bytes.
	leaveRoom = 256 << 20
	// endWithin is how long it may take to say how a job ended, also while the service stops.
	endWithin = 5 * time.Second
)

// errFull: the disk has no room for a file.
var errFull = errors.New("there is no room for it on the service's disk")

// exportJob is an export at work.
type exportJob struct {
	*Exports
	record  *exportRecord
	key     string
	attempt string
	written atomic.Int64
	total   atomic.Int64 // -1: not counted yet
}

// run does a job, from its beginning, and says how it ended.
func (e *Exports) run(ctx context.Context, x *exportRecord) {
	j := &exportJob{Exports: e, record: x, key: exportKey(x.Institution, x.ID), attempt: strings.ToLower(rand.Text())}
	j.total.Store(-1)
	working, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	e.mu.Lock()
	e.running[j.key] = cancel
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		delete(e.running, j.key)
		e.mu.Unlock()
	}()
	err := j.begin(working)
	if err == nil {
		err = j.attemptOnce(working, cancel)
	}
	if cause := context.Cause(working); err != nil && cause != nil {
		err = cause
	}
	if err == nil || errors.Is(err, errOver) {
		return
	}
	ending, done := context.WithTimeout(context.WithoutCancel(ctx), endWithin)
	defer done()
	if e := j.broke(ending, err, ctx.Err() != nil); e != nil && !errors.Is(e, errOver) {
		j.server.Log.Error("how an export ended cannot be kept", "export", j.key, "error", e)
	}
}

// begin takes the job, or has it fail that was begun too often.
func (j *exportJob) begin(ctx context.Context) (err error) {
	before := j.record.Attempt
	tooOften := false
	*j.record, err = j.book().update(ctx, j.key, func(x *exportRecord) error {
		if x.Attempt != before || x.Status != actionlog.ExportWaiting && x.Status != actionlog.ExportRunning {
			return errOver
		}
		x.Written, x.Total = 0, nil
		if tooOften = x.Tries >= maxTries; tooOften {
			x.ends(j.server.Now().UTC(), actionlog.ExportFailed, "it was begun "+fmt.Sprint(maxTries)+" times and never came to its end: "+x.Problem)
			return nil
		}
		x.Status, x.Holder, x.Attempt, x.StartedAt = actionlog.ExportRunning, j.Name, j.attempt, j.server.Now().UTC()
		x.Tries++
		return nil
	})
	if err == nil && tooOften {
		j.lookAgain(j.key)
		return errOver
	}
	return err
}

// attemptOnce does the whole job, while it keeps its lease.
func (j *exportJob) attemptOnce(ctx context.Context, cancel context.CancelCauseFunc) error {
	keeping, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		j.keep(keeping, cancel)
	}()
	x, content, err := j.file(ctx)
	stop()
	<-done
	if err == nil {
		err = j.finish(ctx, x, content)
	}
	if err != nil && content != "" { // unless it counts after all
		removing, done := context.WithTimeout(context.WithoutCancel(ctx), endWithin)
		defer done()
		err = errors.Join(err, j.removeUnless(removing, content))
	}
	return err
}

// keep says that the job runs, and how far it is, until ctx is done. It ends a job that is
// another's by now, and one of which nobody can be told that it runs.
func (j *exportJob) keep(ctx context.Context, cancel context.CancelCauseFunc) {
	last, tick := time.Now(), time.NewTicker(j.beat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		_, err := j.update(ctx, func(x *exportRecord) {
			x.Beat++
			x.Written = j.written.Load()
			if n := j.total.Load(); n >= 0 {
				x.Total = &actionlog.ExportTotal{Value: n, Relation: "eq"}
			}
		})
		switch {
		case err == nil:
			last = time.Now()
		case ctx.Err() != nil:
			return
		case errors.Is(err, errOver) || errors.Is(err, actionlog.ErrNotFound):
			cancel(errOver)
			return
		case time.Since(last) > j.lease:
			cancel(fmt.Errorf("the lease was lost: %w: %w", actionlog.ErrUnavailable, err))
			return
		}
	}
}

// update changes the record while this attempt is the one that counts.
func (j *exportJob) update(ctx context.Context, change func(x *exportRecord)) (exportRecord, error) {
	return j.book().update(ctx, j.key, func(x *exportRecord) error {
		if x.Attempt != j.attempt || x.Status != actionlog.ExportRunning {
			return errOver
		}
		change(x)
		return nil
	})
}

// finish says that the file can be fetched.
func (j *exportJob) finish(ctx context.Context, made *exportRecord, content string) error {
	now := j.server.Now().UTC()
	_, err := j.update(ctx, func(x *exportRecord) {
		x.Total, x.CompleteThrough, x.Restored, x.Missing = made.Total, made.CompleteThrough, made.Restored, made.Missing
		x.Written, x.Count, x.Bytes, x.SHA256, x.Content = made.Written, made.Count, made.Bytes, made.SHA256, content
		x.ends(now, actionlog.ExportReady, "")
		x.ExpiresAt = now.Add(j.Keep)
	})
	if err == nil {
		j.lookAgain(j.key)
	}
	return err
}

// broke says why a job did not come to its end. What may pass has it begun anew in a
// while; a service that stops leaves it to whoever comes next.
func (j *exportJob) broke(ctx context.Context, why error, stopping bool) error {
	problem := problemOfJob(why)
	if !stopping {
		j.server.Log.Error("an export job broke off", "export", j.key, "actions", j.written.Load(), "error", why)
	}
	again := errors.Is(why, actionlog.ErrUnavailable) && !errors.Is(why, errFull)
	_, err := j.update(ctx, func(x *exportRecord) {
		x.Written = j.written.Load()
		switch {
		case stopping:
			x.Tries--
			x.Status, x.Holder, x.Attempt, x.Written = actionlog.ExportWaiting, "", "", 0
		case again && x.Tries < maxTries:
			x.Status, x.Holder, x.Attempt, x.Written, x.Problem = actionlog.ExportWaiting, "", "", 0, problem
		default:
			x.ends(j.server.Now().UTC(), actionlog.ExportFailed, problem)
		}
	})
	j.resting[j.key] = time.Now().Add(j.rest)
	j.lookAgain(j.key)
	return err
}

// problemOfJob says why a job failed, without what is nobody's business.
func problemOfJob(err error) string {
	var path *os.PathError
	text := problemOf(err).Detail
	switch {
	case errors.Is(err, errFull) || errors.Is(err, syscall.ENOSPC):
		text = errFull.Error() + "; nothing of it was kept"
	case errors.Is(err, errAltered):
		text = err.Error()
	case errors.As(err, &path):
		text = "its file cannot be written: " + path.Err.Error()
	}
	return clipped(text, maxProblem)
}

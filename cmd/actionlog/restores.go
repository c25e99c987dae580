package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"time"

	"actionlog"
	"actionlog/internal/archive"
	"actionlog/internal/bus"
	"actionlog/internal/elastic"
	"actionlog/internal/sqlite"
	"actionlog/restore"
	"actionlog/search"
)

// sealWithin is how long a restore waits until what was archived is sealed.
const sealWithin = time.Minute

// restoring is what brings older actions back.
type restoring struct {
	desk   search.Restores // nil: there is no archive
	reader restore.Reader  // of what is live and what is back
	checks []search.Check
}

// startRestores opens the store of what is brought back, and starts what brings it back
// where this process archives.
func (r *running) startRestores(ctx context.Context, nats *bus.Bus, live engine, state actionlog.State, publisher actionlog.Publisher, keeping *archive.Archiver, failed chan<- error) (*restoring, error) {
	if r.cmd.Archive == archiveOff || r.cmd.Role == "indexer" {
		return &restoring{reader: live}, nil
	}
	restored, err := r.openRestored(ctx)
	if err != nil {
		return nil, fmt.Errorf("what is restored: %w", err)
	}
	desk := &restore.Desk{State: state, Log: r.log}
	all := &restoring{desk: desk, reader: &restore.Union{Live: live, Restored: restored, Covered: desk.Covered},
		checks: []search.Check{{Name: "restored", Warning: true, Run: missingCheck(restored)}}}
	if keeping == nil {
		return all, nil
	}
	name, _ := r.archivePaths()
	storage, err := storageAt(name)
	if err != nil {
		return nil, err
	}
	runner := &restore.Runner{Desk: desk, Archive: restoreSource{keeping, &archive.Reader{Storage: storage}}, Store: restored, Publisher: publisher,
		Active: keeping.Writing, Quota: r.cmd.RestoreQuota, Live: live, Dead: nats.DeadLetters(), Scratch: r.scratch,
		Filter: func(ctx context.Context, d actionlog.Directory, x actionlog.Restore) (actionlog.Query, error) {
			return search.ReadFilter(ctx, d, x.Institution, x.Filter, staffView(r.cmd.StaffNames), r.cmd.StaffDisplay)
		}}
	desk.Wake = runner.Wake
	r.background("restores", failed, runner.Run)
	return all, nil
}

// openRestored opens the store of what is brought back: of the same kind as the live one,
// apart from it, and out of reach of what drops the live one's days.
func (r *running) openRestored(ctx context.Context) (store engine, err error) {
	if len(r.cmd.Engine) > 0 {
		o := r.cmd.options()
		o.Prefix, o.Past, o.ReadOnly = o.Prefix+"restored-", true, r.cmd.Role == "search"
		store, err = elastic.Open(ctx, o, r.log)
	} else {
		store, err = sqlite.Open(ctx, filepath.Join(r.dir, "restored"), sqlite.Options{Log: r.log})
	}
	if err == nil {
		r.onStop(func(context.Context) error { return store.Close() })
	}
	return store, err
}

// scratch opens an empty store in the folder, for the time of a job.
func (r *running) scratch(ctx context.Context) (restore.Scratch, func() error, error) {
	dir := filepath.Join(r.dir, "scratch")
	if err := os.RemoveAll(dir); err != nil { // of a job that was killed
		return nil, nil, err
	}
	s, err := sqlite.Open(ctx, dir, sqlite.Options{Log: r.log})
	if err != nil {
		return nil, nil, err
	}
	return s, func() error { return errors.Join(s.Close(), os.RemoveAll(dir)) }, nil
}

// restoreSource is the archive as package restore reads it.
type restoreSource struct {
	archiver *archive.Archiver
	reader   *archive.Reader
}

func (s restoreSource) Seal(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sealWithin)
	defer cancel()
	return s.archiver.Seal(ctx)
}

func (s restoreSource) Estimate(ctx context.Context, institution string, from, to actionlog.Day) (actionlog.RestoreSize, error) {
	e, err := s.reader.Estimate(ctx, archive.Selection{Institution: institution, From: from, To: to})
	return actionlog.RestoreSize{Actions: int64(e.Actions), Bytes: e.Bytes}, err
}

func (s restoreSource) Actions(ctx context.Context, institution string, from, to actionlog.Day, after uint64) iter.Seq2[restore.Archived, error] {
	return func(yield func(restore.Archived, error) bool) {
		for l, err := range s.reader.Actions(ctx, archive.Selection{Institution: institution, From: from, To: to, After: after}) {
			if errors.Is(err, archive.ErrDamaged) {
				err = fmt.Errorf("%w: %w", restore.ErrDamaged, err)
			}
			if err != nil {
				yield(restore.Archived{}, err)
				return
			}
			if !yield(restore.Archived{Segment: l.Segment, Position: l.Position, ReceivedAt: l.ReceivedAt, Document: l.Document}, nil) {
				return
			}
		}
	}
}

package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"actionlog"
	"actionlog/indexer"
	"actionlog/internal/archive"
	"actionlog/internal/bus"
	"actionlog/internal/elastic"
	"actionlog/search"

	"github.com/prometheus/client_golang/prometheus"
)

// accountAt is when the nightly account is made, after UTC midnight.
const accountAt = 2 * time.Hour

// accounting accounts for every position, nightly and when it is asked to.
type accounting struct {
	ledger *archive.Ledger
	log    *slog.Logger

	mu    sync.Mutex
	last  *archive.Accounts
	made  time.Time // when last was
	err   error
	gauge *prometheus.GaugeVec
}

// startAccounting starts the nightly account where this process archives.
func (r *running) startAccounting(nats *bus.Bus, store engine, registry prometheus.Registerer, failed chan<- error) *accounting {
	if !r.cmd.archiving() {
		return nil
	}
	name, _ := r.archivePaths()
	storage, err := storageAt(name)
	if err != nil {
		return nil // said already
	}
	a := &accounting{log: r.log, ledger: &archive.Ledger{Storage: storage, Keeper: store, Searcher: store, Dead: nats.DeadLetters(),
		Oldest: func() actionlog.Day { return actionlog.OldestKept(time.Now()) }, Settled: nats.SettledPosition}}
	a.gauge = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "actionlog_accounted", Help: "Positions by what the last account says of them. missing and unarchived are to be 0."}, []string{"what"})
	registry.MustRegister(a.gauge)
	r.background("accounting", failed, a.nightly)
	return a
}

// nightly accounts once a day.
func (a *accounting) nightly(ctx context.Context) error {
	for {
		now := time.Now().UTC()
		next := now.Truncate(24 * time.Hour).Add(accountAt)
		if !next.After(now) {
			next = next.Add(24 * time.Hour)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Until(next)):
		}
		if _, err := a.account(ctx); err != nil && ctx.Err() == nil {
			a.log.Error("the nightly account was not made", "error", err)
		}
	}
}

// account accounts now, and remembers the result.
func (a *accounting) account(ctx context.Context) (*archive.Accounts, error) {
	accounts, err := a.ledger.Account(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil {
			a.err = err
		}
		return nil, err
	}
	a.last, a.made, a.err = accounts, time.Now(), nil
	for what, n := range map[string]uint64{"archived": accounts.Archived, "indexed": accounts.Indexed, "repeat": accounts.Repeats, "dead": accounts.Dead,
		"too_old": accounts.TooOld, "missing": accounts.Missing, "unarchived": accounts.Unarchived, "pending": accounts.Pending, "ahead": accounts.Ahead} {
		a.gauge.WithLabelValues(what).Set(float64(n))
	}
	for _, d := range accounts.Differences {
		a.log.Error("the account does not add up", "institution", d.Institution, "day", d.Day, "archived", d.Archived, "indexed", d.Indexed,
			"missing", d.Missing, "unarchived", d.Unarchived, "positions", d.Positions)
	}
	return accounts, nil
}

// check is what readiness says of the last account.
func (a *accounting) check(context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.err != nil:
		return fmt.Errorf("the last account was not made: %w", a.err)
	case a.last != nil && !a.last.Whole():
		return fmt.Errorf("%d positions are archived and not indexed, %d are indexed and not archived: actionlog check names them", a.last.Missing, a.last.Unarchived)
	}
	return nil
}

// port is what package search asks; nil where no accounts are made here.
func (a *accounting) port() func(context.Context) (any, error) {
	if a == nil {
		return nil
	}
	return func(ctx context.Context) (any, error) { return a.account(ctx) }
}

// archiveChecks are what readiness means where this process archives.
func archiveChecks(a *archive.Archiver, books *accounting) (list []search.Check) {
	if a != nil {
		list = append(list, search.Check{Name: "archive", Warning: true, Run: func(context.Context) error { return a.Trouble() }})
	}
	if books != nil {
		list = append(list, search.Check{Name: "accounting", Warning: true, Run: books.check})
	}
	return list
}

// retainEvery is how often days are looked through that are past their time.
const retainEvery = time.Hour

// startRetention has days go that are past their time and proven to be archived, where
// this process archives; or, where the operator says that no archive is needed, all that
// are past their time.
func (r *running) startRetention(store engine, books *accounting, failed chan<- error) {
	var proof indexer.Proof
	switch {
	case r.cmd.DropUnproven:
		proof = func(context.Context, actionlog.Day) (bool, error) { return true, nil }
	case books != nil:
		proof = books.ledger.Proven
	default:
		return
	}
	r.background("retention", failed, func(ctx context.Context) error {
		days := indexer.Days(store)
		if e, ok := store.(*elastic.Store); ok && e.Retention() != string(elastic.RetentionSweep) {
			days = byPolicy{e, map[actionlog.Day]bool{}}
		}
		for {
			_, err := indexer.Sweep(ctx, days, time.Now(), proof, r.log)
			if err != nil && ctx.Err() == nil {
				r.log.Warn("retention", "error", err)
			}
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(retainEvery):
			}
		}
	})
}

// byPolicy has days dropped by giving them to the engine's policy, once each.
type byPolicy struct {
	store    *elastic.Store
	attached map[actionlog.Day]bool
}

// Days are those that the policy has not got yet.
func (p byPolicy) Days(ctx context.Context) ([]actionlog.DayInfo, error) {
	days, err := p.store.Days(ctx)
	return slices.DeleteFunc(days, func(d actionlog.DayInfo) bool { return p.attached[d.Day] }), err
}

// Drop gives a day to the policy.
func (p byPolicy) Drop(ctx context.Context, day actionlog.Day) error {
	err := p.store.Attach(ctx, day)
	p.attached[day] = err == nil
	return err
}

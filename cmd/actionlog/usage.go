package main

import (
	"context"
	"time"

	"actionlog"
	"actionlog/internal/archive"
	"actionlog/internal/bus"
)

// usage counts how much of the log is whose. A process that only searches, and was not told
// where the archive is, counts the store.
func (r *running) usage(nats *bus.Bus, store engine) func(context.Context, actionlog.UsageQuery) (actionlog.UsagePage, error) {
	m := &archive.Meter{Searcher: store, Institutions: store.Institutions, Settled: nats.SettledPosition,
		Oldest: func() actionlog.Day { return actionlog.OldestKept(time.Now()) },
		Newest: func() actionlog.Day { return actionlog.DayOf(time.Now().Add(actionlog.MaxAhead)) }}
	if r.cmd.Archive == archiveOff || r.cmd.Role == "search" && r.cmd.Archive == "" {
		return m.Usage
	}
	name, _ := r.archivePaths()
	storage, err := storageAt(name)
	if err != nil {
		return nil // said by addFeed
	}
	m.Storage = storage
	return m.Usage
}

package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"actionlog"
	"actionlog/internal/bus"
	"actionlog/internal/elastic"
	"actionlog/search"
	"actionlog/webhooks"

	"github.com/prometheus/client_golang/prometheus"
)

// measureWithin is how long a figure may take that is asked for when it is read.
const measureWithin = 2 * time.Second

// register adds the figures that are asked for when they are read.
func (r *running) register(registry prometheus.Registerer, b *bus.Bus, store engine, books *accounting, api search.Options) {
	g := gauges{registry}
	g.stream(b)
	g.store(store)
	g.folder(r.dir)
	g.certificates(map[string]string{"api": r.cmd.TLSCert, "nats": r.cmd.NATSTLSCert})
	if books != nil {
		g.add("actionlog_accounted_timestamp_seconds", "When the last account was made; 0: none yet.", func(context.Context) (float64, error) { return seconds(books.when()), nil })
	}
	if port, ok := api.Webhooks.(webhookPort); ok {
		registry.MustRegister(&webhookStates{desk: port.Desk})
	}
	registry.MustRegister(checkStates(api.Checks), &streamName{b})
}

// gauges registers figures.
type gauges struct{ prometheus.Registerer }

// add registers a figure; -1 where it cannot be told.
func (g gauges) add(name, help string, value func(ctx context.Context) (float64, error)) {
	g.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), measureWithin)
		defer cancel()
		v, err := value(ctx)
		if err != nil {
			return -1
		}
		return v
	}))
}

func (g gauges) stream(b *bus.Bus) {
	g.add("actionlog_stream_bytes", "Bytes that the stream holds; -1: unknown.", func(ctx context.Context) (float64, error) {
		used, _, err := b.Fill(ctx)
		return float64(used), err
	})
	g.add("actionlog_stream_limit_bytes", "Bytes that the stream may hold.", func(ctx context.Context) (float64, error) {
		_, limit, err := b.Fill(ctx)
		return float64(limit), err
	})
	g.add("actionlog_behind_seconds", "How old the newest instant is until which everything is settled; -1: unknown.", func(ctx context.Context) (float64, error) {
		until, err := b.Progress().Settled(ctx)
		return time.Since(until).Seconds(), err
	})
	g.add("actionlog_pending_messages", "Messages of the stream that wait for the indexer.", func(ctx context.Context) (float64, error) {
		c, err := b.Consumer(ctx, bus.Indexer)
		if err != nil {
			return 0, err
		}
		info := c.CachedInfo()
		return float64(info.NumPending) + float64(info.NumAckPending), nil
	})
	g.add("actionlog_dead_letters", "Dead letters that wait for somebody.", func(ctx context.Context) (float64, error) {
		n, err := b.DeadLetters().Total(ctx)
		return float64(n), err
	})
	g.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "actionlog_clock_offset_seconds",
		Help: "How far the clock of the NATS server is ahead of this process's; 0 also where it cannot be asked."}, func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), measureWithin)
		defer cancel()
		offset, _ := b.ClockOffset(ctx)
		return offset.Seconds()
	}))
}

// lookEvery is for how long what an engine said of its indices is handed out again.
const lookEvery = time.Minute

func (g gauges) store(store engine) {
	g.add("actionlog_store_bytes", "Bytes of all days.", func(context.Context) (float64, error) { return float64(store.Bytes()), nil })
	g.add("actionlog_store_days", "Days that are kept.", func(context.Context) (float64, error) { return float64(store.Len()), nil })
	g.add("actionlog_store_missing", "Days, and other parts of the store, that cannot be asked. To be 0.", func(context.Context) (float64, error) {
		return float64(len(store.Missing())), nil
	})
	e, ok := store.(*elastic.Store)
	if !ok {
		return
	}
	var mu sync.Mutex
	var asked time.Time
	var blocked float64
	g.add("actionlog_engine_blocked_indices", "Indices of the service that the engine lets nobody write to. To be 0; -1: unknown.", func(ctx context.Context) (float64, error) {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(asked) < lookEvery {
			return blocked, nil
		}
		c, err := e.Condition(ctx)
		if err == nil {
			err = c.Unknown["blocks"]
		}
		if err != nil {
			return 0, err
		}
		asked, blocked = time.Now(), float64(len(c.Blocked))
		return blocked, nil
	})
}

func (g gauges) folder(dir string) {
	g.add("actionlog_data_free_bytes", "Bytes that may still be written where the service's folder is; -1: unknown.", func(context.Context) (float64, error) {
		n, err := roomIn(dir)
		return float64(n), err
	})
	g.add("actionlog_data_size_bytes", "Bytes of the file system where the service's folder is; -1: unknown.", func(context.Context) (float64, error) {
		n, err := sizeOf(dir)
		return float64(n), err
	})
	g.add("actionlog_backup_timestamp_seconds", "When the last backup was made (actionlog backup, or touch DIR/"+backupMark+"); 0: none is known of.", func(context.Context) (float64, error) {
		info, err := os.Stat(filepath.Join(dir, backupMark))
		if errors.Is(err, os.ErrNotExist) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		return seconds(info.ModTime()), nil
	})
}

// backupMark is the file whose time is that of the last backup.
const backupMark = "backup.json"

func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// certificates says until when those of some files, by what they are for, are good.
func (g gauges) certificates(files map[string]string) {
	for use, file := range files {
		if file == "" {
			continue
		}
		g.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "actionlog_certificate_expires_timestamp_seconds",
			Help: "Until when a TLS certificate of this process is good, by what it is for: api, nats; 0: it cannot be read.", ConstLabels: prometheus.Labels{"of": use}}, func() float64 {
			until, err := certificateEnd(file)
			if err != nil {
				return 0
			}
			return seconds(until)
		}))
	}
}

// certificateEnd is until when the certificates of a file (PEM) are good, all of them.
func certificateEnd(file string) (until time.Time, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return until, err
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return until, fmt.Errorf("%s: %w", file, err)
		}
		if until.IsZero() || c.NotAfter.Before(until) {
			until = c.NotAfter
		}
	}
	if until.IsZero() {
		return until, fmt.Errorf("%s holds no certificate", file)
	}
	return until, nil
}

// webhookStates counts webhooks by status, at most once in lookEvery.
type webhookStates struct {
	desk *webhooks.Desk

	mu     sync.Mutex
	asked  time.Time
	counts map[actionlog.WebhookStatus]int
}

var webhookState = prometheus.NewDesc("actionlog_webhooks", "Webhooks, by status: active, paused, stopped.", []string{"status"}, nil)

// Describe implements prometheus.Collector.
func (w *webhookStates) Describe(to chan<- *prometheus.Desc) { to <- webhookState }

// Collect implements prometheus.Collector.
func (w *webhookStates) Collect(to chan<- prometheus.Metric) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.asked) > lookEvery {
		ctx, cancel := context.WithTimeout(context.Background(), measureWithin)
		defer cancel()
		if all, err := w.desk.List(ctx, ""); err == nil {
			w.asked, w.counts = time.Now(), map[actionlog.WebhookStatus]int{actionlog.WebhookActive: 0, actionlog.WebhookPaused: 0, actionlog.WebhookStopped: 0}
			for _, hook := range all {
				w.counts[hook.Status]++
			}
		}
	}
	for status, n := range w.counts {
		to <- prometheus.MustNewConstMetric(webhookState, prometheus.GaugeValue, float64(n), string(status))
	}
}

// checkStates says what readiness says, check by check.
type checkStates []search.Check

var checkState = prometheus.NewDesc("actionlog_check", "What readiness says, by check: 0 ok, 1 warning, 2 failed.", []string{"check"}, nil)

// Describe implements prometheus.Collector.
func (c checkStates) Describe(to chan<- *prometheus.Desc) { to <- checkState }

// Collect implements prometheus.Collector.
func (c checkStates) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), measureWithin)
	defer cancel()
	for _, check := range c {
		state := 0.0
		if check.Run(ctx) != nil {
			state = 2
			if check.Warning {
				state = 1
			}
		}
		to <- prometheus.MustNewConstMetric(checkState, prometheus.GaugeValue, state, check.Name)
	}
}

// streamName says which incarnation of the stream the process knows, and how long it is.
type streamName struct{ bus *bus.Bus }

var streamInfo = prometheus.NewDesc("actionlog_stream_info", "1, with the incarnation of the stream: another one means that the stream went back or was made anew.", []string{"incarnation"}, nil)
var streamLast = prometheus.NewDesc("actionlog_stream_last_sequence", "The sequence of the newest message of the stream; -1: unknown.", nil, nil)

// Describe implements prometheus.Collector.
func (s *streamName) Describe(to chan<- *prometheus.Desc) { to <- streamInfo; to <- streamLast }

// Collect implements prometheus.Collector.
func (s *streamName) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), measureWithin)
	defer cancel()
	last := -1.0
	if n, err := s.bus.LastSequence(ctx); err == nil {
		last = float64(n)
	}
	to <- prometheus.MustNewConstMetric(streamInfo, prometheus.GaugeValue, 1, s.bus.Stream())
	to <- prometheus.MustNewConstMetric(streamLast, prometheus.GaugeValue, last)
}

// when is when the last account was made.
func (a *accounting) when() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.made
}

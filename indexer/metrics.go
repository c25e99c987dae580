package indexer

import (
	"strings"
	"time"

	"actionlog"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics of the indexer.
type Metrics struct {
	actions  *prometheus.CounterVec
	dead     *prometheus.CounterVec
	unknown  prometheus.Counter
	warnings prometheus.Counter
	batch    prometheus.Histogram
	seconds  prometheus.Histogram
	delay    prometheus.Histogram
}

// NewMetrics registers the indexer's metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		actions: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "actionlog_indexer_actions_total",
			Help: "Messages taken from the stream, by outcome: new, repeat, dead, too_old, retry."}, []string{"outcome"}),
		dead: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "actionlog_indexer_dead_letters_total",
			Help: "Dead letters written, by reason."}, []string{"reason"}),
		unknown: prometheus.NewCounter(prometheus.CounterOpts{Name: "actionlog_indexer_unknown_codes_total",
			Help: "Actions whose code is not in the catalogue."}),
		warnings: prometheus.NewCounter(prometheus.CounterOpts{Name: "actionlog_indexer_warned_actions_total",
			Help: "Actions of which a field was not indexed."}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "actionlog_indexer_batch_actions",
			Help: "Messages per batch.", Buckets: prometheus.ExponentialBuckets(1, 4, 8)}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "actionlog_indexer_batch_seconds",
			Help: "Seconds per batch.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)}),
		delay: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "actionlog_indexer_searchable_seconds",
			Help: "Seconds from the stream's acknowledgement until an action is searchable.", Buckets: prometheus.ExponentialBuckets(0.005, 2, 14)}),
	}
	for _, outcome := range []string{"new", "repeat", "dead", "too_old", "retry"} {
		m.actions.WithLabelValues(outcome) // a rate needs its 0
	}
	for _, reason := range []string{actionlog.DeadInvalid, actionlog.DeadSubject, actionlog.DeadFuture, actionlog.DeadCollision, actionlog.DeadRefused} {
		m.dead.WithLabelValues(reason)
	}
	r.MustRegister(m.actions, m.dead, m.unknown, m.warnings, m.batch, m.seconds, m.delay)
	return m
}

func (m *Metrics) observe(item *actionlog.Item, now time.Time) {
	m.delay.Observe(now.Sub(item.ReceivedAt).Seconds())
	if len(item.Warnings) > 0 {
		m.warnings.Inc()
	}
	if _, known := actionlog.CatalogueLabel(item.Action.Code); !known && !strings.HasPrefix(item.Action.Code, "api.") {
		m.unknown.Inc()
	}
}

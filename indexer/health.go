package indexer

import (
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// sayAgain is how often the log repeats that the same trouble lasts.
const sayAgain = 30 * time.Second

// health is whether the last batch could be written.
type health struct {
	mu    sync.Mutex
	err   error
	since time.Time // of the trouble
	said  time.Time
}

// note remembers how a batch ended, and logs when trouble begins, lasts, ends.
func (h *health) note(log *slog.Logger, now time.Time, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case err == nil && h.err != nil:
		log.Info("indexer: actions are written again", "after", now.Sub(h.since).Round(time.Second))
		h.said = time.Time{}
	case err != nil && now.Sub(h.said) >= sayAgain:
		log.Error("indexer: actions are not written; they wait in the stream and are tried again", "error", err)
		h.said = now
	}
	if err != nil && h.err == nil {
		h.since = now
	}
	h.err = err
}

// Trouble says why actions of the last batch could not be written; nil: they
// were.
func (x *Indexer) Trouble() error {
	x.health.mu.Lock()
	defer x.health.mu.Unlock()
	if x.health.err == nil {
		return nil
	}
	return fmt.Errorf("actions are not written since %s; they wait in the stream: %w", x.health.since.UTC().Format(time.RFC3339), x.health.err)
}

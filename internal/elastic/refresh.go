package elastic

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// refresher makes what was written visible to searches: at once where nothing was
// refreshed lately, and otherwise together with what others wrote, so that there
// are at most so many refreshes a second however small the writes are.
type refresher struct {
	client *client
	every  time.Duration

	mu      sync.Mutex
	last    time.Time // when the newest refresh began
	waiting *refresh
}

// refresh is one to come: what it covers, and how it ended.
type refresh struct {
	indices map[string]bool
	done    chan struct{}
	err     error
}

// visible returns when all that was written to the indices before the call can be
// found.
func (r *refresher) visible(ctx context.Context, indices []string) error {
	if len(indices) == 0 {
		return nil
	}
	r.mu.Lock()
	next := r.waiting
	if next == nil {
		next = &refresh{indices: map[string]bool{}, done: make(chan struct{})}
		r.waiting = next
		time.AfterFunc(time.Until(r.last.Add(r.every)), r.run)
	}
	for _, index := range indices {
		next.indices[index] = true
	}
	r.mu.Unlock()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-next.done:
		return next.err
	}
}

// run does the refresh that waits. It belongs to nobody's request.
func (r *refresher) run() {
	r.mu.Lock()
	now := r.waiting
	r.waiting, r.last = nil, time.Now()
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), bulkWithin)
	defer cancel()
	for part := range slices.Chunk(slices.Sorted(maps.Keys(now.indices)), 50) { // the names stand in the URL
		if now.err = r.refresh(ctx, part); now.err != nil {
			break
		}
	}
	close(now.done)
}

func (r *refresher) refresh(ctx context.Context, indices []string) error {
	var answer struct {
		Shards shards `json:"_shards"`
	}
	err := r.client.call(ctx, http.MethodPost, "/"+strings.Join(indices, ",")+"/_refresh", lenient(), nil, &answer)
	if err != nil {
		return unavailable(err)
	}
	return answer.Shards.err()
}

package elastic

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"actionlog"
)

// block has nobody write to an index any more; when it returns no write is under way.
func (s *Store) block(ctx context.Context, index string) error {
	var said struct {
		Acknowledged bool
		Shards       bool `json:"shards_acknowledged"`
		Indices      []struct{ Blocked bool }
	}
	if err := s.client.call(ctx, http.MethodPut, "/"+index+"/_block/write", nil, nil, &said); err != nil {
		return unavailable(err)
	}
	whole := said.Acknowledged && said.Shards && len(said.Indices) > 0
	for _, i := range said.Indices {
		whole = whole && i.Blocked
	}
	if !whole {
		return fmt.Errorf("engine: not every shard of %s says that nobody writes to it any more: %w", index, actionlog.ErrUnavailable)
	}
	return nil
}

// unblock lets an index be written to again; one that is not there needs nothing.
func (s *Store) unblock(ctx context.Context, index string) error {
	err := s.client.call(ctx, http.MethodPut, "/"+index+"/_settings", nil, obj{"index.blocks.write": nil}, nil)
	if err != nil && !hasStatus(err, http.StatusNotFound) {
		return unavailable(err)
	}
	return nil
}

// lookAtOld notes what is damaged of what is there.
func (r *renewal) lookAtOld(ctx context.Context) error {
	old, err := r.store.indicesOf(ctx, r.day)
	for _, i := range old {
		if damage(i) != "" {
			r.damaged = append(r.damaged, i.Index)
		}
	}
	return err
}

// blockDamaged has nobody write to what is damaged of the day: nothing of it can be copied, and
// shards that are not lost would go on acknowledging what fill does not have.
func (r *renewal) blockDamaged(ctx context.Context) error {
	for _, index := range r.damaged {
		err := r.block(ctx, index)
		if a := (*answerError)(nil); errors.As(err, &a) && a.Type == "index_closed_exception" {
			err = nil // nobody writes to it
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// block has nobody write to an old index until it is gone, or the renewal is abandoned.
func (r *renewal) block(ctx context.Context, index string) error {
	if !slices.Contains(r.blocked, index) {
		r.blocked = append(r.blocked, index)
	}
	return r.store.block(ctx, index)
}

// abandon takes back what was begun. An index that may be the day by now stays: if it is
// not, the next rebuilding removes it.
func (r *renewal) abandon() error {
	ctx, cancel := context.WithTimeout(context.Background(), bulkWithin)
	defer cancel()
	var err error
	for _, index := range r.blocked {
		e := r.store.unblock(ctx, index)
		if e != nil {
			r.store.mu.Lock()
			r.store.blocked = append(r.store.blocked, index) // lookAfter tries again
			r.store.mu.Unlock()
		}
		err = errors.Join(err, e)
	}
	if !r.sent {
		err = errors.Join(err, r.drop(ctx, r.index))
	}
	return err
}

package elastic

import (
	"context"
	"fmt"
	"net/http"

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

package storetest

import (
	"context"
	"slices"
	"strings"
	"sync"

	"actionlog"
)

// State is an actionlog.State in memory, for tests of what keeps something in one.
type State struct {
	mu       sync.Mutex
	revision uint64
	values   map[string]stateValue
}

type stateValue struct {
	value    []byte
	revision uint64
}

// NewState returns an empty one.
func NewState() *State { return &State{values: map[string]stateValue{}} }

// Get implements actionlog.State.
func (s *State) Get(ctx context.Context, bucket, key string) ([]byte, uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.values[bucket+"/"+key]
	if !ok {
		return nil, 0, actionlog.ErrNotFound
	}
	return slices.Clone(v.value), v.revision, ctx.Err()
}

// Put implements actionlog.State.
func (s *State) Put(ctx context.Context, bucket, key string, value []byte, revision uint64) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(value) > 64<<10 {
		return 0, actionlog.Invalidf("value", "is longer than 64 KiB")
	}
	if s.values[bucket+"/"+key].revision != revision {
		return 0, actionlog.ErrConflict
	}
	s.revision++
	s.values[bucket+"/"+key] = stateValue{slices.Clone(value), s.revision}
	return s.revision, ctx.Err()
}

// Delete implements actionlog.State.
func (s *State) Delete(_ context.Context, bucket, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.values, bucket+"/"+key)
	return nil
}

// List implements actionlog.State.
func (s *State) List(_ context.Context, bucket string) (keys []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.values {
		if key, ok := strings.CutPrefix(name, bucket+"/"); ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys, nil
}

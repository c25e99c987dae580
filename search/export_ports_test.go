package search

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"actionlog"
)

// stateInMemory is a State that keeps its promises.
type stateInMemory struct {
	mu     sync.Mutex
	values map[string][]byte
	at     map[string]uint64
	last   uint64
	fault  func(call, key string) error
}

func newState() *stateInMemory {
	return &stateInMemory{values: map[string][]byte{}, at: map[string]uint64{}}
}

// failPuts has exports not be kept: their process is killed, or cut off.
func (s *stateInMemory) failPuts(yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault = nil; yes {
		s.fault = func(call, _ string) error {
			if call == "Put" {
				return fmt.Errorf("cut off: %w", actionlog.ErrUnavailable)
			}
			return nil
		}
	}
}

func (s *stateInMemory) call(name, bucket, key string) error {
	s.mu.Lock()
	fault := s.fault
	s.mu.Unlock()
	if fault != nil && bucket == exportsBucket {
		return fault(name, key)
	}
	return nil
}

func (s *stateInMemory) Get(_ context.Context, bucket, key string) ([]byte, uint64, error) {
	if err := s.call("Get", bucket, key); err != nil {
		return nil, 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.values[bucket+"|"+key]
	if !ok {
		return nil, 0, actionlog.ErrNotFound
	}
	return slices.Clone(v), s.at[bucket+"|"+key], nil
}

func (s *stateInMemory) Put(_ context.Context, bucket, key string, value []byte, revision uint64) (uint64, error) {
	if err := s.call("Put", bucket, key); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(value) > 64<<10 {
		return 0, actionlog.Invalidf("value", "is too long")
	}
	if s.at[bucket+"|"+key] != revision {
		return 0, actionlog.ErrConflict
	}
	s.last++
	s.values[bucket+"|"+key], s.at[bucket+"|"+key] = slices.Clone(value), s.last
	return s.last, nil
}

func (s *stateInMemory) Delete(_ context.Context, bucket, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.values, bucket+"|"+key)
	delete(s.at, bucket+"|"+key)
	return nil
}

func (s *stateInMemory) List(_ context.Context, bucket string) (keys []string, err error) {
	if err := s.call("List", bucket, ""); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.values {
		if key, ok := strings.CutPrefix(k, bucket+"|"); ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys, nil
}

// filesInMemory is an ExportStorage.
type filesInMemory struct {
	mu    sync.Mutex
	files map[string][]byte
	fault func(call string) error
}

func (f *filesInMemory) call(name string) error {
	if f.fault != nil {
		return f.fault(name)
	}
	return nil
}

func (f *filesInMemory) Create(_ context.Context, name, path string, bytes int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.call("Create"); err != nil {
		return err
	}
	content, err := os.ReadFile(path)
	if err == nil && int64(len(content)) != bytes {
		err = fmt.Errorf("%d bytes, not %d", len(content), bytes)
	}
	if _, taken := f.files[name]; err == nil && taken {
		err = errors.New("exists")
	}
	f.files[name] = content
	return err
}

func (f *filesInMemory) ReadRange(_ context.Context, name string, offset, length int64) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.call("ReadRange"); err != nil {
		return nil, err
	}
	content, ok := f.files[name]
	if !ok {
		return nil, actionlog.ErrNotFound
	}
	if length <= 0 || length > contentPiece || offset+length > int64(len(content)) {
		return nil, fmt.Errorf("%d bytes from %d of %d", length, offset, len(content))
	}
	return slices.Clone(content[offset : offset+length]), nil
}

func (f *filesInMemory) List(_ context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, name := range f.names() {
			if strings.HasPrefix(name, prefix) && !yield(name, nil) {
				return
			}
		}
	}
}

func (f *filesInMemory) names() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.files))
}

func (f *filesInMemory) Remove(_ context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.call("Remove"); err != nil {
		return err
	}
	delete(f.files, name)
	return nil
}

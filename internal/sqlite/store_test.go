package sqlite

import (
	"path/filepath"
	"testing"

	"actionlog"
	"actionlog/internal/storetest"
)

func openTest(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.Context(), t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// The contract of a store, on SQLite.
func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) actionlog.Store { return openTest(t) })
}

// The contract of a state, on SQLite.
func TestState(t *testing.T) {
	storetest.RunState(t, func(t *testing.T) actionlog.State {
		s, err := OpenState(filepath.Join(t.TempDir(), "state.sqlite"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		return s
	})
}

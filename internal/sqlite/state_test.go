package sqlite

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// TestCopyOfAStateIsItsOwners: there are secrets in it, whatever folder it is in, and whatever
// stood there before.
func TestCopyOfAStateIsItsOwners(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such rights")
	}
	from, dir := filepath.Join(t.TempDir(), "state.sqlite"), t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := OpenState(from)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Put(t.Context(), "tokens", "a", []byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dir, "state.sqlite")
	for range 2 {
		if err := CopyState(t.Context(), from, to); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(to); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", info.Mode(), err)
		}
	}
	copied, err := OpenState(to)
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	if value, _, err := copied.Get(t.Context(), "tokens", "a"); err != nil || string(value) != "x" {
		t.Errorf("%q %v", value, err)
	}
}

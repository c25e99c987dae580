package access

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"actionlog"
)

// many is a state that several processes use at once. Puts from the one that is to fail on
// fail, and so on until fail is 0 again; what is written by then is kept.
type many struct {
	state
	mu   *sync.Mutex
	fail *int
}

var errGone = errors.New("the process is gone")

func newMany() many { return many{state{}, &sync.Mutex{}, new(int)} }

func (m many) Get(ctx context.Context, bucket, key string) ([]byte, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.Get(ctx, bucket, key)
}

func (m many) Put(ctx context.Context, bucket, key string, value []byte, revision uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if *m.fail == 1 {
		return 0, errGone
	}
	if *m.fail > 0 {
		*m.fail--
	}
	return m.state.Put(ctx, bucket, key, value, revision)
}

func (m many) Delete(ctx context.Context, bucket, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.Delete(ctx, bucket, key)
}

func (m many) List(ctx context.Context, bucket string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.List(ctx, bucket)
}

// TestFirstTokenOfMany: of processes that start at the same time, each on a folder of its own,
// one makes the first token; the others learn which it is, now and at each later start.
func TestFirstTokenOfMany(t *testing.T) {
	shared := newMany()
	dir := t.TempDir()
	path := func(i int) string { return filepath.Join(dir, "pod"+string(rune('a'+i))) }
	for start := range 3 {
		var wait sync.WaitGroup
		var firsts [8]First
		for i := range firsts {
			wait.Go(func() {
				tokens := &Tokens{State: shared, Now: time.Now}
				var err error
				if firsts[i], err = tokens.BootstrapShared(t.Context(), path(i), path(i), false); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil || len(files) != 1 {
			t.Fatalf("start %d: files %v, %v", start, files, err)
		}
		tokens := &Tokens{State: shared, Now: time.Now}
		if list, err := tokens.List(t.Context()); err != nil || len(list) != 1 || list[0].ID != firsts[0].ID || !list[0].All {
			t.Fatalf("start %d: tokens %+v, %v", start, list, err)
		}
		for _, f := range firsts {
			if f != firsts[0] || f.Host != files[0] {
				t.Errorf("start %d: %+v and %+v in %v", start, f, firsts[0], files)
			}
		}
	}
}

// TestFirstTokenIsLost: once revoked or lost with its file it is not made again, unless that
// is asked for.
func TestFirstTokenIsLost(t *testing.T) {
	ctx, tokens, dir := t.Context(), &Tokens{State: newMany(), Now: time.Now}, t.TempDir()
	bootstrap := func(name string, again bool) (First, string) {
		t.Helper()
		first, err := tokens.BootstrapShared(ctx, filepath.Join(dir, name), name, again)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := os.ReadFile(filepath.Join(dir, name)) // there may be none
		return first, strings.TrimSpace(string(text))
	}
	first, token := bootstrap("a", false)
	if _, got := bootstrap("a", true); got != token {
		t.Error("a token that is valid was replaced")
	}
	if err := os.Remove(filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	if again, got := bootstrap("b", false); got != "" || again != first {
		t.Errorf("another was made: %+v", again)
	}
	second, got := bootstrap("b", true)
	if g, err := tokens.Check(ctx, got); err != nil || g.ID != second.ID || second.ID == first.ID || second.Host != "b" {
		t.Errorf("asked for, and not made: %+v, %+v, %v", second, g, err)
	}
	for _, id := range []string{first.ID, second.ID} {
		if _, err := tokens.Revoke(ctx, id); err != nil {
			t.Error(err)
		}
	}
	if _, got = bootstrap("b", false); got != "" {
		if _, err := tokens.Check(ctx, got); !errors.Is(err, actionlog.ErrNotFound) {
			t.Errorf("revoked, and made again: %v", err)
		}
	}
	if list, err := tokens.List(ctx); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
}

// TestFirstTokenKilled: a process that ends at any step leaves a cluster that gets its first
// token by the next start.
func TestFirstTokenKilled(t *testing.T) {
	for fail := 1; fail <= 2; fail++ {
		shared, dir := newMany(), t.TempDir()
		tokens, path := &Tokens{State: shared, Now: time.Now}, filepath.Join(dir, "token")
		*shared.fail = fail
		if _, err := tokens.BootstrapShared(t.Context(), path, "a", false); !errors.Is(err, errGone) {
			t.Fatal(fail, err)
		}
		*shared.fail = 0
		checkFirst(t, tokens, path)
	}
	// Behind the mark, before the file has its name.
	tokens, path := &Tokens{State: newMany(), Now: time.Now}, filepath.Join(t.TempDir(), "token")
	first := checkFirst(t, tokens, path)
	if err := os.Rename(path, path+".new"); err != nil {
		t.Fatal(err)
	}
	if again := checkFirst(t, tokens, path); again != first {
		t.Errorf("%+v, and before %+v", again, first)
	}
}

func checkFirst(t *testing.T, tokens *Tokens, path string) First {
	t.Helper()
	first, err := tokens.BootstrapShared(t.Context(), path, "a", false)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if g, err := tokens.Check(t.Context(), strings.TrimSpace(string(text))); err != nil || g.ID != first.ID {
		t.Errorf("%+v, %+v, %v", g, first, err)
	}
	return first
}

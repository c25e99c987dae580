package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"actionlog"
)

// RunState checks that a state keeps the contract of actionlog.State. open returns an
// empty one that nobody else uses.
func RunState(t *testing.T, open func(t *testing.T) actionlog.State) {
	for name, run := range map[string]func(t *testing.T, s actionlog.State){
		"values": testStateValues, "revisions": testStateRevisions, "keys": testStateKeys, "limit": testStateLimit, "counter": testStateCounter,
	} {
		t.Run(name, func(t *testing.T) { run(t, open(t)) })
	}
}

// mustPut writes a value.
func mustPut(t *testing.T, s actionlog.State, bucket, key, value string, revision uint64) uint64 {
	t.Helper()
	next, err := s.Put(context.Background(), bucket, key, []byte(value), revision)
	if err != nil || next == 0 {
		t.Fatalf("Put %s %s at %d: revision %d, %v", bucket, key, revision, next, err)
	}
	return next
}

func testStateValues(t *testing.T, s actionlog.State) {
	ctx := context.Background()
	if _, _, err := s.Get(ctx, "a", "x"); !errors.Is(err, actionlog.ErrNotFound) {
		t.Errorf("Get of nothing: %v", err)
	}
	if err := s.Delete(ctx, "a", "x"); err != nil {
		t.Errorf("Delete of nothing: %v", err)
	}
	for _, value := range []string{"", "text", "\x00\xff binary", strings.Repeat("v", 64<<10)} {
		key := "k" + strconv.Itoa(len(value))
		put := mustPut(t, s, "a", key, value, 0)
		got, revision, err := s.Get(ctx, "a", key)
		if err != nil || !bytes.Equal(got, []byte(value)) || revision != put {
			t.Errorf("Get: %d bytes, revision %d, %v; want %d bytes, revision %d", len(got), revision, err, len(value), put)
		}
		if _, _, err := s.Get(ctx, "b", key); !errors.Is(err, actionlog.ErrNotFound) {
			t.Errorf("Get in another bucket: %v", err)
		}
	}
}

func testStateRevisions(t *testing.T, s actionlog.State) {
	ctx := context.Background()
	conflict := func(revision uint64) {
		t.Helper()
		if _, err := s.Put(ctx, "a", "x", []byte("wrong"), revision); !errors.Is(err, actionlog.ErrConflict) {
			t.Errorf("Put at revision %d: %v; want a conflict", revision, err)
		}
	}
	conflict(7)
	first := mustPut(t, s, "a", "x", "1", 0)
	conflict(0)
	conflict(first + 1)
	second := mustPut(t, s, "a", "x", "2", first)
	conflict(first)
	if second == first {
		t.Errorf("two revisions are %d", first)
	}
	if err := s.Delete(ctx, "a", "x"); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	conflict(second)
	third := mustPut(t, s, "a", "x", "3", 0)
	if third == first || third == second {
		t.Errorf("a key that was made again has revision %d, which it had before", third)
	}
	conflict(second)
	if value, revision, err := s.Get(ctx, "a", "x"); err != nil || string(value) != "3" || revision != third {
		t.Errorf("Get: %q, %d, %v", value, revision, err)
	}
}

func testStateKeys(t *testing.T, s actionlog.State) {
	ctx := context.Background()
	keys := []string{"a", "b.c", "B", "0", "é ü", "x*", ">", "a/b", "a\x00b", strings.Repeat("long", 40)}
	for i, key := range keys {
		mustPut(t, s, "one.two", key, fmt.Sprint(i), 0)
		mustPut(t, s, "one", "two."+key, "other", 0)
	}
	for i, key := range keys {
		if value, _, err := s.Get(ctx, "one.two", key); err != nil || string(value) != fmt.Sprint(i) {
			t.Errorf("Get %q: %q, %v", key, value, err)
		}
	}
	want := slices.Sorted(slices.Values(keys))
	if got, err := s.List(ctx, "one.two"); err != nil || !slices.Equal(got, want) {
		t.Errorf("List: %q, %v; want %q", got, err, want)
	}
	if err := s.Delete(ctx, "one.two", "a"); err != nil {
		t.Errorf("Delete: %v", err)
	}
	want = slices.DeleteFunc(want, func(k string) bool { return k == "a" })
	if got, err := s.List(ctx, "one.two"); err != nil || !slices.Equal(got, want) {
		t.Errorf("List after Delete: %q, %v; want %q", got, err, want)
	}
	if got, err := s.List(ctx, "nothing"); err != nil || len(got) != 0 {
		t.Errorf("List of an empty bucket: %q, %v", got, err)
	}
}

func testStateLimit(t *testing.T, s actionlog.State) {
	var invalid *actionlog.InvalidError
	if _, err := s.Put(context.Background(), "a", "x", make([]byte, 64<<10+1), 0); !errors.As(err, &invalid) {
		t.Errorf("Put of more than 64 KiB: %v", err)
	}
}

// testStateCounter has eight count at the same time: no step is lost.
func testStateCounter(t *testing.T, s actionlog.State) {
	ctx := context.Background()
	mustPut(t, s, "a", "n", "0", 0)
	const each, many = 10, 8
	var group sync.WaitGroup
	for range many {
		group.Go(func() {
			for done := 0; done < each; {
				value, revision, err := s.Get(ctx, "a", "n")
				if err != nil {
					t.Errorf("Get: %v", err)
					return
				}
				n, _ := strconv.Atoi(string(value))
				_, err = s.Put(ctx, "a", "n", []byte(strconv.Itoa(n+1)), revision)
				switch {
				case err == nil:
					done++
				case !errors.Is(err, actionlog.ErrConflict):
					t.Errorf("Put: %v", err)
					return
				}
			}
		})
	}
	group.Wait()
	if value, _, err := s.Get(ctx, "a", "n"); err != nil || string(value) != strconv.Itoa(each*many) {
		t.Errorf("the counter is %q, %v; want %d", value, err, each*many)
	}
}

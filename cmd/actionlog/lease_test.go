package main

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/sqlite"
)

// muteState takes no writes while it is mute, as if its holder had died or slept.
type muteState struct {
	actionlog.State
	mute atomic.Bool
}

func (s *muteState) Put(ctx context.Context, bucket, key string, value []byte, revision uint64) (uint64, error) {
	if s.mute.Load() {
		return 0, actionlog.ErrUnavailable
	}
	return s.State.Put(ctx, bucket, key, value, revision)
}

// TestLease: one holder at a time; who dies is followed; who slept notices.
func TestLease(t *testing.T) {
	state, err := sqlite.OpenState(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	first, second := &muteState{State: state}, &muteState{State: state}
	const term = 300 * time.Millisecond
	lost := make(chan error, 2)
	hold := func(s actionlog.State) (func() error, error) {
		return (&actionlog.Lease{State: s, Bucket: "archive", Key: "lease", Time: term}).Take(t.Context(), func(err error) { lost <- err })
	}
	release, err := hold(first)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := hold(second); !errors.Is(err, actionlog.ErrLeased) {
			t.Errorf("taken while it is held: %v", err)
		}
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if release, err = hold(first); err != nil {
		t.Fatalf("after its release: %v", err)
	}
	first.mute.Store(true)
	var takeOver func() error
	eventually(t, "another takes the lease of one that is dead", func() bool {
		takeOver, err = hold(second)
		return err == nil
	})
	first.mute.Store(false)
	select {
	case err := <-lost:
		if err == nil {
			t.Error("lost without a reason")
		}
	case <-time.After(10 * time.Second):
		t.Error("the one that slept does not notice")
	}
	if err := release(); err != nil {
		t.Errorf("release of a lost lease: %v", err)
	}
	if _, err := hold(first); !errors.Is(err, actionlog.ErrLeased) {
		t.Errorf("the release of a lost lease ended another's: %v", err)
	}
	if err := takeOver(); err != nil {
		t.Error(err)
	}
}

package access

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"actionlog"
)

// state is an actionlog.State in memory.
type state map[string][]byte

func (s state) Get(_ context.Context, bucket, key string) ([]byte, uint64, error) {
	v, ok := s[bucket+"/"+key]
	if !ok {
		return nil, 0, fmt.Errorf("%s: %w", key, actionlog.ErrNotFound)
	}
	return v, 1, nil
}

func (s state) Put(_ context.Context, bucket, key string, value []byte, revision uint64) (uint64, error) {
	if _, ok := s[bucket+"/"+key]; ok != (revision == 1) {
		return 0, actionlog.ErrConflict
	}
	s[bucket+"/"+key] = value
	return 1, nil
}

func (s state) Delete(_ context.Context, bucket, key string) error {
	delete(s, bucket+"/"+key)
	return nil
}

func (s state) List(_ context.Context, bucket string) (keys []string, err error) {
	for k := range s {
		if key, ok := strings.CutPrefix(k, bucket+"/"); ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys, nil
}

func TestTokens(t *testing.T) {
	kept := state{}
	tokens := &Tokens{State: kept, Now: time.Now}
	ctx := t.Context()
	g, token, err := tokens.Create(ctx, "siem", "uni", false)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range kept {
		if strings.Contains(string(v), token) || strings.Contains(string(v), strings.Split(token, "_")[2]) {
			t.Errorf("%s keeps the secret: %s", k, v)
		}
	}
	if got, err := tokens.Check(ctx, token); err != nil || got != g || got.All || got.Institution != "uni" {
		t.Errorf("%+v, %v; want %+v", got, err, g)
	}
	for _, wrong := range []string{"", "x", token + "x", token[:len(token)-1], "al_" + g.ID + "_", strings.ToLower(token), "al__" + token} {
		if _, err := tokens.Check(ctx, wrong); !errors.Is(err, actionlog.ErrNotFound) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	if list, err := tokens.List(ctx); err != nil || len(list) != 1 || list[0] != g {
		t.Errorf("%v, %v", list, err)
	}
	if err := tokens.Revoke(ctx, g.ID); err != nil {
		t.Error(err)
	}
	if err := tokens.Revoke(ctx, g.ID); !errors.Is(err, actionlog.ErrNotFound) {
		t.Errorf("revoked again: %v", err)
	}
	if _, err := tokens.Check(ctx, token); !errors.Is(err, actionlog.ErrNotFound) {
		t.Errorf("a revoked token: %v", err)
	}
}

func TestBootstrap(t *testing.T) {
	tokens := &Tokens{State: state{}, Now: time.Now}
	path := filepath.Join(t.TempDir(), "admin.token")
	read := func() string {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(text))
	}
	for range 2 {
		if err := tokens.Bootstrap(t.Context(), path); err != nil {
			t.Fatal(err)
		}
	}
	first := read()
	if g, err := tokens.Check(t.Context(), first); err != nil || !g.All {
		t.Errorf("%+v, %v", g, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if list, err := tokens.List(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	tokens.State = state{} // the folder was wiped: the file's token is worth nothing
	if err := tokens.Bootstrap(t.Context(), path); err != nil || read() == first {
		t.Errorf("an invalid token was kept: %v", err)
	}
}

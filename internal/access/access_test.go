package access

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
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
	if _, ok := s[bucket+"/"+key]; ok != (revision == 1) { // the revision of all that is there
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

// same compares all but when a token was used.
func same(a, b Grant) bool {
	a.UsedAt, b.UsedAt = time.Time{}, time.Time{}
	return reflect.DeepEqual(a, b)
}

func TestTokens(t *testing.T) {
	kept := state{}
	tokens := &Tokens{State: kept, Now: time.Now}
	ctx := t.Context()
	g, token, err := tokens.Create(ctx, Grant{Name: "siem", Roles: []actionlog.Role{actionlog.RoleAdmin}, Institutions: []string{"uni"}})
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range kept {
		if strings.Contains(string(v), token) || strings.Contains(string(v), strings.Split(token, "_")[2]) {
			t.Errorf("%s keeps the secret: %s", k, v)
		}
	}
	if got, err := tokens.Check(ctx, token); err != nil || !same(got, g) || got.All || !slices.Equal(got.Institutions, []string{"uni"}) || got.UsedAt.IsZero() {
		t.Errorf("%+v, %v; want %+v", got, err, g)
	}
	for _, wrong := range []string{"", "x", token + "x", token[:len(token)-1], "al_" + g.ID + "_", strings.ToLower(token), "al__" + token} {
		if _, err := tokens.Check(ctx, wrong); !errors.Is(err, actionlog.ErrNotFound) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	if list, err := tokens.List(ctx); err != nil || len(list) != 1 || !same(list[0], g) {
		t.Errorf("%v, %v", list, err)
	}
	if was, err := tokens.Revoke(ctx, g.ID); err != nil || was.ID != g.ID {
		t.Error(err)
	}
	if _, err := tokens.Revoke(ctx, g.ID); !errors.Is(err, actionlog.ErrNotFound) {
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

// What a token may not be made for is refused, and the field named.
func TestRefusedGrants(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	tokens := &Tokens{State: state{}, Now: func() time.Time { return now }}
	roles := func(r ...actionlog.Role) []actionlog.Role { return r }
	uni, soon := []string{"uni"}, now.Add(time.Hour)
	for name, c := range map[string]struct {
		grant Grant
		field string
	}{
		"no role":           {Grant{Institutions: uni}, "/roles"},
		"an unknown role":   {Grant{Roles: roles("king"), Institutions: uni}, "/roles"},
		"an odd ID":         {Grant{Roles: roles(actionlog.RoleAdmin), Institutions: []string{"a/b"}}, "/institutions"},
		"no institution":    {Grant{Roles: roles(actionlog.RoleAuditor)}, "/institutions"},
		"all and one":       {Grant{Roles: roles(actionlog.RoleAuditor), All: true, Institutions: uni}, "/institutions"},
		"over":              {Grant{Roles: roles(actionlog.RoleAdmin), Institutions: uni, ExpiresAt: now}, "/expires_at"},
		"support for ever":  {Grant{Roles: roles(actionlog.RoleSupport), Institutions: uni, Reason: "x"}, "/expires_at"},
		"support for long":  {Grant{Roles: roles(actionlog.RoleSupport), Institutions: uni, Reason: "x", ExpiresAt: now.Add(MaxSupport + 1)}, "/expires_at"},
		"support, no why":   {Grant{Roles: roles(actionlog.RoleSupport), Institutions: uni, ExpiresAt: soon}, "/reason"},
		"support":           {Grant{Roles: roles(actionlog.RoleSupport), Institutions: uni, ExpiresAt: soon, Reason: "ticket"}, ""},
		"operator":          {Grant{Roles: roles(actionlog.RoleOperator)}, ""},
		"compliance":        {Grant{Roles: roles(actionlog.RoleCompliance)}, ""},
		"operator and more": {Grant{Roles: roles(actionlog.RoleOperator, actionlog.RolePublisher)}, "/institutions"},
	} {
		_, _, err := tokens.Create(t.Context(), c.grant)
		var invalid *actionlog.InvalidError
		if c.field == "" && err != nil || c.field != "" && (!errors.As(err, &invalid) || invalid.Field != c.field) {
			t.Errorf("%s: %v, want %q", name, err, c.field)
		}
	}
}

// A token ends at its time; one that is rotated goes on for the overlap, and no longer.
func TestExpiryAndRotation(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	tokens := &Tokens{State: state{}, Now: func() time.Time { return now }}
	g, first, err := tokens.Create(t.Context(), Grant{Roles: []actionlog.Role{actionlog.RoleAuditor}, Institutions: []string{"uni"}, ExpiresAt: now.Add(48 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	made, second, err := tokens.Rotate(t.Context(), g.ID, time.Hour, func(Grant) error { return nil })
	if err != nil || made.ID == g.ID || !slices.Equal(made.Roles, g.Roles) || !slices.Equal(made.Institutions, g.Institutions) || !made.ExpiresAt.Equal(g.ExpiresAt) {
		t.Fatalf("%+v, %v", made, err)
	}
	valid := func(after time.Duration, token string, want bool) {
		t.Helper()
		before := now
		defer func() { now = before }()
		now = now.Add(after)
		if _, err := tokens.Check(t.Context(), token); err == nil != want || err != nil && !errors.Is(err, actionlog.ErrNotFound) {
			t.Errorf("after %s: %v, want it valid %v", after, err, want)
		}
	}
	valid(59*time.Minute, first, true)
	valid(time.Hour, first, false)
	valid(47*time.Hour, second, true)
	valid(48*time.Hour, second, false)
	now = now.Add(2 * time.Hour)
	if _, _, err := tokens.Rotate(t.Context(), g.ID, time.Hour, func(Grant) error { return nil }); !errors.Is(err, actionlog.ErrConflict) {
		t.Errorf("a token that has ended is rotated: %v", err)
	}
}

// A token of a version without roles goes on: of an institution it reads and writes, of
// all it may do everything.
func TestTokensWithoutRoles(t *testing.T) {
	kept := state{}
	tokens := &Tokens{State: kept, Now: time.Now}
	for secret, c := range map[string]struct {
		stored string
		want   Grant
	}{
		"al_a_x": {`{"id":"a","institution":"uni","hash":%s}`, Grant{ID: "a", Roles: []actionlog.Role{actionlog.RoleAdmin, actionlog.RolePublisher}, Institutions: []string{"uni"}}},
		"al_b_x": {`{"id":"b","all":true,"hash":%s}`, Grant{ID: "b", Roles: actionlog.Roles[:], All: true}},
	} {
		hash, err := json.Marshal(sha256.Sum256([]byte(secret)))
		if err != nil {
			t.Fatal(err)
		}
		kept["tokens/"+c.want.ID] = fmt.Appendf(nil, c.stored, hash)
		if g, err := tokens.Check(t.Context(), secret); err != nil || !same(g, c.want) {
			t.Errorf("%+v, %v; want %+v", g, err, c.want)
		}
	}
}

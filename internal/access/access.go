// Package access knows who may do what: tokens, kept hashed in State. It knows
// nothing of HTTP, and it never stores or logs a token's secret.
package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"actionlog"
)

// bucket of State in which tokens are kept, by their ID.
const bucket = "tokens"

// Grant is what a token allows.
type Grant struct {
	ID          string    `json:"id"`
	Name        string    `json:"name,omitempty"`
	All         bool      `json:"all,omitempty"` // every institution, and the operator's calls
	Institution string    `json:"institution,omitempty"`
	CreatedAt   time.Time `json:"created_at"`
}

// stored is a grant and the SHA-256 of its token. A token is 128 random bits:
// it cannot be guessed from its hash, so that no slow hash is needed.
type stored struct {
	Grant
	Hash [32]byte `json:"hash"`
}

// Tokens are the tokens of a service.
type Tokens struct {
	State actionlog.State
	Now   func() time.Time
}

// Create makes a token: "al_<id>_<secret>". It is not kept; its hash is.
func (t *Tokens) Create(ctx context.Context, name, institution string, all bool) (Grant, string, error) {
	id := strings.ToLower(rand.Text()[:10])
	token := "al_" + id + "_" + rand.Text()
	g := Grant{ID: id, Name: name, All: all, Institution: institution, CreatedAt: t.Now().UTC().Truncate(time.Second)}
	value, err := json.Marshal(stored{g, sha256.Sum256([]byte(token))})
	if err != nil {
		return Grant{}, "", err
	}
	if _, err := t.State.Put(ctx, bucket, id, value, 0); err != nil {
		return Grant{}, "", fmt.Errorf("token: %w", err)
	}
	return g, token, nil
}

// Check returns what a token allows, or actionlog.ErrNotFound.
func (t *Tokens) Check(ctx context.Context, token string) (Grant, error) {
	parts := strings.Split(token, "_")
	if len(parts) != 3 || parts[0] != "al" {
		return Grant{}, fmt.Errorf("token: %w", actionlog.ErrNotFound)
	}
	s, err := t.get(ctx, parts[1])
	if err != nil {
		return Grant{}, err
	}
	hash := sha256.Sum256([]byte(token))
	if subtle.ConstantTimeCompare(hash[:], s.Hash[:]) != 1 {
		return Grant{}, fmt.Errorf("token: %w", actionlog.ErrNotFound)
	}
	return s.Grant, nil
}

func (t *Tokens) get(ctx context.Context, id string) (s stored, err error) {
	value, _, err := t.State.Get(ctx, bucket, id)
	if err != nil {
		return s, fmt.Errorf("token: %w", err)
	}
	if err := json.Unmarshal(value, &s); err != nil {
		return s, fmt.Errorf("token %s: %w", id, err)
	}
	return s, nil
}

// List returns all grants, oldest first.
func (t *Tokens) List(ctx context.Context) ([]Grant, error) {
	ids, err := t.State.List(ctx, bucket)
	if err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	var grants []Grant
	for _, id := range ids {
		s, err := t.get(ctx, id)
		if errors.Is(err, actionlog.ErrNotFound) {
			continue // revoked meanwhile
		}
		if err != nil {
			return nil, err
		}
		grants = append(grants, s.Grant)
	}
	slices.SortStableFunc(grants, func(a, b Grant) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return grants, nil
}

// Revoke ends a token, or returns actionlog.ErrNotFound.
func (t *Tokens) Revoke(ctx context.Context, id string) error {
	if _, err := t.get(ctx, id); err != nil {
		return err
	}
	return t.State.Delete(ctx, bucket, id)
}

// Bootstrap makes sure that the file at path (mode 0600) holds a token that may
// do everything: it keeps the one that is there if it is still valid, and
// otherwise makes another.
func (t *Tokens) Bootstrap(ctx context.Context, path string) error {
	if text, err := os.ReadFile(path); err == nil {
		g, err := t.Check(ctx, strings.TrimSpace(string(text)))
		if err == nil && g.All {
			return nil
		}
		if err != nil && !errors.Is(err, actionlog.ErrNotFound) {
			return err
		}
	}
	_, token, err := t.Create(ctx, "first token", "", true)
	if err != nil {
		return err
	}
	// A file that is there may be readable by others: it is replaced.
	if err := os.Remove(path + ".new"); err != nil && !os.IsNotExist(err) {
		return err
	}
	if err := os.WriteFile(path+".new", []byte(token+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

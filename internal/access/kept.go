package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"strings"

	"actionlog"
)

// load reads what is kept in State under a key, as JSON, or returns actionlog.ErrNotFound.
// what says in errors what it is.
func load(ctx context.Context, state actionlog.State, bucket, key, what string, into any) (revision uint64, err error) {
	value, revision, err := state.Get(ctx, bucket, key)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	if err := json.Unmarshal(value, into); err != nil {
		return 0, fmt.Errorf("%s %s: %w", what, key, err)
	}
	return revision, nil
}

// save writes it, as State.Put does.
func save(ctx context.Context, state actionlog.State, bucket, key, what string, revision uint64, value any) error {
	if _, err := actionlog.PutValue(ctx, state, bucket, key, value, revision); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// newID makes the ID of a token or a session, which is a key of State.
func newID() string { return strings.ToLower(rand.Text()[:10]) }

// isID tells whether a text can be one.
func isID(s string) bool { return len(s) == 10 && isKey(s) }

// isKey tells whether a text has nothing that a key of State may not have.
func isKey(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// newSecret makes more than 256 random bits: they cannot be guessed from their hash, so that
// no slow hash is needed.
func newSecret() string { return rand.Text() + rand.Text() }

// hashed is how a secret is kept, isHashed whether one is that of a hash.
func hashed(secret string) [32]byte { return sha256.Sum256([]byte(secret)) }

func isHashed(secret string, hash [32]byte) bool {
	got := hashed(secret)
	return subtle.ConstantTimeCompare(got[:], hash[:]) == 1
}

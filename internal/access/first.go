package access

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"actionlog"
)

// firstBucket of State holds, under firstKey, which token is the first of all that share it.
const firstBucket, firstKey = "access", "first-token"

// First is the first token of a state that several processes share.
type First struct {
	ID        string    `json:"id"`
	Host      string    `json:"host"` // on whose machine it was written to a file
	CreatedAt time.Time `json:"created_at"`
}

// Bootstrap makes sure that the file at path (mode 0600) holds a token that has all roles
// for every institution: it keeps the one that is there if it is still valid, and
// otherwise makes another.
func (t *Tokens) Bootstrap(ctx context.Context, path string) error {
	if valid, err := t.holdsAll(ctx, path); valid || err != nil {
		return err
	}
	token, _, err := t.createFirst(ctx)
	if err != nil {
		return err
	}
	if err := writeToken(path+".new", token); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// BootstrapShared is Bootstrap in a state that several processes share, each with a file of
// its own: one of them makes the token, once for the state, and the file of the others is not
// made. It returns which token that is. again has this process make another, which is
// the first one from then on: the one before may have been lost with its file, and is to be
// revoked.
//
// The token is made before it is marked as the first. Killed between the two, a process
// leaves one that nobody knows and the next makes another; killed behind them, it leaves
// path+".new", which the next start takes.
func (t *Tokens) BootstrapShared(ctx context.Context, path, host string, again bool) (First, error) {
	var first First
	revision, err := load(ctx, t.State, firstBucket, firstKey, "first token", &first)
	if err != nil && !errors.Is(err, actionlog.ErrNotFound) {
		return First{}, err
	}
	known := err == nil
	if valid, err := t.holdsAll(ctx, path); valid || err != nil {
		return first, err
	}
	if valid, err := t.holdsAll(ctx, path+".new"); err != nil {
		return first, err
	} else if valid && known && idIn(path+".new") == first.ID {
		return first, os.Rename(path+".new", path)
	}
	if known && !again {
		return first, nil
	}
	token, g, err := t.createFirst(ctx)
	if err != nil {
		return first, err
	}
	made := First{ID: g.ID, Host: host, CreatedAt: g.CreatedAt}
	err = writeToken(path+".new", token)
	if err == nil {
		err = save(ctx, t.State, firstBucket, firstKey, "first token", revision, made)
	}
	if errors.Is(err, actionlog.ErrConflict) { // another process was first
		_, undone := t.Revoke(ctx, g.ID)
		if err = errors.Join(undone, os.Remove(path+".new")); err == nil {
			_, err = load(ctx, t.State, firstBucket, firstKey, "first token", &made)
		}
		return made, err
	}
	if err != nil {
		return first, err
	}
	return made, os.Rename(path+".new", path)
}

func (t *Tokens) createFirst(ctx context.Context) (token string, g Grant, err error) {
	g, token, err = t.Create(ctx, Grant{Name: "first token", Roles: actionlog.Roles[:], All: true})
	return token, g, err
}

// holdsAll tells whether a file holds a valid token that has all roles for every institution.
func (t *Tokens) holdsAll(ctx context.Context, path string) (bool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return false, nil // it is made anew
	}
	g, err := t.Check(ctx, strings.TrimSpace(string(text)))
	if errors.Is(err, actionlog.ErrNotFound) {
		return false, nil
	}
	return err == nil && g.All && len(g.Roles) == len(actionlog.Roles), err
}

// idIn is the ID of the token in a file.
func idIn(path string) string {
	text, _ := os.ReadFile(path) // it was read before
	parts := strings.Split(string(text), "_")
	return parts[min(1, len(parts)-1)]
}

// writeToken writes a token to a file of its own: one that is there may be readable by others.
func writeToken(path, token string) error {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("first token: %w", err)
	}
	if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
		return fmt.Errorf("first token: %w", err)
	}
	return nil
}

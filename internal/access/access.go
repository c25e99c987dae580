// Package access knows who may do what: tokens, kept hashed in State. It knows
// nothing of HTTP, and it never stores or logs a token's secret.
package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"actionlog"
)

// bucket of State in which tokens are kept, by their ID.
const bucket = "tokens"

const (
	// MaxSupport is for how long a token of support may be made.
	MaxSupport = 31 * 24 * time.Hour
	// noteUse is how exactly it is noted when a token was used.
	noteUse = time.Hour
	// most institutions that one token names.
	maxInstitutions = 500
)

// Grant is what a token allows: its roles, for its institutions.
type Grant struct {
	ID    string           `json:"id"`
	Name  string           `json:"name,omitempty"`
	Roles []actionlog.Role `json:"roles"`
	// All: every institution. Otherwise Institutions; compliance and operator are not of
	// any.
	All          bool      `json:"all,omitempty"`
	Institutions []string  `json:"institutions,omitempty"`
	Reason       string    `json:"reason,omitempty"` // why support needs it
	CreatedAt    time.Time `json:"created_at"`
	ExpiresAt    time.Time `json:"expires_at,omitzero"` // zero: never
	// UsedAt is about when it was used last, to the hour.
	UsedAt time.Time `json:"used_at,omitzero"`
	// Institution of a token of an earlier version, which had no roles.
	Institution string `json:"institution,omitempty"`
}

// check says what a grant lacks; fields are JSON pointers.
func (g *Grant) check(now time.Time) error {
	of := func(roles ...actionlog.Role) bool {
		return slices.ContainsFunc(g.Roles, func(r actionlog.Role) bool { return slices.Contains(roles, r) })
	}
	for _, r := range g.Roles {
		if !slices.Contains(actionlog.Roles[:], r) {
			return actionlog.Invalidf("/roles", "%q is not one of %v", r, actionlog.Roles)
		}
	}
	for _, id := range g.Institutions {
		if !actionlog.IsInstitutionID(id) {
			return actionlog.Invalidf("/institutions", "%q is not the ID of an institution", id)
		}
	}
	switch {
	case len(g.Roles) == 0:
		return actionlog.Invalidf("/roles", "is missing: one or more of %v", actionlog.Roles)
	case g.All && len(g.Institutions) > 0:
		return actionlog.Invalidf("/institutions", "cannot be given with all")
	case len(g.Institutions) > maxInstitutions:
		return actionlog.Invalidf("/institutions", "are more than %d", maxInstitutions)
	case !g.All && len(g.Institutions) == 0 && of(actionlog.RoleAdmin, actionlog.RoleAuditor, actionlog.RolePublisher, actionlog.RoleSupport):
		return actionlog.Invalidf("/institutions", "are missing: of which institutions?")
	case !g.ExpiresAt.IsZero() && !g.ExpiresAt.After(now):
		return actionlog.Invalidf("/expires_at", "is over")
	case !g.All && of(actionlog.RoleSupport) && (g.ExpiresAt.IsZero() || g.ExpiresAt.Sub(now) > MaxSupport):
		return actionlog.Invalidf("/expires_at", "support has a token for at most %d days", MaxSupport/(24*time.Hour))
	case !g.All && of(actionlog.RoleSupport) && strings.TrimSpace(g.Reason) == "":
		return actionlog.Invalidf("/reason", "is missing: support says why, or for which ticket")
	}
	return nil
}

// Principal is who has the token.
func (g *Grant) Principal() actionlog.Principal {
	if g.ID == "" {
		return actionlog.Principal{}
	}
	return actionlog.Principal{ID: g.ID, Name: g.Name, Grants: []actionlog.Grant{{Roles: g.Roles, All: g.All, Institutions: g.Institutions, Reason: g.Reason}}}
}

// stored is a grant and the hash of its token.
type stored struct {
	Grant
	Hash [32]byte `json:"hash"`
}

// Tokens are the tokens of a service.
type Tokens struct {
	State actionlog.State
	Now   func() time.Time
}

// Create makes a token: "al_<id>_<secret>". It is not kept; its hash is. Of g all but ID
// and times are taken, and ExpiresAt.
func (t *Tokens) Create(ctx context.Context, g Grant) (Grant, string, error) {
	now := t.Now().UTC().Truncate(time.Second)
	g.ID, g.CreatedAt, g.UsedAt, g.Institution = newID(), now, time.Time{}, ""
	if err := g.check(now); err != nil {
		return Grant{}, "", err
	}
	token := "al_" + g.ID + "_" + newSecret()
	if err := t.put(ctx, stored{g, hashed(token)}, 0); err != nil {
		return Grant{}, "", err
	}
	return g, token, nil
}

// Rotate makes another token that allows the same; the old one goes on for a while. record is called
// before that, and after an error of it the old one stays as it was, and there is no other.
func (t *Tokens) Rotate(ctx context.Context, id string, overlap time.Duration, record func(Grant) error) (Grant, string, error) {
	s, revision, err := t.get(ctx, id)
	if err != nil {
		return Grant{}, "", err
	}
	now := t.Now().UTC()
	if s.expired(now) {
		return Grant{}, "", fmt.Errorf("token %s has expired: %w", id, actionlog.ErrConflict)
	}
	g, token, err := t.Create(ctx, s.Grant)
	if err != nil {
		return Grant{}, "", err
	}
	if end := now.Add(overlap).Truncate(time.Second); s.ExpiresAt.IsZero() || end.Before(s.ExpiresAt) {
		s.ExpiresAt = end
	}
	err = record(g)
	if err == nil {
		err = t.put(ctx, s, revision) // also where it says nothing new: it may have been revoked meanwhile
	}
	if err != nil {
		_, undone := t.Revoke(ctx, g.ID)
		return Grant{}, "", errors.Join(err, undone)
	}
	return g, token, nil
}

func (t *Tokens) put(ctx context.Context, s stored, revision uint64) error {
	return save(ctx, t.State, bucket, s.ID, "token", revision, s)
}

func (g *Grant) expired(now time.Time) bool { return !g.ExpiresAt.IsZero() && !now.Before(g.ExpiresAt) }

// Check returns what a token allows, or actionlog.ErrNotFound; then the grant is that of
// which the token has the ID, or empty.
func (t *Tokens) Check(ctx context.Context, token string) (Grant, error) {
	parts := strings.Split(token, "_")
	if len(parts) != 3 || parts[0] != "al" {
		return Grant{}, fmt.Errorf("token: %w", actionlog.ErrNotFound)
	}
	s, revision, err := t.get(ctx, parts[1])
	if err != nil {
		return Grant{}, err
	}
	now := t.Now().UTC()
	if !isHashed(token, s.Hash) || s.expired(now) {
		return s.Grant, fmt.Errorf("token: %w", actionlog.ErrNotFound)
	}
	if now.Sub(s.UsedAt) >= noteUse {
		s.UsedAt = now.Truncate(noteUse)
		_ = t.put(ctx, s, revision) // somebody else noted it, or it is not noted this time
	}
	return s.Grant, nil
}

func (t *Tokens) get(ctx context.Context, id string) (s stored, revision uint64, err error) {
	if !isKey(id) {
		return s, 0, fmt.Errorf("token: %w", actionlog.ErrNotFound)
	}
	if revision, err = load(ctx, t.State, bucket, id, "token", &s); err != nil {
		return s, 0, err
	}
	if len(s.Roles) == 0 { // of an earlier version
		s.Roles = actionlog.Roles[:]
		if !s.All {
			s.Roles, s.Institutions = []actionlog.Role{actionlog.RoleAdmin, actionlog.RolePublisher}, []string{s.Institution}
		}
	}
	s.Institution = ""
	return s, revision, nil
}

// List returns all grants, oldest first.
func (t *Tokens) List(ctx context.Context) ([]Grant, error) {
	ids, err := t.State.List(ctx, bucket)
	if err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	var grants []Grant
	for _, id := range ids {
		s, _, err := t.get(ctx, id)
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

// Revoke ends a token, and says what it was, or returns actionlog.ErrNotFound.
func (t *Tokens) Revoke(ctx context.Context, id string) (Grant, error) {
	s, _, err := t.get(ctx, id)
	if err != nil {
		return Grant{}, err
	}
	return s.Grant, t.State.Delete(ctx, bucket, id)
}

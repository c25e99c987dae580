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

// sessionBucket of State in which sessions are kept, by their ID.
const sessionBucket = "sessions"

const (
	// MaxSession is how long somebody stays signed in at most, IdleSession how long
	// without doing anything.
	MaxSession  = 12 * time.Hour
	IdleSession = 2 * time.Hour
	// noteActive is how exactly it is noted when a session was used.
	noteActive = 5 * time.Minute
)

// Session is somebody who is signed in with a browser.
type Session struct {
	ID        string              `json:"id"`
	Who       actionlog.Principal `json:"who"`
	Token     string              `json:"token,omitempty"` // the ID of the API token that was signed in with: it ends with it
	CreatedAt time.Time           `json:"created_at"`
	ExpiresAt time.Time           `json:"expires_at"`
	UsedAt    time.Time           `json:"used_at"` // to five minutes
}

type storedSession struct {
	Session
	Hash [32]byte `json:"hash"`
}

// Sessions are kept like tokens: by a hash of more than 256 random bits.
type Sessions struct {
	State  actionlog.State
	Tokens *Tokens
	Now    func() time.Time
}

// Open begins a session, and ends those that are over. token is the ID of the API token
// that was signed in with, or "".
func (s *Sessions) Open(ctx context.Context, who actionlog.Principal, token string) (Session, string, error) {
	all, err := s.List(ctx)
	if err != nil {
		return Session{}, "", err
	}
	now := s.Now().UTC().Truncate(time.Second)
	for _, old := range all {
		if old.over(now) {
			if err := s.State.Delete(ctx, sessionBucket, old.ID); err != nil {
				return Session{}, "", fmt.Errorf("session: %w", err)
			}
		}
	}
	id := newID()
	secret := id + "_" + newSecret()
	who.Session = id
	made := Session{ID: id, Who: who, Token: token, CreatedAt: now, ExpiresAt: now.Add(MaxSession), UsedAt: now}
	return made, secret, s.put(ctx, storedSession{made, hashed(secret)}, 0)
}

func (s *Session) over(now time.Time) bool {
	return !now.Before(s.ExpiresAt) || now.Sub(s.UsedAt) >= IdleSession
}

func (s *Sessions) put(ctx context.Context, x storedSession, revision uint64) error {
	return save(ctx, s.State, sessionBucket, x.ID, "session", revision, x)
}

func (s *Sessions) get(ctx context.Context, id string) (x storedSession, revision uint64, err error) {
	if !isID(id) {
		return x, 0, fmt.Errorf("session: %w", actionlog.ErrNotFound)
	}
	revision, err = load(ctx, s.State, sessionBucket, id, "session", &x)
	return x, revision, err
}

// Check returns whose session a secret is of, or actionlog.ErrNotFound.
func (s *Sessions) Check(ctx context.Context, secret string) (actionlog.Principal, error) {
	none := fmt.Errorf("session: %w", actionlog.ErrNotFound)
	id, _, _ := strings.Cut(secret, "_")
	x, revision, err := s.get(ctx, id)
	if err != nil {
		return actionlog.Principal{}, err
	}
	now := s.Now().UTC()
	if !isHashed(secret, x.Hash) || x.over(now) {
		return actionlog.Principal{}, none
	}
	if x.Token != "" { // what the token allows now, if it still is
		g, _, err := s.Tokens.get(ctx, x.Token)
		if err != nil {
			return actionlog.Principal{}, err
		}
		if g.expired(now) {
			return actionlog.Principal{}, none
		}
		x.Who = g.Principal()
		x.Who.Session = x.ID
	}
	if now.Sub(x.UsedAt) >= noteActive {
		x.UsedAt = now.Truncate(time.Second)
		_ = s.put(ctx, x, revision) // somebody else noted it
	}
	return x.Who, nil
}

// End ends a session, and says whose it was, or returns actionlog.ErrNotFound.
func (s *Sessions) End(ctx context.Context, id string) (Session, error) {
	x, _, err := s.get(ctx, id)
	if err != nil {
		return Session{}, err
	}
	return x.Session, s.State.Delete(ctx, sessionBucket, id)
}

// List returns all sessions, oldest first, also those that are over.
func (s *Sessions) List(ctx context.Context) (list []Session, err error) {
	ids, err := s.State.List(ctx, sessionBucket)
	if err != nil {
		return nil, fmt.Errorf("sessions: %w", err)
	}
	for _, id := range ids {
		x, _, err := s.get(ctx, id)
		if errors.Is(err, actionlog.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, x.Session)
	}
	slices.SortStableFunc(list, func(a, b Session) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return list, nil
}

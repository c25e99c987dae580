package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"actionlog"
)

// supportBucket of State holds what support took up, by who did.
const supportBucket = "support"

// maxTakenUp is how many institutions somebody may support at a time.
const maxTakenUp = 20

// Support is an institution that somebody of support may look at, for a time and a reason.
type Support struct {
	Institution string    `json:"institution"`
	Reason      string    `json:"reason"`
	Since       time.Time `json:"since"`
	Until       time.Time `json:"until"`
}

// Supports keeps what people who signed in as support took up.
type Supports struct {
	State actionlog.State
	Now   func() time.Time
}

func supportKey(who string) string {
	sum := sha256.Sum256([]byte(who))
	return hex.EncodeToString(sum[:16])
}

// Of returns what somebody has taken up and what is not over.
func (s *Supports) Of(ctx context.Context, who string) (list []Support, err error) {
	list, _, err = s.get(ctx, who)
	return list, err
}

func (s *Supports) get(ctx context.Context, who string) (list []Support, revision uint64, err error) {
	revision, err = load(ctx, s.State, supportBucket, supportKey(who), "support", &list)
	if errors.Is(err, actionlog.ErrNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	now := s.Now()
	return slices.DeleteFunc(list, func(x Support) bool { return !now.Before(x.Until) }), revision, nil
}

// TakeUp adds an institution, or changes for how long and why it is supported. Fields of
// errors are JSON pointers. record is called before it counts: after an error of it, it does not.
func (s *Supports) TakeUp(ctx context.Context, who string, x Support, record func(Support) error) (Support, error) {
	x.Since = s.Now().UTC().Truncate(time.Second)
	x.Reason = strings.TrimSpace(x.Reason)
	switch {
	case !actionlog.IsInstitutionID(x.Institution) || x.Institution == actionlog.PlatformLog:
		return x, actionlog.Invalidf("/institution", "%q is not the ID of an institution", x.Institution)
	case x.Reason == "" || len(x.Reason) > 500:
		return x, actionlog.Invalidf("/reason", "is missing or too long: why, or for which ticket")
	case !x.Until.After(x.Since):
		return x, actionlog.Invalidf("/until", "is not in the future")
	case x.Until.Sub(x.Since) > MaxSupport:
		return x, actionlog.Invalidf("/until", "is more than %d days away", MaxSupport/(24*time.Hour))
	}
	recorded := false
	return x, s.change(ctx, who, func(list []Support) ([]Support, error) {
		list = slices.DeleteFunc(list, func(y Support) bool { return y.Institution == x.Institution })
		if len(list) >= maxTakenUp {
			return nil, actionlog.Invalidf("/institution", "is one more than the %d that may be supported at a time", maxTakenUp)
		}
		if !recorded {
			if err := record(x); err != nil {
				return nil, err
			}
			recorded = true
		}
		return append(list, x), nil
	})
}

// End gives an institution back, or returns actionlog.ErrNotFound.
func (s *Supports) End(ctx context.Context, who, institution string) (ended Support, err error) {
	err = s.change(ctx, who, func(list []Support) ([]Support, error) {
		i := slices.IndexFunc(list, func(y Support) bool { return y.Institution == institution })
		if i < 0 {
			return nil, fmt.Errorf("support: %w", actionlog.ErrNotFound)
		}
		ended = list[i]
		return slices.Delete(list, i, i+1), nil
	})
	return ended, err
}

func (s *Supports) change(ctx context.Context, who string, to func(list []Support) ([]Support, error)) error {
	for {
		list, revision, err := s.get(ctx, who)
		if err != nil {
			return err
		}
		if list, err = to(list); err != nil {
			return err
		}
		err = save(ctx, s.State, supportBucket, supportKey(who), "support", revision, list)
		if errors.Is(err, actionlog.ErrConflict) && ctx.Err() == nil {
			continue // somebody was quicker
		}
		return err
	}
}

package search

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"actionlog"

	"github.com/gin-gonic/gin"
)

const principalKey = "principal"

func principal(c *gin.Context) actionlog.Principal {
	p, _ := c.Get(principalKey)
	who, _ := p.(actionlog.Principal)
	return who
}

var (
	// errNoCredential: the request does not say who asks.
	errNoCredential = errors.New("no credential")
	// errForged: another site has a browser send the request.
	errForged = errors.New("another site sent this request")
)

// floodedError: so many sign-ins from an address failed that the provider is not asked for
// more.
type floodedError struct{ wait time.Duration }

const flooding = "too many sign-ins failed from your address"

func (*floodedError) Error() string { return flooding }

// flooded returns a *floodedError, or nil.
func (s *server) flooded(c *gin.Context) error {
	if wait, yes := s.failures.spent(addressOf(c)); yes {
		return &floodedError{wait}
	}
	return nil
}

// authenticate finds out who asks: by the Authorization header, or by the cookie of a
// session. A token in a URL would be logged on the way.
func (s *server) authenticate(c *gin.Context) {
	p, err := s.whoAsks(c)
	var flooded *floodedError
	switch {
	case errors.Is(err, errNoCredential):
		s.unauthorized(c, "give a token: Authorization: Bearer …")
		return
	case errors.Is(err, errForged):
		c.Set(principalKey, p)
		s.deny(c, "", newProblem(http.StatusForbidden, "%s", err))
		return
	case errors.Is(err, actionlog.ErrNotFound):
		s.refuse(c, p)
		return
	case errors.As(err, &flooded):
		s.tooMany(c, flooded.wait, flooding)
		return
	case err != nil:
		s.fail(c, err)
		return
	}
	c.Set(principalKey, p)
	if wait, ok := s.calls.take(p.ID); !ok {
		s.tooMany(c, wait, "too many requests")
	}
}

func (s *server) unauthorized(c *gin.Context, format string, args ...any) {
	c.Header("WWW-Authenticate", `Bearer realm="actionlog"`)
	s.answer(c, newProblem(http.StatusUnauthorized, format, args...))
}

// whoAsks returns the caller, or actionlog.ErrNotFound and whom the credential claims to
// be of, as far as that is known.
func (s *server) whoAsks(c *gin.Context) (p actionlog.Principal, err error) {
	ctx := c.Request.Context()
	scheme, token, _ := strings.Cut(c.GetHeader("Authorization"), " ")
	token = strings.TrimSpace(token)
	switch cookie, none := c.Cookie(cookieName(c, sessionCookie)); {
	case scheme != "" && (!strings.EqualFold(scheme, "bearer") || token == ""):
		return p, errNoCredential
	case scheme != "" && s.SignIn != nil && strings.Count(token, ".") == 2:
		if err = s.flooded(c); err == nil {
			p, err = s.SignIn.Bearer(ctx, token)
		}
	case scheme != "":
		p, err = s.Access.Check(ctx, token)
	case none != nil || s.Sessions == nil:
		return p, errNoCredential
	default:
		if p, err = s.Sessions.Check(ctx, cookie); errors.Is(err, actionlog.ErrNotFound) {
			return p, errNoCredential // it is over: nobody tries anything
		}
		// A browser sends the cookie whoever has it send a request: Fetch Metadata, or
		// the Origin, says who did.
		if err == nil && http.NewCrossOriginProtection().Check(c.Request) != nil {
			err = errForged
		}
	}
	if err != nil {
		return p, err
	}
	return s.withSupport(c, p)
}

// withSupport adds the institutions that a person of support has taken up.
func (s *server) withSupport(c *gin.Context, p actionlog.Principal) (actionlog.Principal, error) {
	if !p.Person || s.Supports == nil || !p.Has(actionlog.RoleSupport) {
		return p, nil
	}
	list, err := s.Supports.Of(c.Request.Context(), p.ID)
	for _, x := range list {
		p.Grants = append(p.Grants, actionlog.Grant{Roles: []actionlog.Role{actionlog.RoleSupport}, Institutions: []string{x.Institution}, Reason: x.Reason})
	}
	return p, err
}

// refuse answers a token that is none. One that is good is taken from the same address all
// the while: many share one.
func (s *server) refuse(c *gin.Context, claimed actionlog.Principal) {
	const why = "the token is unknown, expired or revoked"
	if s.signInFailed(c, claimed, why); !c.IsAborted() {
		s.unauthorized(c, why)
	}
}

// signInFailed counts and records a credential that is none, or answers 429. claimed is
// whom it claims to be of: it is the institution's to know that one of its tokens is tried.
func (s *server) signInFailed(c *gin.Context, claimed actionlog.Principal, why string) {
	if wait, ok := s.failures.take(addressOf(c)); !ok {
		s.tooMany(c, wait, flooding)
		return
	}
	about := map[string]any{}
	if claimed.ID != "" {
		about["claimed"] = claimed.ID
	}
	s.noted(c, step{code: codeSignInFailed, failed: true, status: http.StatusUnauthorized, reason: why, details: about}, homeOf(claimed))
}

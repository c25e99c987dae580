package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"actionlog"

	"github.com/gin-gonic/gin"
)

// SignIn is the provider at which people sign in.
type SignIn interface {
	// Begin returns where to send somebody, and what Finish wants to have back, which is
	// nobody else's to see.
	Begin(ctx context.Context) (address string, secret []byte, err error)
	// Finish returns who came back with an answer, or ErrNotFound: nobody who may.
	Finish(ctx context.Context, secret []byte, answer url.Values) (actionlog.Principal, error)
	// Bearer returns of whom an access token of the provider is, or ErrNotFound.
	Bearer(ctx context.Context, token string) (actionlog.Principal, error)
}

// Session is somebody who is signed in with a browser.
type Session struct {
	ID        string    `json:"id"`
	Who       string    `json:"who"`
	Name      string    `json:"name,omitempty"`
	Email     string    `json:"email,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	UsedAt    time.Time `json:"used_at"` // to five minutes
}

// Sessions keeps who is signed in.
type Sessions interface {
	// Open begins a session; token is the ID of the API token that was signed in with,
	// or "".
	Open(ctx context.Context, who actionlog.Principal, token string) (opened Session, secret string, err error)
	// Check returns whose session it is, or ErrNotFound.
	Check(ctx context.Context, secret string) (actionlog.Principal, error)
	// End ends a session and says whose it was, or returns ErrNotFound.
	End(ctx context.Context, id string) (Session, actionlog.Principal, error)
	List(ctx context.Context) ([]Session, error)
}

// Support is an institution that somebody of support may look at.
type Support struct {
	Institution string    `json:"institution"`
	Reason      string    `json:"reason"`
	Since       time.Time `json:"since"`
	Until       time.Time `json:"until"`
}

// Supports keeps what people of support took up, by the principal's ID.
type Supports interface {
	Of(ctx context.Context, who string) ([]Support, error)
	// TakeUp has record called with what is taken up, before it is: after an error of it, nothing is.
	TakeUp(ctx context.Context, who string, s Support, record func(Support) error) (Support, error)
	// End gives an institution back, or returns ErrNotFound.
	End(ctx context.Context, who, institution string) (Support, error)
}

const (
	callbackPath = "/v1/sign-in/callback"
	// signInWithin is how long somebody may take at the provider.
	signInWithin = 10 * time.Minute
)

// Cookies. With TLS their names begin with __Host-, which binds them to this host (RFC
// 6265bis, section 4.1.3.2).
const (
	sessionCookie = "actionlog_session"
	flowCookie    = "actionlog_sign_in"
)

func overTLS(c *gin.Context) bool {
	return c.Request.TLS != nil || strings.EqualFold(c.GetHeader("X-Forwarded-Proto"), "https")
}

func cookieName(c *gin.Context, name string) string {
	if overTLS(c) {
		return "__Host-" + name
	}
	return name
}

// setCookie sets a cookie that no script reads; a negative age removes it.
func setCookie(c *gin.Context, name, value string, age time.Duration, same http.SameSite) {
	http.SetCookie(c.Writer, &http.Cookie{Name: cookieName(c, name), Value: value, Path: "/", MaxAge: int(age.Seconds()), HttpOnly: true, Secure: overTLS(c), SameSite: same})
}

func (s *server) sessionRoutes(g *gin.Engine, known *gin.RouterGroup) {
	g.GET("/v1/sign-in", s.beginSignIn)
	g.GET(callbackPath, s.unlessFlooded, s.finishSignIn)
	g.POST("/v1/session", s.openSession)
	known.GET("/v1/session", s.session)
	known.DELETE("/v1/session", s.endOwnSession)
	known.GET("/v1/sessions", s.sessions)
	known.DELETE("/v1/sessions/:id", s.endSession)
	known.POST("/v1/support", s.takeUp)
	known.DELETE("/v1/support/:of", s.endSupport)
}

func (s *server) unlessFlooded(c *gin.Context) {
	var flooded *floodedError
	if errors.As(s.flooded(c), &flooded) {
		s.tooMany(c, flooded.wait, flooding)
	}
}

// beginSignIn sends a browser to the provider.
func (s *server) beginSignIn(c *gin.Context) {
	if s.SignIn == nil {
		s.answer(c, newProblem(http.StatusNotFound, "no sign-in provider is configured; sign in with a token"))
		return
	}
	address, secret, err := s.SignIn.Begin(c.Request.Context())
	if err != nil {
		s.notSignedIn(c, actionlog.Principal{}, err)
		return
	}
	kept, err := json.Marshal(flow{secret, s.Now().Add(signInWithin)})
	if err != nil {
		s.fail(c, err)
		return
	}
	sealed, err := s.seal.seal("sign-in", "", kept)
	if err != nil {
		s.fail(c, err)
		return
	}
	// Lax: it must come back with a link that the provider sends the browser to.
	setCookie(c, flowCookie, sealed, signInWithin, http.SameSiteLaxMode)
	c.Redirect(http.StatusFound, address)
}

// flow is a sign-in on its way.
type flow struct {
	Secret []byte
	Until  time.Time
}

func (s *server) flowOf(c *gin.Context) ([]byte, error) {
	text, err := c.Cookie(cookieName(c, flowCookie))
	if err != nil {
		return nil, actionlog.ErrNotFound
	}
	kept, err := s.seal.open("sign-in", "", text)
	var f flow
	if err != nil || json.Unmarshal(kept, &f) != nil || !s.Now().Before(f.Until) {
		return nil, actionlog.ErrNotFound
	}
	return f.Secret, nil
}

// finishSignIn opens a session for who comes back.
func (s *server) finishSignIn(c *gin.Context) {
	setCookie(c, flowCookie, "", -time.Second, http.SameSiteLaxMode)
	who, err := actionlog.Principal{}, actionlog.ErrNotFound
	if s.SignIn != nil {
		var secret []byte
		if secret, err = s.flowOf(c); err == nil {
			who, err = s.SignIn.Finish(c.Request.Context(), secret, c.Request.URL.Query())
		}
	}
	if errors.Is(err, actionlog.ErrNotFound) {
		if s.signInFailed(c, who, err.Error()); c.IsAborted() {
			return
		}
		s.notSignedIn(c, who, err)
		return
	}
	if err == nil {
		_, err = s.opened(c, who, "")
	}
	if err != nil {
		s.notSignedIn(c, actionlog.Principal{}, err)
		return
	}
	// Not a redirect: the browser would still be coming from the provider, and would not
	// send a cookie that is SameSite=Strict.
	c.Data(http.StatusOK, "text/html; charset=utf-8", []byte(`<!doctype html><html lang="en"><meta http-equiv="refresh" content="0;url=/"><title>Action Log</title><p><a href="/">You are signed in. Go on.</a></p></html>`))
}

// notSignedIn sends a browser back to the page, which says why in its reader's language;
// others get the problem. who is known where the provider knows somebody for whom there is
// no rule.
func (s *server) notSignedIn(c *gin.Context, who actionlog.Principal, err error) {
	why := "unavailable"
	switch {
	case !errors.Is(err, actionlog.ErrNotFound):
	case who.ID != "":
		why = "unknown"
	case c.Query("error") != "":
		why = "refused"
	default:
		why = "again"
	}
	switch {
	case strings.Contains(c.GetHeader("Accept"), "text/html"):
		if why == "unavailable" {
			s.Log.Error("request failed", "route", c.FullPath(), "error", err)
		}
		c.Redirect(http.StatusSeeOther, "/#sign_in="+why)
	case why == "unavailable":
		s.fail(c, err)
	default:
		s.answer(c, newProblem(http.StatusForbidden, "you could not be signed in; begin again, or ask who runs this service"))
	}
}

// opened opens a session, and records it in the logs of its institutions.
func (s *server) opened(c *gin.Context, who actionlog.Principal, token string) (Session, error) {
	x, secret, err := s.Sessions.Open(c.Request.Context(), who, token)
	if err != nil {
		return x, err
	}
	who.Session = x.ID
	c.Set(principalKey, who)
	if err := s.witness(c, step{code: codeSignedIn, status: http.StatusOK, details: map[string]any{"session": x.ID}}, homeOf(who)); err != nil {
		_, _, undone := s.Sessions.End(context.WithoutCancel(c.Request.Context()), x.ID)
		return x, errors.Join(err, undone)
	}
	setCookie(c, sessionCookie, secret, x.ExpiresAt.Sub(s.Now()), http.SameSiteStrictMode)
	return x, nil
}

// openSession signs in with an API token.
func (s *server) openSession(c *gin.Context) {
	var ask struct {
		Token string `json:"token"`
	}
	err := http.NewCrossOriginProtection().Check(c.Request)
	if err != nil {
		s.answer(c, newProblem(http.StatusForbidden, "another site sent this request"))
		return
	}
	if err := decodeBody(c, &ask, "{token}"); err != nil {
		s.fail(c, err)
		return
	}
	who, err := s.Access.Check(c.Request.Context(), strings.TrimSpace(ask.Token))
	if errors.Is(err, actionlog.ErrNotFound) {
		s.refuse(c, who)
		return
	}
	if err == nil {
		_, err = s.opened(c, who, who.ID)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	s.session(c)
}

// session says who asks, and what they may.
func (s *server) session(c *gin.Context) {
	type grant struct {
		Roles        []actionlog.Role `json:"roles"`
		All          bool             `json:"all,omitempty"`
		Institutions []string         `json:"institutions,omitempty"`
	}
	p, grants := principal(c), []grant{}
	for _, g := range p.Grants {
		grants = append(grants, grant{g.Roles, g.All, g.Institutions})
	}
	answer := gin.H{"id": p.ID, "name": p.Name, "email": p.Email, "person": p.Person, "session": p.Session, "grants": grants}
	if p.Has(actionlog.RoleSupport) && s.Supports != nil {
		support, err := s.Supports.Of(c.Request.Context(), p.ID)
		if err != nil {
			s.fail(c, err)
			return
		}
		if support == nil {
			support = []Support{}
		}
		answer["support"] = support
	}
	c.JSON(http.StatusOK, answer)
}

// endOwnSession signs out.
func (s *server) endOwnSession(c *gin.Context) {
	id := principal(c).Session
	if id == "" {
		s.answer(c, newProblem(http.StatusNotFound, "you have no session: you sent a token"))
		return
	}
	s.end(c, id)
}

func (s *server) endSession(c *gin.Context) { s.end(c, c.Param("id")) }

func (s *server) end(c *gin.Context, id string) {
	x, who, err := s.Sessions.End(c.Request.Context(), id)
	if err != nil {
		s.fail(c, err)
		return
	}
	s.noted(c, step{code: codeSignedOut, details: map[string]any{"session": x.ID, "of": x.Who}}, homeOf(who))
	if id == principal(c).Session {
		setCookie(c, sessionCookie, "", -time.Second, http.SameSiteStrictMode)
		c.Header("Clear-Site-Data", `"cache", "storage"`)
	}
	c.Status(http.StatusNoContent)
}

// sessions lists who is signed in.
func (s *server) sessions(c *gin.Context) {
	all, err := s.Sessions.List(c.Request.Context())
	if err != nil {
		s.fail(c, err)
		return
	}
	if all == nil {
		all = []Session{}
	}
	c.JSON(http.StatusOK, gin.H{"data": all})
}

// takeUp lets somebody of support look at an institution, for a time and a reason, which
// are recorded there first.
func (s *server) takeUp(c *gin.Context) {
	var ask struct {
		Institution string    `json:"institution"`
		Reason      string    `json:"reason"`
		Until       time.Time `json:"until"`
	}
	err := decodeBody(c, &ask, "{institution, reason, until}")
	if err == nil && !principal(c).Person { // it would have no effect, and would still stand in the institution's log
		err = fmt.Errorf("a token names its institutions; who signed in as support takes them up: %w", actionlog.ErrConflict)
	}
	var x Support
	if err == nil {
		x, err = s.Supports.TakeUp(c.Request.Context(), principal(c).ID, Support{Institution: ask.Institution, Reason: ask.Reason, Until: ask.Until}, func(x Support) error {
			st := step{code: codeSupportTakenUp, reason: x.Reason, summary: fmt.Sprintf("Support until %s: %s", x.Until.UTC().Format(time.RFC3339), x.Reason), details: map[string]any{"until": x.Until}}
			return s.witness(c, st, x.Institution)
		})
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusCreated, x)
}

func (s *server) endSupport(c *gin.Context) {
	x, err := s.Supports.End(c.Request.Context(), principal(c).ID, c.Param("of"))
	if err != nil {
		s.fail(c, err)
		return
	}
	s.noted(c, step{code: codeSupportEnded, reason: x.Reason}, x.Institution)
	c.Status(http.StatusNoContent)
}

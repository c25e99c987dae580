package search

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"actionlog"

	"github.com/gin-gonic/gin"
)

func (s *server) tokens(c *gin.Context) {
	all, err := s.Access.List(c.Request.Context())
	if err != nil {
		s.fail(c, err)
		return
	}
	if all == nil {
		all = []Token{}
	}
	c.JSON(http.StatusOK, gin.H{"data": all})
}

func (s *server) createToken(c *gin.Context) {
	var ask struct {
		Name         string           `json:"name"`
		Roles        []actionlog.Role `json:"roles"`
		Institutions []string         `json:"institutions"`
		All          bool             `json:"all"`
		Reason       string           `json:"reason"`
		ExpiresAt    time.Time        `json:"expires_at"`
	}
	if err := decodeBody(c, &ask, "{name, roles, institutions or all, reason, expires_at}"); err != nil {
		s.fail(c, err)
		return
	}
	if len(ask.Roles) == 0 && ask.All {
		ask.Roles = actionlog.Roles[:]
	} else if len(ask.Roles) == 0 && len(ask.Institutions) > 0 {
		ask.Roles = []actionlog.Role{actionlog.RoleAdmin}
	}
	t, secret, err := s.Access.Create(c.Request.Context(), Token{Name: ask.Name, Roles: ask.Roles, All: ask.All, Institutions: ask.Institutions, Reason: ask.Reason, ExpiresAt: ask.ExpiresAt})
	s.tellToken(c, codeTokenCreated, t, secret, err)
}

// concerned are the logs in which a change of a token stands.
func (t *Token) concerned() []string {
	if t.All || len(t.Institutions) == 0 {
		return []string{actionlog.PlatformLog}
	}
	return t.Institutions
}

// changed is a change of a token as a step.
func (t *Token) changed(code string) step {
	about := map[string]any{"id": t.ID, "roles": t.Roles}
	for name, text := range map[string]string{"name": t.Name, "reason": t.Reason} {
		if text != "" {
			about[name] = text
		}
	}
	if t.All {
		about["all"] = true
	}
	if !t.ExpiresAt.IsZero() {
		about["expires_at"] = t.ExpiresAt
	}
	return step{code: code, reason: t.Reason, details: map[string]any{"grant": about}}
}

// tellToken records that a token was made, and answers with it. One that cannot be
// recorded is taken back.
func (s *server) tellToken(c *gin.Context, code string, t Token, secret string, err error) {
	if err == nil {
		if err = s.witness(c, t.changed(code), t.concerned()...); err != nil {
			_, undone := s.Access.Revoke(context.WithoutCancel(c.Request.Context()), t.ID)
			err = errors.Join(err, undone)
		}
	}
	s.giveToken(c, t, secret, err)
}

func (s *server) giveToken(c *gin.Context, t Token, secret string, err error) {
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusCreated, struct {
		Token
		Secret string `json:"token"` // shown once
	}{t, secret})
}

// maxOverlap is how long a token may go on that was rotated.
const maxOverlap = 31 * 24 * time.Hour

// rotateToken makes another token that allows the same.
func (s *server) rotateToken(c *gin.Context) {
	var ask struct {
		Overlap string `json:"overlap"`
	}
	if err := decodeBody(c, &ask, "{overlap}"); err != nil {
		s.fail(c, err)
		return
	}
	overlap, err := time.ParseDuration(ask.Overlap)
	if err != nil || overlap < 0 || overlap > maxOverlap {
		s.fail(c, actionlog.Invalidf("/overlap", "%q is not a time as 24h, of at most %s", ask.Overlap, maxOverlap))
		return
	}
	t, secret, err := s.Access.Rotate(c.Request.Context(), c.Param("id"), overlap, func(t Token) error {
		return s.witness(c, t.changed(codeTokenRotated), t.concerned()...)
	})
	s.giveToken(c, t, secret, err)
}

func (s *server) revokeToken(c *gin.Context) {
	t, err := s.Access.Revoke(c.Request.Context(), c.Param("id"))
	if err != nil {
		s.fail(c, err)
		return
	}
	s.noted(c, t.changed(codeTokenRevoked), t.concerned()...)
	c.Status(http.StatusNoContent)
}

// letter is a dead letter as the API shows it. A document that is not UTF-8 is
// shown as base64.
type letter struct {
	Position    string    `json:"position"`
	ReceivedAt  time.Time `json:"received_at"`
	Institution string    `json:"institution,omitempty"`
	Reason      string    `json:"reason"`
	Pointer     string    `json:"pointer,omitempty"`
	Detail      string    `json:"detail"`
	Subject     string    `json:"subject"`
	Document    string    `json:"document,omitempty"`
	Base64      []byte    `json:"document_base64,omitempty"`
}

// letterFor leaves out what an action says for who may not read actions.
func letterFor(c *gin.Context, d actionlog.DeadLetter) letter {
	l := letter{Position: d.Position.String(), ReceivedAt: d.ReceivedAt, Institution: d.Institution, Reason: d.Reason,
		Pointer: d.Field, Detail: d.Detail, Subject: d.Subject}
	switch {
	case !principal(c).Has(actionlog.RoleCompliance):
	case utf8.Valid(d.Document):
		l.Document = string(d.Document)
	default:
		l.Base64 = d.Document
	}
	return l
}

func (s *server) deadLetters(c *gin.Context) {
	values := c.Request.URL.Query()
	n, err := limit(values, 100, 1000)
	if err == nil {
		err = only(values, "limit", "cursor")
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	after := uint64(0)
	if text := values.Get("cursor"); text != "" {
		if after, err = strconv.ParseUint(text, 10, 64); err != nil {
			s.fail(c, actionlog.Invalidf("cursor", "is not a cursor of this list"))
			return
		}
	}
	all, next, err := s.Dead.List(c.Request.Context(), after, n)
	if err != nil {
		s.fail(c, err)
		return
	}
	counts, err := s.Dead.Count(c.Request.Context())
	if err != nil {
		s.fail(c, err)
		return
	}
	data, page := []letter{}, ""
	for _, d := range all {
		data = append(data, letterFor(c, d))
	}
	if next > 0 {
		page = strconv.FormatUint(next, 10)
	}
	c.JSON(http.StatusOK, gin.H{"data": data, "page": gin.H{"next": nullable(page)}, "meta": gin.H{"by_reason": counts}})
}

// dead returns the dead letter that a request names.
func (s *server) dead(c *gin.Context) (actionlog.DeadLetter, error) {
	p, err := actionlog.ParsePosition(c.Param("position"))
	if err != nil {
		return actionlog.DeadLetter{}, actionlog.Invalidf("position", "%v", err)
	}
	return s.Dead.Get(c.Request.Context(), p)
}

func (s *server) deadLetter(c *gin.Context) {
	d, err := s.dead(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, letterFor(c, d))
}

func (s *server) dropDeadLetter(c *gin.Context) {
	d, err := s.dead(c)
	if err == nil {
		err = s.Dead.Drop(c.Request.Context(), d.Position)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}

// replayDeadLetter publishes a dead letter again, as the action that it is now, and drops it.
// It stays if it would only die again; so does what came on another institution's subject: its
// publisher may not speak for the institution that the document names.
func (s *server) replayDeadLetter(c *gin.Context) {
	d, err := s.dead(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	item, _, err := actionlog.Judge(d.Subject, d.Document, s.Scrubber)
	if err == nil {
		err = actionlog.CheckTime(item.OccurredAt, s.Now())
	}
	if err != nil {
		p := problemOf(err)
		p.Status, p.Title = http.StatusUnprocessableEntity, http.StatusText(http.StatusUnprocessableEntity)
		s.answer(c, p)
		return
	}
	// A replay is meant: the position keeps the stream from taking it for the
	// repeat of the original.
	digest := sha256.Sum256(append([]byte("replay "+d.Position.String()+" "), item.Digest[:]...))
	receipt := s.Publisher.Publish(c.Request.Context(), []actionlog.Submission{{Institution: item.Institution, Category: item.Action.Category,
		ID: item.ID, Digest: digest, Document: item.Document}})[0]
	if err = receipt.Err; err == nil {
		err = s.Dead.Drop(c.Request.Context(), d.Position)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, gin.H{"position": receipt.Position.String()})
}

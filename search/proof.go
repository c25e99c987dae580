package search

import (
	"context"
	"errors"
	"net/http"

	"actionlog"

	"github.com/gin-gonic/gin"
)

// Archive proves that it holds an action.
type Archive interface {
	// PublicKey is what proofs are checked with: a signed note's verifier key.
	// ErrNotFound: there is none yet.
	PublicKey(ctx context.Context) (string, error)
	// Prove returns the proof, which encodes as JSON, of an institution's action with an ID
	// at a position. ErrNotFound: the archive has none there; ErrConflict: it is too early.
	Prove(ctx context.Context, institution, id string, p actionlog.Position) (proof any, err error)
}

// archiveKey hands out the public key: what proves the archive is nobody's secret.
func (s *server) archiveKey(c *gin.Context) {
	if s.Archive == nil {
		s.fail(c, actionlog.ErrNotFound)
		return
	}
	key, err := s.Archive.PublicKey(c.Request.Context())
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Data(http.StatusOK, "text/plain; charset=utf-8", []byte(key))
}

// proof proves that the archive holds an action as it is shown.
func (s *server) proof(c *gin.Context) {
	r, err := s.one(c)
	if err == nil && s.Archive == nil {
		err = actionlog.ErrNotFound
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	proof, err := s.Archive.Prove(c.Request.Context(), r.Institution, r.ID, r.Position)
	if errors.Is(err, actionlog.ErrConflict) {
		s.answer(c, newProblem(http.StatusConflict, "the action is archived, and its segment is not sealed yet: there is a proof once it is, in some minutes"))
		return
	}
	if err == nil {
		err = s.searched(c, 1, nil)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, proof)
}

// accounting compares stream, store, archive and dead letters.
func (s *server) accounting(c *gin.Context) {
	if s.Account == nil {
		s.answer(c, newProblem(http.StatusNotFound, "this process has no archive to account for"))
		return
	}
	accounts, err := s.Account(c.Request.Context())
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, accounts)
}

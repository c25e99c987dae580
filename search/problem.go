package search

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"actionlog"

	"github.com/gin-gonic/gin"
)

// problem is an RFC 9457 answer.
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail,omitempty"`
	Parameter string `json:"parameter,omitempty"` // the query parameter that is wrong
	Pointer   string `json:"pointer,omitempty"`   // JSON pointer to what is wrong in the body
	Column    int    `json:"column,omitempty"`    // where in q it stands: of the first character, from 1
	Length    int    `json:"length,omitempty"`    // how many characters of q it is

	said actionlog.Message // Detail, for another language
}

func newProblem(status int, format string, args ...any) problem {
	said := actionlog.Message{Format: format, Args: args}
	return problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: said.String(), said: said}
}

// problemOf is the one translation of errors to statuses.
func problemOf(err error) problem {
	var invalid *actionlog.InvalidError
	var piece *misread
	switch {
	case errors.As(err, &piece):
		p := newProblem(http.StatusBadRequest, "%s", piece.Reason)
		p.Parameter, p.Column, p.Length = piece.Field, piece.column, piece.length
		return p
	case errors.As(err, &invalid):
		field := parameterOf(invalid.Field)
		if field == "" {
			return newProblem(http.StatusBadRequest, "%s", invalid.Reason)
		}
		p := newProblem(http.StatusBadRequest, "%s: %s", field, invalid.Reason)
		if strings.HasPrefix(field, "/") {
			p.Pointer = field
		} else {
			p.Parameter = field
		}
		return p
	case errors.Is(err, actionlog.ErrNotFound):
		return newProblem(http.StatusNotFound, "%s", err)
	case errors.Is(err, actionlog.ErrConflict):
		return newProblem(http.StatusConflict, "%s", err)
	case errors.Is(err, actionlog.ErrUnavailable):
		if strings.Contains(err.Error(), "set aside as damaged") {
			return newProblem(http.StatusServiceUnavailable, "%s; missing_days=allow answers without it", err)
		}
		return newProblem(http.StatusServiceUnavailable, "%s", err)
	}
	return newProblem(http.StatusInternalServerError, "the service failed; its log says why")
}

// parameterOf is the parameter that asks for a field of a query.
func parameterOf(field string) string {
	if actionlog.Field(field) == actionlog.FieldPerson {
		return "user"
	}
	return field
}

// fail answers with a problem and ends the request.
func (s *server) fail(c *gin.Context, err error) {
	p := problemOf(spokenIn(c).point(err))
	if p.Status >= 500 && c.Request.Context().Err() == nil {
		s.Log.Error("request failed", "route", c.FullPath(), "status", p.Status, "error", err)
	}
	s.answer(c, p)
}

func (s *server) answer(c *gin.Context, p problem) {
	if p.Status == http.StatusServiceUnavailable {
		c.Header("Retry-After", "5")
	}
	p.Detail = s.speaks(c).say(p.said)
	body, err := json.Marshal(p)
	if err != nil {
		body = []byte(`{"status":500}`)
	}
	c.Data(p.Status, "application/problem+json", body)
	c.Abort()
}

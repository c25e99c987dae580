package search

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"actionlog"

	"github.com/gin-gonic/gin"
)

// Webhooks keeps addresses to which actions are sent, and sends a message to try one. Where
// there is no such webhook of the institution they return actionlog.ErrNotFound.
type Webhooks interface {
	// Create makes one, which begins with what the stream took at since; zero: with what
	// comes from now on. Its secret is kept nowhere.
	Create(ctx context.Context, w actionlog.Webhook, since time.Time) (made actionlog.Webhook, secret string, err error)
	Get(ctx context.Context, institution, id string) (actionlog.Webhook, actionlog.WebhookProgress, error)
	List(ctx context.Context, institution string) ([]actionlog.Webhook, error)
	Pause(ctx context.Context, institution, id string) (actionlog.Webhook, error)
	Resume(ctx context.Context, institution, id string) (actionlog.Webhook, error)
	// Replay sends again what the stream took from an instant on; zero: everything.
	Replay(ctx context.Context, institution, id string, since time.Time) (actionlog.Webhook, error)
	// Rotate makes another secret; the one before signs too for a while.
	Rotate(ctx context.Context, institution, id string, overlap time.Duration) (w actionlog.Webhook, secret string, err error)
	Drop(ctx context.Context, institution, id string) (actionlog.Webhook, error)
	// Test sends a message without an action; the error says why it was not taken.
	Test(ctx context.Context, institution, id string) error
}

func (s *server) webhookRoutes(one *gin.RouterGroup) {
	one = one.Group("", func(c *gin.Context) {
		if s.Webhooks == nil {
			s.answer(c, newProblem(http.StatusNotFound, "this service sends nothing: it has no archive, or webhooks are switched off"))
		}
	})
	one.GET("/webhooks", s.listWebhooks)
	one.POST("/webhooks", s.createWebhook)
	one.GET("/webhooks/:id", s.oneWebhook)
	one.DELETE("/webhooks/:id", s.dropWebhook)
	one.POST("/webhooks/:id/pause", s.stepWebhook(codeWebhookPaused, "paused", s.pauseWebhook))
	one.POST("/webhooks/:id/resume", s.stepWebhook(codeWebhookResumed, "resumed", s.resumeWebhook))
	one.POST("/webhooks/:id/replay", s.stepWebhook(codeWebhookReplayed, "replayed", s.replayWebhook))
	one.POST("/webhooks/:id/rotate", s.rotateWebhook)
	one.POST("/webhooks/:id/test", s.testWebhook)
}

// shownWebhook is a webhook as the API shows it.
type shownWebhook struct {
	ID         string                  `json:"id"`
	Name       string                  `json:"name"`
	URL        string                  `json:"url"`
	Events     actionlog.WebhookEvents `json:"events"`
	Filter     map[string][]string     `json:"filter"`
	Format     string                  `json:"format"`
	PerMessage int                     `json:"per_message"`
	Status     actionlog.WebhookStatus `json:"status"`
	CreatedAt  time.Time               `json:"created_at"`
	By         actionlog.ExportedBy    `json:"by"`
	Overlap    time.Time               `json:"overlap,omitzero"` // until when the secret before signs too
	Secret     string                  `json:"secret,omitempty"` // where it was just made
	Progress   shownProgress           `json:"progress"`
}

type shownProgress struct {
	Messages    int64     `json:"messages"`
	Actions     int64     `json:"actions"`
	DeliveredAt time.Time `json:"delivered_at,omitzero"`
	Through     time.Time `json:"through,omitzero"`
	Tries       int       `json:"tries,omitempty"`
	FailingFrom time.Time `json:"failing_from,omitzero"`
	NextAt      time.Time `json:"next_at,omitzero"`
	Problem     string    `json:"problem,omitempty"`
}

func (s *server) shownHook(c *gin.Context, w *actionlog.Webhook, p *actionlog.WebhookProgress) shownWebhook {
	v := shownWebhook{ID: w.ID, Name: w.Name, URL: w.URL, Events: w.Events, Filter: w.Filter, Format: w.Format, PerMessage: w.PerMessage, Status: w.Status, CreatedAt: w.CreatedAt, By: w.By,
		Progress: shownProgress{p.Messages, p.Actions, p.DeliveredAt, p.Through, p.Tries, p.FailingFrom, p.NextAt, p.Problem}}
	if v.Filter == nil {
		v.Filter = map[string][]string{}
	}
	if w.Overlap.After(s.Now()) {
		v.Overlap = w.Overlap
	}
	if w.Problem != "" {
		v.Progress.Problem = w.Problem
	}
	v.By = s.shownBy(c, v.By)
	return v
}

func (s *server) listWebhooks(c *gin.Context) {
	all, err := s.Webhooks.List(c.Request.Context(), c.Param("institution"))
	data := []shownWebhook{}
	for i := range all {
		var p actionlog.WebhookProgress
		if err == nil {
			_, p, err = s.Webhooks.Get(c.Request.Context(), all[i].Institution, all[i].ID)
		}
		if errors.Is(err, actionlog.ErrNotFound) { // dropped meanwhile
			err = nil
			continue
		}
		data = append(data, s.shownHook(c, &all[i], &p))
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, gin.H{"data": data})
}

func (s *server) oneWebhook(c *gin.Context) {
	w, p, err := s.Webhooks.Get(c.Request.Context(), c.Param("institution"), c.Param("id"))
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, s.shownHook(c, &w, &p))
}

// webhookRequest is the body of a request for one.
type webhookRequest struct {
	Name       string                     `json:"name"`
	URL        string                     `json:"url"`
	Events     string                     `json:"events"`
	Filter     map[string]json.RawMessage `json:"filter"`
	Format     *string                    `json:"format"`
	PerMessage int                        `json:"per_message"`
	Since      string                     `json:"since"`
}

func (s *server) createWebhook(c *gin.Context) {
	w, since, err := s.readWebhook(c)
	secret := ""
	if err == nil {
		w, secret, err = s.Webhooks.Create(c.Request.Context(), w, since)
	}
	if err == nil {
		if err = s.webhookStep(c, codeWebhookCreated, "created", &w); err != nil { // what cannot be recorded is not there
			_, dropping := s.Webhooks.Drop(context.WithoutCancel(c.Request.Context()), w.Institution, w.ID)
			err = errors.Join(err, dropping)
		}
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	v := s.shownHook(c, &w, &actionlog.WebhookProgress{})
	v.Secret = secret
	c.Header("Location", c.Request.URL.Path+"/"+w.ID)
	c.JSON(http.StatusCreated, v)
}

func (s *server) readWebhook(c *gin.Context) (w actionlog.Webhook, since time.Time, err error) {
	var ask webhookRequest
	if err = decodeBody(c, &ask, "{name, url, events, filter, format, per_message, since}"); err != nil {
		return w, since, err
	}
	w = actionlog.Webhook{Institution: c.Param("institution"), Name: strings.TrimSpace(ask.Name), URL: ask.URL, Events: actionlog.WebhookEvents(ask.Events), PerMessage: ask.PerMessage}
	w.By = exportedBy(c)
	if w.Format, err = chosen("/format", ask.Format, feedJSON, formatECS); err != nil {
		return w, since, err
	}
	if w.Filter, err = filterOf(ask.Filter); err != nil {
		return w, since, err
	}
	if _, err = s.feedQuery(c.Request.Context(), w.Institution, url.Values(w.Filter)); err != nil {
		return w, since, pointed("/filter/", err)
	}
	since, err = s.sinceIn(ask.Since)
	return w, since, err
}

// sinceIn reads the member since of a body; "" is zero.
func (s *server) sinceIn(text string) (time.Time, error) {
	if strings.TrimSpace(text) == "" {
		return time.Time{}, nil
	}
	at, err := instant(text, s.Now().UTC(), time.UTC, false)
	if err != nil {
		return at, named("/since", err)
	}
	return at, nil
}

// webhookStep records what somebody does with a webhook.
func (s *server) webhookStep(c *gin.Context, code, what string, w *actionlog.Webhook) error {
	return s.witness(c, step{code: code, status: c.Writer.Status(), reason: principal(c).Reason(w.Institution), summary: "The webhook " + w.Name + " was " + what,
		details: map[string]any{"webhook": w.ID, "name": w.Name, "url": w.URL, "events": w.Events, "filter": w.Filter}}, w.Institution)
}

// stepWebhook does something with a webhook. It is recorded first: one that somebody has
// silenced, and nobody knows who, would be worse than one that somebody only wanted to.
func (s *server) stepWebhook(code, what string, do func(c *gin.Context) (actionlog.Webhook, error)) gin.HandlerFunc {
	return func(c *gin.Context) {
		w, _, err := s.Webhooks.Get(c.Request.Context(), c.Param("institution"), c.Param("id"))
		if err == nil {
			err = s.webhookStep(c, code, what, &w)
		}
		if err == nil {
			_, err = do(c)
		}
		if err != nil {
			s.fail(c, err)
			return
		}
		s.oneWebhook(c)
	}
}

func (s *server) pauseWebhook(c *gin.Context) (actionlog.Webhook, error) {
	return s.Webhooks.Pause(c.Request.Context(), c.Param("institution"), c.Param("id"))
}

func (s *server) resumeWebhook(c *gin.Context) (actionlog.Webhook, error) {
	return s.Webhooks.Resume(c.Request.Context(), c.Param("institution"), c.Param("id"))
}

func (s *server) replayWebhook(c *gin.Context) (w actionlog.Webhook, err error) {
	var ask struct {
		Since string `json:"since"`
	}
	if err = decodeBody(c, &ask, "{since}"); err != nil {
		return w, err
	}
	since, err := s.sinceIn(ask.Since)
	if err != nil {
		return w, err
	}
	return s.Webhooks.Replay(c.Request.Context(), c.Param("institution"), c.Param("id"), since)
}

// rotateWebhook makes another secret. Without a time the one before signs too for a day.
func (s *server) rotateWebhook(c *gin.Context) {
	var ask struct {
		Overlap string `json:"overlap"`
	}
	if err := decodeBody(c, &ask, "{overlap}"); err != nil {
		s.fail(c, err)
		return
	}
	overlap := 24 * time.Hour
	if ask.Overlap != "" {
		d, err := time.ParseDuration(ask.Overlap)
		if err != nil || d < 0 || d > maxOverlap {
			s.fail(c, actionlog.Invalidf("/overlap", "%q is not a time as 24h, of at most %s", ask.Overlap, maxOverlap))
			return
		}
		overlap = d
	}
	w, secret, err := s.Webhooks.Rotate(c.Request.Context(), c.Param("institution"), c.Param("id"), overlap)
	if err == nil {
		err = s.webhookStep(c, codeWebhookRotated, "given another secret", &w)
	}
	var p actionlog.WebhookProgress
	if err == nil {
		_, p, err = s.Webhooks.Get(c.Request.Context(), w.Institution, w.ID)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	v := s.shownHook(c, &w, &p)
	v.Secret = secret
	c.JSON(http.StatusOK, v)
}

func (s *server) dropWebhook(c *gin.Context) {
	w, _, err := s.Webhooks.Get(c.Request.Context(), c.Param("institution"), c.Param("id"))
	if err == nil {
		err = s.webhookStep(c, codeWebhookDropped, "removed", &w)
	}
	if err == nil {
		_, err = s.Webhooks.Drop(c.Request.Context(), w.Institution, w.ID)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}

// testWebhook says whether a message was taken, and if not, why.
func (s *server) testWebhook(c *gin.Context) {
	err := s.Webhooks.Test(c.Request.Context(), c.Param("institution"), c.Param("id"))
	if errors.Is(err, actionlog.ErrNotFound) || errors.Is(err, actionlog.ErrUnavailable) {
		s.fail(c, err)
		return
	}
	answer := gin.H{"taken": err == nil}
	if err != nil {
		answer["problem"] = err.Error()
	}
	c.JSON(http.StatusOK, answer)
}

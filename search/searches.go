package search

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"actionlog"

	"github.com/gin-gonic/gin"
)

// Searches keeps searches that people named. Where there is no such search of the
// institution they return actionlog.ErrNotFound; where one of its name is there already,
// ErrConflict.
type Searches interface {
	Create(ctx context.Context, s actionlog.SavedSearch) (actionlog.SavedSearch, error)
	Get(ctx context.Context, institution, id string) (actionlog.SavedSearch, actionlog.AlertProgress, error)
	List(ctx context.Context, institution string) ([]actionlog.SavedSearch, error)
	// Change puts s in the place of what is kept under its ID, if may does not refuse that:
	// it is asked of what is really replaced.
	Change(ctx context.Context, s actionlog.SavedSearch, may func(was *actionlog.SavedSearch) error) (actionlog.SavedSearch, error)
	// Drop removes one, if may does not refuse that.
	Drop(ctx context.Context, institution, id string, may func(was *actionlog.SavedSearch) error) (actionlog.SavedSearch, error)
}

func (s *server) searchRoutes(one *gin.RouterGroup) {
	one = one.Group("", func(c *gin.Context) {
		if s.Searches == nil {
			s.answer(c, newProblem(http.StatusNotFound, "this service keeps no searches"))
		}
	})
	one.GET("/searches", s.listSearches)
	one.POST("/searches", s.createSearch)
	one.GET("/searches/:id", s.oneSearch)
	one.PUT("/searches/:id", s.changeSearch)
	one.DELETE("/searches/:id", s.dropSearch)
}

// shownSearch is a saved search as the API shows it.
type shownSearch struct {
	ID        string               `json:"id"`
	Name      string               `json:"name"`
	Q         string               `json:"q"`
	Filter    map[string][]string  `json:"filter"`
	Alert     *shownAlert          `json:"alert,omitempty"`
	By        actionlog.ExportedBy `json:"by"`
	CreatedAt time.Time            `json:"created_at"`
	ChangedBy actionlog.ExportedBy `json:"changed_by"`
	ChangedAt time.Time            `json:"changed_at"`
}

type shownAlert struct {
	actionlog.Alert
	// Fired is how often it was raised since it is what it is.
	Fired   int64     `json:"fired"`
	FiredAt time.Time `json:"fired_at,omitzero"`
	Through time.Time `json:"through,omitzero"`
	Late    int64     `json:"late,omitempty"`
}

func (s *server) shownSearch(c *gin.Context, w *actionlog.SavedSearch, p *actionlog.AlertProgress) shownSearch {
	v := shownSearch{ID: w.ID, Name: w.Name, Q: render(w.Filter), Filter: w.Filter, By: s.shownBy(c, w.By), CreatedAt: w.CreatedAt, ChangedBy: s.shownBy(c, w.ChangedBy), ChangedAt: w.ChangedAt}
	if w.Alert == nil {
		return v
	}
	v.Alert = &shownAlert{Alert: *w.Alert}
	if p.Watch == w.Watch {
		v.Alert.Fired, v.Alert.FiredAt, v.Alert.Through, v.Alert.Late = p.Count, p.FiredAt, p.Through, p.Late
	}
	return v
}

func (s *server) listSearches(c *gin.Context) {
	all, err := s.Searches.List(c.Request.Context(), c.Param("institution"))
	data := []shownSearch{}
	for i := range all {
		w, p := all[i], actionlog.AlertProgress{}
		if err == nil && w.Alert != nil {
			w, p, err = s.Searches.Get(c.Request.Context(), w.Institution, w.ID)
		}
		if errors.Is(err, actionlog.ErrNotFound) { // dropped meanwhile
			err = nil
			continue
		}
		data = append(data, s.shownSearch(c, &w, &p))
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, gin.H{"data": data})
}

func (s *server) oneSearch(c *gin.Context) {
	w, p, err := s.Searches.Get(c.Request.Context(), c.Param("institution"), c.Param("id"))
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, s.shownSearch(c, &w, &p))
}

// searchRequest is the body of a request for a saved search.
type searchRequest struct {
	Name   string                     `json:"name"`
	Q      string                     `json:"q"`
	Filter map[string]json.RawMessage `json:"filter"`
	Alert  json.RawMessage            `json:"alert"`
}

type alertRequest struct {
	Kind     string `json:"kind"`
	MoreThan int    `json:"more_than"`
	Minutes  int    `json:"minutes"`
	Of       string `json:"of"`
	Quiet    int    `json:"quiet"`
	Webhook  string `json:"webhook"`
	Paused   bool   `json:"paused"`
}

func (s *server) readSearch(c *gin.Context) (w actionlog.SavedSearch, err error) {
	var ask searchRequest
	if err = decodeBody(c, &ask, "{name, q, filter, alert}"); err != nil {
		return w, err
	}
	w = actionlog.SavedSearch{Institution: c.Param("institution"), Name: ask.Name}
	filter, err := filterOf(ask.Filter)
	if err != nil {
		return w, err
	}
	values := url.Values{}
	for name, texts := range filter {
		values[name] = texts
	}
	if values.Has("q") {
		return w, actionlog.Invalidf("/filter/q", "stands beside the filter, as q")
	}
	if ask.Q != "" {
		values.Set("q", ask.Q)
	}
	if w.Filter, err = s.savedFilter(c, values); err != nil {
		return w, pointed("/filter/", err)
	}
	w.Alert, err = s.readAlert(c, ask.Alert)
	return w, err
}

// savedFilter is what q and the filters beside it say together.
func (s *server) savedFilter(c *gin.Context, values url.Values) (map[string][]string, error) {
	said, err := speak(values)
	if err != nil {
		return nil, err
	}
	r := reading{institution: c.Param("institution"), now: s.Now().UTC()}
	if _, err = r.read(c.Request.Context(), said.values); err == nil {
		err = allUTF8(said.values)
	}
	if invalid := said.point(err); err != nil {
		return nil, invalid
	}
	return normal(said.values), nil
}

// readAlert reads an alert. The webhook that it goes to is there, and takes alerts.
func (s *server) readAlert(c *gin.Context, raw json.RawMessage) (*actionlog.Alert, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var ask alertRequest
	if err := decodeObject(raw, &ask); err != nil {
		return nil, actionlog.Invalidf("/alert", "is not %s: %v", "{kind, more_than, minutes, of, quiet, webhook, paused}", err)
	}
	a := &actionlog.Alert{Kind: actionlog.AlertKind(ask.Kind), MoreThan: ask.MoreThan, Minutes: ask.Minutes, Of: actionlog.AlertOf(ask.Of), Quiet: ask.Quiet, Webhook: ask.Webhook, Paused: ask.Paused}
	if a.Webhook == "" {
		return a, nil
	}
	err := actionlog.ErrNotFound
	var hook actionlog.Webhook
	if s.Webhooks != nil {
		hook, _, err = s.Webhooks.Get(c.Request.Context(), c.Param("institution"), a.Webhook)
	}
	switch {
	case errors.Is(err, actionlog.ErrNotFound):
		return nil, actionlog.Invalidf("/alert/webhook", "there is no such webhook")
	case err == nil && hook.Events != actionlog.WebhookAlerts:
		return nil, actionlog.Invalidf("/alert/webhook", "is not one for alerts")
	}
	return a, err
}

// errNotAdmin: who asks may not touch an alert.
var errNotAdmin = errors.New("an alert is for admins")

// mayAlert refuses an alert of who is no admin: it tells somebody else of what comes, for as
// long as it is there.
func mayAlert(c *gin.Context) func(*actionlog.SavedSearch) error {
	return func(w *actionlog.SavedSearch) error {
		if w.Alert != nil && !principal(c).Allowed(c.Param("institution"), administrators) {
			return errNotAdmin
		}
		return nil
	}
}

// failSearch is fail, of what may also be refused.
func (s *server) failSearch(c *gin.Context, err error) {
	if errors.Is(err, errNotAdmin) {
		s.deny(c, c.Param("institution"), newProblem(http.StatusForbidden, "an alert is for the role %s", actionlog.RoleAdmin))
		return
	}
	s.fail(c, err)
}

func (s *server) createSearch(c *gin.Context) {
	w, err := s.readSearch(c)
	if err == nil {
		err = mayAlert(c)(&w)
	}
	if err != nil {
		s.failSearch(c, err)
		return
	}
	w.By = exportedBy(c)
	if w, err = s.Searches.Create(c.Request.Context(), w); err == nil {
		if err = s.searchStep(c, codeSearchSaved, "saved", &w); err != nil { // what cannot be recorded is not there
			_, dropping := s.Searches.Drop(context.WithoutCancel(c.Request.Context()), w.Institution, w.ID, func(*actionlog.SavedSearch) error { return nil })
			err = errors.Join(err, dropping)
		}
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Header("Location", c.Request.URL.Path+"/"+w.ID)
	c.JSON(http.StatusCreated, s.shownSearch(c, &w, &actionlog.AlertProgress{}))
}

// changeSearch puts a search in the place of what is kept under its ID. It is recorded first:
// an alert that is gone, and nobody knows by whom, would be worse than one that somebody only
// wanted to have gone.
func (s *server) changeSearch(c *gin.Context) {
	w, err := s.readSearch(c)
	var was actionlog.SavedSearch
	if err == nil {
		err = mayAlert(c)(&w)
	}
	if err == nil {
		was, _, err = s.Searches.Get(c.Request.Context(), w.Institution, c.Param("id"))
	}
	if err == nil {
		err = mayAlert(c)(&was)
	}
	if w.ID, w.ChangedBy = was.ID, exportedBy(c); err == nil {
		err = s.searchStep(c, codeSearchChanged, "changed", &w, &was)
	}
	if err == nil {
		_, err = s.Searches.Change(c.Request.Context(), w, mayAlert(c))
	}
	if err != nil {
		s.failSearch(c, err)
		return
	}
	s.oneSearch(c)
}

// dropSearch removes a search. It is recorded first, as a change is.
func (s *server) dropSearch(c *gin.Context) {
	w, _, err := s.Searches.Get(c.Request.Context(), c.Param("institution"), c.Param("id"))
	if err == nil {
		err = mayAlert(c)(&w)
	}
	if err == nil {
		err = s.searchStep(c, codeSearchDropped, "removed", &w)
	}
	if err == nil {
		_, err = s.Searches.Drop(c.Request.Context(), w.Institution, w.ID, mayAlert(c))
	}
	if err != nil {
		s.failSearch(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}

// searchStep records what somebody does with a saved search.
func (s *server) searchStep(c *gin.Context, code, what string, w *actionlog.SavedSearch, was ...*actionlog.SavedSearch) error {
	about := map[string]any{"search": w.ID, "name": w.Name, "filter": w.Filter}
	if w.Alert != nil {
		about["alert"] = w.Alert
	}
	for _, before := range was {
		b := map[string]any{"name": before.Name, "filter": before.Filter}
		if before.Alert != nil {
			b["alert"] = before.Alert
		}
		about["before"] = b
	}
	return s.witness(c, step{code: code, status: c.Writer.Status(), reason: principal(c).Reason(w.Institution), summary: "The search " + w.Name + " was " + what, details: about}, w.Institution)
}

package search

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"actionlog"

	"github.com/gin-gonic/gin"
)

// Restores brings back what is older than the searchable time.
type Restores interface {
	Create(ctx context.Context, r actionlog.Restore, by actionlog.Requester) (actionlog.Restore, error)
	Get(ctx context.Context, institution, id string) (actionlog.Restore, error)
	// List returns all, or those of an institution, oldest first.
	List(ctx context.Context, institution string) ([]actionlog.Restore, error)
	Grant(ctx context.Context, institution, id string, by actionlog.Requester, reason string) (actionlog.Restore, error)
	Decline(ctx context.Context, institution, id string, by actionlog.Requester, reason string) (actionlog.Restore, error)
	Renew(ctx context.Context, institution, id string, by actionlog.Requester, reason string) (actionlog.Restore, error)
	Drop(ctx context.Context, institution, id string, by actionlog.Requester, reason string) (actionlog.Restore, error)
	// Covered lists what is back of an institution now.
	Covered(ctx context.Context, institution string) ([]actionlog.Restored, error)
	// Reindex has days of the store be made anew from the archive; none: all.
	Reindex(ctx context.Context, days []actionlog.Day) ([]actionlog.DayJob, error)
	Reindexing(ctx context.Context) ([]actionlog.DayJob, error)
}

// ReadFilter reads the filter of a restore: parameters of a search but for time, near
// names only where they are asked for. Fields of errors are JSON pointers.
func ReadFilter(ctx context.Context, d actionlog.Directory, institution string, filter map[string][]string, staff actionlog.StaffView, display string) (actionlog.Query, error) {
	for _, name := range slices.Sorted(maps.Keys(filter)) {
		if name == "q" {
			return actionlog.Query{}, actionlog.Invalidf("/filter/q", "is no filter here: what is restored is said by the filters themselves, as {\"user\": \"…\"}")
		}
		if slices.Contains([]string{"range", "from", "to", "tz", "missing_days"}, name) {
			return actionlog.Query{}, actionlog.Invalidf("/filter/"+name, "is no filter here: the time is that of the restore")
		}
	}
	r := reading{directory: d, institution: institution, staff: staff, display: display, now: time.Now().UTC(), near: nearExclude}
	f, err := r.read(ctx, url.Values(filter))
	var invalid *actionlog.InvalidError
	if errors.As(err, &invalid) {
		err = invalid.At("/filter/" + invalid.Field)
	}
	return f.query, err
}

func requester(c *gin.Context) actionlog.Requester {
	p := principal(c)
	return actionlog.Requester{ID: p.ID, Name: p.Name, Staff: p.Has(actionlog.RoleSupport, actionlog.RoleCompliance)}
}

// restoreRequest is the body of a request.
type restoreRequest struct {
	From   string                     `json:"from"`
	To     string                     `json:"to"`
	Filter map[string]json.RawMessage `json:"filter"`
	Reason string                     `json:"reason"`
}

// dayOf reads a date, or the day of a time.
func dayOf(pointer, text string) (d actionlog.Day, err error) {
	if text = strings.TrimSpace(text); text == "" {
		return d, nil
	}
	if d, err = actionlog.ParseDay(text); err == nil {
		return d, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return d, actionlog.Invalidf(pointer, "%q is not a date as 2025-01-31", text)
	}
	return actionlog.DayOf(t), nil
}

// filterOf reads {"name": "value"} and {"name": ["value", …]}.
func filterOf(raw map[string]json.RawMessage) (map[string][]string, error) {
	filter := map[string][]string{}
	for name, text := range raw {
		var one *string
		var several []string
		if json.Unmarshal(text, &one) == nil && one != nil {
			several = []string{*one}
		} else if json.Unmarshal(text, &several) != nil || len(several) == 0 {
			return nil, actionlog.Invalidf("/filter/"+name, "is not a text or a list of texts")
		}
		filter[name] = several
	}
	if len(filter) == 0 {
		return nil, nil
	}
	return filter, nil
}

func (s *server) createRestore(c *gin.Context) {
	r, err := s.readRestore(c)
	if err == nil {
		r, err = s.Restores.Create(c.Request.Context(), r, requester(c))
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Header("Location", c.Request.URL.Path+"/"+r.ID)
	c.JSON(http.StatusCreated, s.shownRestore(c, r))
}

func (s *server) readRestore(c *gin.Context) (r actionlog.Restore, err error) {
	var ask restoreRequest
	if err = decodeBody(c, &ask, "{from, to, filter, reason}"); err != nil {
		return r, err
	}
	r = actionlog.Restore{Institution: c.Param("institution"), Reason: strings.TrimSpace(ask.Reason)}
	if r.From, err = dayOf("/from", ask.From); err != nil {
		return r, err
	}
	if r.To, err = dayOf("/to", ask.To); err != nil {
		return r, err
	}
	if r.Filter, err = filterOf(ask.Filter); err != nil {
		return r, err
	}
	_, err = ReadFilter(c.Request.Context(), s.Directory, r.Institution, r.Filter, s.Staff, s.StaffDisplay)
	return r, err
}

// shownRestore is a restore as who asks may see it: staff have the display name.
func (s *server) shownRestore(c *gin.Context, r actionlog.Restore) actionlog.Restore {
	if principal(c).OfPlatform() || s.Staff == actionlog.StaffShown {
		return r
	}
	r.Steps = slices.Clone(r.Steps)
	for i := range r.Steps {
		if r.Steps[i].Staff {
			r.Steps[i].By, r.Steps[i].Name = "", s.StaffDisplay
		}
	}
	return r
}

func (s *server) restore(c *gin.Context) {
	r, err := s.Restores.Get(c.Request.Context(), c.Param("institution"), c.Param("id"))
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, s.shownRestore(c, r))
}

// listRestores lists restores, newest first: an institution's, or for operators all.
func (s *server) listRestores(c *gin.Context) {
	values := c.Request.URL.Query()
	if err := only(values, "status", "limit", "cursor"); err != nil {
		s.fail(c, err)
		return
	}
	var statuses []string
	for _, x := range actionlog.RestoreStatuses {
		statuses = append(statuses, string(x))
	}
	status, err := choice(values, "status", "", statuses...)
	if err != nil {
		s.fail(c, err)
		return
	}
	n, err := limit(values, 100, 1000)
	if err != nil {
		s.fail(c, err)
		return
	}
	all, err := s.Restores.List(c.Request.Context(), c.Param("institution"))
	if err != nil {
		s.fail(c, err)
		return
	}
	slices.Reverse(all)
	may := routeRoles[c.Request.Method+" "+c.FullPath()] // a role elsewhere lends nothing here
	data, next, after := []actionlog.Restore{}, "", values.Get("cursor")
	for _, r := range all {
		key := r.ID + "/" + r.Institution
		if after != "" && key >= after || !principal(c).Allowed(r.Institution, may) || status != "" && string(r.Status) != status {
			continue
		}
		if len(data) == n {
			next = data[n-1].ID + "/" + data[n-1].Institution
			break
		}
		data = append(data, s.shownRestore(c, r))
	}
	c.JSON(http.StatusOK, gin.H{"data": data, "page": gin.H{"next": nullable(next)}})
}

// stepRestore takes a step, with a reason where the body has one.
func (s *server) stepRestore(take func(r Restores) takeStep) gin.HandlerFunc {
	return func(c *gin.Context) {
		var ask struct {
			Reason string `json:"reason"`
		}
		if c.Request.ContentLength != 0 {
			if err := decodeBody(c, &ask, "{reason}"); err != nil {
				s.fail(c, err)
				return
			}
		}
		r, err := take(s.Restores)(c.Request.Context(), c.Param("institution"), c.Param("id"), requester(c), ask.Reason)
		if err != nil {
			s.fail(c, err)
			return
		}
		c.JSON(http.StatusOK, s.shownRestore(c, r))
	}
}

type takeStep = func(ctx context.Context, institution, id string, by actionlog.Requester, reason string) (actionlog.Restore, error)

func (s *server) restoreRoutes(one, operator *gin.RouterGroup) {
	there := func(c *gin.Context) {
		if s.Restores == nil {
			s.answer(c, newProblem(http.StatusNotFound, "there is no archive from which anything could be brought back"))
		}
	}
	one, operator = one.Group("", there), operator.Group("", there)
	one.GET("/restores", s.listRestores)
	one.POST("/restores", s.createRestore)
	one.GET("/restores/:id", s.restore)
	one.DELETE("/restores/:id", s.stepRestore(func(r Restores) takeStep { return r.Drop }))
	one.POST("/restores/:id/renew", s.stepRestore(func(r Restores) takeStep { return r.Renew }))
	one.POST("/restores/:id/grant", s.stepRestore(func(r Restores) takeStep { return r.Grant }))
	one.POST("/restores/:id/decline", s.stepRestore(func(r Restores) takeStep { return r.Decline }))
	operator.GET("/restores", s.listRestores)
	operator.GET("/reindex", s.reindexing)
	operator.POST("/reindex", s.reindex)
}

// reindex has days be made anew.
func (s *server) reindex(c *gin.Context) {
	var ask struct {
		Days []string `json:"days"`
		All  bool     `json:"all"`
	}
	err := decodeBody(c, &ask, "{days} or {all: true}")
	if err == nil && ask.All == (len(ask.Days) > 0) {
		err = actionlog.Invalidf("/days", "give days, or all: true")
	}
	var list []actionlog.Day
	for _, text := range ask.Days {
		d, e := actionlog.ParseDay(text)
		if e != nil {
			err = actionlog.Invalidf("/days", "%v", e)
		}
		list = append(list, d)
	}
	var jobs []actionlog.DayJob
	if err == nil {
		jobs, err = s.Restores.Reindex(c.Request.Context(), list)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	if jobs == nil {
		jobs = []actionlog.DayJob{}
	}
	c.JSON(http.StatusAccepted, gin.H{"data": jobs})
}

func (s *server) reindexing(c *gin.Context) {
	jobs, err := s.Restores.Reindexing(c.Request.Context())
	if err != nil {
		s.fail(c, err)
		return
	}
	if jobs == nil {
		jobs = []actionlog.DayJob{}
	}
	c.JSON(http.StatusOK, gin.H{"data": jobs})
}

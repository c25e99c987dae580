package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"actionlog"

	"github.com/gin-gonic/gin"
)

const (
	// maxExportFilter is how long the filter of an export job may be, in bytes of JSON.
	maxExportFilter = 24 << 10
	// maxExportRecords is how many jobs of an institution are remembered.
	maxExportRecords = 200
)

// timeParameters are fixed when a job is made.
var timeParameters = []string{"range", "from", "to", "tz"}

// exportRequest is the body of a request for a job.
type exportRequest struct {
	Format *string                    `json:"format"`
	Filter map[string]json.RawMessage `json:"filter"`
	Order  *string                    `json:"order"`
	BOM    bool                       `json:"bom"`
}

func (s *server) exportRoutes(one *gin.RouterGroup) {
	one = one.Group("", func(c *gin.Context) {
		if s.Exports == nil {
			s.answer(c, newProblem(http.StatusNotFound, "this service keeps no exports"))
		}
	})
	one.GET("/exports", s.listExports)
	one.POST("/exports", s.createExport)
	one.GET("/exports/:id", s.oneExport)
	one.DELETE("/exports/:id", s.dropExport)
	one.GET("/exports/:id/content", s.exportContent)
}

// createExport makes a job. That it begins is recorded first: what cannot be recorded is
// not made.
func (s *server) createExport(c *gin.Context) {
	x, err := s.readExport(c)
	if err == nil {
		err = s.Exports.admit(c.Request.Context(), x, func() error {
			return s.witness(c, step{code: codeExportStarted, reason: principal(c).Reason(x.Institution),
				details: map[string]any{"export": x.ID, "job": true, "filter": x.values()}}, x.Institution)
		})
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Header("Location", c.Request.URL.Path+"/"+x.ID)
	c.JSON(http.StatusCreated, s.shownExport(c, x))
}

// readExport reads what a job is to write. Its times are instants from now on.
func (s *server) readExport(c *gin.Context) (*exportRecord, error) {
	var ask exportRequest
	if err := decodeBody(c, &ask, "{format, filter, order, bom}"); err != nil {
		return nil, err
	}
	x := &exportRecord{Maker: exportActorOf(c)}
	now := s.Now().UTC()
	x.ID, x.Institution, x.Status, x.CreatedAt = newExportID(now), c.Param("institution"), actionlog.ExportWaiting, now
	x.By = exportedBy(c)
	var err error
	if x.Format, err = chosen("/format", ask.Format, "ndjson", "json", "csv", formatECS); err != nil {
		return nil, err
	}
	if x.Order, err = chosen("/order", ask.Order, "newest", "oldest"); err != nil {
		return nil, err
	}
	if x.BOM = ask.BOM; x.BOM && x.Format != "csv" {
		return nil, actionlog.Invalidf("/bom", "is for format csv only")
	}
	x.FileName = fileName(x.Institution, x.Format, now)
	if x.Filter, err = filterOf(ask.Filter); err != nil {
		return nil, err
	}
	if text, err := json.Marshal(x.Filter); err != nil || len(text) > maxExportFilter {
		return nil, actionlog.Invalidf("/filter", "is longer than %d bytes", maxExportFilter)
	}
	return x, s.fixExport(c.Request.Context(), x)
}

func exportActorOf(c *gin.Context) exportActor {
	p := principal(c)
	return exportActor{Actor: actorOf(p, c.Param("institution")), Channel: channelOf(p), Request: c.GetString(requestIDKey)}
}

// chosen reads a member that has few values, of which the first is meant where it is absent.
func chosen(pointer string, given *string, allowed ...string) (string, error) {
	if given == nil {
		return allowed[0], nil
	}
	if !slices.Contains(allowed, *given) {
		return "", actionlog.Invalidf(pointer, "%q is not one of %s", *given, strings.Join(allowed, ", "))
	}
	return *given, nil
}

// fixExport reads the filter as GET export does, and fixes its times. A store that refuses
// the question, or cannot answer it, says so now.
func (s *server) fixExport(ctx context.Context, x *exportRecord) error {
	a, err := s.askFor(ctx, x.Institution, url.Values(x.Filter), nearExclude)
	if err != nil {
		return pointed("/filter/", err)
	}
	x.From, x.To, x.TZ = a.query.From.UTC(), a.query.To.UTC(), a.zone.String()
	for name, t := range map[string]time.Time{"from": x.From, "to": x.To} {
		if y := t.Year(); y < 1 || y > 9999 {
			return actionlog.Invalidf("/filter/"+name, "is in no year from 1 to 9999")
		}
	}
	x.Filter = maps.Clone(map[string][]string(a.asks)) // what q says among them
	for _, name := range timeParameters {
		delete(x.Filter, name)
	}
	if x.Filter == nil {
		x.Filter = map[string][]string{}
	}
	_, _, err = s.Searcher.Count(ctx, a.query, 1)
	return pointed("/filter/", err)
}

// pointed makes of a parameter that is wrong a pointer into a body.
func pointed(into string, err error) error {
	var invalid *actionlog.InvalidError
	if errors.As(err, &invalid) && !strings.HasPrefix(invalid.Field, "/") {
		return invalid.At(strings.TrimSuffix(into+parameterOf(invalid.Field), "/"))
	}
	return err
}

// exportedBy is who asks.
func exportedBy(c *gin.Context) actionlog.ExportedBy {
	p := principal(c)
	return actionlog.ExportedBy{ID: p.ID, Name: p.Name, Staff: p.AsStaff(c.Param("institution"))}
}

// shownBy is somebody as who asks may see them.
func (s *server) shownBy(c *gin.Context, by actionlog.ExportedBy) actionlog.ExportedBy {
	if by.Staff && !principal(c).OfPlatform() && s.Staff != actionlog.StaffShown {
		return actionlog.ExportedBy{Name: s.StaffDisplay, Staff: true}
	}
	return by
}

// shownExport is an export as who asks may see it: staff have the display name, and one
// whose time is over has expired, whether it is swept already or not.
func (s *server) shownExport(c *gin.Context, x *exportRecord) actionlog.Export {
	e := x.Export
	e.By = s.shownBy(c, e.By)
	if x.expired(s.Now()) {
		e.Status = actionlog.ExportExpired
	}
	return e
}

// expired tells whether its time is over.
func (x *exportRecord) expired(now time.Time) bool {
	return x.Status == actionlog.ExportExpired || x.Status == actionlog.ExportReady && !now.Before(x.ExpiresAt)
}

func (s *server) oneExport(c *gin.Context) {
	x, _, err := s.Exports.book().get(c.Request.Context(), exportKey(c.Param("institution"), c.Param("id")))
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, s.shownExport(c, &x))
}

// listExports lists the institution's exports, newest first.
func (s *server) listExports(c *gin.Context) {
	values := c.Request.URL.Query()
	err := only(values, "limit", "cursor")
	var n int
	if err == nil {
		n, err = limit(values, 100, 1000)
	}
	var after string
	if err == nil {
		after, err = single(values, "cursor")
	}
	var all []exportRecord
	if err == nil {
		all, err = s.Exports.book().of(c.Request.Context(), c.Param("institution"))
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	slices.Reverse(all)
	data, next := []actionlog.Export{}, ""
	for i := range all {
		if after != "" && all[i].ID >= after {
			continue
		}
		if len(data) == n {
			next = data[n-1].ID
			break
		}
		data = append(data, s.shownExport(c, &all[i]))
	}
	c.JSON(http.StatusOK, gin.H{"data": data, "page": gin.H{"next": nullable(next)}})
}

// dropExport cancels a job, or removes the file of one that is ready.
func (s *server) dropExport(c *gin.Context) {
	key := exportKey(c.Param("institution"), c.Param("id"))
	x, err := s.Exports.book().update(c.Request.Context(), key, func(x *exportRecord) error {
		switch {
		case x.Status.Over() || x.expired(s.Now()):
			return fmt.Errorf("the export is %s: there is nothing to cancel or to remove: %w", s.shownExport(c, x).Status, actionlog.ErrConflict)
		case x.Status == actionlog.ExportReady:
			x.Status, x.ExpiresAt = actionlog.ExportExpired, s.Now().UTC()
		default:
			x.ends(s.Now().UTC(), actionlog.ExportCancelled, "")
			x.End.By = exportActorOf(c)
		}
		return nil
	})
	if err != nil {
		s.fail(c, err)
		return
	}
	s.Exports.stop(key)
	s.Exports.lookAgain(key)
	c.JSON(http.StatusOK, s.shownExport(c, &x))
}

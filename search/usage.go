package search

import (
	"net/http"
	"strings"

	"actionlog"

	"github.com/gin-gonic/gin"
)

// usageRow is a row as the API shows it.
type usageRow struct {
	Institution string        `json:"institution"`
	From        actionlog.Day `json:"from"`
	To          actionlog.Day `json:"to"`
	Actions     int64         `json:"actions"`
	Archived    *int64        `json:"archived"` // null: there is no archive
	Bytes       *int64        `json:"bytes"`    // null: not known
}

type usageMeta struct {
	From    actionlog.Day       `json:"from"`
	To      actionlog.Day       `json:"to"`
	By      actionlog.UsageSpan `json:"by"`
	Through any                 `json:"complete_through"` // a position; null: nothing was published
	Counted any                 `json:"counted_from"`     // null: all days are
}

// usage answers how much of the log is whose.
func (s *server) usage(c *gin.Context) {
	values := c.Request.URL.Query()
	err := only(values, "from", "to", "by", "limit", "cursor")
	var q actionlog.UsageQuery
	if err == nil {
		q, err = s.usageQuery(c)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	if s.Usage == nil {
		s.answer(c, newProblem(http.StatusNotFound, "this process counts no usage"))
		return
	}
	page, err := s.Usage(c.Request.Context(), q)
	if err != nil {
		s.fail(c, err)
		return
	}
	next := ""
	if page.More {
		last := page.Rows[len(page.Rows)-1]
		mark := actionlog.Mark(last.Institution + " " + last.From.String())
		if next, err = s.encodeCursor(cursor{Mark: mark, From: q.From.Start(), To: q.To.Start()}, "", values); err != nil {
			s.fail(c, err)
			return
		}
	}
	data := []usageRow{}
	for _, u := range page.Rows {
		r := usageRow{Institution: u.Institution, From: u.From, To: u.To, Actions: u.Actions}
		if u.HasBytes || u.Archived > 0 {
			r.Archived = &u.Archived
		}
		if u.HasBytes {
			r.Bytes = &u.Bytes
		}
		data = append(data, r)
	}
	meta := usageMeta{From: q.From, To: q.To, By: q.By}
	if page.Through != (actionlog.Position{}) {
		meta.Through = page.Through.String()
	}
	if !page.Counted.IsZero() {
		meta.Counted = page.Counted.String()
	}
	c.JSON(http.StatusOK, gin.H{"data": data, "page": gin.H{"next": nullable(next)}, "meta": meta})
}

// usageQuery reads which usage is asked for: this month until today, unless something else
// is said.
func (s *server) usageQuery(c *gin.Context) (q actionlog.UsageQuery, err error) {
	values := c.Request.URL.Query()
	today := actionlog.DayOf(s.Now())
	q.From, q.To = today.Add(1-today.Start().Day()), today
	for name, day := range map[string]*actionlog.Day{"to": &q.To, "from": &q.From} {
		text, err := single(values, name)
		if err != nil {
			return q, err
		}
		if text == "" {
			continue
		}
		if *day, err = actionlog.ParseDay(text); err != nil {
			return q, actionlog.Invalidf(name, "%q is not a date as 2025-01-31", text)
		}
	}
	by, err := single(values, "by")
	if err != nil {
		return q, err
	}
	switch q.By = actionlog.UsageSpan(by); q.By {
	case "":
		q.By = actionlog.UsageByDay
	case actionlog.UsageByDay, actionlog.UsageByMonth, actionlog.UsageTotal:
	default:
		return q, actionlog.Invalidf("by", "%q is not day, month or total", by)
	}
	if q.Limit, err = limit(values, 1000, 1000); err != nil {
		return q, err
	}
	text, err := single(values, "cursor")
	if err == nil && text != "" {
		err = s.usageAfter(text, c, &q)
	}
	if err == nil && q.To.Before(q.From) {
		err = actionlog.Invalidf("from", "%s is after %s", q.From, q.To)
	}
	return q, err
}

// usageAfter reads a cursor: days that go by do not move what is asked for.
func (s *server) usageAfter(text string, c *gin.Context, q *actionlog.UsageQuery) error {
	at, err := s.decodeCursor(text, "", c.Request.URL.Query())
	if err != nil {
		return err
	}
	institution, day, _ := strings.Cut(string(at.Mark), " ")
	q.From, q.To, q.After.Institution = actionlog.DayOf(at.From), actionlog.DayOf(at.To), institution
	if q.After.From, err = actionlog.ParseDay(day); err != nil {
		return actionlog.Invalidf("cursor", "is not a cursor of this list")
	}
	return nil
}

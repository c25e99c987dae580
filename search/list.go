package search

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"actionlog"

	"github.com/gin-gonic/gin"
)

// countUntil is how far a list counts without total=exact.
const countUntil = 1000

// meta says what an answer is about.
type meta struct {
	TookMS          int64      `json:"took_ms"`
	Total           *total     `json:"total,omitempty"`
	From            time.Time  `json:"from"`
	To              time.Time  `json:"to"`
	TZ              string     `json:"tz,omitempty"`
	Defaulted       []string   `json:"defaulted,omitempty"`
	CompleteThrough *time.Time `json:"complete_through"`
	Matched         []matched  `json:"matched"`
	MissingDays     []string   `json:"missing_days,omitempty"`
	Other           *int64     `json:"other,omitempty"`
	Absent          *int64     `json:"absent,omitempty"` // of a facet
	// Restored is what the time has of days that are back, Missing what it has of days
	// that are older than what is searchable and not back.
	Restored []actionlog.Restored `json:"restored,omitempty"`
	Missing  []days               `json:"missing,omitempty"`
}

type total struct {
	Value    int64  `json:"value"`
	Relation string `json:"relation"` // eq, or gte: at least
}

// asked is a request whose filters have been read.
type asked struct {
	filtered
	institution string
	values      url.Values // as they were sent, to which cursors are bound
	asks        url.Values // the same with what q says in its place
	at          cursor     // where a list goes on; zero: at its beginning
	meta        meta
	start       time.Time
}

// ask reads the filters of a request; near is what it says of near names where the
// caller does not, own are its other parameters. How far the stream is settled is
// asked before anything is searched.
func (s *server) ask(c *gin.Context, near string, own ...string) (*asked, error) {
	values, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return nil, actionlog.Invalidf("query", "is malformed: %v", err)
	}
	said, err := speak(values)
	if err != nil {
		return nil, err
	}
	c.Set(spokenKey, said)
	return s.askSaid(c.Request.Context(), c.Param("institution"), said, values, near, own...)
}

// askFor is ask for who is in no request.
func (s *server) askFor(ctx context.Context, institution string, values url.Values, near string, own ...string) (*asked, error) {
	said, err := speak(values)
	if err != nil {
		return nil, err
	}
	return s.askSaid(ctx, institution, said, values, near, own...)
}

func (s *server) askSaid(ctx context.Context, institution string, said *spoken, values url.Values, near string, own ...string) (a *asked, err error) {
	a = &asked{institution: institution, values: values, asks: said.values, start: s.Now()}
	if through, err := s.Progress.Settled(ctx); err == nil {
		a.meta.CompleteThrough = &through
	} else {
		s.Log.Warn("how far the stream is settled is not known", "error", err)
	}
	r := reading{directory: s.Directory, institution: a.institution, staff: s.Staff, display: s.StaffDisplay, now: a.start.UTC(), near: near}
	if slices.Contains(own, "cursor") {
		if a.at, err = s.cursorOf(a); err != nil {
			return nil, err
		}
		r.decided, r.later = a.at.Near, a.at.Mark != ""
	}
	if a.filtered, err = r.read(ctx, a.asks, own...); err != nil {
		return nil, err
	}
	if a.at.Mark != "" {
		a.query.From, a.query.To = a.at.From, a.at.To
	} else if slices.Contains(own, "cursor") { // a list tells
		if err = r.count(ctx); err != nil {
			return nil, err
		}
	}
	if err := s.reach(ctx, a); err != nil {
		return nil, err
	}
	a.describe()
	return a, nil
}

func (s *server) cursorOf(a *asked) (cursor, error) {
	text, err := single(a.values, "cursor")
	if err != nil || text == "" {
		return cursor{}, err
	}
	return s.decodeCursor(text, a.institution, a.values)
}

func (a *asked) describe() {
	a.meta.From, a.meta.To = a.query.From.UTC(), a.query.To.UTC()
	a.meta.Matched = a.matched
	if a.meta.Matched == nil {
		a.meta.Matched = []matched{}
	}
	if a.defaulted {
		a.meta.Defaulted = []string{"range"}
	}
	a.meta.TZ = a.zone.String()
}

func order(values url.Values) (actionlog.Order, error) {
	o, err := choice(values, "order", "newest", "newest", "oldest")
	if o == "oldest" {
		return actionlog.OldestFirst, err
	}
	return actionlog.NewestFirst, err
}

// limit reads a number from 1 to max.
func limit(values url.Values, usual, max int) (int, error) {
	text, err := single(values, "limit")
	if err != nil || text == "" {
		return usual, err
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > max {
		return 0, actionlog.Invalidf("limit", "%q is not a number from 1 to %d", text, max)
	}
	return n, nil
}

func (s *server) list(c *gin.Context) {
	a, page, next, err := s.listed(c)
	if err == nil {
		if err = s.searched(c, len(page.Records), a.meta.Total); err == nil {
			s.questions.recorded(s.question(c, searchOf(c.Request.URL.Query())), s.Now())
		}
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	if next != "" {
		values := url.Values{}
		for k, v := range a.values {
			values[k] = v
		}
		values.Set("cursor", next)
		c.Header("Link", "<"+c.Request.URL.Path+"?"+values.Encode()+`>; rel="next"`)
	}
	b := []byte(`{"data":[`)
	for i, r := range page.Records {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendRecord(b, s.shown(r))
	}
	for _, d := range page.MissingDays {
		a.meta.MissingDays = append(a.meta.MissingDays, d.String())
	}
	a.meta.TookMS = s.Now().Sub(a.start).Milliseconds()
	tail, err := json.Marshal(gin.H{"next": nullable(next)})
	if err != nil {
		s.fail(c, err)
		return
	}
	about, err := json.Marshal(a.meta)
	if err != nil {
		s.fail(c, err)
		return
	}
	b = append(append(append(append(append(b, `],"page":`...), tail...), `,"meta":`...), about...), '}')
	c.Data(http.StatusOK, "application/json", b)
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// listed searches a page and counts.
func (s *server) listed(c *gin.Context) (a *asked, page actionlog.Page, next string, err error) {
	if a, err = s.ask(c, nearAuto, "limit", "cursor", "order", "total"); err != nil {
		return nil, page, "", err
	}
	n, err := limit(a.values, 50, 1000)
	if err != nil {
		return nil, page, "", err
	}
	direction, err := order(a.values)
	if err != nil {
		return nil, page, "", err
	}
	counting, err := choice(a.values, "total", "some", "some", "exact", "none")
	if err != nil {
		return nil, page, "", err
	}
	if page, err = s.Searcher.Page(c.Request.Context(), a.query, direction, a.at.Mark, n); err != nil {
		return nil, page, "", err
	}
	if err = s.reachedStill(c.Request.Context(), a); err != nil {
		return nil, page, "", err
	}
	for i := range page.Records {
		if err = s.own(a.institution, &page.Records[i]); err != nil {
			return nil, actionlog.Page{}, "", err
		}
	}
	if a.at.Mark == "" && page.Next == "" { // the page is everything
		a.meta.Total = &total{int64(len(page.Records)), "eq"}
	} else if a.meta.Total, err = s.count(c, a, counting); err != nil {
		return nil, page, "", err
	}
	if page.Next != "" {
		next, err = s.encodeCursor(cursor{Mark: page.Next, From: a.query.From, To: a.query.To, Near: a.widened}, a.institution, a.values)
	}
	return a, page, next, err
}

func (s *server) count(c *gin.Context, a *asked, how string) (*total, error) {
	if how == "none" {
		return nil, nil
	}
	most := int64(countUntil)
	if how == "exact" {
		most = 0
	}
	n, exact, err := s.Searcher.Count(c.Request.Context(), a.query, most)
	if err != nil {
		return nil, err
	}
	if exact {
		return &total{n, "eq"}, nil
	}
	return &total{n, "gte"}, nil
}

// one returns the record that a request names.
func (s *server) one(c *gin.Context, own ...string) (actionlog.Record, error) {
	values, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return actionlog.Record{}, actionlog.Invalidf("query", "is malformed: %v", err)
	}
	if err := only(values, append(own, "day")...); err != nil {
		return actionlog.Record{}, err
	}
	var day actionlog.Day
	if text, err := single(values, "day"); err != nil {
		return actionlog.Record{}, err
	} else if text != "" {
		if day, err = actionlog.ParseDay(text); err != nil {
			return actionlog.Record{}, actionlog.Invalidf("day", "%v", err)
		}
	}
	records, err := s.Searcher.Get(c.Request.Context(), c.Param("institution"), c.Param("id"), day)
	if err != nil {
		return actionlog.Record{}, err
	}
	if len(records) == 0 {
		return actionlog.Record{}, actionlog.ErrNotFound
	}
	return records[0], s.own(c.Param("institution"), &records[0])
}

func (s *server) detail(c *gin.Context) {
	r, err := s.one(c)
	if err == nil {
		err = s.searched(c, 1, nil)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Data(http.StatusOK, "application/json", appendRecord(nil, s.detailed(r)))
}

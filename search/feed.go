package search

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"actionlog"

	"github.com/gin-gonic/gin"
)

// Feed reads an institution's actions in the order of the stream. A place is where a reader
// is; "" is the beginning of the archive.
type Feed interface {
	// Page returns up to most actions that a query means, from a place on, each with the
	// place behind it; the place behind all that was looked at, and whether there is more
	// already. A malformed place is an *InvalidError.
	Page(ctx context.Context, q actionlog.Query, at string, most int) (FeedPage, error)
	// Start is the place of what was received from an instant on.
	Start(ctx context.Context, since time.Time) (string, error)
}

// FeedPage is a part of a feed.
type FeedPage struct {
	Records []actionlog.Record
	Behind  []string // behind each of them
	Next    string
	More    bool
}

const (
	// feedLimit is how many actions a page of the feed has at most, if nobody says.
	feedLimit = 500
	// feedWait is for how long an answer may wait for something to come, at most.
	feedWait = 60 * time.Second
	// feedLooks is how often it looks meanwhile.
	feedLooks = 250 * time.Millisecond
	// feedRecorded is after what time a reader who goes on is recorded again.
	feedRecorded = 24 * time.Hour
)

// Formats of the feed, besides formatECS.
const (
	feedJSON   = "json"
	feedNDJSON = "ndjson"
)

// headerNext is where the cursor stands of an answer that has no envelope.
const headerNext = "Actionlog-Next"

// feeding is what somebody asks of the feed.
type feeding struct {
	institution string
	query       actionlog.Query
	at          string
	limit       int
	wait        time.Duration
	format      string
	endLine     bool
}

// feed answers with what the stream took, in its order. It is for programs: each page says
// where the next one begins, always.
func (s *server) feed(c *gin.Context) {
	if s.Feed == nil {
		s.answer(c, newProblem(http.StatusNotFound, "this service has no archive, and so no feed"))
		return
	}
	f, err := s.following(c)
	if err == nil {
		err = s.feedRead(c)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	leave, ok := s.tails.enter(f.institution)
	if !ok {
		s.tooMany(c, time.Minute, "too many of the institution follow the log at the same time")
		return
	}
	defer leave()
	if strings.Contains(c.GetHeader("Accept"), "text/event-stream") {
		s.feedEvents(c, f)
		return
	}
	page, err := s.feedWaiting(c.Request.Context(), f)
	if err != nil {
		s.fail(c, err)
		return
	}
	if err := s.feedPage(c, f, page); err != nil {
		s.fail(c, err)
	}
}

// feedRead records that somebody reads the feed: when they begin, and once a day from then
// on. What they read is not recorded each time: it would be in the feed itself.
func (s *server) feedRead(c *gin.Context) error {
	p, institution := principal(c), c.Param("institution")
	values := c.Request.URL.Query()
	for _, name := range []string{"after", "wait", "limit"} {
		delete(values, name)
	}
	key := url.Values{"who": {p.ID}, "institution": {institution}, "filter": {values.Encode()}}.Encode()
	now := s.Now()
	if s.followers.lately(key, now) {
		return nil
	}
	err := s.witness(c, step{code: codeFeedRead, status: http.StatusOK, reason: p.Reason(institution), summary: "The feed of the action log is read",
		details: map[string]any{"filter": values}}, institution)
	if err == nil {
		s.followers.recorded(key, now)
	}
	return err
}

// feedWaiting reads a page, and waits for something to come if that is wanted.
func (s *server) feedWaiting(ctx context.Context, f *feeding) (page FeedPage, err error) {
	end := time.Now().Add(f.wait)
	for {
		page, err = s.feedOnce(ctx, f)
		left := time.Until(end)
		if err != nil || len(page.Records) > 0 || left <= 0 {
			return page, err
		}
		f.at = page.Next
		pause := min(left, cmp.Or(s.tailing.every, feedLooks))
		if page.More { // what there is did not match: it is passed, as far as there is time
			pause = 0
		}
		select {
		case <-s.Stopping:
			return page, nil
		case <-ctx.Done():
			return page, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// feedOnce reads a page when it is the institution's turn.
func (s *server) feedOnce(ctx context.Context, f *feeding) (page FeedPage, err error) {
	err = s.inTurn(ctx, f.institution, true, func() error {
		page, err = s.Feed.Page(ctx, f.query, f.at, f.limit)
		return err
	})
	for i := range page.Records {
		if err == nil {
			err = s.own(f.institution, &page.Records[i])
		}
	}
	return page, err
}

// feedCursor is a place as a reader has it: all are of one length, which would tell how much
// all institutions publish together.
func (s *server) feedCursor(f *feeding, place string) (string, error) {
	return s.seal.seal("cursor", f.institution, fmt.Appendf(nil, "%-120s", place))
}

// feedPage writes a page.
func (s *server) feedPage(c *gin.Context, f *feeding, page FeedPage) error {
	next, err := s.feedCursor(f, page.Next)
	if err != nil {
		return err
	}
	values := c.Request.URL.Query()
	delete(values, "since")
	values.Set("after", next)
	c.Header("Link", "<"+c.Request.URL.Path+"?"+values.Encode()+`>; rel="next"`)
	c.Header(headerNext, next)
	var b []byte
	if f.format == feedJSON {
		b = append(b, `{"data":[`...)
		for i, r := range page.Records {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendRecord(b, s.shown(r))
		}
		b = fmt.Appendf(b, `],"page":{"next":%q,"more":%t}}`, next, page.More)
		c.Data(http.StatusOK, "application/json", b)
		return nil
	}
	for _, r := range page.Records {
		if b, err = appendAs(f.format, b, s.shown(r)); err != nil {
			return err
		}
		b = append(b, '\n')
	}
	if f.endLine {
		b = fmt.Appendf(b, `{"end":{"count":%d,"next":%q,"more":%t}}`+"\n", len(page.Records), next, page.More)
	}
	c.Data(http.StatusOK, "application/x-ndjson", b)
	return nil
}

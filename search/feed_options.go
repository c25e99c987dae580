package search

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"actionlog"

	"github.com/gin-gonic/gin"
)

// following reads what is asked for.
func (s *server) following(c *gin.Context) (*feeding, error) {
	values, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return nil, actionlog.Invalidf("query", "is malformed: %v", err)
	}
	said, err := speak(values)
	if err != nil {
		return nil, err
	}
	c.Set(spokenKey, said)
	f := &feeding{institution: c.Param("institution")}
	f.query, err = s.feedQuery(c.Request.Context(), f.institution, said.values, "after", "since", "limit", "wait", "format", "end")
	if err != nil {
		return nil, err
	}
	if err = f.options(said.values); err == nil {
		err = s.feedStart(c, f, said.values)
	}
	return f, err
}

// feedQuery is what the parameters of a feed mean: without any time they mean all.
func (s *server) feedQuery(ctx context.Context, institution string, values url.Values, own ...string) (actionlog.Query, error) {
	if values.Has("range") {
		return actionlog.Query{}, actionlog.Invalidf("range", "has no meaning here: the feed is in the order in which actions came; since says from when on")
	}
	r := reading{directory: s.Directory, institution: institution, staff: s.Staff, display: s.StaffDisplay, now: s.Now().UTC(), near: nearExclude}
	filtered, err := r.read(ctx, values, own...)
	if err != nil {
		return actionlog.Query{}, err
	}
	if !values.Has("from") {
		filtered.query.From = time.Time{}
	}
	if !values.Has("to") {
		filtered.query.To = time.Time{}
	}
	return filtered.query, nil
}

func (f *feeding) options(values url.Values) (err error) {
	if f.limit, err = limit(values, feedLimit, 1000); err != nil {
		return err
	}
	if f.format, err = choice(values, "format", feedJSON, feedJSON, feedNDJSON, formatECS); err != nil {
		return err
	}
	end, err := choice(values, "end", "", "line")
	if err == nil && end != "" && f.format == feedJSON {
		err = actionlog.Invalidf("end", "is not for format=json, which has an end of its own")
	}
	if f.endLine = end != ""; err != nil {
		return err
	}
	text, err := single(values, "wait")
	if err != nil || text == "" {
		return err
	}
	if seconds, e := strconv.Atoi(text); e == nil {
		f.wait = time.Duration(seconds) * time.Second
	} else if f.wait, e = time.ParseDuration(text); e != nil {
		return actionlog.Invalidf("wait", "%q is not a time as 30s, of at most %s", text, feedWait)
	}
	if f.wait < 0 || f.wait > feedWait {
		return actionlog.Invalidf("wait", "%q is not a time as 30s, of at most %s", text, feedWait)
	}
	return nil
}

// feedStart finds out where the reader is: behind a cursor, at an instant, or at the
// beginning.
func (s *server) feedStart(c *gin.Context, f *feeding, values url.Values) error {
	after, err := single(values, "after")
	if err != nil {
		return err
	}
	since, err := single(values, "since")
	if err != nil {
		return err
	}
	if last := c.GetHeader("Last-Event-ID"); last != "" {
		after = last
	}
	switch {
	case after != "":
		at, err := s.seal.open("cursor", f.institution, after)
		f.at = strings.TrimRight(string(at), " ")
		return err
	case since == "":
		return nil
	}
	at, err := instant(since, s.Now().UTC(), time.UTC, false)
	if err != nil {
		return named("since", err)
	}
	f.at, err = s.Feed.Start(c.Request.Context(), at)
	return err
}

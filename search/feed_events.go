package search

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"actionlog"

	"github.com/gin-gonic/gin"
)

// feedEvents sends what comes as server-sent events (WHATWG HTML, section 9.2): an action
// each, whose id is the cursor behind it. Where nothing comes, or nothing that is meant, an
// event says so now and then, so that a reader who comes back goes on from there.
func (s *server) feedEvents(c *gin.Context, f *feeding) {
	c.Header("Content-Type", "text/event-stream; charset=utf-8")
	c.Header("X-Accel-Buffering", "no") // proxies hand it on at once
	c.Status(http.StatusOK)
	ctx, cancel := context.WithTimeout(c.Request.Context(), cmp.Or(s.tailing.until, tailFor))
	defer cancel()
	f.wait = cmp.Or(s.tailing.every, 15*time.Second)
	for {
		page, err := s.feedWaiting(ctx, f)
		var b []byte
		pause := time.Duration(0)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, actionlog.ErrUnavailable): // the client is told, and misses nothing
			b, err, pause = []byte("event: unavailable\ndata: {}\n\n"), nil, tailEvery
		case err == nil:
			b, err = s.events(f, page)
			f.at = page.Next
		}
		if err == nil {
			_, err = c.Writer.Write(b)
		}
		if err != nil {
			s.Log.Warn("a feed was broken off", "institution", f.institution, "error", err)
			panic(http.ErrAbortHandler)
		}
		c.Writer.Flush()
		select {
		case <-s.Stopping:
			return // the client comes back, to whoever serves then
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// events writes a page as events.
func (s *server) events(f *feeding, page FeedPage) (b []byte, err error) {
	for i, r := range page.Records {
		cursor, err := s.feedCursor(f, page.Behind[i])
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, "id: "...), cursor...), "\nevent: action\ndata: "...)
		if b, err = appendAs(f.format, b, s.shown(r)); err != nil {
			return nil, err
		}
		b = append(b, "\n\n"...)
	}
	cursor, err := s.feedCursor(f, page.Next)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(map[string]any{"next": cursor, "more": page.More})
	return fmt.Appendf(b, "id: %s\nevent: page\ndata: %s\n\n", cursor, data), err
}

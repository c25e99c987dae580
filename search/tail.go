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

const (
	// tailEvery is how often a tail looks.
	tailEvery = time.Second
	// tailFor is how long a tail goes on before the client has to ask again, which shows
	// whether it still may.
	tailFor = 5 * time.Minute
	// tailMost is how many actions a tail sends at a time; that there are more it says.
	tailMost = 500
	// tailsAtMost is how many tails an institution may have.
	tailsAtMost = 100
	// tailPage is how many actions are looked at in one go.
	tailPage = 100
)

// pace is how a tail goes on. Zero: tailEvery, tailFor. Tests are in a hurry.
type pace struct{ every, until time.Duration }

// tail sends what the filters find as it comes in, as server-sent events (WHATWG HTML,
// section 9.2). An event's id is until when all that the stream took has been looked at: a
// client that comes back with it (Last-Event-ID, or since) misses nothing that it would
// have been sent.
//
// New actions are looked for among the newest by time of occurrence, up to the first
// hundred that are all known: one that comes in late and belongs far below is in the list,
// but not here.
func (s *server) tail(c *gin.Context) {
	a, err := s.ask(c, nearAuto, "since")
	if err == nil && a.asks.Get("to") != "" {
		err = actionlog.Invalidf("to", "has no meaning here: a tail has no end")
	}
	var since time.Time
	if err == nil {
		since, err = s.tailSince(c, a)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	a.query.To = time.Time{}
	leave, ok := s.tails.enter(a.institution)
	if !ok {
		s.tooMany(c, time.Minute, "too many of the institution follow the log at the same time")
		return
	}
	defer leave()
	if err := s.counted(c, searchOf(c.Request.URL.Query()), 0); err != nil {
		s.fail(c, err)
		return
	}
	c.Header("Content-Type", "text/event-stream; charset=utf-8")
	c.Header("X-Accel-Buffering", "no") // proxies hand it on at once
	c.Status(http.StatusOK)
	s.follow(c, a, since)
}

// tailSince is after when what came in is new.
func (s *server) tailSince(c *gin.Context, a *asked) (time.Time, error) {
	text := c.GetHeader("Last-Event-ID")
	if text == "" {
		text = a.values.Get("since")
	}
	if text == "" {
		return s.Progress.Settled(c.Request.Context())
	}
	since, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return since, actionlog.Invalidf("since", "%q is not a time as 2006-01-02T15:04:05Z", text)
	}
	return since, nil
}

// tailed is what an event says.
type tailed struct {
	Data            []json.RawMessage `json:"data"` // newest first
	CompleteThrough time.Time         `json:"complete_through"`
	More            bool              `json:"more"` // more came in than are sent: list again
}

// follow sends an event a second, until the client leaves or has to ask again.
func (s *server) follow(c *gin.Context, a *asked, since time.Time) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), cmp.Or(s.tailing.until, tailFor))
	defer cancel()
	tick := time.NewTicker(cmp.Or(s.tailing.every, tailEvery))
	defer tick.Stop()
	for {
		through, err := s.Progress.Settled(ctx)
		if err == nil && through.Before(since) {
			through = since // another process knows less: what it was told is not new again
		}
		var e tailed
		if err == nil {
			e, err = s.cameIn(ctx, a, since, through)
		}
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, actionlog.ErrUnavailable):
			// The client is told, and what it missed comes when that is over.
			_, err = fmt.Fprint(c.Writer, "event: unavailable\ndata: {}\n\n")
		case err == nil:
			var body []byte
			if body, err = json.Marshal(e); err == nil {
				_, err = fmt.Fprintf(c.Writer, "id: %s\nevent: actions\ndata: %s\n\n", through.UTC().Format(time.RFC3339Nano), body)
			}
			since = through
		}
		if err != nil {
			s.Log.Warn("a tail was broken off", "institution", a.institution, "error", err)
			panic(http.ErrAbortHandler)
		}
		c.Writer.Flush()
		select {
		case <-s.Stopping:
			return // the client comes back, to whoever serves then
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// cameIn returns what the stream took after since and until through.
func (s *server) cameIn(ctx context.Context, a *asked, since, through time.Time) (tailed, error) {
	e := tailed{Data: []json.RawMessage{}, CompleteThrough: through.UTC()}
	err := s.inTurn(ctx, a.institution, false, func() error { return s.cameInto(ctx, a, since, through, &e) })
	return e, err
}

// inTurn reads of an institution when it is its turn. dear: it reads much.
func (s *server) inTurn(ctx context.Context, institution string, dear bool, read func() error) error {
	t, ok := s.fair.enter(institution)
	if !ok {
		return fmt.Errorf("too many requests of the institution wait: %w", actionlog.ErrUnavailable)
	}
	defer t.leave()
	t.dear = dear
	if err := t.wait(ctx); err != nil {
		return err
	}
	return read()
}

// cameInto is cameIn in its turn.
func (s *server) cameInto(ctx context.Context, a *asked, since, through time.Time, e *tailed) error {
	for mark := actionlog.Mark(""); ; {
		page, err := s.Searcher.Page(ctx, a.query, actionlog.NewestFirst, mark, tailPage)
		if err != nil {
			return err
		}
		found := false
		for i := range page.Records {
			r := &page.Records[i]
			if err := s.own(a.institution, r); err != nil {
				return err
			}
			found = found || r.ReceivedAt.After(since)
			if !r.ReceivedAt.After(since) || r.ReceivedAt.After(through) {
				continue
			}
			if len(e.Data) == tailMost {
				e.More = true
				return nil
			}
			e.Data = append(e.Data, appendRecord(nil, s.shown(*r)))
		}
		if mark = page.Next; !found || mark == "" {
			return nil
		}
	}
}

package search

import (
	"net/url"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
)

const (
	// sameQuestion is for how long what counts the actions of a search belongs to the
	// search that was recorded.
	sameQuestion = time.Minute
	// questionsAtMost bounds what is remembered; beyond, everything is recorded.
	questionsAtMost = 10_000
)

// questions remembers which searches of staff were recorded lately. Each that shows
// actions is: what is counted beside it, and what is offered while somebody types, would
// be the same question ten times over. docs/adr/0022 says more.
type questions struct {
	same  time.Duration // for how long one is the same
	mu    sync.Mutex
	asked map[string]time.Time
}

// lately tells whether a question was recorded within sameQuestion.
func (q *questions) lately(key string, now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	at, ok := q.asked[key]
	return ok && now.Sub(at) < q.same
}

// recorded notes that a question was.
func (q *questions) recorded(key string, now time.Time) {
	if key == "" {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.asked) >= questionsAtMost {
		for k, at := range q.asked {
			if now.Sub(at) >= q.same {
				delete(q.asked, k)
			}
		}
	}
	if len(q.asked) < questionsAtMost {
		q.asked[key] = now
	}
}

// question is what makes one: who asks, of which institution, and for what. "" where it is
// not staff who asks.
func (s *server) question(c *gin.Context, about string) string {
	institution, p := c.Param("institution"), principal(c)
	if !p.AsStaff(institution) {
		return ""
	}
	return url.Values{"who": {p.ID, p.Session}, "institution": {institution}, "about": {about}}.Encode()
}

// searchOf is what a request searches for, in one way: without what it wants to be told of
// it. Histograms are asked with a time zone that is theirs alone.
func searchOf(values url.Values) string {
	search := url.Values{}
	for name, texts := range normal(values) {
		if _, ok := filters[name]; ok || name == "range" || name == "from" || name == "to" || name == "q" {
			search[name] = texts
		}
	}
	return search.Encode()
}

// counted records what counts the actions of a search, or names what is in it, if it is
// staff who asks and the same question was not recorded within a minute.
func (s *server) counted(c *gin.Context, about string, rows int) error {
	key, now := s.question(c, about), s.Now()
	if key == "" || s.questions.lately(key, now) {
		return nil
	}
	err := s.searched(c, rows, nil)
	if err == nil {
		s.questions.recorded(key, now)
	}
	return err
}

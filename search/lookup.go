package search

import (
	"net/http"
	"net/url"
	"time"

	"actionlog"

	"github.com/gin-gonic/gin"
)

// lookup answers whom or what a text means, best first.
func (s *server) lookup(kind actionlog.DirectoryKind) gin.HandlerFunc {
	return func(c *gin.Context) {
		start := s.Now()
		text, n, err := lookupParameters(c.Request.URL)
		if err != nil {
			s.fail(c, err)
			return
		}
		data, more, err := s.lookUp(c, kind, text, n)
		if err != nil {
			s.fail(c, err)
			return
		}
		c.JSON(http.StatusOK, gin.H{"data": data, "meta": gin.H{"took_ms": s.Now().Sub(start).Milliseconds(), "more": more}})
	}
}

func lookupParameters(u *url.URL) (text string, n int, err error) {
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", 0, actionlog.Invalidf("query", "is malformed: %v", err)
	}
	for name := range values {
		if name != "q" && name != "limit" {
			return "", 0, actionlog.Invalidf(name, "is not a parameter of this call")
		}
	}
	if text, err = single(values, "q"); err != nil {
		return "", 0, err
	}
	if text == "" {
		return "", 0, actionlog.Invalidf("q", "is missing")
	}
	n, err = limit(values, 10, 100)
	return text, n, err
}

// found is an entry of the directory as the API shows it.
type found struct {
	ID         string    `json:"id,omitempty"`
	Name       string    `json:"name,omitempty"`
	Title      string    `json:"title,omitempty"`
	Email      string    `json:"email,omitempty"`
	ExternalID string    `json:"external_id,omitempty"`
	Match      string    `json:"match"`
	MatchedOn  string    `json:"matched_on"`
	Actions    int64     `json:"actions"`
	LastSeen   time.Time `json:"last_seen"`
}

func (s *server) lookUp(c *gin.Context, kind actionlog.DirectoryKind, text string, n int) (data []found, more bool, err error) {
	all, err := lookups(text, kind)
	if err != nil {
		return nil, false, named("q", err)
	}
	r := reading{staff: s.Staff, display: s.StaffDisplay}
	data, seen := []found{}, map[string]bool{}
	for _, l := range all {
		entries, left, err := s.Directory.Lookup(c.Request.Context(), c.Param("institution"), kind, l.match, n+1)
		if err != nil {
			return nil, false, err
		}
		more = more || left
		for _, e := range entries {
			if seen[e.Key] || e.Staff && s.Staff != actionlog.StaffShown {
				continue // staff are not people of the institution
			}
			seen[e.Key] = true
			if len(data) == n {
				return data, true, nil
			}
			m := r.describe("q", text, kind, l, e, false)
			f := found{ID: m.ID, Name: m.Name, Title: m.Title, Email: m.Email, ExternalID: m.ExternalID, Match: m.Match, MatchedOn: m.MatchedOn, LastSeen: e.LastSeen}
			if f.Actions, err = s.actionsOf(c, kind, e.Key); err != nil {
				return nil, false, err
			}
			data = append(data, f)
		}
	}
	return data, more, nil
}

// actionsOf counts the kept actions that name an entry.
func (s *server) actionsOf(c *gin.Context, kind actionlog.DirectoryKind, key string) (int64, error) {
	clause := actionlog.Clause{Field: actionlog.FieldPerson, Values: []actionlog.Value{{Person: actionlog.PersonMatch{Key: key}}}}
	switch kind {
	case actionlog.DirectoryCourses:
		clause = actionlog.Clause{Field: actionlog.FieldCourse, Values: []actionlog.Value{{Titled: actionlog.TitledMatch{Key: key}}}}
	case actionlog.DirectoryClasses:
		clause = actionlog.Clause{Field: actionlog.FieldClass, Values: []actionlog.Value{{Titled: actionlog.TitledMatch{Key: key}}}}
	}
	n, _, err := s.Searcher.Count(c.Request.Context(), actionlog.Query{Institution: c.Param("institution"), Clauses: []actionlog.Clause{clause}, Staff: s.Staff}, 0)
	return n, err
}

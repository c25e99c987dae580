package search

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"actionlog"
	"actionlog/internal/people"

	"github.com/gin-gonic/gin"
)

// lookup answers whom or what a text means, best first.
func (s *server) lookup(kind actionlog.DirectoryKind) gin.HandlerFunc {
	return func(c *gin.Context) {
		start := s.Now()
		text, n, missing, err := lookupParameters(c.Request.URL)
		if err != nil {
			s.fail(c, err)
			return
		}
		data, more, err := s.lookUp(c, kind, text, n, missing)
		if err == nil {
			err = s.searched(c, len(data), nil)
		}
		if err != nil {
			s.fail(c, err)
			return
		}
		about := gin.H{"took_ms": s.Now().Sub(start).Milliseconds(), "more": more}
		if s.Restores != nil {
			covered, err := s.Restores.Covered(c.Request.Context(), c.Param("institution"))
			if err != nil {
				s.fail(c, err)
				return
			}
			if len(covered) > 0 {
				about["restored"] = covered
			}
		}
		c.JSON(http.StatusOK, gin.H{"data": data, "meta": about})
	}
}

func lookupParameters(u *url.URL) (text string, n int, missing bool, err error) {
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", 0, false, actionlog.Invalidf("query", "is malformed: %v", err)
	}
	how, err := choice(values, "missing_days", "refuse", "refuse", "allow")
	if err != nil {
		return "", 0, false, err
	}
	if err = only(values, "q", "limit", "missing_days"); err != nil {
		return "", 0, false, err
	}
	if text, err = single(values, "q"); err != nil {
		return "", 0, false, err
	}
	if text == "" {
		return "", 0, false, actionlog.Invalidf("q", "is missing")
	}
	n, err = limit(values, 10, 100)
	return text, n, how == "allow", err
}

// found is an entry of the directory as the API shows it.
type found struct {
	ID         string    `json:"id,omitempty"`
	Name       string    `json:"name,omitempty"`
	Title      string    `json:"title,omitempty"`
	Email      string    `json:"email,omitempty"`
	ExternalID string    `json:"external_id,omitempty"`
	Match      string    `json:"match"` // exact, near, or part: a name in common
	MatchedOn  string    `json:"matched_on"`
	Actions    int64     `json:"actions"`
	LastSeen   time.Time `json:"last_seen"`
}

// lookUp finds whom or what a text means: by e-mail address or ID, and by name,
// those first of whom every word is the same, then near ones, then those with a
// name in common.
func (s *server) lookUp(c *gin.Context, kind actionlog.DirectoryKind, text string, n int, missing bool) (data []found, more bool, err error) {
	all, err := lookups(text, kind)
	if err != nil {
		return nil, false, named("q", err)
	}
	ctx, r := c.Request.Context(), s.lookingUp(c.Param("institution"))
	data, keys, more, err := r.find(ctx, kind, text, all, n)
	if err != nil {
		return nil, false, err
	}
	mentions, err := s.Directory.Mentions(ctx, r.institution, kind, keys, missing)
	if err != nil {
		return nil, false, err
	}
	for i := range data {
		data[i].Actions, data[i].LastSeen = mentions[i].Actions, mentions[i].Last
	}
	return data, more, nil
}

// lookingUp is a reading that reads no filters.
func (s *server) lookingUp(institution string) *reading {
	return &reading{directory: s.Directory, institution: institution, staff: s.Staff, display: s.StaffDisplay}
}

// find lists at most n, each once, with their keys.
func (r *reading) find(ctx context.Context, kind actionlog.DirectoryKind, text string, all []lookup, n int) (data []found, keys []string, more bool, err error) {
	data, seen := []found{}, map[string]bool{}
	for _, l := range all {
		matches, left, err := r.matches(ctx, kind, text, l, n+1)
		if err != nil {
			return nil, nil, false, err
		}
		more = more || left
		for _, m := range matches {
			if seen[m.Entry.Key] || m.Entry.Staff && r.staff != actionlog.StaffShown {
				continue // staff are not people of the institution
			}
			seen[m.Entry.Key] = true
			if len(data) == n {
				more = true
				break
			}
			data, keys = append(data, r.foundAs(kind, text, l, m)), append(keys, m.Entry.Key)
		}
	}
	return data, keys, more, nil
}

// matches looks a text up in one way, best first.
func (r *reading) matches(ctx context.Context, kind actionlog.DirectoryKind, text string, l lookup, limit int) (list []people.Match, more bool, err error) {
	if len(l.match.Words) > 0 {
		return people.Search(ctx, r.source(kind), text, limit)
	}
	entries, more, err := r.directory.Lookup(ctx, r.institution, kind, l.match, limit)
	for _, e := range entries {
		list = append(list, people.Match{Entry: e, Exact: !l.begins})
	}
	return list, more, err
}

func (r *reading) foundAs(kind actionlog.DirectoryKind, text string, l lookup, m people.Match) found {
	about := r.describe(sought{param: "q", text: text}, kind, l, m.Entry, false)
	f := found{ID: about.ID, Name: about.Name, Title: about.Title, Email: about.Email, ExternalID: about.ExternalID, MatchedOn: about.MatchedOn}
	switch {
	case m.Exact:
		f.Match = "exact"
	case m.Near:
		f.Match = "near"
	default:
		f.Match = "part"
	}
	return f
}

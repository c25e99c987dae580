package search

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"unicode/utf8"

	"actionlog"

	"github.com/gin-gonic/gin"
)

// shownTerm is a piece of q as the API shows it. Its columns are characters, the first is 1.
type shownTerm struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Not   bool   `json:"not"`
	Start int    `json:"start"`
	End   int    `json:"end"` // behind it
}

// readQuery answers what q and the parameters beside it mean, without asking the directory
// or the store: it tells nothing of any action.
func (s *server) readQuery(c *gin.Context) {
	values, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		s.fail(c, actionlog.Invalidf("query", "is malformed: %v", err))
		return
	}
	said, err := speak(values)
	if err == nil {
		c.Set(spokenKey, said)
		r := reading{institution: c.Param("institution"), now: s.Now().UTC()}
		_, err = r.read(c.Request.Context(), said.values)
	}
	if err == nil {
		err = allUTF8(said.values)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	filters, terms := normal(said.values), make([]shownTerm, len(said.terms))
	for i, t := range said.terms {
		terms[i] = shownTerm{t.name, t.text, t.not, t.start + 1, t.end + 1}
	}
	c.JSON(http.StatusOK, gin.H{"data": gin.H{"q": render(filters), "filters": filters, "terms": terms}})
}

// allUTF8 refuses what JSON could not give back.
func allUTF8(values url.Values) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		for _, v := range values[name] {
			if !utf8.ValidString(v) {
				return actionlog.Invalidf(name, "is not UTF-8")
			}
		}
	}
	return nil
}

package search

import (
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"actionlog"

	"github.com/gin-gonic/gin"
	"golang.org/x/text/language"
)

// What the API says to people is English, or the language of Accept-Language that is next
// to it (RFC 9110, 12.5.4). locale/LANGUAGE.json has each sentence by its format (see
// actionlog.Message); what it has not stays English, as the causes of failures do. What is
// recorded and logged is always English.

//go:embed locale/*.json
var locales embed.FS

// speech is one language. nil is English.
type speech struct{ sentences map[string]string }

// say is a message in the language.
func (l *speech) say(m actionlog.Message) string {
	if l == nil {
		return m.String()
	}
	args := make([]any, len(m.Args))
	for i, a := range m.Args {
		if inner, ok := a.(actionlog.Message); ok {
			a = l.say(inner)
		}
		args[i] = a
	}
	format, known := l.sentences[m.Format]
	if !known {
		format = m.Format
	}
	return fmt.Sprintf(format, args...)
}

// text is a sentence with nothing in it.
func (l *speech) text(s string) string {
	if l != nil && l.sentences[s] != "" {
		return l.sentences[s]
	}
	return s
}

// tongues are the languages that the API speaks.
type tongues struct {
	matcher language.Matcher
	tags    []language.Tag
	known   []*speech // nil where English is
}

func readTongues() (*tongues, error) {
	all := &tongues{tags: []language.Tag{language.English}, known: []*speech{nil}}
	files, err := locales.ReadDir("locale")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		tag, err := language.Parse(strings.TrimSuffix(f.Name(), ".json"))
		if err != nil {
			return nil, fmt.Errorf("locale/%s: %w", f.Name(), err)
		}
		text, err := locales.ReadFile(path.Join("locale", f.Name()))
		l := &speech{}
		if err == nil {
			err = json.Unmarshal(text, &l.sentences)
		}
		if err != nil {
			return nil, fmt.Errorf("locale/%s: %w", f.Name(), err)
		}
		all.tags, all.known = append(all.tags, tag), append(all.known, l)
	}
	all.matcher = language.NewMatcher(all.tags)
	return all, nil
}

// speaks chooses the language of an answer, and says so in its headers.
func (s *server) speaks(c *gin.Context) *speech {
	_, i := language.MatchStrings(s.tongues.matcher, c.GetHeader("Accept-Language"))
	c.Header("Content-Language", s.tongues.tags[i].String())
	c.Header("Vary", "Accept-Language")
	return s.tongues.known[i]
}

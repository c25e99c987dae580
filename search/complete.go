package search

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"actionlog"

	"github.com/gin-gonic/gin"
)

// Completions of q while somebody types. complete_values.go has those that are known
// beforehand, complete_names.go those of the directory.

// completion is a text that may stand in the place of what is typed.
type completion struct {
	Kind   string `json:"kind"`  // name, value, action, person, course, class
	Text   string `json:"text"`  // replaces the characters from Start to before End
	Start  int    `json:"start"` // the first is 1
	End    int    `json:"end"`
	Label  string `json:"label"`
	Detail string `json:"detail"`
	Match  string `json:"match"` // exact; near; part: its beginning, or a name in common
	// Actions name them, over all days; of people, courses and classes only, where they
	// can be counted.
	Actions *int64 `json:"actions,omitempty"`
}

// typing is a text and where somebody types in it. Places are characters, from 0.
type typing struct {
	text   []rune
	at     int
	before []piece // up to the one that is typed
	piece
	inName bool   // the cursor is in the name, or in a word that may become one
	typed  string // what stands of the value, or the word, before the cursor
}

func typingAt(text []rune, at int) typing {
	t := typing{text: text, at: at, piece: piece{start: at, end: at, from: at, to: at, nameStart: at}}
	for _, p := range cutPieces(text) {
		if p.end < at {
			t.before = append(t.before, p)
			continue
		}
		if p.start < at {
			t.piece = p
		}
		break
	}
	if t.open { // what follows was not meant to be in the quotes
		t.end, t.to = at, at
	}
	if t.inName = t.name == "" || at < t.from; t.name != "" && t.inName {
		t.typed = string(text[min(at, t.nameStart):at])
		return t
	}
	value, places := t.value(text)
	n := 0
	for n < len(places) && places[n] < at {
		n++
	}
	t.typed = string(value[:n])
	return t
}

// with is a completion that takes the place of the piece.
func (t *typing) with(c completion, text string) completion {
	if t.not {
		text = "-" + text
	}
	if t.end == len(t.text) || !unicode.IsSpace(t.text[t.end]) {
		text += " "
	}
	c.Text, c.Start, c.End = text, t.start+1, t.end+1
	return c
}

func typingOf(u *url.URL) (t typing, n int, err error) {
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return t, 0, actionlog.Invalidf("query", "is malformed: %v", err)
	}
	if err = only(values, "q", "at", "limit"); err != nil {
		return t, 0, err
	}
	if len(values["q"]) > 1 {
		return t, 0, actionlog.Invalidf("q", "is given more than once")
	}
	text := []rune(values.Get("q"))
	at := len(text)
	place, err := single(values, "at")
	if err == nil && place != "" {
		if at, err = strconv.Atoi(place); err != nil || at < 0 || at > len(text) {
			err = actionlog.Invalidf("at", "%q is not a number from 0 to %d, the length of q", clipped(place, 60), len(text))
		}
	}
	if err != nil {
		return t, 0, err
	}
	if n, err = limit(values, 10, 100); err != nil {
		return t, 0, err
	}
	return typingAt(text, at), n, nil
}

// beginning is with what the names begin that are looked for: who types on asks the same
// question, and who goes through the directory does not.
func beginning(typed string) string {
	runes := []rune(strings.ToLower(strings.TrimLeft(typed, `" -`)))
	return string(runes[:min(2, len(runes))])
}

// complete answers how what is being typed may go on. A text that is not finished, or
// wrong, is none that is refused.
func (s *server) complete(c *gin.Context) {
	start := s.Now()
	t, n, err := typingOf(c.Request.URL)
	if err != nil {
		s.fail(c, err)
		return
	}
	found := s.known(&t)
	names, asked, err := s.names(c.Request.Context(), c.Param("institution"), &t, n+1)
	found = append(found, names...)
	if t.name == "" { // a person is meant more often than a kind of action
		found = append(found, t.word()...)
	}
	more := len(found) > n
	found = found[:min(n, len(found))]
	if err == nil && asked {
		err = s.counted(c, "names as "+beginning(t.typed), namesIn(found))
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	if found == nil {
		found = []completion{}
	}
	said := s.speaks(c)
	for i, f := range found {
		if f.Kind == "name" || f.Kind == "value" || f.Kind == "person" && f.Detail == aboutStaff {
			found[i].Detail = said.text(f.Detail)
		}
	}
	c.JSON(http.StatusOK, gin.H{"data": found, "meta": gin.H{"took_ms": s.Now().Sub(start).Milliseconds(), "more": more}})
}

// namesIn counts the completions that tell of people, courses and classes.
func namesIn(found []completion) (n int) {
	for _, c := range found {
		if c.Kind == "person" || c.Kind == "course" || c.Kind == "class" {
			n++
		}
	}
	return n
}

// startsWith compares without regard to letter case.
func startsWith(text, typed string) bool {
	return len(text) >= len(typed) && strings.EqualFold(text[:len(typed)], typed)
}

package search

import (
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"actionlog"

	"github.com/gin-gonic/gin"
)

// misread is what is wrong with a piece of q, and where it stands.
type misread struct {
	*actionlog.InvalidError
	column, length int // in characters, the first is 1
}

func (m *misread) Unwrap() error { return m.InvalidError }

// misreadAt is about the characters from a place to another.
func misreadAt(from, to int, format string, args ...any) error {
	return &misread{&actionlog.InvalidError{Field: "q", Reason: actionlog.Message{Format: format, Args: args}}, from + 1, max(1, to-from)}
}

// term is a piece and the parameter that it is about.
type term struct {
	piece
	name  string // the parameter's
	plain bool   // it has no qualifier
	text  string // its value, without quotes
}

// spoken is what a request asks for: the parameters, with what q says in its place.
type spoken struct {
	values url.Values
	text   []rune // q
	terms  []term
}

const spokenKey = "spoken"

func spokenIn(c *gin.Context) *spoken {
	said, _ := c.Value(spokenKey).(*spoken)
	return said
}

// speak puts what q says among the other parameters. The two are combined (AND); a name in
// both is refused, because its values would be alternatives.
func speak(values url.Values) (*spoken, error) {
	said := &spoken{values: values}
	if len(values["q"]) > 1 {
		return nil, actionlog.Invalidf("q", "is given more than once")
	}
	if !values.Has("q") {
		return said, nil
	}
	found, err := said.read(values.Get("q"))
	if err != nil {
		return nil, err
	}
	said.values = maps.Clone(values)
	delete(said.values, "q")
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if len(split(said.values[name], false)) > 0 {
			return nil, actionlog.Invalidf(name, "is given in q too; give it in one of the two")
		}
		said.values[name] = found[name]
	}
	return said, nil
}

// point says where in q the parameter stands that an error is about.
func (s *spoken) point(err error) error {
	var pointed *misread
	var invalid *actionlog.InvalidError
	if s == nil || errors.As(err, &pointed) || !errors.As(err, &invalid) {
		return err
	}
	name := parameterOf(invalid.Field)
	if _, isRole := roles[name]; isRole && !s.values.Has(name) {
		name = "user" // with user_role
	}
	for _, t := range s.terms {
		if t.name == name {
			return misreadAt(t.from, t.to, "%s: %s", t.called(), invalid.Reason)
		}
	}
	return invalid.At(name)
}

// called is how a person calls what the term is about.
func (t *term) called() any {
	if t.plain {
		return actionlog.Message{Format: "words"}
	}
	return t.piece.name
}

// read reads q.
func (s *spoken) read(q string) (url.Values, error) {
	s.text = []rune(q)
	if !utf8.ValidString(q) {
		return nil, actionlog.Invalidf("q", "is not UTF-8")
	}
	found := url.Values{}
	var words []string
	for _, p := range cutPieces(s.text) {
		t, err := s.term(p)
		if err != nil {
			return nil, err
		}
		s.terms = append(s.terms, t)
		switch {
		case t.plain && !t.not:
			words = append(words, t.text)
		case isSetting(t.name):
			if t.not {
				return nil, misreadAt(t.start, t.start+1, "%s cannot be excluded", t.called())
			}
			if found.Has(t.name) {
				return nil, misreadAt(t.start, t.end, "%s is given more than once", t.called())
			}
			found.Set(t.name, t.text)
		default:
			values, err := s.judge(t)
			if err != nil {
				return nil, err
			}
			found[t.name] = append(found[t.name], values...)
		}
	}
	if err := s.addWords(found, strings.Join(words, " ")); err != nil {
		return nil, err
	}
	return normal(found), nil
}

// addWords puts the plain words, which must all occur, into each value of any.
func (s *spoken) addWords(found url.Values, words string) error {
	if words == "" {
		return nil
	}
	if err := filters[plainWords].judge(words); err != nil {
		first := slices.IndexFunc(s.terms, func(t term) bool { return t.plain && !t.not })
		return misreadAt(s.terms[first].start, s.terms[first].end, "%s", reasonOf(err))
	}
	wanted := false
	for i, value := range found[plainWords] {
		if text, not := signed(value); !not {
			found[plainWords][i], wanted = signedText(text+" "+words, false), true
		}
	}
	if !wanted {
		found.Add(plainWords, signedText(words, false))
	}
	return nil
}

// term reads a piece.
func (s *spoken) term(p piece) (t term, err error) {
	value, _ := p.value(s.text)
	t = term{piece: p, name: plainWords, plain: p.name == "", text: string(value)}
	switch {
	case p.open:
		return t, misreadAt(p.from-1, p.end, "a quote is opened and not closed")
	case p.tail > 0:
		return t, misreadAt(p.tail, p.end, "a space is missing behind the closing quote")
	case !t.plain:
		return t, s.qualify(&t)
	case t.text == "" && !p.quoted:
		return t, misreadAt(p.start, p.end, "a - stands alone: it excludes what follows it without a space")
	case strings.TrimSpace(t.text) == "":
		return t, misreadAt(p.start, p.end, "there is nothing in the quotes")
	case !p.quoted && strings.HasPrefix(t.text, `\-`):
		t.text = t.text[1:]
	case !p.quoted && p.not && t.text[0] == '-':
		return t, misreadAt(p.start, p.start+2, `there are two minuses: one excludes, and \- is a minus itself`)
	}
	return t, nil
}

func (s *spoken) qualify(t *term) error {
	typed := t.piece.name
	q, known := qualifierNamed(typed)
	if !known {
		from, to := t.nameStart, t.from-quoteLength(t.piece)
		if near := nearestName(typed); near != "" {
			return misreadAt(from, to, "there is no filter %q; did you mean %q?", clipped(typed, 60), near)
		}
		return misreadAt(from, to, "there is no filter %q; a word with a colon is looked for in quotes", clipped(typed, 60))
	}
	if t.name = q.name; strings.TrimSpace(t.text) == "" {
		return misreadAt(t.start, t.end, "%s: lacks a value, which follows the colon without a space", typed)
	}
	return nil
}

// quoteLength is what stands between a name and its value: the colon, and a quote.
func quoteLength(p piece) int {
	if p.quoted {
		return 2
	}
	return 1
}

// judge returns the values of a filter as its parameter takes them, or what is wrong with
// one of them.
func (s *spoken) judge(t term) (values []string, err error) {
	if t.plain {
		if err := filters[plainWords].judge(t.text); err != nil {
			return nil, misreadAt(t.start, t.end, "%s", reasonOf(err))
		}
		return []string{signedText(t.text, true)}, nil
	}
	spec := filters[t.name]
	value, at := t.value(s.text)
	for from := 0; from <= len(value); {
		to := len(value)
		if spec.list {
			to = from + untilComma(value[from:])
		}
		item := strings.TrimSpace(string(value[from:to]))
		if item != "" {
			text, not := signed(item)
			if not && t.not {
				return nil, misreadAt(at[from], at[to-1]+1, "%s: is excluded twice", t.called())
			}
			if err := spec.judge(text); err != nil {
				return nil, misreadAt(at[from], at[to-1]+1, "%s: %s", t.called(), reasonOf(err))
			}
			values = append(values, signedText(text, not || t.not))
		}
		from = to + 1
	}
	if len(values) == 0 {
		return nil, misreadAt(t.from, t.to, "%s: lacks a value", t.called())
	}
	return values, nil
}

func reasonOf(err error) actionlog.Message {
	if invalid, ok := err.(*actionlog.InvalidError); ok {
		return invalid.Reason
	}
	return actionlog.Message{Format: "%s", Args: []any{err}}
}

// signedText writes a value with its sign, see signed.
func signedText(text string, not bool) string {
	switch {
	case not:
		return "-" + text
	case strings.HasPrefix(text, "-"):
		return `\` + text
	}
	return text
}

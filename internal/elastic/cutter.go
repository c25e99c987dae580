package elastic

import (
	"strings"

	"actionlog/internal/people"
)

// Texts of up to maxCutText bytes are cut once: most strings of an action stand in
// many others. maxCutTexts bounds what is remembered.
const maxCutTexts, maxCutText = 4096, 64

// cutter cuts texts into words, and remembers. It is of one goroutine.
type cutter struct {
	seen map[string]struct{}
	cut  map[string][]string // texts of text fields, see wordTerm
	text strings.Builder
}

func newCutter() *cutter {
	return &cutter{seen: make(map[string]struct{}, 128), cut: make(map[string][]string, 256)}
}

// words are the words of a text as a text field holds them.
func (c *cutter) words(text string) []string {
	words, ok := c.cut[text]
	if ok {
		return words
	}
	words = people.Words(text)
	for i, w := range words {
		words[i] = wordTerm(w)
	}
	if len(text) <= maxCutText {
		if len(c.cut) >= maxCutTexts {
			clear(c.cut)
		}
		c.cut[text] = words
	}
	return words
}

func (c *cutter) nameText(name string) string { return strings.Join(c.words(name), " ") }

// anyText is each word of the texts, once.
func (c *cutter) anyText(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	clear(c.seen)
	c.text.Reset()
	for _, text := range texts {
		for _, w := range c.words(text) {
			if _, ok := c.seen[w]; ok {
				continue
			}
			c.seen[w] = struct{}{}
			if c.text.Len() > 0 {
				c.text.WriteByte(' ')
			}
			c.text.WriteString(w)
		}
	}
	return c.text.String()
}

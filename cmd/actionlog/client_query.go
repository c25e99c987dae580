package main

import (
	"context"
	"net/url"
	"strings"

	"github.com/rivo/uniseg"
)

// queryArg is the text of a search box, see docs/query.md. Its mistakes are shown in it.
type queryArg struct {
	Query []string `arg:"" optional:"" env:"-" placeholder:"QUERY" help:"Words and filters as one text: 'user:\"melody wang\" -outcome:failure arts'. In single quotes, or behind -- where it begins with a minus."`
}

// filtersOf asks the service what a query means, as its parameters.
func (c *client) filtersOf(ctx context.Context, query url.Values) (filters url.Values, err error) {
	path, err := c.path(ctx, "query")
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data struct {
			Filters url.Values `json:"filters"`
		} `json:"data"`
	}
	err = c.get(ctx, path, query, &answer)
	return answer.Data.Filters, err
}

// around is how many characters of a long text are shown on either side of a mistake.
const around = 60

// underlined shows a text with carets under the characters from column on, of which the
// first is 1.
func underlined(text string, column, length int) string {
	all := []rune(clean(text))
	from := min(max(0, column-1), len(all))
	to := min(from+max(1, length), len(all))
	first, last := max(0, from-around), min(len(all), to+around)
	before, after := string(all[first:from]), string(all[to:last])
	if first > 0 {
		before = "…" + before
	}
	if last < len(all) {
		after += "…"
	}
	marked := string(all[from:to])
	return before + marked + after + "\n" + strings.Repeat(" ", uniseg.StringWidth(before)) + strings.Repeat("^", max(1, uniseg.StringWidth(marked)))
}

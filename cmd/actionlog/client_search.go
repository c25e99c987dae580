package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"actionlog"

	"github.com/alecthomas/kong"
)

// maxPage is the API's limit of one page.
const maxPage = 1000

// searchCmd lists what the filters find.
type searchCmd struct {
	queryArg
	filters
	Limit  int    `default:"50" env:"-" help:"At most so many actions."`
	All    bool   `env:"-" help:"All of them, however many."`
	Order  string `enum:"newest,oldest" default:"newest" env:"-" placeholder:"ORDER" help:"newest or oldest first. Default: newest."`
	Format string `short:"f" env:"-" enum:"auto,table,ndjson,json,csv" default:"auto" help:"table, ndjson, json or csv. Default: a table on a terminal, else ndjson. A narrow terminal leaves out a table's last columns."`
	Output string `short:"o" placeholder:"FILE" env:"-" help:"Write to a file."`
}

// listAnswer is a page of the list.
type listPage struct {
	Data []json.RawMessage `json:"data"`
	Page struct {
		Next string `json:"next"`
	} `json:"page"`
	Meta listMeta `json:"meta"`
}

type listMeta struct {
	Total struct {
		Value    int64  `json:"value"`
		Relation string `json:"relation"`
	} `json:"total"`
	From            time.Time  `json:"from"`
	To              time.Time  `json:"to"`
	CompleteThrough *time.Time `json:"complete_through"`
	Defaulted       []string   `json:"defaulted"`
	Matched         []matched  `json:"matched"`
	Missing         []dayRange `json:"missing"`
}

// dayRange is a range of days, both included.
type dayRange struct{ From, To actionlog.Day }

// sayMissing says which days an answer does not have.
func sayMissing(out *console, missing []dayRange) {
	for _, d := range missing {
		out.say("actions of %s to %s are not searchable any more and not in this answer: actionlog restore create brings them back", d.From, d.To)
	}
}

// Run searches.
func (s *searchCmd) Run(ctx context.Context, settings *settings, out *console, parsed *kong.Context) error {
	if s.Limit < 1 {
		return usagef("--limit: %d is not a positive number", s.Limit)
	}
	c, err := settings.client()
	if err != nil {
		return err
	}
	query := filterValues(parsed, s.queryArg)
	says := query
	if query.Has("q") {
		if says, err = c.filtersOf(ctx, query); err != nil {
			return err
		}
	}
	zone, err := zoneNamed(says.Get("tz"))
	if err != nil {
		return err
	}
	query.Set("order", s.Order)
	o, err := out.open(s.Output)
	if err != nil {
		return err
	}
	defer o.abandon()
	format := out.formatFor(s.Format, s.Output)
	var meta listMeta
	var shown int
	var more bool
	if format == "csv" {
		shown, more, meta.Missing, err = s.csv(ctx, c, query, says.Has("near"), o)
	} else {
		w := newRecordWriter(o, format, zone)
		shown, more, meta, err = s.pages(ctx, c, query, w)
	}
	if err != nil {
		return err
	}
	if err := o.commit(); err != nil {
		return err
	}
	s.remark(out, format, shown, more, meta)
	if shown == 0 {
		c.sayUnknown(ctx, out)
	}
	return nil
}

// recordWriter writes envelopes in one of the formats.
type recordWriter struct {
	add func(envelope []byte) error
	// page ends a page: a table is aligned within it.
	page func() error
	end  func() error
}

func newRecordWriter(o *output, format string, zone *time.Location) recordWriter {
	none := func() error { return nil }
	if format == "table" {
		t := newRecordTable(o, zone)
		return recordWriter{t.add, t.Flush, t.Flush}
	}
	a := &array{w: o, lines: format == "ndjson"}
	return recordWriter{a.add, none, a.end}
}

// pages walks the list. With more, there are actions beyond what was asked for.
func (s *searchCmd) pages(ctx context.Context, c *client, query url.Values, w recordWriter) (shown int, more bool, meta listMeta, err error) {
	path, err := c.path(ctx, "actions")
	if err != nil {
		return 0, false, meta, err
	}
	for first := true; ; first = false {
		size := maxPage
		if !s.All {
			size = min(size, s.Limit-shown)
		}
		query.Set("limit", strconv.Itoa(size))
		var p listPage
		if err := c.get(ctx, path, query, &p); err != nil {
			return shown, false, meta, err
		}
		if first {
			meta = p.Meta
		}
		for _, envelope := range p.Data {
			if err := w.add(envelope); err != nil {
				return shown, false, meta, err
			}
			shown++
		}
		if err := w.page(); err != nil {
			return shown, false, meta, err
		}
		if p.Page.Next == "" || !s.All && shown >= s.Limit {
			return shown, p.Page.Next != "", meta, w.end()
		}
		query.Set("cursor", p.Page.Next)
		query.Set("total", "none") // it was counted
	}
}

// csv takes the first rows of an export, so that there is one meaning of the
// columns, the service's.
func (s *searchCmd) csv(ctx context.Context, c *client, query url.Values, near bool, w io.Writer) (shown int, more bool, missing []dayRange, err error) {
	path, err := c.path(ctx, "export")
	if err != nil {
		return 0, false, nil, err
	}
	query.Set("format", "csv")
	if !near {
		query.Set("near", "auto") // as in the other formats
	}
	resp, err := c.do(ctx, http.MethodGet, path, query, "", nil)
	if err != nil {
		return 0, false, nil, err
	}
	defer resp.Body.Close()
	missing = missingOf(resp.Header.Get(headerMissing))
	body := newDigest(resp.Body)
	rows, header := csv.NewReader(body), true
	rows.ReuseRecord = true
	copied := csv.NewWriter(w)
	copied.UseCRLF = true
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			copied.Flush()
			return shown, false, missing, errors.Join(copied.Error(), body.checkTrailers(resp))
		}
		if err != nil {
			return shown, false, missing, brokenOff(shown, err)
		}
		if !header && !s.All && shown == s.Limit {
			copied.Flush()
			return shown, true, missing, copied.Error()
		}
		if !header {
			shown++
		}
		header = false
		if err := copied.Write(row); err != nil {
			return shown, false, missing, err
		}
	}
}

// remark says on standard error what a reader of a table should know.
func (s *searchCmd) remark(out *console, format string, shown int, more bool, meta listMeta) {
	sayMissing(out, meta.Missing)
	if format != "table" && !isTerminal(out.err) && !more { // who reads less than there is has to know
		return
	}
	total := strconv.Itoa(shown)
	if more && meta.Total.Relation == "gte" {
		total = fmt.Sprintf("%d of at least %d", shown, meta.Total.Value)
	} else if more && meta.Total.Value > 0 {
		total = fmt.Sprintf("%d of %d", shown, meta.Total.Value)
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "%s actions", total)
	if !meta.From.IsZero() {
		fmt.Fprintf(&text, ", from %s", meta.From.UTC().Format(time.RFC3339))
	}
	if len(meta.Defaulted) > 0 {
		text.WriteString(" (no time was given: the last 7 days)")
	}
	if meta.CompleteThrough != nil {
		fmt.Fprintf(&text, ", complete through %s", meta.CompleteThrough.UTC().Format(time.RFC3339))
	}
	if more {
		text.WriteString("; more with --limit or --all")
	}
	out.say("%s", text.String())
	sayNear(out, meta.Matched)
}

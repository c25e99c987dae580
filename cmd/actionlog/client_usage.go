package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
)

// usageCmd says how much of the log is whose.
type usageCmd struct {
	From   string `env:"-" placeholder:"DATE" help:"First UTC day. Default: the first of this month."`
	To     string `env:"-" placeholder:"DATE" help:"Last UTC day. Default: today."`
	By     string `env:"-" enum:"day,month,total" default:"total" help:"A row for each day, month, or one for each institution: ${enum}. Default: ${default}."`
	Format string `short:"f" env:"-" enum:"auto,table,ndjson,json,csv" default:"auto" help:"table, ndjson, json or csv. Default: a table on a terminal, else ndjson."`
	Output string `short:"o" env:"-" placeholder:"FILE" help:"Write to FILE, which appears under its name when it is whole."`
}

// usageRow is a row as the API gives it.
type usageRow struct {
	Institution string `json:"institution"`
	From        string `json:"from"`
	To          string `json:"to"`
	Actions     int64  `json:"actions"`
	Archived    *int64 `json:"archived"`
	Bytes       *int64 `json:"bytes"`
}

var usageColumns = []string{"institution", "from", "to", "actions", "archived", "bytes"}

func (u *usageRow) cells() []string {
	number := func(n *int64) string {
		if n == nil {
			return ""
		}
		return strconv.FormatInt(*n, 10)
	}
	return []string{u.Institution, u.From, u.To, strconv.FormatInt(u.Actions, 10), number(u.Archived), number(u.Bytes)}
}

// Run writes all rows, page by page.
func (u *usageCmd) Run(ctx context.Context, s *settings, out *console) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	to, err := out.open(u.Output)
	if err != nil {
		return err
	}
	defer to.abandon()
	add, end := usageWriter(to, out.formatFor(u.Format, u.Output))
	query := url.Values{"by": {u.By}, "limit": {"1000"}}
	for name, date := range map[string]string{"from": u.From, "to": u.To} {
		if date != "" {
			query.Set(name, date)
		}
	}
	var page struct {
		Data []json.RawMessage
		Page struct{ Next string }
		Meta struct {
			Through *string `json:"complete_through"`
			Counted *string `json:"counted_from"`
		}
	}
	institutions, actions, last := 0, int64(0), ""
	for {
		page.Data, page.Page.Next = nil, ""
		if err := c.get(ctx, "/v1/usage", query, &page); err != nil {
			return err
		}
		for _, raw := range page.Data {
			var row usageRow
			if err := errors.Join(json.Unmarshal(raw, &row), add(raw, &row)); err != nil {
				return err
			}
			if actions += row.Actions; row.Institution != last {
				institutions, last = institutions+1, row.Institution
			}
		}
		if page.Page.Next == "" {
			break
		}
		query.Set("cursor", page.Page.Next)
	}
	if err := errors.Join(end(), to.commit()); err != nil {
		return err
	}
	if page.Meta.Counted != nil {
		out.say("days before %s are not counted: they are not in the store, and this process reads no archive", *page.Meta.Counted)
	}
	through := "nothing was published yet"
	if page.Meta.Through != nil {
		through = "all is counted that came up to position " + *page.Meta.Through
	}
	out.say("%d actions of %d institutions; %s", actions, institutions, through)
	return nil
}

// usageWriter writes rows in a format.
func usageWriter(to *output, format string) (add func(raw json.RawMessage, row *usageRow) error, end func() error) {
	switch format {
	case "table":
		t := newTable(to, "INSTITUTION", "FROM", "TO", "ACTIONS", "ARCHIVED", "BYTES")
		return func(_ json.RawMessage, row *usageRow) error { t.row(row.cells()...); return t.err }, t.Flush
	case "csv":
		w := csv.NewWriter(to)
		w.UseCRLF = true
		err := w.Write(usageColumns)
		return func(_ json.RawMessage, row *usageRow) error { return errors.Join(err, w.Write(row.cells())) }, func() error { w.Flush(); return errors.Join(err, w.Error()) }
	}
	a := &array{w: to, lines: format == "ndjson"}
	return func(raw json.RawMessage, _ *usageRow) error { return a.add(raw) }, a.end
}

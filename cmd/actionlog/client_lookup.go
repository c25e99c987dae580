package main

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// lookup is what people, courses and classes have in common.
type lookup struct {
	Text   []string `arg:"" help:"What to look for."`
	Limit  int      `default:"10" env:"-" help:"At most so many, best first."`
	Format string   `short:"f" env:"-" enum:"auto,table,ndjson,json" default:"auto" help:"table, ndjson or json. Default: a table on a terminal, else ndjson."`
}

type peopleCmd struct{ lookup }
type coursesCmd struct{ lookup }
type classesCmd struct{ lookup }

// Run looks up people.
func (l *peopleCmd) Run(ctx context.Context, s *settings, out *console) error {
	return l.run(ctx, s, out, "people")
}

// Run looks up courses.
func (l *coursesCmd) Run(ctx context.Context, s *settings, out *console) error {
	return l.run(ctx, s, out, "courses")
}

// Run looks up classes.
func (l *classesCmd) Run(ctx context.Context, s *settings, out *console) error {
	return l.run(ctx, s, out, "classes")
}

func (l *lookup) run(ctx context.Context, s *settings, out *console, what string) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	path, err := c.path(ctx, what)
	if err != nil {
		return err
	}
	var answer struct {
		Data []json.RawMessage `json:"data"`
		Meta struct {
			More bool `json:"more"`
		} `json:"meta"`
	}
	query := url.Values{"q": {strings.Join(l.Text, " ")}, "limit": {strconv.Itoa(l.Limit)}}
	if err := c.get(ctx, path, query, &answer); err != nil {
		return err
	}
	if err := writeList(out, out.formatFor(l.Format, ""), answer.Data, entryTable(what)); err != nil {
		return err
	}
	if answer.Meta.More {
		out.say("there are more: --limit")
	}
	return nil
}

// rows describes a table: its columns and how an entry fills them.
type rows struct {
	columns []string
	cells   func(entry []byte) ([]string, error)
}

// writeList writes entries as a table, an array or lines.
func writeList(out *console, format string, entries []json.RawMessage, r rows) error {
	o, err := out.open("")
	if err != nil {
		return err
	}
	if format != "table" {
		a := &array{w: o, lines: format == "ndjson"}
		for _, e := range entries {
			if err := a.add(e); err != nil {
				return err
			}
		}
		if err := a.end(); err != nil {
			return err
		}
		return o.commit()
	}
	t := newTable(o, r.columns...)
	for _, e := range entries {
		cells, err := r.cells(e)
		if err != nil {
			return err
		}
		t.row(cells...)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return o.commit()
}

func entryTable(what string) rows {
	type entry struct {
		ID         string    `json:"id"`
		Name       string    `json:"name"`
		Title      string    `json:"title"`
		Email      string    `json:"email"`
		ExternalID string    `json:"external_id"`
		Match      string    `json:"match"`
		MatchedOn  string    `json:"matched_on"`
		Actions    int64     `json:"actions"`
		LastSeen   time.Time `json:"last_seen"`
	}
	columns := []string{"TITLE", "ID", "MATCH", "ACTIONS", "LAST SEEN"}
	if what == "people" {
		columns = []string{"NAME", "ID", "MATCH", "ACTIONS", "LAST SEEN", "E-MAIL", "EXTERNAL ID"}
	}
	return rows{columns, func(raw []byte) ([]string, error) {
		var e entry
		if err := json.Unmarshal(raw, &e); err != nil {
			return nil, err
		}
		cells := []string{first(e.Name, e.Title), e.ID, strings.TrimSpace(e.Match + " " + e.MatchedOn), strconv.FormatInt(e.Actions, 10), shortTime(e.LastSeen)}
		if what == "people" {
			cells = append(cells, e.Email, e.ExternalID)
		}
		return cells, nil
	}}
}

func shortTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

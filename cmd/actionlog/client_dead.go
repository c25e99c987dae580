package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// deadCmd looks after dead letters: actions that could not be indexed.
type deadCmd struct {
	List   deadListCmd   `cmd:"" help:"List dead letters, oldest first."`
	Show   deadShowCmd   `cmd:"" help:"Show a dead letter, its document included."`
	Replay deadReplayCmd `cmd:"" help:"Publish dead letters again, once their cause is mended, and drop them."`
	Drop   deadDropCmd   `cmd:"" help:"Drop dead letters for good."`
}

type deadListCmd struct {
	Format string `short:"f" env:"-" enum:"auto,table,ndjson,json" default:"auto" help:"table, ndjson or json. Default: a table on a terminal, else ndjson."`
}

const deadPath = "/v1/dead-letters"

// Run lists all dead letters, page by page.
func (d *deadListCmd) Run(ctx context.Context, s *settings, out *console) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	o, err := out.open("")
	if err != nil {
		return err
	}
	w := newDeadWriter(o, out.formatFor(d.Format, ""))
	err = c.eachDeadLetter(ctx, func(letter json.RawMessage) error { return w.add(letter) })
	if err != nil {
		return err
	}
	if err := w.end(); err != nil {
		return err
	}
	return o.commit()
}

// eachDeadLetter walks the list.
func (c *client) eachDeadLetter(ctx context.Context, visit func(json.RawMessage) error) error {
	query := url.Values{"limit": {strconv.Itoa(100)}}
	for {
		var p listPage
		if err := c.get(ctx, deadPath, query, &p); err != nil {
			return err
		}
		for _, letter := range p.Data {
			if err := visit(letter); err != nil {
				return err
			}
		}
		if p.Page.Next == "" {
			return nil
		}
		query.Set("cursor", p.Page.Next)
	}
}

func newDeadWriter(o *output, format string) recordWriter {
	if format != "table" {
		a := &array{w: o, lines: format == "ndjson"}
		return recordWriter{add: a.add, end: a.end}
	}
	t := newTable(o, "POSITION", "RECEIVED", "INSTITUTION", "REASON", "POINTER", "DETAIL")
	return recordWriter{end: t.Flush, add: func(raw []byte) error {
		var l struct {
			Position    string    `json:"position"`
			ReceivedAt  time.Time `json:"received_at"`
			Institution string    `json:"institution"`
			Reason      string    `json:"reason"`
			Pointer     string    `json:"pointer"`
			Detail      string    `json:"detail"`
		}
		if err := json.Unmarshal(raw, &l); err != nil {
			return err
		}
		t.row(l.Position, shortTime(l.ReceivedAt), l.Institution, l.Reason, l.Pointer, l.Detail)
		return nil
	}}
}

type deadShowCmd struct {
	Position string `arg:"" help:"As the list gives it."`
}

// Run shows one.
func (d *deadShowCmd) Run(ctx context.Context, s *settings, out *console) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	var letter json.RawMessage
	if err := c.get(ctx, deadPath+"/"+url.PathEscape(d.Position), nil, &letter); err != nil {
		return err
	}
	return writeJSON(out.out, letter, true)
}

// deadChoice says which dead letters are meant.
type deadChoice struct {
	Positions []string `arg:"" optional:"" help:"As the list gives them."`
	All       bool     `env:"-" help:"All that there are."`
}

type deadReplayCmd struct{ deadChoice }

// Run replays.
func (d *deadReplayCmd) Run(ctx context.Context, s *settings, out *console) error {
	return d.each(ctx, s, out, "replayed", func(c *client, path string) error {
		return c.send(ctx, http.MethodPost, path+"/replay", nil, nil)
	})
}

type deadDropCmd struct{ deadChoice }

// Run drops.
func (d *deadDropCmd) Run(ctx context.Context, s *settings, out *console) error {
	return d.each(ctx, s, out, "dropped", func(c *client, path string) error {
		return c.send(ctx, http.MethodDelete, path, nil, nil)
	})
}

// each does something to every dead letter that is meant; one that fails does
// not keep it from the others.
func (d *deadChoice) each(ctx context.Context, s *settings, out *console, done string, do func(c *client, path string) error) error {
	if d.All == (len(d.Positions) > 0) {
		return usagef("give the positions of dead letters, or --all")
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	positions := d.Positions
	if d.All {
		// All that there are now: what a replay makes dead again comes behind.
		err := c.eachDeadLetter(ctx, func(raw json.RawMessage) error {
			var l struct{ Position string }
			if err := json.Unmarshal(raw, &l); err != nil {
				return err
			}
			positions = append(positions, l.Position)
			return nil
		})
		if err != nil {
			return err
		}
	}
	failed := 0
	for _, p := range positions {
		if err := do(c, deadPath+"/"+url.PathEscape(p)); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			failed++
			out.say("%s: %v", p, err)
		}
	}
	out.say("%d %s", len(positions)-failed, done)
	if failed > 0 {
		return errReported
	}
	return nil
}

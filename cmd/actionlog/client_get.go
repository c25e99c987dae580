package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/url"
)

// getCmd shows one action.
type getCmd struct {
	ID     string `arg:"" help:"The action's id."`
	Day    string `placeholder:"DATE" env:"-" help:"Its UTC date, where an id is on two days."`
	Format string `short:"f" env:"-" enum:"auto,text,ndjson,json,csv" default:"auto" help:"text, ndjson, json or csv. Default: indented text on a terminal, else ndjson."`
	Output string `short:"o" placeholder:"FILE" env:"-" help:"Write to a file."`
}

// Run asks for the action. The formats of an export come as the service
// writes them, and are checked like any export.
func (g *getCmd) Run(ctx context.Context, settings *settings, out *console) error {
	if g.ID == "" {
		return usagef("give the id of an action")
	}
	c, err := settings.client()
	if err != nil {
		return err
	}
	query := url.Values{}
	if g.Day != "" {
		query.Set("day", g.Day)
	}
	format := out.formatFor(g.Format, g.Output)
	if format == "json" || format == "csv" {
		return g.export(ctx, c, out, format, query)
	}
	path, err := c.path(ctx, "actions", g.ID)
	if err != nil {
		return err
	}
	var envelope json.RawMessage
	if err := c.get(ctx, path, query, &envelope); err != nil {
		return err
	}
	o, err := out.open(g.Output)
	if err != nil {
		return err
	}
	defer o.abandon()
	if err := writeJSON(o, envelope, format != "ndjson"); err != nil {
		return err
	}
	return o.commit()
}

func (g *getCmd) export(ctx context.Context, c *client, out *console, format string, query url.Values) error {
	path, err := c.path(ctx, "actions", g.ID, "export")
	if err != nil {
		return err
	}
	query.Set("format", format)
	_, err = c.download(ctx, out, path, query, g.Output)
	return err
}

// writeJSON writes a value on one line, or indented. Indented text is for a
// person to read, so what could steer a terminal is escaped in it.
func writeJSON(w io.Writer, value json.RawMessage, indented bool) error {
	var b bytes.Buffer
	indent := json.Compact
	if indented {
		indent = func(dst *bytes.Buffer, src []byte) error { return json.Indent(dst, src, "", "  ") }
	}
	if err := indent(&b, value); err != nil {
		return err
	}
	b.WriteByte('\n')
	text := b.Bytes()
	if indented {
		text = escapeControls(text)
	}
	_, err := w.Write(text)
	return err
}

// escapeControls writes DEL and the C1 controls, which JSON lets pass, as JSON
// escapes: the value stays the same.
func escapeControls(text []byte) []byte {
	var b bytes.Buffer
	for _, r := range string(text) {
		if r >= 0x7f && r <= 0x9f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			const digits = "0123456789abcdef"
			b.WriteString(`\u`)
			for shift := 12; shift >= 0; shift -= 4 {
				b.WriteByte(digits[r>>shift&0xf])
			}
			continue
		}
		b.WriteRune(r)
	}
	return b.Bytes()
}

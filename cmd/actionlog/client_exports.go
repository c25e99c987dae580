package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"actionlog"
)

// exportsCmd looks after export jobs: export --job makes them.
type exportsCmd struct {
	List exportsListCmd `cmd:"" help:"List the export jobs of the institution, newest first."`
	Show exportsShowCmd `cmd:"" help:"Show an export job."`
	Get  exportsGetCmd  `cmd:"" help:"Download the file of an export job, once it is ready, and check that it is whole."`
	Drop exportsDropCmd `cmd:"" help:"Cancel export jobs, or remove the files of those that are ready."`
}

// job has the export written by the service, and downloads it: what breaks on the way goes
// on where it was.
func (e *exportCmd) job(ctx context.Context, c *client, out *console, filter url.Values) error {
	path, err := c.path(ctx, "exports")
	if err != nil {
		return err
	}
	var x actionlog.Export
	err = c.send(ctx, http.MethodPost, path, map[string]any{"format": e.Format, "order": e.Order, "filter": filter}, &x)
	var p *problem
	if errors.As(err, &p) && strings.HasPrefix(p.Pointer, "/filter/") { // it was an option
		name := strings.TrimPrefix(p.Pointer, "/filter/")
		return usagef("--%s: %s", strings.ReplaceAll(name, "_", "-"), strings.TrimPrefix(p.Detail, p.Pointer+": "))
	}
	if err != nil {
		return err
	}
	out.say("export %s of %s is %s", x.ID, x.Institution, x.Status)
	return c.takeExport(ctx, out, path+"/"+x.ID, e.Output)
}

// takeExport waits for a job, and downloads its file.
func (c *client) takeExport(ctx context.Context, out *console, path, file string) error {
	x, err := c.awaitExport(ctx, out, path)
	if err == nil {
		err = c.fetch(ctx, out, path+"/content", &x, file)
	}
	if err != nil {
		if x.ID != "" && (x.Status == actionlog.ExportReady || ctx.Err() != nil) {
			out.say("the job is still there: actionlog exports get %s", x.ID)
		}
		return err
	}
	sayMissing(out, missingDays(x.Missing))
	out.say("%d actions exported, bytes, count and SHA-256 checked", *x.Count)
	return nil
}

func missingDays(list []actionlog.Days) (missing []dayRange) {
	for _, d := range list {
		missing = append(missing, dayRange(d))
	}
	return missing
}

// awaitExport waits until a job is ready, and says how far it is. A service that is away
// for a while, as one that is started again, is waited for.
func (c *client) awaitExport(ctx context.Context, out *console, path string) (x actionlog.Export, err error) {
	said, away := "", patience{}
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		var now actionlog.Export
		switch err := c.get(ctx, path, nil, &now); {
		case errors.Is(err, actionlog.ErrUnavailable) && away.more():
		case err != nil:
			return x, err
		default:
			x, away = now, patience{}
		}
		switch x.Status {
		case actionlog.ExportReady:
			return x, nil
		case actionlog.ExportFailed, actionlog.ExportCancelled, actionlog.ExportExpired:
			return x, fmt.Errorf("export %s is %s: %s", x.ID, x.Status, clean(x.Problem))
		}
		if text := progressOf(&x); text != said && isTerminal(out.err) {
			out.say("%s", text)
			said = text
		}
		select {
		case <-ctx.Done():
			return x, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// progressOf says how far a job is.
func progressOf(x *actionlog.Export) string {
	if x.Total != nil {
		return fmt.Sprintf("%s: %d of %d actions", x.Status, x.Written, x.Total.Value)
	}
	return string(x.Status)
}

type exportsListCmd struct {
	Format string `short:"f" env:"-" enum:"auto,table,ndjson,json" default:"auto" help:"table, ndjson or json. Default: a table on a terminal, else ndjson."`
}

// Run lists.
func (e *exportsListCmd) Run(ctx context.Context, s *settings, out *console) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	path, err := c.path(ctx, "exports")
	if err != nil {
		return err
	}
	var all []json.RawMessage
	for query := (url.Values{"limit": {"1000"}}); ; {
		var p listPage
		if err := c.get(ctx, path, query, &p); err != nil {
			return err
		}
		if all = append(all, p.Data...); p.Page.Next == "" {
			break
		}
		query.Set("cursor", p.Page.Next)
	}
	return writeList(out, out.formatFor(e.Format, ""), all, rows{[]string{"ID", "STATUS", "FORMAT", "ACTIONS", "BYTES", "CREATED", "EXPIRES", "BY", "PROBLEM"}, func(raw []byte) ([]string, error) {
		var x actionlog.Export
		if err := json.Unmarshal(raw, &x); err != nil {
			return nil, err
		}
		actions, bytes := strconv.FormatInt(x.Written, 10), ""
		if x.Count == nil && x.Total != nil {
			actions += " of " + strconv.FormatInt(x.Total.Value, 10)
		}
		if x.Bytes != nil {
			bytes = strconv.FormatInt(*x.Bytes, 10)
		}
		return []string{x.ID, string(x.Status), x.Format, actions, bytes, shortTime(x.CreatedAt), shortTime(x.ExpiresAt), x.By.Name, x.Problem}, nil
	}})
}

type exportsShowCmd struct {
	ID string `arg:"" help:"As the list gives it."`
}

// Run shows one.
func (e *exportsShowCmd) Run(ctx context.Context, s *settings, out *console) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	path, err := c.path(ctx, "exports", e.ID)
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if err := c.get(ctx, path, nil, &raw); err != nil {
		return err
	}
	return writeJSON(out.out, raw, true)
}

type exportsGetCmd struct {
	ID     string `arg:"" help:"As the list gives it."`
	Output string `short:"o" placeholder:"FILE" env:"-" help:"Write to FILE, by way of FILE.part: FILE appears when it is whole."`
}

// Run downloads.
func (e *exportsGetCmd) Run(ctx context.Context, s *settings, out *console) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	path, err := c.path(ctx, "exports", e.ID)
	if err != nil {
		return err
	}
	return c.takeExport(ctx, out, path, e.Output)
}

type exportsDropCmd struct {
	ID []string `arg:"" help:"As the list gives it."`
}

// Run drops.
func (e *exportsDropCmd) Run(ctx context.Context, s *settings, out *console) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	failed := 0
	for _, id := range e.ID {
		var x actionlog.Export
		path, err := c.path(ctx, "exports", id)
		if err == nil {
			err = c.send(ctx, http.MethodDelete, path, nil, &x)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			failed++
			out.say("%s: %v", id, err)
			continue
		}
		out.say("export %s of %s is %s", x.ID, x.Institution, x.Status)
	}
	if failed > 0 {
		return errReported
	}
	return nil
}

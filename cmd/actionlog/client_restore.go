package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"actionlog"

	"github.com/alecthomas/kong"
)

// restoreCmd brings back what is older than the searchable time.
type restoreCmd struct {
	Create  restoreCreateCmd  `cmd:"" help:"Ask for older actions to be brought back; with a token of staff, for one institution or many, it is granted at once."`
	List    restoreListCmd    `cmd:"" help:"List restores, newest first: of --institution, or (staff) of all."`
	Show    restoreShowCmd    `cmd:"" help:"Show a restore and its steps."`
	Grant   restoreGrantCmd   `cmd:"" help:"Let requested restores run (staff); or run one that failed again."`
	Decline restoreDeclineCmd `cmd:"" help:"Refuse requested restores (staff)."`
	Renew   restoreRenewCmd   `cmd:"" help:"Keep what was restored for another 14 days from now."`
	Drop    restoreDropCmd    `cmd:"" help:"Cancel restores, or give back what was restored."`
}

type restoreCreateCmd struct {
	From   string   `env:"-" placeholder:"DATE" help:"The first day (UTC)."`
	To     string   `env:"-" placeholder:"DATE" help:"The last day (UTC), included. Default: the last that is not searchable any more."`
	Reason string   `env:"-" placeholder:"TEXT" help:"Why it is needed; it is kept in the institution's log."`
	Filter []string `env:"-" sep:"none" placeholder:"NAME=VALUE" help:"Only actions that a search with this filter finds, as category=course or user=melody wang; repeat it."`
	File   string   `env:"-" placeholder:"FILE" help:"Many requests, an NDJSON line each: {\"institution\":…,\"from\":…,\"to\":…,\"filter\":{…},\"reason\":…}; - is standard input. Lines that were taken are not asked for again: see --done."`
	Done   string   `env:"-" placeholder:"FILE" help:"With --file: where the number of each line that was taken is noted, so that the command can be repeated. Default: FILE.done."`
	Wait   bool     `env:"-" help:"Wait until it is ready."`
}

// Run asks.
func (r *restoreCreateCmd) Run(ctx context.Context, s *settings, out *console) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	if r.File != "" {
		if r.From != "" || r.To != "" || r.Reason != "" || len(r.Filter) > 0 || r.Wait {
			return usagef("--file has all that a request says: no --from, --to, --reason, --filter or --wait beside it")
		}
		return r.many(ctx, c, out)
	}
	request := map[string]any{"from": r.From, "to": r.To, "reason": r.Reason}
	if filter, err := filterFlags(r.Filter); err != nil {
		return err
	} else if len(filter) > 0 {
		request["filter"] = filter
	}
	path, err := c.path(ctx, "restores")
	if err != nil {
		return err
	}
	var made actionlog.Restore
	if err := c.send(ctx, http.MethodPost, path, request, &made); err != nil {
		return err
	}
	if r.Wait {
		if made, err = c.awaitRestore(ctx, out, path+"/"+made.ID); err != nil {
			return err
		}
	}
	out.say("restore %s of %s, %s to %s, is %s", made.ID, made.Institution, made.From, made.To, made.Status)
	_, err = fmt.Fprintln(out.out, made.ID)
	return err
}

// filterFlags reads NAME=VALUE.
func filterFlags(flags []string) (url.Values, error) {
	filter := url.Values{}
	for _, f := range flags {
		name, value, ok := strings.Cut(f, "=")
		if !ok || name == "" {
			return nil, usagef("--filter: %q is not NAME=VALUE", f)
		}
		filter.Add(parameterName(strings.TrimSpace(name)), value)
	}
	return filter, nil
}

// awaitRestore waits until nothing more happens by itself.
func (c *client) awaitRestore(ctx context.Context, out *console, path string) (r actionlog.Restore, err error) {
	said := ""
	for {
		if err := c.get(ctx, path, nil, &r); err != nil {
			return r, err
		}
		now := string(r.Status) + " " + r.Problem
		if r.Status == actionlog.RestoreRunning && r.Estimate != nil {
			now = fmt.Sprintf("running: %d of %d actions read", r.Progress.Read, r.Estimate.Actions)
		}
		if now != said && isTerminal(out.err) {
			out.say("%s", strings.TrimSpace(now))
		}
		said = now
		switch r.Status {
		case actionlog.RestoreReady:
			return r, nil
		case actionlog.RestoreFailed, actionlog.RestoreCancelled, actionlog.RestoreDeclined, actionlog.RestoreExpired:
			return r, fmt.Errorf("restore %s is %s: %s", r.ID, r.Status, r.Problem)
		}
		select {
		case <-ctx.Done():
			return r, ctx.Err()
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// many asks for what the lines of a file say. A line that is refused does not keep the
// others from being asked for.
func (r *restoreCreateCmd) many(ctx context.Context, c *client, out *console) error {
	in, done := out.in, r.Done
	if r.File != "-" {
		f, err := os.Open(r.File)
		if err != nil {
			return fmt.Errorf("--file: %w", err)
		}
		defer f.Close()
		in = f
		if done == "" {
			done = r.File + ".done"
		}
	}
	taken, notes, err := openNotes(done)
	if err != nil {
		return fmt.Errorf("--done: %w", err)
	}
	defer notes.Close()
	asked, failed, line := 0, 0, 0
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line++
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 || taken[line] {
			continue
		}
		made, err := c.askLine(ctx, text)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			failed++
			out.say("line %d: %v", line, err)
			continue
		}
		if _, err := fmt.Fprintln(notes, line); err != nil {
			return fmt.Errorf("--done: %w", err)
		}
		asked++
		if _, err := fmt.Fprintln(out.out, made.Institution, made.ID); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("--file: %w", err)
	}
	out.say("%d asked for, %d refused, %d asked for before", asked, failed, len(taken))
	if failed > 0 {
		return errReported
	}
	return nil
}

// openNotes reads which lines were taken, and opens the file for more of them; without a
// name nothing is noted.
func openNotes(name string) (taken map[int]bool, notes io.WriteCloser, err error) {
	taken = map[int]bool{}
	if name == "" {
		return taken, nopCloser{io.Discard}, nil
	}
	text, err := os.ReadFile(name)
	if err != nil && !os.IsNotExist(err) {
		return nil, nil, err
	}
	for field := range strings.FieldsSeq(string(text)) {
		n, err := strconv.Atoi(field)
		if err != nil {
			return nil, nil, fmt.Errorf("%s is not a list of line numbers", name)
		}
		taken[n] = true
	}
	notes, err = os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return taken, notes, err
}

type nopCloser struct{ io.Writer }

// Close does nothing.
func (nopCloser) Close() error { return nil }

func (c *client) askLine(ctx context.Context, text []byte) (made actionlog.Restore, err error) {
	var request map[string]json.RawMessage
	if err := json.Unmarshal(text, &request); err != nil {
		return made, fmt.Errorf("is not a JSON object: %w", err)
	}
	var institution string
	if err := json.Unmarshal(request["institution"], &institution); err != nil || institution == "" {
		return made, fmt.Errorf("has no \"institution\"")
	}
	delete(request, "institution")
	err = c.send(ctx, http.MethodPost, "/v1/institutions/"+url.PathEscape(institution)+"/restores", request, &made)
	return made, err
}

type restoreListCmd struct {
	Status string `env:"-" placeholder:"STATUS" help:"Only those that are requested, granted, running, ready, declined, cancelled, failed or expired."`
	Format string `short:"f" env:"-" enum:"auto,table,ndjson,json" default:"auto" help:"table, ndjson or json. Default: a table on a terminal, else ndjson."`
}

// Run lists.
func (r *restoreListCmd) Run(ctx context.Context, s *settings, out *console) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	path := "/v1/restores"
	if s.Institution != "" {
		if path, err = c.path(ctx, "restores"); err != nil {
			return err
		}
	}
	query := url.Values{"limit": {"1000"}}
	if r.Status != "" {
		query.Set("status", r.Status)
	}
	var all []json.RawMessage
	for {
		var p listPage
		err := c.get(ctx, path, query, &p)
		if s.Institution == "" && len(all) == 0 && isNotFound(err) { // no token of staff: its own institution's
			if path, err = c.path(ctx, "restores"); err == nil {
				err = c.get(ctx, path, query, &p)
			}
		}
		if err != nil {
			return err
		}
		if all = append(all, p.Data...); p.Page.Next == "" {
			break
		}
		query.Set("cursor", p.Page.Next)
	}
	columns := []string{"ID", "INSTITUTION", "FROM", "TO", "STATUS", "ACTIONS", "EXPIRES", "REASON"}
	return writeList(out, out.formatFor(r.Format, ""), all, rows{columns, func(raw []byte) ([]string, error) {
		var x actionlog.Restore
		if err := json.Unmarshal(raw, &x); err != nil {
			return nil, err
		}
		actions := strconv.FormatInt(x.Progress.Restored, 10)
		if x.Status == actionlog.RestoreRequested && x.Estimate != nil {
			actions = "about " + strconv.FormatInt(x.Estimate.Actions, 10)
		}
		return []string{x.ID, x.Institution, x.From.String(), x.To.String(), string(x.Status), actions, shortTime(x.ExpiresAt), x.Reason}, nil
	}})
}

type restoreShowCmd struct {
	ID string `arg:"" help:"As the list gives it."`
}

// Run shows one.
func (r *restoreShowCmd) Run(ctx context.Context, s *settings, out *console) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	path, err := c.restorePath(ctx, r.ID)
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if err := c.get(ctx, path, nil, &raw); err != nil {
		return err
	}
	return writeJSON(out.out, raw, true)
}

// restorePath is the path of a restore: of --institution, or, where that is not given and
// staff ask, of the one whose it is.
func (c *client) restorePath(ctx context.Context, id string) (string, error) {
	if c.settings.Institution != "" {
		return c.path(ctx, "restores", id)
	}
	query := url.Values{"limit": {"1000"}}
	for {
		var p listPage
		err := c.get(ctx, "/v1/restores", query, &p)
		if isNotFound(err) {
			return c.path(ctx, "restores", id)
		}
		if err != nil {
			return "", err
		}
		for _, raw := range p.Data {
			var x actionlog.Restore
			if err := json.Unmarshal(raw, &x); err != nil {
				return "", err
			}
			if x.ID == id {
				return "/v1/institutions/" + url.PathEscape(x.Institution) + "/restores/" + url.PathEscape(id), nil
			}
		}
		if p.Page.Next == "" {
			return "", fmt.Errorf("restore %s: %w", id, actionlog.ErrNotFound)
		}
		query.Set("cursor", p.Page.Next)
	}
}

// restoreStep is a step that is taken for some restores.
type restoreStep struct {
	ID     []string `arg:"" help:"As the list gives it."`
	Reason string   `env:"-" placeholder:"TEXT" help:"Why; it is kept in the institution's log."`
}

type restoreGrantCmd struct{ restoreStep }
type restoreDeclineCmd struct{ restoreStep }
type restoreRenewCmd struct{ restoreStep }
type restoreDropCmd struct{ restoreStep }

// Run takes the step that the command is called after.
func (r *restoreStep) Run(ctx context.Context, s *settings, out *console, parsed *kong.Context) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	step, method, failed := parsed.Selected().Name, http.MethodPost, 0
	suffix := "/" + step
	if step == "drop" {
		method, suffix = http.MethodDelete, ""
	}
	for _, id := range r.ID {
		var body any
		if r.Reason != "" {
			body = map[string]string{"reason": r.Reason}
		}
		var x actionlog.Restore
		path, err := c.restorePath(ctx, id)
		if err == nil {
			err = c.send(ctx, method, path+suffix, body, &x)
		}
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			failed++
			out.say("%s: %v", id, err)
			continue
		}
		out.say("restore %s of %s is %s", x.ID, x.Institution, x.Status)
	}
	if failed > 0 {
		return errReported
	}
	return nil
}

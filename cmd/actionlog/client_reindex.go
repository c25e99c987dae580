package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"actionlog"
)

// reindexCmd makes days of the store anew from the archive.
type reindexCmd struct {
	Day    []string `arg:"" optional:"" help:"UTC days, as 2026-11-22."`
	All    bool     `env:"-" help:"All days that are searchable: after the store was lost."`
	Status bool     `env:"-" help:"Only say how the days are that were asked for before."`
}

// isNotFound tells an address that is not there (for this token).
func isNotFound(err error) bool { return errors.Is(err, actionlog.ErrNotFound) }

// Run asks for it and waits.
func (r *reindexCmd) Run(ctx context.Context, s *settings, out *console) error {
	if r.Status && (r.All || len(r.Day) > 0) || !r.Status && r.All == (len(r.Day) > 0) {
		return usagef("give days, --all or --status")
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	var answer struct {
		Data []actionlog.DayJob `json:"data"`
	}
	if r.Status {
		if err := c.get(ctx, "/v1/reindex", nil, &answer); err != nil {
			return err
		}
		for _, j := range answer.Data {
			fmt.Fprintln(out.out, dayLine(j))
		}
		return nil
	}
	request := map[string]any{"all": true}
	if !r.All {
		request = map[string]any{"days": r.Day}
	}
	asked := time.Now()
	if err := c.send(ctx, http.MethodPost, "/v1/reindex", request, &answer); err != nil {
		return err
	}
	said := map[actionlog.Day]bool{}
	for failed := false; ; {
		waiting := false
		for _, j := range answer.Data {
			if !r.All && !slices.Contains(r.Day, j.Day.String()) || said[j.Day] {
				continue
			}
			if j.Status != "done" && j.Status != "failed" {
				waiting = true
				continue
			}
			if said[j.Day] = true; j.Actions > 0 || j.Status == "failed" || !r.All {
				fmt.Fprintln(out.out, dayLine(j))
			}
			failed = failed || j.Status == "failed"
		}
		if !waiting {
			out.say("%d days, in %s", len(said), time.Since(asked).Round(time.Millisecond))
			if failed {
				return errReported
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(300 * time.Millisecond):
		}
		if err := c.get(ctx, "/v1/reindex", nil, &answer); err != nil {
			return err
		}
	}
}

func dayLine(j actionlog.DayJob) string {
	line := fmt.Sprintf("%s  %s  %d actions", j.Day, j.Status, j.Actions)
	if j.LeftOut > 0 {
		line += fmt.Sprintf(", %d left out", j.LeftOut)
	}
	return strings.TrimSpace(line + "  " + clean(j.Problem))
}

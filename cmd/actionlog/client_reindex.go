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
	if r.Status {
		jobs, err := c.dayJobs(ctx)
		for _, j := range jobs {
			fmt.Fprintln(out.out, dayLine(j))
		}
		return err
	}
	request := map[string]any{"all": true}
	if !r.All {
		request = map[string]any{"days": r.Day}
	}
	if err := c.send(ctx, http.MethodPost, reindexPath, request, nil); err != nil {
		return err
	}
	return r.wait(ctx, c, out)
}

const reindexPath = "/v1/reindex"

func (c *client) dayJobs(ctx context.Context) ([]actionlog.DayJob, error) {
	var answer struct {
		Data []actionlog.DayJob `json:"data"`
	}
	err := c.get(ctx, reindexPath, nil, &answer)
	return answer.Data, err
}

// wait waits for the days that were asked for, and says of each how it went.
func (r *reindexCmd) wait(ctx context.Context, c *client, out *console) error {
	start, said, failed := time.Now(), map[actionlog.Day]bool{}, false
	for {
		jobs, err := c.dayJobs(ctx)
		if err != nil {
			return err
		}
		waiting := false
		for _, j := range jobs {
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
			out.say("%d days, in %s", len(said), time.Since(start).Round(time.Millisecond))
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
	}
}

func dayLine(j actionlog.DayJob) string {
	line := fmt.Sprintf("%s  %s  %d actions", j.Day, j.Status, j.Actions)
	if j.LeftOut > 0 {
		line += fmt.Sprintf(", %d left out", j.LeftOut)
	}
	return strings.TrimSpace(line + "  " + clean(j.Problem))
}

//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// goroutines is how many all processes of the service have, by their metrics.
func (o *oracle) goroutines(ctx context.Context) (sum int, err error) {
	for _, p := range append(slices.Clone(o.parts), o.service) {
		n, err := o.metric(ctx, p, "go_goroutines")
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// metric is the value of a gauge of a process.
func (o *oracle) metric(ctx context.Context, p *service, name string) (int, error) {
	resp, err := o.getOf(ctx, p, "/metrics", nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			n, err := strconv.ParseFloat(value, 64)
			return int(n), err
		}
	}
	return 0, fmt.Errorf("the metrics have no %s", name)
}

// moreGoroutines is how many more there may be than before the load: connections that
// are kept for a while.
const moreGoroutines = 60

// leftBehind waits until nothing of what was done is left in the service and its engine:
// goroutines, and views of exports. before is how many goroutines there were.
func (o *oracle) leftBehind(ctx context.Context, before int, engine string) error {
	for end := time.Now().Add(time.Minute); ; sleep(ctx, 500*time.Millisecond) {
		now, err := o.goroutines(ctx)
		if err != nil {
			return err
		}
		open := 0
		if engine != "" {
			if open, err = openViews(ctx, engine); err != nil {
				return err
			}
		}
		if now <= before+moreGoroutines && open == 0 {
			return nil
		}
		if time.Now().After(end) || ctx.Err() != nil {
			return fmt.Errorf("left behind: %d goroutines (%d before the load), %d open views of the engine", now, before, open)
		}
	}
}

// openViews counts the points in time and scrolls that an engine holds open.
func openViews(ctx context.Context, engine string) (n int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, engine+"/_nodes/stats/indices/search", nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var stats struct {
		Nodes map[string]struct {
			Indices struct {
				Search struct {
					Open int `json:"open_contexts"`
				}
			}
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&stats); err != nil {
		return 0, err
	}
	if len(stats.Nodes) == 0 {
		return 0, fmt.Errorf("the engine has no nodes: %s", resp.Status)
	}
	for _, node := range stats.Nodes {
		n += node.Indices.Search.Open
	}
	return n, nil
}

// emptied replays every dead letter, which is judged again and stays one, drops it, and
// holds that there is none then.
func (o *oracle) emptied(ctx context.Context) error {
	for {
		page, err := o.deadLetters(ctx, "")
		if err != nil {
			return err
		}
		if len(page.Data) == 0 {
			if len(page.Meta.By_reason) > 0 {
				return fmt.Errorf("dead: there is none, and %v are counted", page.Meta.By_reason)
			}
			return nil
		}
		for _, l := range page.Data {
			path := "/v1/dead-letters/" + url.PathEscape(l.Position)
			for _, ask := range []struct {
				method, path string
				status       int
			}{{http.MethodPost, path + "/replay", http.StatusUnprocessableEntity}, {http.MethodDelete, path, http.StatusNoContent}} {
				req, err := o.request(ctx, ask.path, nil)
				if err != nil {
					return err
				}
				req.Method = ask.method
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					return err
				}
				_ = resp.Body.Close()
				if resp.StatusCode != ask.status {
					return fmt.Errorf("dead: %s %s: %s, and not %d", ask.method, ask.path, resp.Status, ask.status)
				}
			}
		}
	}
}

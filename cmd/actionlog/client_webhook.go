package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/alecthomas/kong"
)

// webhookCmd looks after the addresses to which actions are sent.
type webhookCmd struct {
	Create webhookCreateCmd `cmd:"" help:"Have actions sent to an address as they come. The secret that signs them is shown once, alone on the last line."`
	List   webhookListCmd   `cmd:"" help:"List webhooks, and how far each is."`
	Show   webhookShowCmd   `cmd:"" help:"Show one webhook."`
	Test   webhookTestCmd   `cmd:"" help:"Send a message without an action, and say whether it was taken."`
	Pause  webhookPauseCmd  `cmd:"" help:"Have webhooks send nothing until they are resumed. Their places are kept."`
	Resume webhookResumeCmd `cmd:"" help:"Have webhooks go on where they were, at once."`
	Replay webhookReplayCmd `cmd:"" help:"Have a webhook send again what the service took from a time on."`
	Rotate webhookRotateCmd `cmd:"" help:"Make another secret; the one before signs too for a while."`
	Drop   webhookDropCmd   `cmd:"" help:"Remove webhooks."`
}

// webhook is one as the API shows it.
type webhook struct {
	ID       string              `json:"id"`
	Name     string              `json:"name"`
	URL      string              `json:"url"`
	Events   string              `json:"events"`
	Filter   map[string][]string `json:"filter"`
	Status   string              `json:"status"`
	Secret   string              `json:"secret"`
	Progress struct {
		Actions     int64     `json:"actions"`
		DeliveredAt time.Time `json:"delivered_at"`
		NextAt      time.Time `json:"next_at"`
		Problem     string    `json:"problem"`
	} `json:"progress"`
}

func (w *webhook) tell(out *console) error {
	_, err := fmt.Fprintf(out.out, "webhook %s, %s, to %s: its secret is kept nowhere, shown once\n%s\n", w.ID, clean(w.Name), clean(w.URL), w.Secret)
	if err != nil {
		err = fmt.Errorf("the secret of webhook %s could not be shown; give it another one: %w", w.ID, err)
	}
	return err
}

type webhookCreateCmd struct {
	queryArg
	filters
	URL        string `name:"deliver-to" required:"" env:"-" placeholder:"URL" help:"The address."`
	Name       string `required:"" env:"-" placeholder:"TEXT" help:"What it is for."`
	Alerts     bool   `env:"-" help:"Send alerts that name it, and no other actions."`
	Format     string `short:"f" env:"-" enum:"json,ecs" default:"json" help:"Of an action: json, or ecs: an event of the Elastic Common Schema. Default: json."`
	PerMessage int    `env:"-" default:"1" placeholder:"N" help:"How many actions a message has at most; 100 at most."`
	Since      string `env:"-" placeholder:"TIME" help:"Begin with what the service took then: RFC 3339, now-1h, or a date. Default: with what comes from now on."`
}

// Run makes a webhook.
func (w *webhookCreateCmd) Run(ctx context.Context, s *settings, out *console, parsed *kong.Context) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	path, err := c.path(ctx, "webhooks")
	if err != nil {
		return err
	}
	query := filterValues(parsed, w.queryArg)
	if query.Has("q") { // a text is made of its filters once, where it is written
		if query, err = c.filtersOf(ctx, query); err != nil {
			return err
		}
	}
	request := map[string]any{"name": w.Name, "url": w.URL, "format": w.Format, "per_message": w.PerMessage}
	if len(query) > 0 {
		request["filter"] = query
	}
	if w.Alerts {
		request["events"] = "alerts"
	}
	if w.Since != "" {
		request["since"] = w.Since
	}
	var made webhook
	if err := c.send(ctx, http.MethodPost, path, request, &made); err != nil {
		return err
	}
	return made.tell(out)
}

type webhookListCmd struct {
	Format string `short:"f" env:"-" enum:"auto,table,ndjson,json" default:"auto" help:"table, ndjson or json. Default: a table on a terminal, else ndjson."`
}

// Run lists webhooks.
func (w *webhookListCmd) Run(ctx context.Context, s *settings, out *console) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	path, err := c.path(ctx, "webhooks")
	if err != nil {
		return err
	}
	var answer listPage
	if err := c.get(ctx, path, nil, &answer); err != nil {
		return err
	}
	columns := []string{"ID", "NAME", "STATUS", "ACTIONS", "DELIVERED", "NEXT TRY", "TO", "PROBLEM"}
	return writeList(out, out.formatFor(w.Format, ""), answer.Data, rows{columns, func(raw []byte) ([]string, error) {
		var k webhook
		if err := json.Unmarshal(raw, &k); err != nil {
			return nil, err
		}
		return []string{k.ID, k.Name, k.Status, fmt.Sprint(k.Progress.Actions), shortTime(k.Progress.DeliveredAt), shortTime(k.Progress.NextAt), k.URL, k.Progress.Problem}, nil
	}})
}

type webhookShowCmd struct {
	ID string `arg:"" help:"As the list gives it."`
}

// Run shows a webhook as JSON.
func (w *webhookShowCmd) Run(ctx context.Context, s *settings, out *console) error {
	return s.webhook(ctx, http.MethodGet, w.ID, "", nil, func(raw json.RawMessage) error {
		return writeJSON(out.out, raw, true)
	})
}

// webhook calls the API for a webhook.
func (s *settings) webhook(ctx context.Context, method, id, what string, body any, then func(raw json.RawMessage) error) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	parts := []string{"webhooks", id}
	if what != "" {
		parts = append(parts, what)
	}
	path, err := c.path(ctx, parts...)
	if err != nil {
		return err
	}
	if method == http.MethodDelete {
		if err := c.send(ctx, method, path, nil, nil); err != nil {
			return fmt.Errorf("webhook %s: %w", id, err)
		}
		return then(nil)
	}
	var raw json.RawMessage
	if err := c.send(ctx, method, path, body, &raw); err != nil {
		return fmt.Errorf("webhook %s: %w", id, err)
	}
	return then(raw)
}

type webhookTestCmd struct {
	ID string `arg:"" help:"As the list gives it."`
}

// Run sends a message without an action.
func (w *webhookTestCmd) Run(ctx context.Context, s *settings, out *console) error {
	return s.webhook(ctx, http.MethodPost, w.ID, "test", nil, func(raw json.RawMessage) error {
		var answer struct {
			Taken   bool
			Problem string
		}
		if err := json.Unmarshal(raw, &answer); err != nil {
			return err
		}
		if !answer.Taken {
			return fmt.Errorf("webhook %s: %s", w.ID, clean(answer.Problem))
		}
		out.say("webhook %s: the message was taken", w.ID)
		return nil
	})
}

// eachWebhook does the same with several.
func (s *settings) eachWebhook(ctx context.Context, out *console, method, what, done string, ids []string) error {
	for _, id := range ids {
		err := s.webhook(ctx, method, id, what, nil, func(json.RawMessage) error {
			out.say("webhook %s is %s", id, done)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

type webhookPauseCmd struct {
	ID []string `arg:"" help:"As the list gives it."`
}

// Run pauses webhooks.
func (w *webhookPauseCmd) Run(ctx context.Context, s *settings, out *console) error {
	return s.eachWebhook(ctx, out, http.MethodPost, "pause", "paused", w.ID)
}

type webhookResumeCmd struct {
	ID []string `arg:"" help:"As the list gives it."`
}

// Run resumes webhooks.
func (w *webhookResumeCmd) Run(ctx context.Context, s *settings, out *console) error {
	return s.eachWebhook(ctx, out, http.MethodPost, "resume", "active", w.ID)
}

type webhookDropCmd struct {
	ID []string `arg:"" help:"As the list gives it."`
}

// Run removes webhooks.
func (w *webhookDropCmd) Run(ctx context.Context, s *settings, out *console) error {
	return s.eachWebhook(ctx, out, http.MethodDelete, "", "removed", w.ID)
}

type webhookReplayCmd struct {
	ID    string `arg:"" help:"As the list gives it."`
	Since string `required:"" env:"-" placeholder:"TIME" help:"From when on: RFC 3339, now-1h, a date; all: from the beginning of the archive."`
}

// Run has a webhook send again what it sent.
func (w *webhookReplayCmd) Run(ctx context.Context, s *settings, out *console) error {
	body := map[string]string{"since": w.Since}
	if w.Since == "all" {
		delete(body, "since")
	}
	return s.webhook(ctx, http.MethodPost, w.ID, "replay", body, func(json.RawMessage) error {
		out.say("webhook %s sends again what came since %s", w.ID, w.Since)
		return nil
	})
}

type webhookRotateCmd struct {
	ID      string        `arg:"" help:"As the list gives it."`
	Overlap time.Duration `env:"-" placeholder:"DURATION" default:"24h" help:"For how long the old secret signs too. Default: ${default}."`
}

// Run makes another secret.
func (w *webhookRotateCmd) Run(ctx context.Context, s *settings, out *console) error {
	return s.webhook(ctx, http.MethodPost, w.ID, "rotate", map[string]string{"overlap": w.Overlap.String()}, func(raw json.RawMessage) error {
		var made webhook
		if err := json.Unmarshal(raw, &made); err != nil {
			return err
		}
		return made.tell(out)
	})
}

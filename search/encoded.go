package search

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"time"

	"actionlog"
)

// Encoded is the feed for who sends it on: with the filters, formats and masks that who
// asks over HTTP has. New makes it ready.
type Encoded struct{ server *server }

// EncodedPage is a part of the feed, each action one line of JSON.
type EncodedPage struct {
	Actions [][]byte
	Records []actionlog.Record
	Behind  []string    // the place behind each of them
	Taken   []time.Time // when the stream took each of them
	Next    string      // behind all that was looked at
	More    bool
}

// Page returns up to most actions that parameters of the feed mean, from a place on.
func (e *Encoded) Page(ctx context.Context, institution string, filter map[string][]string, format, at string, most int) (page EncodedPage, err error) {
	s := e.server
	q, err := s.feedQuery(ctx, institution, url.Values(filter))
	if err != nil {
		return page, err
	}
	var f FeedPage
	err = s.unhurried.one(ctx, institution, func() (err error) {
		f, err = s.feedOnce(ctx, &feeding{institution: institution, query: q, at: at, limit: most})
		return err
	})
	if err != nil {
		return page, err
	}
	page.Records, page.Behind, page.Next, page.More = f.Records, f.Behind, f.Next, f.More
	for _, r := range f.Records {
		line, err := appendAs(format, nil, s.shown(r))
		if err != nil {
			return page, err
		}
		page.Actions, page.Taken = append(page.Actions, line), append(page.Taken, r.ReceivedAt)
	}
	return page, nil
}

// Alerts is Page of the alerts that name a webhook.
func (e *Encoded) Alerts(ctx context.Context, institution, webhook, format, at string, most int) (page EncodedPage, err error) {
	all, err := e.Page(ctx, institution, map[string][]string{"action": {codeAlertFired}}, format, at, most)
	page.Next, page.More = all.Next, all.More
	for i, r := range all.Records {
		if namesWebhook(r.Document, webhook) {
			page.Actions, page.Records = append(page.Actions, all.Actions[i]), append(page.Records, r)
			page.Behind, page.Taken = append(page.Behind, all.Behind[i]), append(page.Taken, all.Taken[i])
		}
	}
	return page, err
}

// namesWebhook tells whether a record of an alert says that it goes to a webhook. Only the
// service writes such records with an ID of its own kind.
func namesWebhook(document []byte, webhook string) bool {
	var d struct {
		ID      string
		Details struct{ Actionlog struct{ Webhook string } }
	}
	return json.Unmarshal(document, &d) == nil && strings.HasPrefix(d.ID, testimonyPrefix) && d.Details.Actionlog.Webhook == webhook
}

// WebhookStopped records that the service stopped a webhook.
func (e *Encoded) WebhookStopped(ctx context.Context, w actionlog.Webhook) error {
	s := e.server
	st := step{code: codeWebhookStopped, failed: true, reason: w.Problem, summary: "The webhook " + w.Name + " was stopped", details: map[string]any{"webhook": w.ID, "name": w.Name}}
	d := st.document(w.Institution, newTestimonyID(), s.Now())
	d["actor"] = map[string]any{"kind": actionlog.KindSystem, "name": "Action Log"}
	err := s.record(ctx, d)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

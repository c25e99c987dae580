package main

import (
	"context"
	"net/netip"

	"actionlog"
	"actionlog/internal/archive"
	"actionlog/search"
	"actionlog/webhooks"
)

// webhookFlags say to where the service may send.
type webhookFlags struct {
	Webhooks     bool           `negatable:"" default:"true" help:"Send actions to the addresses that institutions name. --no-webhooks: send nothing."`
	WebhookAllow []netip.Prefix `name:"webhook-allow" placeholder:"NETWORK" help:"Networks inside, as 10.1.0.0/16, to which webhooks may be sent all the same. Usually only addresses outside are sent to."`
}

// addWebhooks gives the API webhooks, and starts what sends them, where there is a feed.
func (r *running) addWebhooks(ctx context.Context, api *search.Options, failed chan<- error) error {
	if api.Feed == nil || api.Operations || !r.cmd.Webhooks {
		return nil
	}
	key, err := actionlog.KeyOf(ctx, api.State, "webhooks")
	if err != nil {
		return err
	}
	api.Encoded = &search.Encoded{}
	desk := &webhooks.Desk{State: api.State, Key: key, Start: api.Feed.Start, Clean: func(text string) bool { return string(api.Scrubber.Bytes([]byte(text))) == text }}
	runner := webhooks.New(webhooks.Options{Desk: desk, Reader: webhookReader{api.Encoded}, Stopped: api.Encoded.WebhookStopped, Allowed: r.cmd.WebhookAllow, Log: r.log})
	api.Webhooks = webhookPort{desk, runner}
	r.senders = append(r.senders, func() { r.background("webhooks", failed, runner.Run) })
	return nil
}

// webhookPort is what package search asks of webhooks.
type webhookPort struct {
	*webhooks.Desk
	runner *webhooks.Runner
}

// Test implements search.Webhooks.
func (p webhookPort) Test(ctx context.Context, institution, id string) error {
	return p.runner.Test(ctx, institution, id)
}

// webhookReader is the feed as webhooks read it.
type webhookReader struct{ encoded *search.Encoded }

// Read implements webhooks.Reader.
func (r webhookReader) Read(ctx context.Context, w *actionlog.Webhook, at string, most int) (webhooks.Page, error) {
	var page search.EncodedPage
	var err error
	if w.Events == actionlog.WebhookAlerts {
		page, err = r.encoded.Alerts(ctx, w.Institution, w.ID, w.Format, at, most)
	} else {
		page, err = r.encoded.Page(ctx, w.Institution, w.Filter, w.Format, at, most)
	}
	shown := webhooks.Page{Actions: page.Actions, Behind: page.Behind, Taken: page.Taken, Next: page.Next, More: page.More}
	for _, behind := range page.Behind {
		place, err := archive.ParsePlace(behind)
		if err != nil {
			return webhooks.Page{}, err
		}
		shown.Marks = append(shown.Marks, place.After.String())
	}
	return shown, err
}

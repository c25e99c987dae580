// Package webhooks sends an institution's actions to addresses that it names, as they come:
// messages as Standard Webhooks has them (https://www.standardwebhooks.com), each repeated
// for days until it is taken. A Desk keeps what is asked for, a Runner sends. Each webhook
// has a place of its own in the feed, so that a slow one harms nobody, and one that was away
// for a week goes on where it was. It reads no store, serves no HTTP, and knows no filter
// but through ports.
package webhooks

import (
	"net/url"
	"strings"

	"actionlog"
)

const (
	maxName       = 100
	maxURL        = 2000
	maxFilter     = 2000
	maxPerMessage = 100
	// maxWebhooks is how many an institution may have.
	maxWebhooks = 20
)

// check refuses what cannot be sent to.
func check(w *actionlog.Webhook, clean func(string) bool) error {
	switch {
	case strings.TrimSpace(w.Name) == "":
		return actionlog.Invalidf("/name", "is missing")
	case len(w.Name) > maxName:
		return actionlog.Invalidf("/name", "is longer than %d bytes", maxName)
	case w.Events != actionlog.WebhookActions && w.Events != actionlog.WebhookAlerts:
		return actionlog.Invalidf("/events", "%q is not actions or alerts", w.Events)
	case w.Events == actionlog.WebhookAlerts && len(w.Filter) > 0:
		return actionlog.Invalidf("/filter", "has no meaning for alerts, which name the webhook that they go to")
	case w.PerMessage < 1 || w.PerMessage > maxPerMessage:
		return actionlog.Invalidf("/per_message", "is not 1 to %d", maxPerMessage)
	}
	return checkURL(w.URL, clean)
}

func checkURL(text string, clean func(string) bool) error {
	u, err := url.Parse(text)
	switch {
	case len(text) > maxURL:
		return actionlog.Invalidf("/url", "is longer than %d bytes", maxURL)
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.Fragment != "":
		return actionlog.Invalidf("/url", "is not an address as https://siem.example.org/hooks/1")
	case u.User != nil || clean != nil && !clean(text):
		return actionlog.Invalidf("/url", "holds a credential, which would be stored: messages are signed instead")
	}
	return nil
}

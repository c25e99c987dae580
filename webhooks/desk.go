package webhooks

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"actionlog"
)

// Desk keeps webhooks. All fields but those with a default are required.
type Desk struct {
	State actionlog.State
	// Key is a secret of the service, of which those of webhooks are derived.
	Key []byte
	// Start is the place of the feed from an instant on; zero: its beginning.
	Start func(ctx context.Context, since time.Time) (string, error)
	// Clean tells whether a text holds no credential; nil: it is not looked.
	Clean func(text string) bool
	Wake  func()           // called when there is something to do; nil: who does it looks by itself
	Now   func() time.Time // time.Now
}

const (
	webhookBucket  = "webhooks"
	progressBucket = "webhook-progress"
)

func (d *Desk) now() time.Time {
	if d.Now == nil {
		return time.Now().UTC()
	}
	return d.Now().UTC()
}

func (d *Desk) wake() {
	if d.Wake != nil {
		d.Wake()
	}
}

// keyOf is where a webhook stands in the state. Neither part has a dot.
func keyOf(institution, id string) string { return institution + "." + id }

// Create makes a webhook of what w says (Name, URL, Events, Filter, Format, PerMessage), which
// begins with what the stream took at since; zero: with what comes from now on. Its secret
// is told once here, and again whenever it is rotated.
func (d *Desk) Create(ctx context.Context, w actionlog.Webhook, since time.Time) (actionlog.Webhook, string, error) {
	w.Events, w.PerMessage = cmp.Or(w.Events, actionlog.WebhookActions), cmp.Or(w.PerMessage, 1)
	if err := check(&w, d.Clean); err != nil {
		return w, "", err
	}
	if filter, err := json.Marshal(w.Filter); err != nil || len(filter) > maxFilter {
		return w, "", actionlog.Invalidf("/filter", "is longer than %d bytes", maxFilter)
	}
	there, err := d.List(ctx, w.Institution)
	if err != nil {
		return w, "", err
	}
	if len(there) >= maxWebhooks {
		return w, "", fmt.Errorf("the institution has %d webhooks already: %w", len(there), actionlog.ErrConflict)
	}
	now := d.now()
	at, err := d.Start(ctx, cmp.Or(since, now))
	if err != nil {
		return w, "", err
	}
	w.ID, w.Status, w.CreatedAt, w.Generation = strings.ToLower(rand.Text()[:16]), actionlog.WebhookActive, now.Truncate(time.Second), 1
	secret, err := secretOf(d.Key, &w, w.Generation)
	if err == nil {
		_, err = d.putProgress(ctx, &w, &actionlog.WebhookProgress{At: at}, 0)
	}
	if err == nil {
		err = d.put(ctx, &w, 0)
	}
	if err != nil {
		return w, "", err
	}
	d.wake()
	return w, shownSecret(secret), nil
}

func (d *Desk) put(ctx context.Context, w *actionlog.Webhook, revision uint64) error {
	_, err := actionlog.PutValue(ctx, d.State, webhookBucket, keyOf(w.Institution, w.ID), w, revision)
	return err
}

func (d *Desk) putProgress(ctx context.Context, w *actionlog.Webhook, p *actionlog.WebhookProgress, revision uint64) (uint64, error) {
	return actionlog.PutValue(ctx, d.State, progressBucket, keyOf(w.Institution, w.ID), p, revision)
}

func (d *Desk) get(ctx context.Context, key string) (w actionlog.Webhook, revision uint64, err error) {
	w, revision, err = actionlog.GetValue[actionlog.Webhook](ctx, d.State, webhookBucket, key)
	if err == nil && keyOf(w.Institution, w.ID) != key {
		err = errors.New("its key is another's")
	}
	if err != nil {
		return actionlog.Webhook{}, 0, fmt.Errorf("webhook %s: %w", key, err)
	}
	return w, revision, nil
}

// progress is how far a webhook is.
func (d *Desk) progress(ctx context.Context, w *actionlog.Webhook) (p actionlog.WebhookProgress, revision uint64, err error) {
	return actionlog.GetValue[actionlog.WebhookProgress](ctx, d.State, progressBucket, keyOf(w.Institution, w.ID))
}

// Get returns a webhook of an institution and how far it is, or ErrNotFound.
func (d *Desk) Get(ctx context.Context, institution, id string) (w actionlog.Webhook, p actionlog.WebhookProgress, err error) {
	if !actionlog.IsInstitutionID(id) {
		return w, p, fmt.Errorf("webhook: %w", actionlog.ErrNotFound)
	}
	if w, _, err = d.get(ctx, keyOf(institution, id)); err == nil {
		p, _, err = d.progress(ctx, &w)
	}
	if errors.Is(err, actionlog.ErrNotFound) {
		err = fmt.Errorf("there is no such webhook: %w", actionlog.ErrNotFound)
	}
	return w, p, err
}

// List returns an institution's webhooks ("": everybody's), oldest first.
func (d *Desk) List(ctx context.Context, institution string) (list []actionlog.Webhook, err error) {
	keys, err := d.State.List(ctx, webhookBucket)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if of, _, _ := strings.Cut(key, "."); institution != "" && of != institution {
			continue
		}
		w, _, err := d.get(ctx, key)
		if errors.Is(err, actionlog.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, w)
	}
	slices.SortStableFunc(list, func(a, b actionlog.Webhook) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return list, nil
}

// change changes a webhook, again where somebody else changed it meanwhile.
func (d *Desk) change(ctx context.Context, institution, id string, change func(w *actionlog.Webhook) error) (actionlog.Webhook, error) {
	for {
		w, _, err := d.Get(ctx, institution, id)
		if err != nil {
			return w, err
		}
		w, revision, err := d.get(ctx, keyOf(institution, id))
		if err == nil {
			err = change(&w)
		}
		if err == nil {
			err = d.put(ctx, &w, revision)
		}
		if errors.Is(err, actionlog.ErrConflict) && ctx.Err() == nil {
			continue
		}
		d.wake()
		return w, err
	}
}

// Pause has a webhook send nothing until it is resumed. Its place is kept.
func (d *Desk) Pause(ctx context.Context, institution, id string) (actionlog.Webhook, error) {
	return d.change(ctx, institution, id, func(w *actionlog.Webhook) error { w.Status, w.Problem = actionlog.WebhookPaused, ""; return nil })
}

// Resume has it go on where it was, at once.
func (d *Desk) Resume(ctx context.Context, institution, id string) (actionlog.Webhook, error) {
	err := d.move(ctx, institution, id, func(p *actionlog.WebhookProgress) {
		p.Tries, p.FailingFrom, p.NextAt, p.Problem = 0, time.Time{}, time.Time{}, ""
	})
	if err != nil {
		return actionlog.Webhook{}, err
	}
	return d.change(ctx, institution, id, func(w *actionlog.Webhook) error { w.Status, w.Problem = actionlog.WebhookActive, ""; return nil })
}

// Replay has it send again what the stream took from an instant on; zero: everything.
func (d *Desk) Replay(ctx context.Context, institution, id string, since time.Time) (actionlog.Webhook, error) {
	at, err := d.Start(ctx, since)
	if err == nil {
		err = d.move(ctx, institution, id, func(p *actionlog.WebhookProgress) {
			*p = actionlog.WebhookProgress{At: at, Round: p.Round + 1, Messages: p.Messages, Actions: p.Actions, DeliveredAt: p.DeliveredAt}
		})
	}
	if err != nil {
		return actionlog.Webhook{}, err
	}
	return d.change(ctx, institution, id, func(*actionlog.Webhook) error { return nil }) // which wakes it
}

// move changes how far a webhook is; the runner takes notice.
func (d *Desk) move(ctx context.Context, institution, id string, change func(p *actionlog.WebhookProgress)) error {
	for {
		w, _, err := d.Get(ctx, institution, id)
		if err != nil {
			return err
		}
		p, revision, err := d.progress(ctx, &w)
		if err != nil {
			return err
		}
		change(&p)
		if _, err = d.putProgress(ctx, &w, &p, revision); !errors.Is(err, actionlog.ErrConflict) || ctx.Err() != nil {
			return err
		}
	}
}

// Rotate makes another secret; the one before signs too for a while.
func (d *Desk) Rotate(ctx context.Context, institution, id string, overlap time.Duration) (w actionlog.Webhook, secret string, err error) {
	w, err = d.change(ctx, institution, id, func(w *actionlog.Webhook) error {
		w.Generation++
		w.Overlap = d.now().Add(overlap).Truncate(time.Second)
		return nil
	})
	if err != nil {
		return w, "", err
	}
	bytes, err := secretOf(d.Key, &w, w.Generation)
	return w, shownSecret(bytes), err
}

// Drop removes a webhook, and returns what it was.
func (d *Desk) Drop(ctx context.Context, institution, id string) (actionlog.Webhook, error) {
	w, _, err := d.Get(ctx, institution, id)
	if err == nil {
		err = d.State.Delete(ctx, webhookBucket, keyOf(institution, id))
	}
	if err == nil {
		err = d.State.Delete(ctx, progressBucket, keyOf(institution, id))
	}
	d.wake()
	return w, err
}

// secrets are those that sign now, the newest first.
func (d *Desk) secrets(w *actionlog.Webhook, now time.Time) (all [][]byte, err error) {
	generations := []int{w.Generation}
	if now.Before(w.Overlap) && w.Generation > 1 {
		generations = append(generations, w.Generation-1)
	}
	for _, g := range generations {
		secret, err := secretOf(d.Key, w, g)
		if err != nil {
			return nil, err
		}
		all = append(all, secret)
	}
	return all, nil
}

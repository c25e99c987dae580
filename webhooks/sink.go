package webhooks

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"actionlog"
	"actionlog/internal/crew"
)

// Reader reads the feed as a webhook means it.
type Reader interface {
	// Read returns up to most actions that come at a place, each as it is to be sent: one
	// line of JSON. From the same place the same come again.
	Read(ctx context.Context, w *actionlog.Webhook, at string, most int) (Page, error)
}

// Page is a part of the feed.
type Page struct {
	Actions [][]byte
	Behind  []string    // the place behind each of them
	Marks   []string    // what each place is known by, however it is written: see sink.step; none: the places themselves
	Taken   []time.Time // when the stream took each of them
	Next    string      // behind all that was looked at
	More    bool        // there is more already
}

const (
	// idleLeast and idleMost are how long a webhook waits before it looks again whether
	// something came: the longer nothing does, the longer.
	idleLeast, idleMost = 250 * time.Millisecond, 2 * time.Second
	// restLeast and restMost are the same where the feed cannot be read.
	restLeast, restMost = time.Second, 30 * time.Second
	// noteEvery is how often it notes how far it looked where nothing was to be sent.
	noteEvery = 30 * time.Second
)

// sink is one webhook while it sends.
type sink struct {
	*Runner
	webhook  actionlog.Webhook
	progress actionlog.WebhookProgress
	revision uint64
	noted    time.Time
	idle     time.Duration
	rest     time.Duration
}

// run sends until ctx is done. It returns nil where the webhook is stopped, or was changed.
func (s *sink) run(ctx context.Context) error {
	var err error
	if s.progress, s.revision, err = s.Desk.progress(ctx, &s.webhook); err != nil {
		return err
	}
	s.noted, s.idle, s.rest = s.Desk.now(), idleLeast, restLeast
	for ctx.Err() == nil {
		if err := crew.Wait(ctx, s.progress.NextAt.Sub(s.Desk.now())); err != nil {
			return err
		}
		stop, err := s.step(ctx)
		if stop || err != nil {
			return err
		}
	}
	return ctx.Err()
}

// step reads a page and sends a message, or waits for something to send.
func (s *sink) step(ctx context.Context) (stop bool, err error) {
	page, err := s.Reader.Read(ctx, &s.webhook, s.progress.At, s.webhook.PerMessage)
	if err != nil {
		if ctx.Err() == nil {
			s.log().Warn("webhook: the feed cannot be read", "webhook", s.webhook.ID, "error", err)
		}
		s.rest = min(2*s.rest, restMost)
		return false, crew.Wait(ctx, s.rest)
	}
	s.rest = restLeast
	if len(page.Actions) == 0 {
		return false, s.nothing(ctx, &page)
	}
	s.idle = idleLeast
	n := len(page.Actions)
	marks := page.Marks // a place is written in another way once what is before it is sealed
	if len(marks) == 0 {
		marks = page.Behind
	}
	for i, mark := range marks {
		if mark == s.progress.Pending { // what is on its way stays as it is
			n = i + 1
		}
	}
	if s.progress.Pending != marks[n-1] {
		s.progress.Pending = marks[n-1]
		if err := s.note(ctx); err != nil {
			return false, err
		}
	}
	return s.deliver(ctx, page.Actions[:n], page.Behind[n-1], page.Taken[n-1])
}

// nothing waits where there is nothing to send.
func (s *sink) nothing(ctx context.Context, page *Page) error {
	if page.Next != s.progress.At {
		s.progress.At, s.progress.Pending = page.Next, ""
		if now := s.Desk.now(); now.Sub(s.noted) > noteEvery {
			if err := s.note(ctx); err != nil {
				return err
			}
		}
	}
	if page.More {
		return ctx.Err()
	}
	s.idle = min(2*s.idle, idleMost)
	return crew.Wait(ctx, s.idle)
}

// note keeps how far it is. Who moved it meanwhile is heeded.
func (s *sink) note(ctx context.Context) (err error) {
	s.noted = s.Desk.now()
	s.revision, err = s.Desk.putProgress(ctx, &s.webhook, &s.progress, s.revision)
	return err
}

// deliver sends a message, and notes what became of it. Stop: nothing more is to be sent.
func (s *sink) deliver(ctx context.Context, actions [][]byte, behind string, last time.Time) (stop bool, err error) {
	body, err := message(&s.webhook, actions, last)
	if err != nil {
		return false, err
	}
	now := s.Desk.now()
	secrets, err := s.Desk.secrets(&s.webhook, now)
	if err != nil {
		return false, err
	}
	v := send(ctx, s.client, s.webhook.URL, messageID(&s.webhook, &s.progress), now, body, secrets...)
	if ctx.Err() != nil {
		return false, ctx.Err() // whether it was taken is not known: it is sent again
	}
	p := &s.progress
	if v.taken {
		*p = actionlog.WebhookProgress{At: behind, Round: p.Round, Messages: p.Messages + 1, Actions: p.Actions + int64(len(actions)), DeliveredAt: now, Through: last}
		return false, s.note(ctx)
	}
	p.Tries++
	if p.FailingFrom.IsZero() {
		p.FailingFrom = now
	}
	p.Problem, p.NextAt = v.why, now.Add(max(v.after, pauseAfter(p.Tries, rand.Float64())))
	if p.Tries == 1 {
		s.log().Warn("webhook: not taken; it is sent again", "webhook", s.webhook.ID, "institution", s.webhook.Institution, "why", v.why)
	}
	if err := s.note(ctx); err != nil {
		return false, err
	}
	if v.gone || now.Sub(p.FailingFrom) > givenUp {
		return true, s.stop(ctx, v.why)
	}
	return false, nil
}

// stop has the webhook send nothing more, and says so.
func (s *sink) stop(ctx context.Context, why string) error {
	w, err := s.Desk.change(ctx, s.webhook.Institution, s.webhook.ID, func(w *actionlog.Webhook) error { w.Status, w.Problem = actionlog.WebhookStopped, why; return nil })
	if err != nil {
		return err
	}
	s.log().Error("webhook: stopped; it goes on where it was when somebody resumes it", "webhook", w.ID, "institution", w.Institution, "why", why)
	if s.Stopped != nil {
		return s.Stopped(ctx, w)
	}
	return nil
}

// messageID is the same for the same message, however often it is sent.
func messageID(w *actionlog.Webhook, p *actionlog.WebhookProgress) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%d\n%s\n%s", w.ID, p.Round, p.At, p.Pending))
	return "msg_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16]))
}

// message is the body: the same, byte for byte, each time.
func message(w *actionlog.Webhook, actions [][]byte, last time.Time) ([]byte, error) {
	kind := "actionlog.actions"
	if w.Events == actionlog.WebhookAlerts {
		kind = "actionlog.alerts"
	}
	head, err := json.Marshal(map[string]any{"type": kind, "timestamp": last.UTC().Format(time.RFC3339Nano)})
	if err != nil {
		return nil, err
	}
	about, err := json.Marshal(map[string]any{"institution": w.Institution, "webhook": w.ID})
	if err != nil {
		return nil, err
	}
	b := append(bytes.TrimSuffix(head, []byte("}")), `,"data":`...)
	b = append(b, bytes.TrimSuffix(about, []byte("}"))...)
	b = append(b, `,"actions":[`...)
	b = append(b, bytes.Join(actions, []byte(","))...)
	return append(b, "]}}"...), nil
}

// Test sends a message that holds no action, once, and says what became of it; nil: it was
// taken.
func (r *Runner) Test(ctx context.Context, institution, id string) error {
	w, _, err := r.Desk.Get(ctx, institution, id)
	if err != nil {
		return err
	}
	now := r.Desk.now()
	secrets, err := r.Desk.secrets(&w, now)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{"type": "actionlog.test", "timestamp": now.Format(time.RFC3339Nano), "data": map[string]any{"institution": w.Institution, "webhook": w.ID}})
	if err != nil {
		return err
	}
	p := actionlog.WebhookProgress{At: "test", Pending: now.Format(time.RFC3339Nano)}
	if v := send(ctx, r.client, w.URL, messageID(&w, &p), now, body, secrets...); !v.taken {
		return fmt.Errorf("%w: %s", ErrNotTaken, v.why)
	}
	return nil
}

// ErrNotTaken: the receiver did not take a message.
var ErrNotTaken = errors.New("the message was not taken")

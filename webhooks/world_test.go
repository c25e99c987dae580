package webhooks

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/storetest"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tape is a feed in memory: a place is how many actions are read.
type tape struct {
	mu      sync.Mutex
	actions int
	reads   int
	down    bool
}

func (f *tape) add(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.actions += n
}

func (f *tape) Read(_ context.Context, _ *actionlog.Webhook, at string, most int) (p Page, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return p, actionlog.ErrUnavailable
	}
	f.reads++ // a place is written in another way each time, and known by the same mark
	place, _, _ := strings.Cut(at, " ")
	n, err := strconv.Atoi(place)
	if err != nil {
		return p, err
	}
	for ; n < f.actions && len(p.Actions) < most; n++ {
		p.Actions, p.Behind = append(p.Actions, fmt.Appendf(nil, `{"id":"a%d"}`, n)), append(p.Behind, fmt.Sprint(n+1, f.reads))
		p.Marks = append(p.Marks, strconv.Itoa(n+1))
		p.Taken = append(p.Taken, time.Unix(int64(n), 0))
	}
	p.Next, p.More = strconv.Itoa(n), n < f.actions
	return p, nil
}

func (f *tape) start(context.Context, time.Time) (string, error) { return "0", nil }

// receiver takes messages, as its answer says.
type receiver struct {
	t      *testing.T
	secret func() []string // that must verify, each
	answer func(n int) int // to the n-th request; 0: it hangs up

	mu       sync.Mutex
	requests int
	ids      []string // of actions that were taken, each message once
	messages map[string]string
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	for _, secret := range r.secret() {
		hook, err := standardwebhooks.NewWebhook(secret)
		if err == nil {
			err = hook.VerifyIgnoringTimestamp(body, req.Header) // the bubble's time is another
		}
		if err != nil {
			r.t.Errorf("a message that does not verify: %v", err)
		}
	}
	status := http.StatusNoContent
	if r.answer != nil {
		status = cmp.Or(r.answer(r.requests), -1)
	}
	id := req.Header.Get("webhook-id")
	if was, known := r.messages[id]; known && was != string(body) {
		r.t.Errorf("the message %s is another one the second time:\n%s\n%s", id, was, body)
	}
	if status/100 == 2 || status == -1 { // it was taken, though nobody may be told
		if _, known := r.messages[id]; !known {
			r.take(body)
		}
		r.messages[id] = string(body)
	}
	if status == -1 {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(status)
}

func (r *receiver) take(body []byte) {
	var m struct {
		Type string
		Data struct{ Actions []struct{ ID string } }
	}
	if err := json.Unmarshal(body, &m); err != nil {
		r.t.Errorf("%s: %v", body, err)
	}
	for _, a := range m.Data.Actions {
		r.ids = append(r.ids, a.ID)
	}
}

func (r *receiver) taken() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ids)
}

// asked is how many requests came.
func (r *receiver) asked() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests
}

// inMemory has a handler answer what a client asks for.
type inMemory struct{ http.Handler }

// RoundTrip implements http.RoundTripper.
func (h inMemory) RoundTrip(req *http.Request) (resp *http.Response, err error) {
	defer func() {
		if recover() != nil {
			resp, err = nil, io.ErrUnexpectedEOF
		}
	}()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w.Result(), nil
}

// world is a desk, a feed and a receiver, in a bubble of time.
type world struct {
	t     *testing.T
	state *storetest.State
	tape  *tape
	desk  *Desk
	to    *receiver
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, state: storetest.NewState(), tape: &tape{}}
	w.desk = &Desk{State: w.state, Key: []byte("0123456789abcdef0123456789abcdef"), Start: w.tape.start}
	w.to = &receiver{t: t, messages: map[string]string{}, secret: func() []string { return nil }}
	return w
}

// run runs a runner until stop is called.
func (w *world) run(o Options) (r *Runner, stop func()) {
	o.Desk, o.Reader, o.Log = w.desk, w.tape, slog.New(slog.DiscardHandler)
	r = New(o)
	r.client = &http.Client{Transport: inMemory{w.to}, Timeout: sendWithin}
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = r.Run(ctx) // it always returns nil
	}()
	return r, func() {
		cancel()
		<-done
	}
}

func (w *world) create(batch int) actionlog.Webhook {
	w.t.Helper()
	h, secret, err := w.desk.Create(w.t.Context(), actionlog.Webhook{Institution: "uni", Name: "SIEM", URL: "https://siem.example.org/x", PerMessage: batch}, time.Time{})
	if err != nil {
		w.t.Fatal(err)
	}
	w.to.secret = func() []string { return []string{secret} }
	return h
}

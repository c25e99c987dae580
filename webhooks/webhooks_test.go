package webhooks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"actionlog"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// wanted are the first n actions.
func wanted(n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprintf("a%d", i))
	}
	return ids
}

func (w *world) holds(what string, n int) {
	w.t.Helper()
	if got := w.to.taken(); !slices.Equal(got, wanted(n)) {
		w.t.Errorf("%s: %d actions came, and not %d: %.200q", what, len(got), n, got)
	}
}

// Every action comes, once and in its order, signed, in messages of so many.
func TestDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.create(7)
		_, stop := w.run(Options{})
		defer stop()
		for range 10 {
			w.tape.add(5)
			time.Sleep(3 * time.Second)
		}
		w.holds("all", 50)
		_, p, err := w.desk.Get(t.Context(), "uni", w.only().ID)
		if err != nil || p.Actions != 50 || p.Messages < 8 || p.DeliveredAt.IsZero() || p.Problem != "" {
			t.Errorf("%+v, %v", p, err)
		}
	})
}

func (w *world) only() actionlog.Webhook {
	w.t.Helper()
	list, err := w.desk.List(w.t.Context(), "uni")
	if err != nil || len(list) != 1 {
		w.t.Fatalf("%d webhooks: %v", len(list), err)
	}
	return list[0]
}

// What is not taken is sent again, the same message with the same id, ever more rarely, for
// days; when the receiver is back, everything comes.
func TestSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		down := true
		w.to.answer = func(n int) int {
			if down {
				return []int{500, 0, 429, 503}[n%4]
			}
			return 204
		}
		w.create(3)
		_, stop := w.run(Options{})
		defer stop()
		w.tape.add(2)
		time.Sleep(3 * 24 * time.Hour)
		w.tape.add(20)
		if n := w.to.asked(); n < 15 || n > 60 {
			t.Errorf("%d tries in three days", n)
		}
		h := w.only()
		if _, p, err := w.desk.Get(t.Context(), "uni", h.ID); err != nil || p.Tries < 10 || p.Problem == "" || h.Status != actionlog.WebhookActive {
			t.Errorf("%+v, %s, %v", p, h.Status, err)
		}
		w.to.mu.Lock()
		down = false
		w.to.mu.Unlock()
		time.Sleep(8 * time.Hour)
		w.holds("after three days", 22)
	})
}

// A receiver that is away for too long, or that wants nothing any more, stops the webhook,
// and somebody is told; what it missed comes when somebody resumes it.
func TestStopped(t *testing.T) {
	for status, within := range map[int]time.Duration{500: 6 * 24 * time.Hour, 410: time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			answer := status
			w.to.answer = func(int) int { return answer }
			var told []actionlog.Webhook
			w.create(1)
			_, stop := w.run(Options{Stopped: func(_ context.Context, h actionlog.Webhook) error { told = append(told, h); return nil }})
			defer stop()
			w.tape.add(3)
			time.Sleep(within)
			if h := w.only(); h.Status != actionlog.WebhookStopped || h.Problem == "" || len(told) != 1 {
				t.Fatalf("%d: %+v, told %d times", status, h, len(told))
			}
			requests := w.to.asked()
			time.Sleep(24 * time.Hour)
			if w.to.asked() != requests {
				t.Errorf("%d: it goes on", status)
			}
			w.to.mu.Lock()
			answer = 200
			w.to.mu.Unlock()
			if _, err := w.desk.Resume(t.Context(), "uni", w.only().ID); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			w.holds("resumed", 3)
		})
	}
}

// A receiver that says when to come again is not asked before.
func TestRetryAfter(t *testing.T) {
	for text, want := range map[string]time.Duration{"120": 2 * time.Minute, "": 0, "-3": 0, "x": 0, "999999999": maxAfter, "Sat, 01 Jan 2000 00:10:00 GMT": 10 * time.Minute} {
		if got := retryAfter(text, time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)); got != want {
			t.Errorf("%q: %v, and not %v", text, got, want)
		}
	}
}

// Paused, nothing comes; resumed, it goes on; replayed, it begins again, with messages of
// other ids; dropped, it ends.
func TestPausedAndReplayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h := w.create(2)
		_, stop := w.run(Options{})
		defer stop()
		w.tape.add(4)
		time.Sleep(10 * time.Second)
		if _, err := w.desk.Pause(t.Context(), "uni", h.ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		w.tape.add(4)
		time.Sleep(time.Hour)
		w.holds("paused", 4)
		if _, err := w.desk.Resume(t.Context(), "uni", h.ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		w.holds("resumed", 8)
		if _, err := w.desk.Replay(t.Context(), "uni", h.ID, time.Time{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if got, want := w.to.taken(), append(wanted(8), wanted(8)...); !slices.Equal(got, want) {
			t.Errorf("replayed: %q", got)
		}
		if _, err := w.desk.Drop(t.Context(), "uni", h.ID); err != nil {
			t.Fatal(err)
		}
		w.tape.add(1)
		time.Sleep(time.Minute)
		if len(w.to.taken()) != 16 {
			t.Error("dropped, it goes on")
		}
		if _, _, err := w.desk.Get(t.Context(), "uni", h.ID); !errors.Is(err, actionlog.ErrNotFound) {
			t.Errorf("dropped: %v", err)
		}
	})
}

// While a secret is rotated, both sign; then the new one alone.
func TestRotated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h := w.create(1)
		old := w.to.secret()[0]
		_, stop := w.run(Options{})
		defer stop()
		_, secret, err := w.desk.Rotate(t.Context(), "uni", h.ID, time.Hour)
		if err != nil || secret == old {
			t.Fatalf("%q, %v", secret, err)
		}
		w.to.secret = func() []string { return []string{old, secret} }
		w.tape.add(1)
		time.Sleep(time.Minute)
		w.holds("both sign", 1)
		time.Sleep(time.Hour)
		w.to.secret = func() []string { return []string{secret} }
		w.tape.add(1)
		time.Sleep(time.Minute)
		w.holds("the new one signs", 2)
		hook, err := standardwebhooks.NewWebhook(old)
		if err != nil {
			t.Fatal(err)
		}
		secrets, err := w.desk.secrets(new(w.only()), time.Now())
		if err != nil || len(secrets) != 1 {
			t.Fatalf("%d secrets sign: %v", len(secrets), err)
		}
		header := http.Header{}
		sign(header, "msg_1", time.Now(), []byte("{}"), secrets...)
		if hook.VerifyIgnoringTimestamp([]byte("{}"), header) == nil {
			t.Error("the old secret verifies still")
		}
	})
}

// Runners come and go at any moment, two at a time, and the receiver hangs up: each message
// is taken, and those that come again are the same.
func TestRunnersComeAndGo(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			w := newWorld(t)
			answers := rand.New(rand.NewPCG(seed, 2)) // the receiver's own: it answers beside this loop
			w.to.answer = func(int) int { return []int{204, 204, 204, 500, 0}[answers.IntN(5)] }
			w.create(1 + rng.IntN(5))
			var stops []func()
			total := 0
			for range 30 {
				n := rng.IntN(6)
				w.tape.add(n)
				total += n
				if len(stops) < 2 && rng.IntN(2) == 0 {
					_, stop := w.run(Options{})
					stops = append(stops, stop)
				}
				time.Sleep(time.Duration(rng.IntN(60_000)) * time.Millisecond)
				if len(stops) > 0 && rng.IntN(3) == 0 {
					stops[0]()
					stops = stops[1:]
				}
			}
			w.to.mu.Lock()
			w.to.answer = nil
			w.to.mu.Unlock()
			_, stop := w.run(Options{})
			time.Sleep(time.Hour)
			for _, stop := range append(stops, stop) {
				stop()
			}
			w.holds(fmt.Sprint("seed ", seed), total)
		})
	}
}

// A feed that cannot be read holds nothing up for ever.
func TestFeedAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.create(1)
		_, stop := w.run(Options{})
		defer stop()
		w.tape.mu.Lock()
		w.tape.down = true
		w.tape.mu.Unlock()
		time.Sleep(time.Hour)
		w.tape.mu.Lock()
		w.tape.down, w.tape.actions = false, 2
		w.tape.mu.Unlock()
		time.Sleep(time.Minute)
		w.holds("again", 2)
	})
}

// A slow receiver harms nobody: the others have what they are to have at once.
func TestSlowOneHarmsNobody(t *testing.T) {
	release := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer slow.Close()
	defer close(release)
	to := &receiver{t: t, messages: map[string]string{}, secret: func() []string { return nil }}
	quick := httptest.NewServer(to)
	defer quick.Close()
	w := newWorld(t)
	for range 5 {
		for _, url := range []string{slow.URL, quick.URL} {
			if _, _, err := w.desk.Create(t.Context(), actionlog.Webhook{Institution: "uni", Name: "x", URL: url, PerMessage: 10}, time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	r := New(Options{Desk: w.desk, Reader: w.tape, Log: slog.New(slog.DiscardHandler), Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	w.tape.add(10)
	for end := time.Now().Add(20 * time.Second); len(to.taken()) < 50 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	if err := <-done; err != nil || len(to.taken()) != 50 {
		t.Errorf("the quick ones have %d of 50: %v", len(to.taken()), err)
	}
}

package saved

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"actionlog"
	"actionlog/internal/storetest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tape is a log in memory: a place is how many actions are read. Each call fails now and
// then, before or after it did what it does.
type tape struct {
	mu       sync.Mutex
	actions  []Sighting
	made     int                 // documents
	recorded []map[string]string // each once
	fail     func() bool
}

func (l *tape) add(x Sighting) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x.ID, x.Position, x.ReceivedAt = "a"+strconv.Itoa(len(l.actions)), actionlog.Position{Stream: "s", Sequence: uint64(len(l.actions) + 1)}, time.Now()
	if x.OccurredAt.IsZero() {
		x.OccurredAt = x.ReceivedAt
	}
	x.Behind = strconv.Itoa(len(l.actions) + 1)
	l.actions = append(l.actions, x)
}

func (l *tape) failing() error {
	if l.fail != nil && l.fail() {
		return actionlog.ErrUnavailable
	}
	return nil
}

func (l *tape) Read(ctx context.Context, _ *actionlog.SavedSearch, at string, most int) (p Page, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, err := strconv.Atoi(at)
	if err = errors.Join(err, l.failing(), ctx.Err()); err != nil {
		return p, err
	}
	for ; n < len(l.actions) && len(p.Sightings) < min(most, 7); n++ {
		p.Sightings = append(p.Sightings, l.actions[n])
	}
	p.Next, p.More = strconv.Itoa(n), n < len(l.actions)
	return p, nil
}

// Seen knows what came later too, as a store does.
func (l *tape) Seen(ctx context.Context, _ *actionlog.SavedSearch, x *Sighting) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.actions {
		if a.Value == x.Value && a.Position.Sequence < x.Position.Sequence {
			return true, errors.Join(l.failing(), ctx.Err())
		}
	}
	return false, errors.Join(l.failing(), ctx.Err())
}

func (l *tape) Describe(s *actionlog.SavedSearch, r *Raised) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made++
	return json.Marshal(map[string]string{"id": strconv.Itoa(l.made), "search": s.ID, "by": r.By.ID, "label": r.By.Label, "count": strconv.Itoa(r.Count)})
}

func (l *tape) Record(_ context.Context, document []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.failing(); err != nil {
		return err
	}
	var d map[string]string
	if err := json.Unmarshal(document, &d); err != nil {
		return err
	}
	if !slices.ContainsFunc(l.recorded, func(was map[string]string) bool { return was["id"] == d["id"] }) {
		l.recorded = append(l.recorded, d)
	}
	return l.failing() // it was recorded all the same
}

func (l *tape) Start(_ context.Context, since time.Time) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for n < len(l.actions) && l.actions[n].ReceivedAt.Before(since) {
		n++
	}
	return strconv.Itoa(n), nil
}

// raised are the IDs of the actions by which an alert was raised.
func (l *tape) raised() (ids []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.recorded {
		ids = append(ids, d["by"])
	}
	return ids
}

func search(alert actionlog.Alert) actionlog.SavedSearch {
	return actionlog.SavedSearch{Institution: "uni", Name: "Failures", Filter: map[string][]string{"outcome": {"failure"}}, Alert: &alert}
}

// watching runs a runner until stop is called.
func watching(t *testing.T, desk *Desk, l Log) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	r := New(Options{Desk: desk, Log: l, Slog: slog.New(slog.DiscardHandler)})
	go func() { done <- r.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// More than three failures in ten minutes raise the alert once, and again after its quiet
// time; what occurred long before it came does not.
func TestCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		desk, l := &Desk{State: storetest.NewState(), Watched: true}, &tape{}
		s, err := desk.Create(t.Context(), search(actionlog.Alert{Kind: actionlog.AlertCount, MoreThan: 3, Minutes: 10, Quiet: 20}))
		if err != nil {
			t.Fatal(err)
		}
		defer watching(t, desk, l)()
		for range 3 {
			l.add(Sighting{})
			time.Sleep(2 * time.Minute)
		}
		l.add(Sighting{OccurredAt: time.Now().Add(-2 * time.Hour)})
		time.Sleep(5 * time.Second)
		if got := l.raised(); len(got) != 0 {
			t.Fatalf("raised by %q, and not by three and one of two hours ago", got)
		}
		for range 6 { // the first is the fourth in time
			l.add(Sighting{})
		}
		time.Sleep(15 * time.Minute)
		for range 6 {
			l.add(Sighting{}) // quiet
		}
		time.Sleep(15 * time.Minute)
		for range 4 {
			l.add(Sighting{})
		}
		time.Sleep(5 * time.Second)
		if got := l.raised(); !slices.Equal(got, []string{"a4", "a19"}) {
			t.Errorf("raised by %q", got)
		}
		_, p, err := desk.Get(t.Context(), "uni", s.ID)
		if err != nil || p.Count != 2 || p.Late != 1 || p.FiredAt.IsZero() {
			t.Errorf("%+v, %v", p, err)
		}
	})
}

// Each value is told of once, whatever fails and however often who watches is killed; those
// that were there before are not.
func TestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		desk, l := &Desk{State: storetest.NewState(), Watched: true}, &tape{}
		l.add(Sighting{Value: "old", Label: "Old"})
		time.Sleep(time.Minute)
		if _, err := desk.Create(t.Context(), search(actionlog.Alert{Kind: actionlog.AlertFirst, Of: actionlog.AlertOfActor})); err != nil {
			t.Fatal(err)
		}
		for _, value := range []string{"old", "a", "", "b", "a", "b", "old"} {
			l.add(Sighting{Value: value, Label: value})
		}
		stop := watching(t, desk, l)
		time.Sleep(time.Minute)
		stop()
		l.add(Sighting{Value: "a"})
		l.add(Sighting{Value: "c"})
		stop = watching(t, desk, l)
		time.Sleep(time.Minute)
		stop()
		if got := l.raised(); !slices.Equal(got, []string{"a2", "a4", "a9"}) {
			t.Errorf("raised by %q", got)
		}
	})
}

// With everything failing now and then, two that watch, each killed at any moment, raise what
// one raises to whom nothing happens.
func TestExactlyOnce(t *testing.T) {
	for _, alert := range []actionlog.Alert{{Kind: actionlog.AlertCount, MoreThan: 2, Minutes: 2}, {Kind: actionlog.AlertFirst, Of: actionlog.AlertOfIP}} {
		for seed := range uint64(10) {
			t.Run(fmt.Sprintf("%s/%d", alert.Kind, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { exactlyOnce(t, alert, seed) })
			})
		}
	}
}

func exactlyOnce(t *testing.T, alert actionlog.Alert, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	calm, l := &tape{}, &tape{}
	failures := rand.New(rand.NewPCG(seed, 2)) // the tape's own: it is read beside this loop
	l.fail = func() bool { return failures.IntN(6) == 0 }
	state := storetest.NewState()
	desk := &Desk{State: state, Watched: true}
	calmDesk := &Desk{State: storetest.NewState(), Watched: true}
	for _, d := range []*Desk{desk, calmDesk} {
		if _, err := d.Create(t.Context(), search(alert)); err != nil {
			t.Fatal(err)
		}
	}
	defer watching(t, calmDesk, calm)()
	for range 60 {
		for range random.IntN(12) {
			x := Sighting{Value: strconv.Itoa(random.IntN(300)), OccurredAt: time.Now().Add(-time.Duration(random.IntN(3600)) * time.Second)}
			l.add(x)
			calm.add(x)
		}
		stop := []func(){watching(t, &Desk{State: state, Watched: true}, l), watching(t, &Desk{State: state, Watched: true}, l)}
		time.Sleep(time.Duration(random.IntN(40000)) * time.Millisecond)
		stop[0]()
		stop[1]()
	}
	l.fail = nil
	defer watching(t, desk, l)()
	time.Sleep(2 * time.Minute)
	if got, want := l.raised(), calm.raised(); !slices.Equal(got, want) || len(want) < 3 {
		t.Errorf("raised by %q\nand not     %q", got, want)
	}
}

func anybody(*actionlog.SavedSearch) error { return nil }

// A changed condition is watched for from then on; a changed name changes nothing; paused,
// nothing is raised, and what came meanwhile is looked at afterwards; dropped, nothing is.
func TestChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		desk, l := &Desk{State: storetest.NewState(), Watched: true}, &tape{}
		s, err := desk.Create(t.Context(), search(actionlog.Alert{Kind: actionlog.AlertFirst, Of: actionlog.AlertOfActor}))
		if err != nil {
			t.Fatal(err)
		}
		defer watching(t, desk, l)()
		change := func(do func(s *actionlog.SavedSearch)) {
			t.Helper()
			time.Sleep(time.Minute)
			alert := *s.Alert
			s.Alert = &alert
			do(&s)
			if s, err = desk.Change(t.Context(), s, anybody); err != nil {
				t.Fatal(err)
			}
		}
		l.add(Sighting{Value: "a"})
		change(func(s *actionlog.SavedSearch) { s.Name = "Other" })
		l.add(Sighting{Value: "b"})
		change(func(s *actionlog.SavedSearch) { s.Alert.Paused = true })
		l.add(Sighting{Value: "c"})
		time.Sleep(time.Minute)
		if got := l.raised(); !slices.Equal(got, []string{"a0", "a1"}) {
			t.Errorf("raised by %q", got)
		}
		change(func(s *actionlog.SavedSearch) { s.Alert.Paused = false })
		change(func(s *actionlog.SavedSearch) { s.Filter = map[string][]string{"any": {"x"}} })
		if s.Watch != 2 {
			t.Errorf("watch %d", s.Watch)
		}
		l.add(Sighting{Value: "d"})
		time.Sleep(time.Minute)
		if _, err := desk.Drop(t.Context(), "uni", s.ID, anybody); err != nil {
			t.Fatal(err)
		}
		l.add(Sighting{Value: "e"})
		time.Sleep(time.Minute)
		if got := l.raised(); !slices.Equal(got, []string{"a0", "a1", "a2", "a3"}) {
			t.Errorf("raised by %q", got)
		}
		if _, _, err := desk.Get(t.Context(), "uni", s.ID); !errors.Is(err, actionlog.ErrNotFound) {
			t.Errorf("dropped: %v", err)
		}
	})
}

// A search that cannot be read harms no other, and a value may be as long as a document.
func TestOneThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := storetest.NewState()
		desk, l := &Desk{State: state, Watched: true}, &tape{}
		if _, err := desk.Create(t.Context(), search(actionlog.Alert{Kind: actionlog.AlertFirst, Of: actionlog.AlertOfActor})); err != nil {
			t.Fatal(err)
		}
		if _, err := state.Put(t.Context(), searchBucket, "other.x", []byte("{"), 0); err != nil {
			t.Fatal(err)
		}
		defer watching(t, desk, l)()
		l.add(Sighting{Value: strings.Repeat("long", 60_000)})
		time.Sleep(time.Minute)
		if got := l.raised(); !slices.Equal(got, []string{"a0"}) {
			t.Errorf("raised by %q", got)
		}
	})
}

// Who may not touch an alert does not remove one that is made meanwhile.
func TestAlertThatIsMadeMeanwhile(t *testing.T) {
	desk := &Desk{State: storetest.NewState(), Watched: true}
	plain := search(actionlog.Alert{})
	plain.Alert = nil
	s, err := desk.Create(t.Context(), plain)
	if err != nil {
		t.Fatal(err)
	}
	refused := errors.New("refused")
	may := func(was *actionlog.SavedSearch) error {
		if was.Alert != nil {
			return refused
		}
		if now := s; now.Alert == nil { // between what is judged and what is written
			now.Alert = &actionlog.Alert{Kind: actionlog.AlertFirst, Of: actionlog.AlertOfIP}
			_, err := desk.Change(t.Context(), now, anybody)
			return err
		}
		return nil
	}
	if _, err := desk.Change(t.Context(), s, may); !errors.Is(err, refused) {
		t.Errorf("changed: %v", err)
	}
	if _, err := desk.Drop(t.Context(), "uni", s.ID, may); !errors.Is(err, refused) {
		t.Errorf("dropped: %v", err)
	}
	if now, _, err := desk.Get(t.Context(), "uni", s.ID); err != nil || now.Alert == nil {
		t.Errorf("%+v, %v", now, err)
	}
}

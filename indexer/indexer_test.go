package indexer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"actionlog"
	"actionlog/indexer"
	"actionlog/internal/bus"
	"actionlog/internal/storetest"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
)

// running is an indexer on a stream of its own and the naive store.
type running struct {
	bus   *bus.Bus
	store *storetest.Model
}

func start(t *testing.T) running {
	t.Helper()
	b, err := bus.Run(t.Context(), bus.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	r := running{b, storetest.NewModel()}
	r.index(t)
	return r
}

// index runs an indexer until the test ends.
func (r running) index(t *testing.T) {
	t.Helper()
	consumer, err := r.bus.Consumer(t.Context(), bus.Indexer)
	if err != nil {
		t.Fatal(err)
	}
	x := &indexer.Indexer{Consumer: consumer, Incarnation: func(context.Context) string { return "test" }, Writer: r.store, Dead: r.bus.DeadLetters(),
		Metrics: indexer.NewMetrics(prometheus.NewRegistry()), Log: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- x.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("run: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the indexer did not stop")
		}
	})
}

// put publishes without any judgement, as a foreign publisher might.
func (r running) put(t *testing.T, subject, document string) {
	t.Helper()
	if _, err := r.bus.JS.PublishMsg(t.Context(), &nats.Msg{Subject: subject, Data: []byte(document)}); err != nil {
		t.Fatal(err)
	}
}

// settled waits until everything that was put is settled.
func (r running) settled(t *testing.T) {
	t.Helper()
	put := time.Now()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if until, err := r.bus.Progress().Settled(t.Context()); err == nil && until.After(put) {
			return
		}
	}
	t.Fatal("after a minute, not everything is settled")
}

func (r running) count(t *testing.T) int64 {
	t.Helper()
	n, _, err := r.store.Count(t.Context(), actionlog.Query{Institution: "uni"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func document(id string, ago time.Duration, summary string) string {
	return fmt.Sprintf(`{"id":%q,"occurred_at":%q,"institution":{"id":"uni"},"category":"course","action":{"code":"x"},"actor":{"kind":"user"},"summary":%q}`,
		id, time.Now().Add(-ago).UTC().Format(time.RFC3339Nano), summary)
}

const subject = "actions.uni.course"

// What a message is decides what becomes of it.
func TestOutcomes(t *testing.T) {
	r := start(t)
	first := document("a", time.Hour, "one")
	r.put(t, subject, first)
	r.put(t, subject, first)
	r.put(t, subject, document("a", time.Hour, "two"))
	r.put(t, subject, document("b", 94*24*time.Hour, "too old"))
	r.put(t, subject, document("c", 92*24*time.Hour, "late"))
	r.put(t, subject, document("d", -25*time.Hour, "future"))
	r.put(t, "actions.other.course", document("e", 0, "other institution"))
	r.put(t, "actions.uni.api", document("f", 0, "other category"))
	r.put(t, subject, `{"id":"g","password":"SECRET"`)
	r.put(t, subject, `{"id":"h"}`)
	r.settled(t)
	if n := r.count(t); n != 2 {
		t.Errorf("%d actions are stored", n)
	}
	letters, _, err := r.bus.DeadLetters().List(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	got := map[uint64]string{}
	for _, l := range letters {
		got[l.Position.Sequence] = l.Reason + " " + l.Field
		if string(l.Document) == `{"id":"g","password":"SECRET"` {
			t.Error("a dead letter holds a credential")
		}
	}
	want := map[uint64]string{3: "id_collision /id", 6: "future /occurred_at", 7: "subject /institution/id", 8: "subject /category", 9: "invalid ", 10: "invalid /occurred_at"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	records, err := r.store.Get(t.Context(), "uni", "a", actionlog.Day{})
	if err != nil || len(records) != 1 || records[0].Position != (actionlog.Position{Stream: "test", Sequence: 1}) || string(records[0].Document) != first {
		t.Errorf("%+v, %v", records, err)
	}
}

// While the store fails nothing is acknowledged; then everything is there once,
// and until then nothing is said to be settled.
func TestStoreFails(t *testing.T) {
	r := start(t)
	var failing atomic.Bool
	failing.Store(true)
	var writes atomic.Int64
	r.store.Fault = func(call string) error {
		if failing.Load() && call == "Write" {
			writes.Add(1)
			return errors.New("disk full")
		}
		return nil
	}
	put := time.Now()
	for i := range 50 {
		r.put(t, subject, document(fmt.Sprint(i), time.Minute, ""))
	}
	for deadline := time.Now().Add(time.Minute); writes.Load() < 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a failed batch was not tried again")
		}
	}
	if until, err := r.bus.Progress().Settled(t.Context()); err != nil || until.After(put.Add(time.Second)) && until.After(time.Now().Add(-time.Millisecond)) {
		t.Errorf("settled until %s while the store fails, %v", until, err)
	}
	failing.Store(false)
	r.settled(t)
	if n := r.count(t); n != 50 {
		t.Errorf("%d actions are stored", n)
	}
}

// Days go only when they are past their time and proven to be archived.
func TestSweep(t *testing.T) {
	store := storetest.NewModel()
	now := time.Now()
	var items []actionlog.Item
	for _, ago := range []int{0, 92, 93, 95, 96} {
		item, err := actionlog.Parse([]byte(document(fmt.Sprint(ago), time.Duration(ago)*24*time.Hour, "")), nil)
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, item)
	}
	if _, err := store.Write(t.Context(), items); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	if dropped, err := indexer.Sweep(t.Context(), store, now, nil, log); err != nil || len(dropped) != 0 {
		t.Errorf("without a proof %v are dropped, %v", dropped, err)
	}
	unproven := actionlog.DayOf(now).Add(-95)
	dropped, err := indexer.Sweep(t.Context(), store, now, func(_ context.Context, d actionlog.Day) (bool, error) { return d != unproven, nil }, log)
	if want := fmt.Sprint([]actionlog.Day{actionlog.DayOf(now).Add(-96), actionlog.DayOf(now).Add(-93)}); err != nil || fmt.Sprint(dropped) != want {
		t.Errorf("dropped %v, want %v, %v", dropped, want, err)
	}
	if days, err := store.Days(t.Context()); err != nil || len(days) != 3 {
		t.Errorf("%v are left, %v", days, err)
	}
}

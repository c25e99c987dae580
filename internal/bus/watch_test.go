package bus

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A consumer that hands nothing out though messages and a pull wait is noticed: first its
// leader is to step down, then it is made anew, and then it has its time again. One that
// moves, has nothing to hand out, is not asked, is paused or is full stands still rightly.
func TestStall(t *testing.T) {
	still := func(change func(i *jetstream.ConsumerInfo)) *jetstream.ConsumerInfo {
		i := &jetstream.ConsumerInfo{Config: jetstream.ConsumerConfig{MaxAckPending: 100}, Delivered: jetstream.SequenceInfo{Stream: 7}, NumPending: 3, NumWaiting: 1, NumAckPending: 5}
		if change != nil {
			change(i)
		}
		return i
	}
	t.Run("still", func(t *testing.T) {
		var s stall
		want := map[time.Duration]remedy{30 * time.Second: stepDown, 60 * time.Second: makeAnew, 100 * time.Second: stepDown, 130 * time.Second: makeAnew}
		start := time.Unix(0, 0)
		for at := time.Duration(0); at <= 130*time.Second; at += 10 * time.Second {
			if got := s.look(start.Add(at), still(nil)); got != want[at] {
				t.Errorf("after %s: %d, want %d", at, got, want[at])
			}
		}
	})
	n := uint64(7)
	for name, change := range map[string]func(i *jetstream.ConsumerInfo){
		"moves":       func(i *jetstream.ConsumerInfo) { n++; i.Delivered.Stream = n },
		"has nothing": func(i *jetstream.ConsumerInfo) { i.NumPending = 0 },
		"not asked":   func(i *jetstream.ConsumerInfo) { i.NumWaiting = 0 },
		"paused":      func(i *jetstream.ConsumerInfo) { i.Paused = true },
		"full":        func(i *jetstream.ConsumerInfo) { i.NumAckPending = 100 },
	} {
		t.Run(name, func(t *testing.T) {
			var s stall
			for at := range 20 {
				if got := s.look(time.Unix(int64(10*at), 0), still(change)); got != nothing {
					t.Fatalf("after %d s: %d", 10*at, got)
				}
			}
		})
	}
}

// A consumer that is made anew goes on behind its acknowledgement floor, and leaves
// nothing out: what was acknowledged beyond the floor comes again.
func TestMakeAnew(t *testing.T) {
	b := start(t, t.TempDir(), Options{})
	publish(t, own(t, b), submissions(0, 10))
	c, err := b.Consumer(t.Context(), Indexer)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range fetch(t, c, 8) {
		if meta, err := m.Metadata(); err != nil {
			t.Fatal(err)
		} else if meta.Sequence.Stream != 5 { // the floor stays at 4
			if err := m.DoubleAck(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	info, err := c.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.mend(t.Context(), makeAnew, info); err != nil {
		t.Fatal(err)
	}
	if c, err = b.Renew(t.Context(), Indexer); err != nil {
		t.Fatal(err)
	}
	again := fetch(t, c, 6)
	for i, m := range again {
		if meta, err := m.Metadata(); err != nil || meta.Sequence.Stream != uint64(5+i) {
			t.Errorf("message %d: %+v, %v", i, meta, err)
		}
	}
	if len(again) != 6 {
		t.Errorf("%d messages, want 5 to 10", len(again))
	}
	if got := c.CachedInfo().Config; got.AckWait != AckWait || got.MaxDeliver != -1 || got.FilterSubject != info.Config.FilterSubject {
		t.Errorf("made anew as %+v", got)
	}
}

func fetch(t *testing.T, c jetstream.Consumer, n int) (messages []jetstream.Msg) {
	t.Helper()
	batch, err := c.Fetch(n, jetstream.FetchMaxWait(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	for m := range batch.Messages() {
		messages = append(messages, m)
	}
	return messages
}

// A connection that was made again is as old as when that is first noticed, and no older:
// nothing that came over it is taken for what came over the one before.
func TestConnections(t *testing.T) {
	var c connections
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	for i, step := range []struct {
		again     uint64
		now, want time.Time
	}{{0, at(1), at(1)}, {0, at(2), at(1)}, {1, at(3), at(3)}, {1, at(9), at(3)}, {3, at(10), at(10)}, {3, at(11), at(10)}} {
		if got := c.at(step.again, step.now); !got.Equal(step.want) {
			t.Errorf("step %d: since %v, want %v", i, got, step.want)
		}
	}
}

// A reconnection is known before its first message is.
func TestSinceReconnection(t *testing.T) {
	b := start(t, t.TempDir(), Options{})
	sub, err := b.Conn.SubscribeSync("since")
	if err != nil {
		t.Fatal(err)
	}
	before := b.Since()
	if again := b.Since(); !again.Equal(before) {
		t.Fatalf("the same connection is of %v and of %v", before, again)
	}
	if err := b.Conn.ForceReconnect(); err != nil {
		t.Fatal(err)
	}
	if err := b.Conn.Publish("since", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := sub.NextMsg(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	if after := b.Since(); !after.After(before) {
		t.Errorf("a message came over a new connection, which is of %v as the one before", after)
	}
}

// What the server warns of after every kill is told as the ordinary thing that it is; other warnings stay warnings.
func TestServerLog(t *testing.T) {
	var said strings.Builder
	l := &natsLog{slog.New(slog.NewTextHandler(&said, nil)), &process{}}
	for _, c := range []struct{ format, level string }{
		{"Filestore [ACTIONS] Stream state outdated, last block has additional entries, will rebuild", "INFO"},
		{"Filestore [ACTIONS] Recovering stream state from index errored: prior state file", "INFO"},
		{"Filestore [ACTIONS] Recovering stream state from index errored: checksum", "WARN"},
		{"Filestore [ACTIONS] Stream state outdated, found extra blocks, will rebuild", "WARN"},
	} {
		said.Reset()
		if l.Warnf("%s", c.format); !strings.Contains(said.String(), "level="+c.level) || !strings.Contains(said.String(), c.format) {
			t.Errorf("%q is said as %q", c.format, said.String())
		}
	}
}

package bus

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"actionlog"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func start(t *testing.T, dir string, o Options) *Bus {
	t.Helper()
	o.Dir = dir
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	o.PublisherPassword = "pw"
	b, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func submissions(from, n int) []actionlog.Submission {
	list := make([]actionlog.Submission, n)
	for i := range list {
		doc := []byte(fmt.Sprintf(`{"n":%d}`, from+i))
		list[i] = actionlog.Submission{Institution: "uni", Category: "course", ID: fmt.Sprint(from + i), Digest: sha256.Sum256(doc), Document: doc}
	}
	return list
}

func publish(t *testing.T, p actionlog.Publisher, list []actionlog.Submission) []actionlog.Receipt {
	t.Helper()
	receipts := p.Publish(t.Context(), list)
	for i, r := range receipts {
		if r.Err != nil {
			t.Fatalf("%s: %v", list[i].ID, r.Err)
		}
	}
	return receipts
}

func own(t *testing.T, b *Bus) *Publisher {
	t.Helper()
	p, err := b.Publisher(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Positions are the stream's, in batches as singly; what the stream holds
// already is a duplicate, alone and inside a batch; a collision is not.
func TestPublish(t *testing.T) {
	b := start(t, t.TempDir(), Options{})
	p := own(t, b)
	for i, r := range publish(t, p, submissions(0, 2500)) {
		if r.Duplicate || r.Position.Sequence != uint64(i+1) || r.Position.Stream == "" {
			t.Fatalf("receipt %d: %+v", i, r)
		}
	}
	s, err := b.JS.Stream(t.Context(), StreamActions)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := s.GetMsg(t.Context(), 1777); err != nil || string(m.Data) != `{"n":1776}` || m.Subject != "actions.uni.course" {
		t.Errorf("position 1777 holds %v, %v", m, err)
	}
	mixed := append(submissions(2499, 1), submissions(2500, 3)...)
	mixed[3].Digest = sha256.Sum256([]byte("other"))
	for i, r := range publish(t, p, mixed) {
		if r.Duplicate != (i == 0) {
			t.Errorf("receipt %d: %+v", i, r)
		}
	}
	collision := submissions(2500, 1)
	collision[0].Digest = sha256.Sum256([]byte("other content"))
	if r := publish(t, p, collision)[0]; r.Duplicate {
		t.Error("other content under the same id was swallowed")
	}
	if info, err := s.Info(t.Context()); err != nil || info.State.Msgs != 2504 {
		t.Errorf("the stream holds %d, %v", info.State.Msgs, err)
	}
}

// The user `publisher` may publish actions, and nothing else.
func TestPublisherIsRestricted(t *testing.T) {
	b := start(t, t.TempDir(), Options{})
	p, err := DialPublisher(DialOptions{URL: "nats://" + b.Addr(), Password: "pw"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	publish(t, p, submissions(0, 1))
	publish(t, p, submissions(1, 50))
	if _, err := DialPublisher(DialOptions{URL: "nats://" + b.Addr(), Password: "wrong"}); err == nil {
		t.Error("a wrong password was accepted")
	}
	nc, err := nats.Connect("nats://"+b.Addr(), nats.UserInfo(PublisherUser, "pw"), nats.Timeout(time.Second),
		nats.PermissionErrOnSubscribe(true), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for _, subject := range []string{"actions.>", ">", "dead.>", "$JS.>"} {
		sub, err := nc.SubscribeSync(subject)
		if err != nil {
			continue
		}
		if _, err := sub.NextMsg(5 * time.Second); !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("subscribing to %s: %v", subject, err)
		}
	}
	for _, subject := range []string{"$JS.API.STREAM.INFO.ACTIONS", "$JS.API.STREAM.PURGE.ACTIONS", "dead.x.y.z.1", "$JS.API.STREAM.DELETE.ACTIONS"} {
		if m, err := nc.Request(subject, nil, 200*time.Millisecond); err == nil {
			t.Errorf("%s answers %s", subject, m.Data)
		}
	}
	if used, _, err := b.Fill(t.Context()); err != nil || used == 0 {
		t.Errorf("the stream holds %d bytes, %v", used, err)
	}
}

// A full stream refuses, and says that another attempt may succeed.
func TestFullStream(t *testing.T) {
	b := start(t, t.TempDir(), Options{StreamMaxBytes: 64 << 10})
	p := own(t, b)
	refused := 0
	for i := 0; i < 40 && refused == 0; i++ {
		for _, r := range p.Publish(t.Context(), submissions(i*100, 100)) {
			if r.Err != nil {
				refused++
				if !errors.Is(r.Err, actionlog.ErrUnavailable) {
					t.Fatalf("refused with %v", r.Err)
				}
			}
		}
	}
	used, limit, err := b.Fill(t.Context())
	if err != nil || refused == 0 || used > limit {
		t.Errorf("%d refused, %d of %d bytes used, %v", refused, used, limit, err)
	}
}

func dead(n uint64, reason string) actionlog.DeadLetter {
	return actionlog.DeadLetter{Position: actionlog.Position{Stream: "s", Sequence: n}, ReceivedAt: time.Unix(7, 0).UTC(), Institution: "uni",
		Reason: reason, Field: "/id", Detail: "is missing", Subject: "actions.uni.course", Document: []byte{0xff, 0, '{'}}
}

// A document that became too long for a message by scrubbing is cut, and says so: nobody waits for it for ever.
func TestLongDeadLetter(t *testing.T) {
	b := start(t, t.TempDir(), Options{})
	d := b.DeadLetters()
	for i, size := range []int{1 << 20, 1_560_000, 1_570_000, 1_580_000, 2 << 20, 8 << 20} {
		l := dead(uint64(i+1), "invalid")
		l.Document = bytes.Repeat([]byte(`"REDACTED",`), size/11+1)[:size]
		if err := d.Add(t.Context(), l); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		got, err := d.Get(t.Context(), l.Position)
		cut := len(got.Document) < size
		if err != nil || !bytes.HasPrefix(l.Document, got.Document) || cut != strings.Contains(got.Detail, fmt.Sprint("the document has ", size, " bytes")) || len(got.Document) < min(size, 1_500_000) {
			t.Errorf("%d bytes: %d are kept, %q, %v", size, len(got.Document), got.Detail, err)
		}
	}
}

func TestDeadLetters(t *testing.T) {
	b := start(t, t.TempDir(), Options{})
	d, ctx := b.DeadLetters(), t.Context()
	for i := range uint64(5) {
		for range 2 { // the same again changes nothing
			if err := d.Add(ctx, dead(i+1, []string{"invalid", "future"}[i%2])); err != nil {
				t.Fatal(err)
			}
		}
	}
	first, next, err := d.List(ctx, 0, 3)
	if err != nil || len(first) != 3 || next == 0 {
		t.Fatalf("%v, %d, %v", first, next, err)
	}
	rest, end, err := d.List(ctx, next, 3)
	if err != nil || len(rest) != 2 || end != 0 || rest[0].Position.Sequence != 4 {
		t.Fatalf("%v, %d, %v", rest, end, err)
	}
	got, err := d.Get(ctx, first[1].Position)
	if want := dead(2, "future"); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	if err := d.Drop(ctx, first[0].Position); err != nil {
		t.Error(err)
	}
	if _, err := d.Get(ctx, first[0].Position); !errors.Is(err, actionlog.ErrNotFound) {
		t.Errorf("a dropped one: %v", err)
	}
	if err := d.Drop(ctx, first[0].Position); !errors.Is(err, actionlog.ErrNotFound) {
		t.Errorf("dropped again: %v", err)
	}
	if counts, err := d.Count(ctx); err != nil || counts["invalid"] != 2 || counts["future"] != 2 {
		t.Errorf("%v, %v", counts, err)
	}
}

// Settled claims nothing that is not acknowledged, also after a restart of the
// server; trimming never passes what is not acknowledged.
func TestSettledAndTrim(t *testing.T) {
	dir := t.TempDir()
	b := start(t, dir, Options{})
	settled := func() time.Time {
		t.Helper()
		time.Sleep(settledFor)                // an answer is set back by as long as it took
		at, err := b.askProgress(t.Context()) // Settled may hand out an older one
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	before := time.Now()
	if at := settled(); at.Before(before) {
		t.Errorf("an empty stream is settled until %s, asked after %s", at, before)
	}
	publish(t, own(t, b), submissions(0, 10))
	s, err := b.JS.Stream(t.Context(), StreamActions)
	if err != nil {
		t.Fatal(err)
	}
	taken := func(seq uint64) time.Time {
		t.Helper()
		m, err := s.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		return m.Time
	}
	if at := settled(); !at.Before(taken(1)) {
		t.Errorf("settled until %s before anything was acknowledged", at)
	}
	acknowledge(t, b, 4)
	if at, four, five := settled(), taken(4), taken(5); at.Before(four.Add(-1)) || !at.Before(five) {
		t.Errorf("settled until %s with four of ten acknowledged; the fifth was taken at %s", at, five)
	}
	if err := b.TrimOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if info, err := s.Info(t.Context()); err != nil || info.State.FirstSeq != 5 || info.State.Msgs != 6 {
		t.Errorf("trimmed to %+v, %v", info.State, err)
	}
	incarnation, err := b.Incarnation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	five := taken(5)
	b.Close()
	b = start(t, dir, Options{})
	if at := settled(); !at.Before(five) {
		t.Errorf("after a restart settled until %s", at)
	}
	if again, err := b.Incarnation(t.Context()); err != nil || again != incarnation {
		t.Errorf("incarnation %s, %v; it was %s", again, err, incarnation)
	}
}

// acknowledge takes and acknowledges n messages.
func acknowledge(t *testing.T, b *Bus, n int) {
	t.Helper()
	c, err := b.Consumer(t.Context(), Indexer)
	if err != nil {
		t.Fatal(err)
	}
	batch, err := c.Fetch(n, jetstream.FetchMaxWait(5*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	for m := range batch.Messages() {
		if err := m.DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// A message as large as the stream takes becomes a dead letter as any other; a
// larger one is refused for good.
func TestLargestMessage(t *testing.T) {
	b := start(t, t.TempDir(), Options{})
	most := int(maxMessage(b.Conn.MaxPayload()))
	send := func(n int) error {
		s := submissions(0, 1)
		s[0].Document = make([]byte, n)
		return own(t, b).Publish(t.Context(), s)[0].Err
	}
	if err := send(most - 500); err != nil {
		t.Fatalf("publish %d bytes: %v", most-500, err)
	}
	l := dead(1, "invalid")
	l.Document = make([]byte, most)
	if err := b.DeadLetters().Add(t.Context(), l); err != nil {
		t.Errorf("a dead letter of %d bytes: %v", most, err)
	}
	var invalid *actionlog.InvalidError
	for _, n := range []int{most + 1, maxPayload + 1} {
		if err := send(n); !errors.As(err, &invalid) {
			t.Errorf("publish %d bytes: %v", n, err)
		}
	}
}

// A position has one dead letter, whatever its reasons.
func TestOneDeadLetterAPosition(t *testing.T) {
	b := start(t, t.TempDir(), Options{})
	for _, reason := range []string{"invalid", "id_collision"} {
		if err := b.DeadLetters().Add(t.Context(), dead(1, reason)); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := b.DeadLetters().Total(t.Context()); err != nil || n != 1 {
		t.Errorf("%d dead letters, %v", n, err)
	}
}

// A consumer that somebody deleted is made anew; what an earlier process had in
// hand is delivered at once after a restart.
func TestConsumerMadeAnew(t *testing.T) {
	dir := t.TempDir()
	b := start(t, dir, Options{})
	publish(t, own(t, b), submissions(0, 5))
	acknowledge(t, b, 2)
	if err := b.JS.DeleteConsumer(t.Context(), StreamActions, Indexer); err != nil {
		t.Fatal(err)
	}
	c, err := b.Renew(t.Context(), Indexer)
	if err != nil {
		t.Fatal(err)
	}
	take := func(c jetstream.Consumer) (n int) {
		t.Helper()
		batch, err := c.Fetch(10, jetstream.FetchMaxWait(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		for range batch.Messages() {
			n++
		}
		return n
	}
	if n := take(c); n != 5 {
		t.Errorf("%d of 5 are delivered after the consumer was deleted", n)
	}
	b.Close()
	b = start(t, dir, Options{})
	if c, err = b.Consumer(t.Context(), Indexer); err != nil {
		t.Fatal(err)
	}
	if n := take(c); n != 5 {
		t.Errorf("%d of 5 that were in hand are delivered within a second of a restart", n)
	}
}

func TestWithoutPasswords(t *testing.T) {
	for in, want := range map[string]string{
		"nats://a:s3cret@h:4222,nats://h2": "nats://h:4222,nats://h2", "a:s3c@ret@h": "h", "tls://h": "tls://h",
	} {
		if got := withoutPasswords(in); got != want {
			t.Errorf("%s became %s, want %s", in, got, want)
		}
	}
}

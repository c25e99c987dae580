package bus

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"actionlog"
	"actionlog/internal/tracing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

const (
	// maxBatch is the server's limit of messages in an atomic batch.
	maxBatch = 1000
	// maxBatchBytes bounds what a batch holds in the server's memory.
	maxBatchBytes = 8 << 20
	// publishTimeout is how long an acknowledgement may take.
	publishTimeout = 30 * time.Second
)

// Publisher is an actionlog.Publisher on the stream.
type Publisher struct {
	js     jetstream.JetStream
	stream func() string // the incarnation now; nil where it is not known
	key    []byte        // of the ids of messages
	own    *nats.Conn
	denied *denied // nil where everything is allowed
	// Tracer traces what is published; nil: nothing does. A trace that the context is in goes on
	// with the messages all the same.
	Tracer *tracing.Tracer
}

var _ actionlog.Publisher = (*Publisher)(nil)

// Publisher returns a publisher on this connection. All processes that publish
// what may come again, to one and then to another, share a key that nobody else
// knows.
func (b *Bus) Publisher(ctx context.Context, key []byte) (*Publisher, error) {
	if _, err := b.Incarnation(ctx); err != nil {
		return nil, err
	}
	return &Publisher{js: b.JS, stream: b.Stream, key: key}, nil
}

// DialPublisher connects as a user that may publish and nothing else, and
// reconnects for ever. Receipts then hold sequences without an incarnation.
func DialPublisher(o DialOptions) (*Publisher, error) {
	if o.User == "" {
		o.User = PublisherUser
	}
	key, err := o.messageKey()
	if err != nil {
		return nil, err
	}
	o.denied = newDenied()
	nc, err := o.connect()
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("nats: %w", err)
	}
	return &Publisher{js: js, key: key, own: nc, denied: o.denied}, nil
}

// position is a sequence of the stream.
func (p *Publisher) position(sequence uint64) actionlog.Position {
	at := actionlog.Position{Sequence: sequence}
	if p.stream != nil {
		at.Stream = p.stream()
	}
	return at
}

// Close ends the connection of DialPublisher.
func (p *Publisher) Close() {
	if p.own != nil {
		p.own.Close()
	}
}

// messageID lets the stream recognise the same content of the same action, and
// keeps a collision apart. Nobody without the key can tell it beforehand: what
// was published under an id is acknowledged as a duplicate when it comes again,
// so that who guesses the id of another's action could have it lost.
func (p *Publisher) messageID(s *actionlog.Submission) string {
	mac := hmac.New(sha256.New, p.key)
	fmt.Fprintf(mac, "%s/%s/", s.Institution, s.ID)
	mac.Write(s.Digest[:])
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

func subjectOf(s *actionlog.Submission) string { return actionlog.Subject(s.Institution, s.Category) }

// message carries the trace of a context ("": none).
func (p *Publisher) message(s *actionlog.Submission, carried string) *nats.Msg {
	m := nats.NewMsg(subjectOf(s))
	if carried != "" {
		m.Header.Set(tracing.Header, carried)
	}
	m.Header.Set(nats.MsgIdHdr, p.messageID(s))
	m.Data = s.Document
	return m
}

// Publish implements actionlog.Publisher: one sync for up to 1,000 documents,
// by atomic batches. A batch that the server refuses as a whole, because of a
// duplicate say, is published singly, and each document judged by itself.
func (p *Publisher) Publish(ctx context.Context, submissions []actionlog.Submission) []actionlog.Receipt {
	receipts := make([]actionlog.Receipt, len(submissions))
	ctx, sent := p.Tracer.Send(ctx, StreamActions, len(submissions))
	defer func() { sent(firstError(receipts)) }()
	for start := 0; start < len(submissions); {
		end, size := start, 0
		for end < len(submissions) && end-start < maxBatch && (end == start || size+len(submissions[end].Document) <= maxBatchBytes) {
			size += len(submissions[end].Document)
			end++
		}
		part, into := submissions[start:end], receipts[start:end]
		if len(part) == 1 || !p.atomic(ctx, part, into) {
			p.single(ctx, part, into)
		}
		start = end
	}
	return receipts
}

func firstError(receipts []actionlog.Receipt) error {
	for i := range receipts {
		if err := receipts[i].Err; err != nil {
			return err
		}
	}
	return nil
}

// atomic publishes a batch as a whole; false means that none of it was taken,
// or that nothing is known of it.
func (p *Publisher) atomic(ctx context.Context, part []actionlog.Submission, into []actionlog.Receipt) bool {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	ctx, allowed := p.denied.until(ctx)
	defer allowed()
	batch, err := jetstreamext.NewBatchPublisher(p.js)
	if err != nil {
		return false
	}
	last, carried := len(part)-1, tracing.Carried(ctx)
	for i := range part {
		if _, err := p.denied.of(subjectOf(&part[i])); err != nil {
			return false
		}
	}
	for i := range part[:last] {
		if err := batch.AddMsg(p.message(&part[i], carried)); err != nil {
			return false
		}
	}
	waiting, acknowledged := p.Tracer.Step(ctx, "acknowledge "+StreamActions)
	ack, err := batch.CommitMsg(waiting, p.message(&part[last], carried))
	acknowledged(err)
	if err != nil || ack.BatchSize != uint64(len(part)) {
		return false
	}
	first := ack.Sequence - uint64(last) // the sequences of a batch are consecutive
	for i := range into {
		into[i] = actionlog.Receipt{Position: p.position(first + uint64(i))}
	}
	return true
}

// single publishes one by one, without waiting for each.
func (p *Publisher) single(ctx context.Context, part []actionlog.Submission, into []actionlog.Receipt) {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	carried := tracing.Carried(ctx)
	for start := 0; start < len(part); start += 256 { // bounded in flight
		end := min(start+256, len(part))
		futures := make([]jetstream.PubAckFuture, end-start)
		for i := range futures {
			if _, err := p.denied.of(subjectOf(&part[start+i])); err != nil {
				into[start+i].Err = err
				continue
			}
			f, err := p.js.PublishMsgAsync(p.message(&part[start+i], carried), jetstream.WithRetryAttempts(0))
			if err != nil {
				into[start+i].Err = refusal(err)
			}
			futures[i] = f
		}
		waiting, acknowledged := p.Tracer.Step(ctx, "acknowledge "+StreamActions)
		for i, f := range futures {
			if f != nil {
				into[start+i] = p.receipt(waiting, f, subjectOf(&part[start+i]))
			}
		}
		acknowledged(firstError(into[start:end]))
	}
}

func (p *Publisher) receipt(ctx context.Context, f jetstream.PubAckFuture, subject string) actionlog.Receipt {
	for {
		more, err := p.denied.of(subject)
		if err != nil {
			return actionlog.Receipt{Err: err}
		}
		select {
		case <-more:
		case ack := <-f.Ok():
			return actionlog.Receipt{Position: p.position(ack.Sequence), Duplicate: ack.Duplicate}
		case err := <-f.Err():
			return actionlog.Receipt{Err: refusal(err)}
		case <-ctx.Done():
			return actionlog.Receipt{Err: refusal(ctx.Err())}
		}
	}
}

// errMessageTooLarge is the server's code for a message beyond the stream's limit
// (nats-server/server/errors.json, JSStreamMessageExceedsMaximumErr).
const errMessageTooLarge = 10054

func isAPIError(err error, code jetstream.ErrorCode) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == code
}

// refusal tells what can never be published from what can be tried again.
func refusal(err error) error {
	switch {
	case errors.Is(err, nats.ErrMaxPayload), isAPIError(err, errMessageTooLarge):
		return actionlog.Invalidf("", "is too large to be published")
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrPermissionViolation):
		return fmt.Errorf("publish: %w", err)
	}
	return fmt.Errorf("publish: %w: %w", actionlog.ErrUnavailable, err)
}

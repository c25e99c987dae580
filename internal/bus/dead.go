package bus

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"actionlog"

	"github.com/nats-io/nats.go/jetstream"
)

// DeadLetters is an actionlog.DeadLetters on a stream of its own. Each dead
// letter has a subject of its own, dead.<institution>.<reason>.<position>, which
// holds one message: the server refuses a second one, so that adding a dead
// letter again changes nothing, however much later.
type DeadLetters struct{ js jetstream.JetStream }

var _ actionlog.DeadLetters = (*DeadLetters)(nil)

// DeadLetters returns the dead letters of this connection.
func (b *Bus) DeadLetters() *DeadLetters { return &DeadLetters{b.JS} }

// letter is how a dead letter stands in its stream; Document is base64.
type letter struct {
	Position    string    `json:"position"`
	ReceivedAt  time.Time `json:"received_at"`
	Institution string    `json:"institution"`
	Reason      string    `json:"reason"`
	Field       string    `json:"field,omitempty"`
	Detail      string    `json:"detail"`
	Subject     string    `json:"subject"`
	Document    []byte    `json:"document"`
}

// tokenOf makes a subject's token of a name that need not be one.
func tokenOf(s string) string {
	if s == "" || len(s) > 64 || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
		return "_"
	}
	return s
}

// Add implements actionlog.DeadLetters.
func (d *DeadLetters) Add(ctx context.Context, l actionlog.DeadLetter) error {
	payload, err := encodeLetter(&l, d.js.Conn().MaxPayload())
	if err != nil {
		return fmt.Errorf("dead letter %s: %w", l.Position, err)
	}
	if there, err := d.Has(ctx, l.Position); err != nil || there {
		return err
	}
	subject := strings.Join([]string{"dead", tokenOf(l.Institution), tokenOf(l.Reason), l.Position.String()}, ".")
	_, err = d.js.Publish(ctx, subject, payload)
	var api *jetstream.APIError
	if errors.As(err, &api) && strings.Contains(api.Description, "maximum messages per subject") {
		return nil // it is there already
	}
	if err != nil {
		return fmt.Errorf("dead letter %s: %w: %w", l.Position, actionlog.ErrUnavailable, err)
	}
	return nil
}

// encodeLetter is the payload of a dead letter. A document that a message cannot hold, which scrubbing may have made several
// times as long, is cut, and the detail says so: the archive has it whole.
func encodeLetter(l *actionlog.DeadLetter, most int64) ([]byte, error) {
	stands := letter{l.Position.String(), l.ReceivedAt, l.Institution, l.Reason, l.Field, l.Detail, l.Subject, l.Document}
	payload, err := json.Marshal(stands)
	if most -= lettersHeaders; err != nil || int64(len(payload)) <= most {
		return payload, err
	}
	kept := max(0, int64(len(l.Document))-(int64(len(payload))-most+256)/4*3-3)
	stands.Document = l.Document[:kept]
	stands.Detail = fmt.Sprintf("%s (the document has %d bytes without its credentials, SHA-256 %x; its first %d are kept here, and all of it in the archive)",
		l.Detail, len(l.Document), sha256.Sum256(l.Document), kept)
	return json.Marshal(stands)
}

// lettersHeaders is room for what stands beside a message's payload.
const lettersHeaders = 4 << 10

func (d *DeadLetters) stream(ctx context.Context) (jetstream.Stream, error) {
	s, err := d.js.Stream(ctx, StreamDead)
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w: %w", actionlog.ErrUnavailable, err)
	}
	return s, nil
}

// listedBytes is how much one call of List reads: letters may be large.
const listedBytes = 8 << 20

// List implements actionlog.DeadLetters.
func (d *DeadLetters) List(ctx context.Context, after uint64, limit int) (letters []actionlog.DeadLetter, next uint64, err error) {
	s, err := d.stream(ctx)
	if err != nil {
		return nil, 0, err
	}
	for seq, size := after+1, 0; ; {
		m, err := s.GetMsg(ctx, seq, jetstream.WithGetMsgSubject("dead.>"))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return letters, 0, nil
		}
		if err != nil {
			return nil, 0, fmt.Errorf("dead letters: %w: %w", actionlog.ErrUnavailable, err)
		}
		if size += len(m.Data); len(letters) == limit || len(letters) > 0 && size > listedBytes {
			return letters, seq - 1, nil
		}
		l, err := decodeLetter(m.Data)
		if err != nil {
			return nil, 0, err
		}
		letters = append(letters, l)
		seq = m.Sequence + 1
	}
}

func decodeLetter(data []byte) (actionlog.DeadLetter, error) {
	var l letter
	if err := json.Unmarshal(data, &l); err != nil {
		return actionlog.DeadLetter{}, fmt.Errorf("dead letter: %w", err)
	}
	p, err := actionlog.ParsePosition(l.Position)
	return actionlog.DeadLetter{Position: p, ReceivedAt: l.ReceivedAt, Institution: l.Institution, Reason: l.Reason,
		Field: l.Field, Detail: l.Detail, Subject: l.Subject, Document: l.Document}, err
}

// find returns the message of a dead letter.
func (d *DeadLetters) find(ctx context.Context, p actionlog.Position) (jetstream.Stream, *jetstream.RawStreamMsg, error) {
	s, err := d.stream(ctx)
	if err != nil {
		return nil, nil, err
	}
	m, err := s.GetMsg(ctx, 1, jetstream.WithGetMsgSubject("dead.*.*."+p.String()))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil, fmt.Errorf("dead letter %s: %w", p, actionlog.ErrNotFound)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("dead letter %s: %w: %w", p, actionlog.ErrUnavailable, err)
	}
	return s, m, nil
}

// Has tells whether there is a dead letter of a position, without reading it: the server would
// read many others with it, and keep them in memory for seconds.
func (d *DeadLetters) Has(ctx context.Context, p actionlog.Position) (bool, error) {
	s, err := d.stream(ctx)
	if err != nil {
		return false, err
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter("dead.*.*."+p.String()))
	if err != nil {
		return false, fmt.Errorf("dead letter %s: %w: %w", p, actionlog.ErrUnavailable, err)
	}
	return len(info.State.Subjects) > 0, nil
}

// Get implements actionlog.DeadLetters.
func (d *DeadLetters) Get(ctx context.Context, p actionlog.Position) (actionlog.DeadLetter, error) {
	_, m, err := d.find(ctx, p)
	if err != nil {
		return actionlog.DeadLetter{}, err
	}
	return decodeLetter(m.Data)
}

// Drop implements actionlog.DeadLetters.
func (d *DeadLetters) Drop(ctx context.Context, p actionlog.Position) error {
	s, m, err := d.find(ctx, p)
	if err != nil {
		return err
	}
	if err := s.DeleteMsg(ctx, m.Sequence); err != nil {
		return fmt.Errorf("dead letter %s: %w: %w", p, actionlog.ErrUnavailable, err)
	}
	return nil
}

// Total counts all dead letters, at a cost that does not grow with them.
func (d *DeadLetters) Total(ctx context.Context) (uint64, error) {
	s, err := d.stream(ctx)
	if err != nil {
		return 0, err
	}
	return s.CachedInfo().State.Msgs, nil
}

// Count implements actionlog.DeadLetters.
func (d *DeadLetters) Count(ctx context.Context) (map[string]int64, error) {
	s, err := d.stream(ctx)
	if err != nil {
		return nil, err
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter("dead.>"))
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w: %w", actionlog.ErrUnavailable, err)
	}
	counts := map[string]int64{}
	for subject, n := range info.State.Subjects {
		if parts := strings.Split(subject, "."); len(parts) > 2 {
			counts[parts[2]] += int64(n)
		}
	}
	return counts, nil
}

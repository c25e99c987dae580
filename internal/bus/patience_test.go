package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Servers that are not ready are asked again, as long as there is patience; what they
// refuse is refused at once.
func TestPatience(t *testing.T) {
	api := func(code int, number jetstream.ErrorCode) error {
		return fmt.Errorf("stream: %w", &jetstream.APIError{Code: code, ErrorCode: number})
	}
	for _, test := range []struct {
		err   error
		tries int
	}{
		{context.DeadlineExceeded, 2}, {nats.ErrNoResponders, 2}, {nats.ErrTimeout, 2}, {fmt.Errorf("nats: %w", nats.ErrNoServers), 2}, {nats.ErrAuthorization, 1}, {api(503, 10008), 2}, {api(400, noPeers), 2},
		{api(400, jetstream.JSErrCodeStreamNameInUse), 1}, {api(503, jetstream.JSErrCodeJetStreamNotEnabled), 1}, {api(503, jetstream.JSErrCodeJetStreamNotEnabledForAccount), 1},
		{errors.New("something else"), 1},
	} {
		b, tries := &Bus{patience: time.Minute, log: slog.New(slog.DiscardHandler)}, 0
		err := b.patiently(t.Context(), "the test", func(context.Context) error {
			if tries++; tries == 2 {
				return nil
			}
			return test.err
		})
		if tries != test.tries || (err == nil) != (test.tries == 2) {
			t.Errorf("%v: tried %d times: %v", test.err, tries, err)
		}
		b.patience, tries = 0, 0
		if err = b.patiently(t.Context(), "the test", func(context.Context) error { tries++; return test.err }); tries > 2 || err == nil {
			t.Errorf("%v, without patience: tried %d times: %v", test.err, tries, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	b := &Bus{patience: time.Hour, log: slog.New(slog.DiscardHandler)}
	if err := b.patiently(ctx, "the test", func(context.Context) error { cancel(); return nats.ErrTimeout }); err == nil {
		t.Error("it goes on though nobody waits for it")
	}
}

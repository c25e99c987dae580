package bus

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// DialOptions say how to reach a server that is not ours.
type DialOptions struct {
	URL            string
	User, Password string // with a password
	Seed           string // path of a file with the seed of an nkey
	Credentials    string // path of a credentials file
	CA             string // path of certificate authorities (PEM); "": the system's
	Cert, Key      string // paths of a client certificate (PEM) and its key
	Durable        bool   // the operator vouches that every write is synced before its acknowledgement
	StreamMaxBytes int64
	Replicas       int // servers that keep each stream; 0: as many as do, or three where there are three
	// Patience is how long servers that do not answer, or are not ready, because they still
	// elect a leader say, are asked again; default 0: once.
	Patience time.Duration
	Log      *slog.Logger
	denied   *denied // of a publisher
}

// Dial connects to a foreign server and prepares its streams.
func Dial(ctx context.Context, o DialOptions) (*Bus, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	b := &Bus{durable: o.Durable, max: o.StreamMaxBytes, replicas: o.Replicas, patience: o.Patience, log: o.Log}
	err := b.patiently(ctx, "connecting", func(context.Context) (err error) {
		b.Conn, err = o.connect()
		return err
	})
	if err != nil {
		return nil, err
	}
	return b.set(ctx)
}

func (o DialOptions) connect() (*nats.Conn, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	options := []nats.Option{nats.Name("actionlog"), nats.MaxReconnects(-1), nats.Timeout(5 * time.Second),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if !o.denied.note(err) {
				o.Log.Warn("nats", "error", err)
			}
		})}
	if o.Password != "" {
		options = append(options, nats.UserInfo(o.User, o.Password))
	}
	if o.Credentials != "" {
		options = append(options, nats.UserCredentials(o.Credentials))
	}
	if o.Seed != "" {
		seed, err := nats.NkeyOptionFromSeed(o.Seed)
		if err != nil {
			return nil, fmt.Errorf("nats: the seed in %s: %w", o.Seed, err)
		}
		options = append(options, seed)
	}
	if o.CA != "" {
		options = append(options, nats.RootCAs(o.CA))
	}
	if o.Cert != "" {
		options = append(options, nats.ClientCert(o.Cert, o.Key))
	}
	nc, err := nats.Connect(o.URL, options...)
	if err != nil {
		return nil, fmt.Errorf("nats %s: %w", withoutPasswords(o.URL), err)
	}
	return nc, nil
}

// messageKey is a secret that all who connect with the same secret share: it
// makes the ids of their messages (see messageID).
func (o DialOptions) messageKey() ([]byte, error) {
	secret := []byte(o.Password)
	for _, path := range []string{o.Seed, o.Credentials} {
		if path == "" {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("nats: %w", err)
		}
		secret = append(secret, text...)
	}
	key := sha256.Sum256(append([]byte("actionlog message ids\n"), secret...))
	return key[:], nil
}

// askAgainAfter is how long to wait for servers that are not ready.
const askAgainAfter = time.Second

// patiently tries until it succeeds, fails for good, or patience is at its end.
func (b *Bus) patiently(ctx context.Context, what string, try func(ctx context.Context) error) error {
	end := time.Now().Add(b.patience)
	for tries := 0; ; tries++ {
		err := try(ctx)
		if err == nil || ctx.Err() != nil || !notReady(err) || time.Now().After(end) {
			return err
		}
		if tries%10 == 0 {
			b.log.Warn("the NATS servers are not ready; they are asked again", "until", end.Format(time.TimeOnly), "for", what, "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(askAgainAfter):
		}
	}
}

// noPeers is the server's code for too few servers that could keep a stream
// (nats-server/server/errors.json, JSClusterNoPeersErrF): the others may be starting still.
const noPeers = 10005

// notReady tells servers that are not ready from those that refuse.
func notReady(err error) bool {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return api.Code == 503 && api.ErrorCode != jetstream.JSErrCodeJetStreamNotEnabled && api.ErrorCode != jetstream.JSErrCodeJetStreamNotEnabledForAccount || api.ErrorCode == noPeers
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrNoResponders) || errors.Is(err, nats.ErrNoServers)
}

// withoutPasswords removes userinfo from a list of URLs.
func withoutPasswords(list string) string {
	urls := strings.Split(list, ",")
	for i, u := range urls {
		if at := strings.LastIndexByte(u, '@'); at >= 0 {
			scheme, _, found := strings.Cut(u, "://")
			if urls[i] = u[at+1:]; found {
				urls[i] = scheme + "://" + urls[i]
			}
		}
	}
	return strings.Join(urls, ",")
}

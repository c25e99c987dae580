package bus

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
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
	Log            *slog.Logger
	denied         *denied // of a publisher
}

// Dial connects to a foreign server and prepares its streams.
func Dial(ctx context.Context, o DialOptions) (*Bus, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	nc, err := o.connect()
	if err != nil {
		return nil, err
	}
	return newBus(ctx, nc, nil, o.Durable, o.StreamMaxBytes, o.Replicas, o.Log)
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

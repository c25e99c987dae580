// Package bus is NATS: a server in this process or a connection to another,
// the names and limits of streams and consumers, publishing, dead letters, and
// how far the stream has been taken in. It knows of an action no more than its
// subject, its identity and its bytes, and it never judges one.
package bus

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// PublisherUser is the user that may publish actions and nothing else.
const PublisherUser = "publisher"

// maxPayload admits documents beyond actionlog.MaxDocumentBytes, so that they
// become dead letters with a reason instead of a publisher's riddle.
const maxPayload = 1 << 20

// Options of a server in the process.
type Options struct {
	Dir               string       // where JetStream keeps its files
	Listen            string       // host:port for publishers; port 0 is any; "" is no listener
	PublisherPassword string       // of PublisherUser
	StreamMaxBytes    int64        // limit of the stream; default 10 GiB
	Log               *slog.Logger // default slog.Default
}

// Bus is a connection to NATS, and the server behind it where that runs in
// this process.
type Bus struct {
	Conn    *nats.Conn
	JS      jetstream.JetStream
	server  *server.Server
	durable bool
	max     int64
	log     *slog.Logger
}

// Run starts a server in this process, which syncs every write before it
// acknowledges it, and connects to it.
func Run(ctx context.Context, o Options) (*Bus, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("nats: %w", err)
	}
	password := rand.Text()
	opts := &server.Options{
		ServerName: "actionlog", JetStream: true, StoreDir: o.Dir, SyncAlways: true, MaxPayload: maxPayload,
		NoSigs: true, DontListen: o.Listen == "", MaxPending: 256 << 20,
		JetStreamMaxStore: 1 << 42, JetStreamMaxMemory: 64 << 20,
		Users: []*server.User{
			{Username: "internal", Password: password},
			{Username: PublisherUser, Password: o.PublisherPassword, Permissions: &server.Permissions{
				Publish:   &server.SubjectPermission{Allow: []string{"actions.>"}},
				Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}},
			}},
		},
	}
	if o.PublisherPassword == "" {
		opts.Users = opts.Users[:1]
	}
	if err := setListen(opts, o.Listen); err != nil {
		return nil, err
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("nats: %w", err)
	}
	s.SetLoggerV2(natsLog{o.Log}, false, false, false)
	s.Start()
	if !s.ReadyForConnections(15*time.Second) || !s.JetStreamEnabled() {
		s.Shutdown()
		return nil, fmt.Errorf("nats: the server in %s did not become ready", o.Dir)
	}
	nc, err := nats.Connect("", nats.InProcessServer(s), nats.UserInfo("internal", password), nats.Name("actionlog"),
		nats.CustomInboxPrefix("_INBOX_internal"), nats.MaxReconnects(-1))
	if err != nil {
		s.Shutdown()
		return nil, fmt.Errorf("nats: %w", err)
	}
	return newBus(ctx, nc, s, true, o.StreamMaxBytes, o.Log)
}

// setListen refuses a taken port before the server, which would exit, sees it.
func setListen(opts *server.Options, listen string) error {
	if listen == "" {
		return nil
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("nats: %w", err)
	}
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err == nil {
		opts.Host = host
		opts.Port, err = strconv.Atoi(port)
	}
	return errors.Join(err, l.Close())
}

// DialOptions say how to reach a server that is not ours.
type DialOptions struct {
	URL            string
	User, Password string // with a password
	Credentials    string // path of a credentials file
	Durable        bool   // the operator vouches that every write is synced before its acknowledgement
	StreamMaxBytes int64
	Log            *slog.Logger
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
	return newBus(ctx, nc, nil, o.Durable, o.StreamMaxBytes, o.Log)
}

func (o DialOptions) connect() (*nats.Conn, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	options := []nats.Option{nats.Name("actionlog"), nats.MaxReconnects(-1), nats.Timeout(5 * time.Second),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { o.Log.Warn("nats", "error", err) })}
	if o.Password != "" {
		options = append(options, nats.UserInfo(o.User, o.Password))
	}
	if o.Credentials != "" {
		options = append(options, nats.UserCredentials(o.Credentials))
	}
	nc, err := nats.Connect(o.URL, options...)
	if err != nil {
		return nil, fmt.Errorf("nats %s: %w", o.URL, err)
	}
	return nc, nil
}

func newBus(ctx context.Context, nc *nats.Conn, s *server.Server, durable bool, max int64, log *slog.Logger) (*Bus, error) {
	if max <= 0 {
		max = 10 << 30
	}
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(4096))
	b := &Bus{Conn: nc, JS: js, server: s, durable: durable, max: max, log: log}
	if err == nil {
		err = b.ensure(ctx)
	}
	if err != nil {
		b.Close()
		return nil, fmt.Errorf("nats: %w", err)
	}
	return b, nil
}

// Addr is where the server in the process listens; "" where it does not.
func (b *Bus) Addr() string {
	if b.server == nil || b.server.Addr() == nil {
		return ""
	}
	return b.server.Addr().String()
}

// Durable tells whether an acknowledged publish survives a power failure.
func (b *Bus) Durable() bool { return b.durable }

// Close ends the connection, and the server in the process.
func (b *Bus) Close() {
	b.Conn.Close()
	if b.server != nil {
		b.server.Shutdown()
		b.server.WaitForShutdown()
	}
}

// natsLog passes what matters of the server's log on.
type natsLog struct{ log *slog.Logger }

func (l natsLog) Noticef(string, ...any) {}
func (l natsLog) Debugf(string, ...any)  {}
func (l natsLog) Tracef(string, ...any)  {}
func (l natsLog) Warnf(format string, v ...any) {
	if strings.HasPrefix(format, "Plaintext passwords") {
		return // they are random, one lives in memory, the other in a file of mode 0600
	}
	l.log.Warn("nats: " + fmt.Sprintf(format, v...))
}
func (l natsLog) Errorf(format string, v ...any) {
	l.log.Error("nats: " + fmt.Sprintf(format, v...))
}
func (l natsLog) Fatalf(format string, v ...any) {
	l.log.Error("nats: " + fmt.Sprintf(format, v...))
}

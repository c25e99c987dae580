// Package bus is NATS: a server in this process or a connection to another,
// the names and limits of streams and consumers, publishing, dead letters, and
// how far the stream has been taken in. It knows of an action no more than its
// subject, its identity and its bytes, and it never judges one.
package bus

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// PublisherUser is the user that may publish actions and nothing else.
const PublisherUser = "publisher"

// maxPayload is what the server in the process takes. The stream takes less, see
// maxMessage.
const maxPayload = 2 << 20

// maxMessage is how large a message of the stream may be: beyond
// actionlog.MaxDocumentBytes, so that documents that are too large become dead
// letters with a reason instead of a publisher's riddle; and so far below the
// server's limit that a dead letter, which holds the message in base64, fits.
func maxMessage(payload int64) int32 { return int32(min(1<<20, (payload-64<<10)/4*3)) }

// Options of a server in the process.
type Options struct {
	Dir               string       // where JetStream keeps its files
	Listen            string       // host:port for publishers; port 0 is any; "" is no listener
	PublisherPassword string       // of PublisherUser, who may publish for every institution
	Publishers        []Grant      // who may publish for some
	TLSCert, TLSKey   string       // paths (PEM); none: publishers connect without TLS
	StreamMaxBytes    int64        // limit of the stream; default 10 GiB
	Log               *slog.Logger // default slog.Default
}

// Bus is a connection to NATS, and the server behind it where that runs in
// this process.
type Bus struct {
	Conn    *nats.Conn
	JS      jetstream.JetStream
	process *process // nil where the server is another process
	durable bool
	max     int64
	// replicas is what the operator wants; 0: nothing.
	replicas int
	patience time.Duration          // with servers that are not ready yet
	archived atomic.Bool            // there is an archive: nothing is trimmed before it
	stream   atomic.Pointer[string] // incarnation
	made     connections

	progressOnce sync.Once
	progress     Progress

	log *slog.Logger
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
	p := &process{options: o, password: rand.Text()}
	if err := p.start(); err != nil {
		return nil, err
	}
	nc, err := nats.Connect("", nats.InProcessServer(p), nats.UserInfo("internal", p.password), nats.Name("actionlog"),
		nats.CustomInboxPrefix("_INBOX_internal"), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { o.Log.Warn("nats", "error", err) }))
	if err != nil {
		p.close()
		return nil, fmt.Errorf("nats: %w", err)
	}
	return (&Bus{Conn: nc, process: p, durable: true, max: o.StreamMaxBytes, log: o.Log}).set(ctx)
}

// connections tells when a connection was made, or made again. NATS counts that before the
// first message of the new connection comes, and tells a handler of it some time after.
type connections struct {
	sync.Mutex
	again uint64
	since time.Time
}

func (c *connections) at(again uint64, now time.Time) time.Time {
	c.Lock()
	defer c.Unlock()
	if c.since.IsZero() || c.again != again {
		c.again, c.since = again, now
	}
	return c.since
}

// Since is when this connection to the servers was made, or made again, or later: when that
// was first asked. Whatever came over it came after the connection that Since speaks of.
func (b *Bus) Since() time.Time { return b.made.at(b.Conn.Stats().Reconnects, time.Now()) }

// set completes a bus that is connected.
func (b *Bus) set(ctx context.Context) (*Bus, error) {
	if b.max <= 0 {
		b.max = 10 << 30
	}
	b.Since()
	var err error
	if b.JS, err = jetstream.New(b.Conn, jetstream.WithPublishAsyncMaxPending(4096)); err == nil {
		err = b.patiently(ctx, "the streams", b.ensure)
	}
	if err != nil {
		b.Close()
		return nil, fmt.Errorf("nats: %w", err)
	}
	return b, nil
}

// Addr is where the server in the process listens; "" where it does not.
func (b *Bus) Addr() string {
	if b.process == nil {
		return ""
	}
	return b.process.addr()
}

// Durable tells whether an acknowledged publish survives a power failure.
func (b *Bus) Durable() bool { return b.durable }

// Close ends the connection, and the server in the process.
func (b *Bus) Close() {
	b.Conn.Close()
	if b.process != nil {
		b.process.close()
	}
}

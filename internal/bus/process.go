package bus

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// process is a NATS server in this process. The server gives up a stream of
// which one write failed, as on a full disk, until it is started again; process
// does that as soon as the disk takes writes again.
type process struct {
	options  Options
	password string // of the user internal

	mu     sync.Mutex
	server *server.Server
	broken atomic.Pointer[string] // why the server gave up a stream
}

// start starts a server; after the first time it listens where it did.
func (p *process) start() error {
	o := &p.options
	opts := &server.Options{
		ServerName: "actionlog", JetStream: true, StoreDir: o.Dir, SyncAlways: true, MaxPayload: maxPayload,
		NoSigs: true, DontListen: o.Listen == "", MaxPending: 256 << 20,
		JetStreamMaxStore: 1 << 42, JetStreamMaxMemory: 64 << 20,
	}
	if err := errors.Join(p.admit(opts), o.secure(opts)); err != nil {
		return fmt.Errorf("nats: %w", err)
	}
	if err := setListen(opts, o.Listen); err != nil {
		return err
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return fmt.Errorf("nats: %w", err)
	}
	s.SetLoggerV2(&natsLog{o.Log, p}, false, false, false)
	s.Start()
	ready := s.ReadyForConnections(15*time.Second) && s.JetStreamEnabled()
	if ready && !s.GlobalAccount().JetStreamEnabled() { // where there are others, it is not by itself
		err = s.GlobalAccount().EnableJetStream(nil, nil)
	}
	if !ready || err != nil {
		s.Shutdown()
		return errors.Join(fmt.Errorf("nats: the server in %s did not become ready", o.Dir), err)
	}
	if s.Addr() != nil {
		o.Listen = s.Addr().String()
	}
	p.server = s
	return nil
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

// InProcessConn lets a client connect, and again after a restart.
func (p *process) InProcessConn() (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.server.InProcessConn()
}

func (p *process) addr() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.server.Addr() == nil {
		return ""
	}
	return p.server.Addr().String()
}

func (p *process) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.server.Shutdown()
	p.server.WaitForShutdown()
}

// trouble says why the server gave up a stream; nil: it did not.
func (p *process) trouble() error {
	if why := p.broken.Load(); why != nil {
		return errors.New(*why)
	}
	return nil
}

// heal starts the server again if the disk takes writes again.
func (p *process) heal() error {
	if !p.diskTakesWrites() {
		return nil
	}
	p.options.Log.Info("the disk takes writes again; the NATS server in the process starts anew")
	p.mu.Lock()
	defer p.mu.Unlock()
	p.server.Shutdown()
	p.server.WaitForShutdown()
	p.broken.Store(nil)
	return p.start()
}

// trialBytes is what the disk must take before a server is started again.
const trialBytes = 8 << 20

// diskTakesWrites writes a file and removes it.
func (p *process) diskTakesWrites() bool {
	path := filepath.Join(p.options.Dir, "trial")
	defer os.Remove(path)
	f, err := os.Create(path)
	if err != nil {
		return false
	}
	_, err = f.ReadFrom(bytes.NewReader(make([]byte, trialBytes)))
	return errors.Join(err, f.Sync(), f.Close()) == nil
}

// natsLog passes what matters of the server's log on, and learns from it that
// the server gave up a stream: it says so nowhere else.
type natsLog struct {
	log     *slog.Logger
	process *process
}

func (l *natsLog) Noticef(string, ...any) {}
func (l *natsLog) Debugf(string, ...any)  {}
func (l *natsLog) Tracef(string, ...any)  {}
func (l *natsLog) Warnf(format string, v ...any) {
	if strings.HasPrefix(format, "Plaintext passwords") {
		return // they are random, one lives in memory, the other in a file of mode 0600
	}
	text := fmt.Sprintf(format, v...)
	for _, usual := range afterAKill {
		if strings.Contains(text, usual) {
			l.log.Info("nats: the last stop was without notice; what was synced is read anew", "said", text)
			return
		}
	}
	l.log.Warn("nats: " + text)
}

// afterAKill is what the server warns of whenever it was killed, which takes nothing from what it has acknowledged
// (nats-server/server/filestore.go, recoverFullState).
var afterAKill = []string{"Stream state outdated, last block has additional entries", "Recovering stream state from index errored: prior state file"}

func (l *natsLog) Errorf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	if strings.Contains(strings.ToLower(text), "critical write error") || strings.Contains(text, "failed to store a msg") {
		if l.process.broken.Swap(&text) != nil {
			return // said already
		}
	}
	l.log.Error("nats: " + text)
}

func (l *natsLog) Fatalf(format string, v ...any) { l.Errorf(format, v...) }

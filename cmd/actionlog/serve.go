package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"actionlog/internal/sqlite"
	"actionlog/internal/tracing"
)

// stopWithin is how long a graceful stop may take in all.
const stopWithin = 10 * time.Second

// serveCmd runs the service. Everything starts in the order in which it is
// written in run, and stops in the reverse.
type serveCmd struct {
	Listen          string `placeholder:"ADDRESS" default:"127.0.0.1:8080" help:"Where the API listens. Other addresses than loopback need TLS or --allow-plain-http."`
	TLSCert         string `name:"tls-cert" placeholder:"FILE" help:"Certificate chain (PEM) of the API."`
	TLSKey          string `name:"tls-key" placeholder:"FILE" help:"Private key (PEM) of the API."`
	httpFlags       `embed:""`
	AllowPlainHTTP  bool   `name:"allow-plain-http" help:"Listen on any address without TLS: tokens and actions can be read on the way, unless a proxy in front encrypts."`
	NATS            string `name:"nats" placeholder:"URL" help:"Use this NATS server or cluster instead of the one in the process."`
	NATSDurable     bool   `name:"nats-durable" help:"Vouch that the servers of --nats sync every write before they acknowledge it."`
	NATSListen      string `name:"nats-listen" placeholder:"ADDRESS" default:"127.0.0.1:4222" help:"Where the NATS server in the process listens for publishers."`
	NATSReplicas    int    `name:"nats-replicas" placeholder:"N" help:"How many servers of --nats keep each stream. Default: as many as do, or three where there are three servers."`
	Role            string `enum:"all,indexer,archiver,search" default:"all" help:"Which parts run here: ${enum}. Any number of each where --nats and --engine are given; on one machine: all."`
	NewAdminToken   bool   `name:"new-admin-token" help:"With --nats: write a token that may do everything to DIR/admin.token, although one was made for these servers before. Where that one is lost; revoke it."`
	natsFlags       `embed:""`
	natsServerFlags `embed:""`
	engineFlags     `embed:""`
	archiveFlags    `embed:""`
	exportFlags     `embed:""`
	webhookFlags    `embed:""`
	StreamMaxBytes  int64    `name:"stream-max-bytes" placeholder:"BYTES" default:"10737418240" help:"How large the stream may become before publishing is refused."`
	StaffDisplay    string   `name:"staff-display" placeholder:"NAME" default:"OpenLearning System" help:"The name under which lists show the platform's own staff."`
	StaffNames      string   `name:"staff-names" enum:"detail,everywhere,nowhere" default:"detail" help:"Where the real names of the platform's staff are shown: ${enum}."`
	SecretNames     []string `name:"secret-names" placeholder:"NAME" help:"More names of URL parameters and fields whose values are credentials."`
	Demo            bool     `help:"Publish believable actions of three institutions over 90 days at the start, and a few a minute from then on."`
	DemoActions     int      `name:"demo-actions" placeholder:"N" default:"100000" help:"About how many actions --demo publishes at the start."`
	LogFormat       string   `name:"log-format" enum:"text,json" default:"text" help:"Format of the log on standard error: ${enum}."`
}

// Run runs the service until ctx is done.
func (c *serveCmd) Run(ctx context.Context, s *settings, out *console) error {
	if err := c.checkAddress(); err != nil {
		return err
	}
	if err := c.checkSupport(); err != nil {
		return err
	}
	if err := c.checkNATS(); err != nil {
		return err
	}
	if err := c.checkRole(); err != nil {
		return err
	}
	var handler slog.Handler = slog.NewTextHandler(out.err, nil)
	if c.LogFormat == "json" {
		handler = slog.NewJSONHandler(out.err, nil)
	}
	log := slog.New(handler)
	dir, err := filepath.Abs(s.Data)
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	r := &running{cmd: c, dir: dir, log: log, out: out, garbage: newGarbage()}
	defer r.stop()
	lock, err := sqlite.LockFolder(dir)
	if err != nil {
		return err
	}
	r.onStop(func(context.Context) error { return lock.Close() })
	if err := checkFolder(dir); err != nil {
		return err
	}
	if r.tracer, err = tracing.Start(ctx, version(), log); err != nil {
		return err
	}
	r.onStop(func(ctx context.Context) error { r.tracer.Stop(ctx); return nil })
	return r.run(ctx)
}

// checkAddress refuses to speak plain HTTP beyond this machine by accident.
func (c *serveCmd) checkAddress() error {
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return usagef("--tls-cert and --tls-key go together")
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return usagef("--listen: %q is not host:port", c.Listen)
	}
	if isLoopbackHost(host) || c.TLSCert != "" || c.AllowPlainHTTP {
		return nil
	}
	return usagef("--listen %s is reachable from other machines: give --tls-cert and --tls-key, or --allow-plain-http where a proxy in front of it encrypts", c.Listen)
}

// checkRole refuses to split what belongs to one process.
func (c *serveCmd) checkRole() error {
	switch {
	case c.Role == "all":
		return nil
	case len(c.Engine) == 0:
		return usagef("--role %s: the store in a folder (SQLite) belongs to one process and cannot be split; give --engine and --nats, or --role all", c.Role)
	case c.NATS == "":
		return usagef("--role %s: the NATS server in the process belongs to it; give --nats, or --role all", c.Role)
	case c.Demo && c.Role != "indexer":
		return usagef("--demo needs an indexer that runs: --role %s has none of its own", c.Role)
	case c.Archive == archiveOff && c.Role == "archiver":
		return usagef("--role archiver writes the archive, and --archive off says that there is none")
	}
	return nil
}

func isLoopbackHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// running is the service while it runs: what has been started, and how each
// part is stopped, last started first.
type running struct {
	cmd     *serveCmd
	dir     string
	log     *slog.Logger
	out     *console
	garbage *garbage
	tracer  *tracing.Tracer // nil: nobody collects traces
	senders []func()        // begin what is sent on, once the API is there
	stops   []func(ctx context.Context) error
}

// onStop remembers how to stop what was just started.
func (r *running) onStop(stop func(ctx context.Context) error) { r.stops = append(r.stops, stop) }

// stop serves a failed start and a normal end alike.
func (r *running) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	for i := len(r.stops) - 1; i >= 0; i-- {
		if err := r.stops[i](ctx); err != nil {
			r.log.Error("stopping", "error", err)
		}
	}
	r.stops = nil
}

// background runs a loop until the service stops, and waits for its end.
func (r *running) background(name string, failed chan<- error, loop func(ctx context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := loop(ctx); err != nil && ctx.Err() == nil {
			failed <- fmt.Errorf("%s: %w", name, err)
		}
	}()
	r.onStop(func(stopping context.Context) error {
		cancel()
		select {
		case <-done:
			return nil
		case <-stopping.Done():
			return fmt.Errorf("%s did not stop in time", name)
		}
	})
}

// listen serves the API and says where.
func (r *running) listen(handler http.Handler, failed chan<- error) error {
	l, err := net.Listen("tcp", r.cmd.Listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	address, scheme := l.Addr().String(), "http"
	base, cancel := context.WithCancel(context.Background())
	server := &http.Server{
		Handler: timed(handler, readWithin, writeWithin), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: maxHeaderBytes,
		BaseContext: func(net.Listener) context.Context { return base },
		ErrorLog:    slog.NewLogLogger(r.log.Handler(), slog.LevelWarn),
	}
	if r.cmd.TLSCert != "" {
		certificate, err := loadCertificate(r.cmd.TLSCert, r.cmd.TLSKey, r.log)
		if err != nil {
			cancel()
			l.Close()
			return fmt.Errorf("--tls-cert: %w", err)
		}
		l, scheme = tls.NewListener(l, &tls.Config{GetCertificate: certificate.get, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}), "https"
	}
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("http: %w", err)
		}
	}()
	r.onStop(func(ctx context.Context) error {
		defer cancel()
		// Answers get a third of the time; then exports are broken off, visibly.
		grace, done := context.WithTimeout(ctx, stopWithin/3)
		defer done()
		if server.Shutdown(grace) == nil {
			return nil
		}
		cancel()
		return server.Close()
	})
	if err := writeFile(filepath.Join(r.dir, "http.addr"), scheme+"://"+address); err != nil {
		return err
	}
	r.onStop(func(context.Context) error { return os.Remove(filepath.Join(r.dir, "http.addr")) })
	r.log.Info("listening", "url", scheme+"://"+address)
	return nil
}

// writeFile replaces a small file that only the owner may read. It is whole, or as it was,
// also when the power fails.
func writeFile(path, line string) error {
	if err := os.Remove(path + ".new"); err != nil && !os.IsNotExist(err) {
		return err
	}
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strings.TrimSpace(line) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

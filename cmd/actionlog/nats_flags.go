package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"actionlog/internal/bus"
)

// natsFlags say who one is to a NATS server, and which server is trusted.
type natsFlags struct {
	NATSSeed         string `name:"nats-seed" placeholder:"FILE" help:"File with the nkey seed that proves who one is to --nats (actionlog nats-config makes it)."`
	NATSCredentials  string `name:"nats-credentials" placeholder:"FILE" help:"Credentials file for --nats, instead of a seed."`
	NATSUser         string `name:"nats-user" placeholder:"NAME" help:"User of --nats, with a password instead of a seed. Default: publisher."`
	NATSPasswordFile string `name:"nats-password-file" placeholder:"FILE" help:"File with the password of --nats-user."`
	NATSCA           string `name:"nats-ca" placeholder:"FILE" help:"Certificate authorities (PEM) of --nats, instead of the system's."`
	NATSCert         string `name:"nats-cert" placeholder:"FILE" help:"Client certificate (PEM), where --nats asks for one."`
	NATSKey          string `name:"nats-key" placeholder:"FILE" help:"Private key (PEM) of --nats-cert."`
}

// dialOptions are what the flags say. Secrets stay in their files as long as they can.
func (f *natsFlags) dialOptions(url string) (bus.DialOptions, error) {
	o := bus.DialOptions{URL: url, User: f.NATSUser, Seed: f.NATSSeed, Credentials: f.NATSCredentials, CA: f.NATSCA, Cert: f.NATSCert, Key: f.NATSKey}
	given := 0
	for _, way := range []string{f.NATSSeed, f.NATSCredentials, f.NATSPasswordFile} {
		if way != "" {
			given++
		}
	}
	if given > 1 {
		return o, usagef("--nats-seed, --nats-credentials and --nats-password-file are three ways to say who you are: give one")
	}
	if (f.NATSCert == "") != (f.NATSKey == "") {
		return o, usagef("--nats-cert and --nats-key go together")
	}
	if strings.Contains(url, "@") {
		return o, usagef("--nats: say who you are by --nats-seed, or by --nats-user and --nats-password-file; not in the URL, which is shown in errors")
	}
	if f.NATSPasswordFile == "" {
		return o, nil
	}
	text, err := os.ReadFile(f.NATSPasswordFile)
	if o.Password = strings.TrimSpace(string(text)); err == nil && o.Password == "" {
		err = errors.New("the file is empty")
	}
	if err != nil {
		return o, fmt.Errorf("--nats-password-file: %w", err)
	}
	if o.User == "" {
		o.User = bus.PublisherUser
	}
	return o, nil
}

// natsServerFlags are of the NATS server in the process.
type natsServerFlags struct {
	NATSPublisher  []string `name:"nats-publisher" sep:"none" placeholder:"NAME=INSTITUTION,…" help:"Somebody who may publish over NATS for these institutions only; the seed to prove it with is made in DIR/publishers/NAME.nk. May be repeated."`
	NATSTLSCert    string   `name:"nats-tls-cert" placeholder:"FILE" help:"Certificate chain (PEM) of --nats-listen. Default: that of the API, unless --nats-listen is on loopback."`
	NATSTLSKey     string   `name:"nats-tls-key" placeholder:"FILE" help:"Private key (PEM) of --nats-tls-cert."`
	AllowPlainNATS bool     `name:"allow-plain-nats" help:"Let publishers connect without TLS from anywhere: actions and the password of the user publisher can be read on the way."`
}

// checkNATS refuses to listen beyond this machine without TLS by accident.
func (c *serveCmd) checkNATS() error {
	if (c.NATSTLSCert == "") != (c.NATSTLSKey == "") {
		return usagef("--nats-tls-cert and --nats-tls-key go together")
	}
	if c.NATS != "" {
		if len(c.NATSPublisher) > 0 || c.NATSTLSCert != "" {
			return usagef("--nats-publisher and --nats-tls-cert are of the NATS server in the process; for the one of --nats: actionlog nats-config")
		}
		_, err := c.natsFlags.dialOptions(c.NATS)
		return err
	}
	if c.natsFlags != (natsFlags{}) {
		return usagef("--nats-seed and the other options of who one is need --nats")
	}
	if _, err := bus.ParseGrants(c.NATSPublisher); err != nil {
		return usagef("--nats-publisher: %w", err)
	}
	if c.NATSListen == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(c.NATSListen)
	if err != nil {
		return usagef("--nats-listen: %q is not host:port", c.NATSListen)
	}
	if isLoopbackHost(host) {
		return nil
	}
	if c.NATSTLSCert == "" {
		c.NATSTLSCert, c.NATSTLSKey = c.TLSCert, c.TLSKey
	}
	if c.NATSTLSCert == "" && !c.AllowPlainNATS {
		return usagef("--nats-listen %s is reachable from other machines: give --nats-tls-cert and --nats-tls-key, or --allow-plain-nats where nobody can listen on the way", c.NATSListen)
	}
	return nil
}

// startPatience is how long a start waits for NATS servers, and an engine, that start too.
const startPatience = 2 * time.Minute

// dialNATS connects to the servers of --nats.
func (r *running) dialNATS(ctx context.Context) (*bus.Bus, error) {
	o, err := r.cmd.natsFlags.dialOptions(r.cmd.NATS)
	if err != nil {
		return nil, err
	}
	o.Patience = startPatience
	o.Durable, o.Replicas, o.StreamMaxBytes, o.Log = r.cmd.NATSDurable, r.cmd.NATSReplicas, r.cmd.StreamMaxBytes, r.log
	return bus.Dial(ctx, o)
}

// runNATS starts the server in the process. Who may publish proves it by a
// password or a seed below the folder; what is not there yet is made.
func (r *running) runNATS(ctx context.Context) (*bus.Bus, error) {
	password, err := secretFile(filepath.Join(r.dir, "publisher.token"))
	if err != nil {
		return nil, err
	}
	grants, err := bus.ParseGrants(r.cmd.NATSPublisher)
	if err != nil {
		return nil, err
	}
	made, err := bus.EnsureSeeds(filepath.Join(r.dir, "publishers"), grants)
	if err != nil {
		return nil, err
	}
	for _, path := range made {
		r.log.Info("a publisher's seed was made", "file", path)
	}
	return bus.Run(ctx, bus.Options{Dir: filepath.Join(r.dir, "nats"), Listen: r.cmd.NATSListen, PublisherPassword: password, Publishers: grants,
		TLSCert: r.cmd.NATSTLSCert, TLSKey: r.cmd.NATSTLSKey, StreamMaxBytes: r.cmd.StreamMaxBytes, Log: r.log})
}

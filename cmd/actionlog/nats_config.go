package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"actionlog/internal/bus"
)

// natsConfigCmd writes what a foreign NATS server needs.
type natsConfigCmd struct {
	Dir           string   `arg:"" optional:"" default:"nats" placeholder:"DIR" help:"Where the configuration and the seeds go. Default: nats."`
	Publisher     []string `sep:"none" placeholder:"NAME=INSTITUTION,…" help:"Somebody who may publish for these institutions only. Repeat it, and name all of them each time: who is not named may nothing."`
	Listen        string   `placeholder:"ADDRESS" default:"127.0.0.1:4222" help:"Where the server listens. Other addresses than loopback need TLS."`
	Store         string   `placeholder:"DIR" default:"/var/lib/nats" help:"Where the server keeps its files."`
	TLSCert       string   `name:"tls-cert" placeholder:"FILE" help:"Certificate chain (PEM) of the server, where it will find it."`
	TLSKey        string   `name:"tls-key" placeholder:"FILE" help:"Private key (PEM) of the server, where it will find it."`
	TLSCA         string   `name:"tls-ca" placeholder:"FILE" help:"Certificate authorities (PEM) of the clients, where the server will find them."`
	VerifyClients bool     `name:"verify-clients" help:"Clients need a certificate of --tls-ca, besides their seed."`
	Replace       bool     `help:"Replace a configuration that is there and differs. Seeds are never replaced: to change one, move its file away first."`
}

// natsConfigFile is the name of the configuration in its folder.
const natsConfigFile = "nats-server.conf"

// Run writes the files. Seeds that are there are kept.
func (c *natsConfigCmd) Run(out *console) error {
	if err := c.check(); err != nil {
		return err
	}
	grants, err := bus.ParseGrants(c.Publisher)
	if err != nil {
		return usagef("--publisher: %w", err)
	}
	made, err := bus.EnsureSeeds(c.Dir, grants)
	if err != nil {
		return err
	}
	service := bus.ServiceSeed(c.Dir)
	key, isNew, err := bus.EnsureSeed(service)
	if err != nil {
		return err
	}
	if isNew {
		made = append([]string{service}, made...)
	}
	for _, path := range made {
		out.say("made %s", path)
	}
	config := bus.ServerConfig{Listen: c.Listen, Store: c.Store, Cert: c.TLSCert, Key: c.TLSKey, CA: c.TLSCA, VerifyClients: c.VerifyClients, Service: key, Publishers: grants}
	var text bytes.Buffer
	if _, err := config.WriteTo(&text); err != nil {
		return err
	}
	if err := c.write(text.String(), out); err != nil {
		return err
	}
	out.say("\nThe server:     nats-server -c %s\nThe service:    %s serve --nats URL --nats-durable --nats-seed %s", filepath.Join(c.Dir, natsConfigFile), called(), service)
	for _, g := range grants {
		out.say("Publisher %s (%s) is given %s, and nobody else is.", g.Name, strings.Join(g.Institutions, ", "), bus.SeedFile(c.Dir, g.Name))
	}
	return nil
}

func (c *natsConfigCmd) check() error {
	host, _, err := net.SplitHostPort(c.Listen)
	switch {
	case err != nil:
		return usagef("--listen: %q is not host:port", c.Listen)
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return usagef("--tls-cert and --tls-key go together")
	case c.TLSCert == "" && (c.TLSCA != "" || c.VerifyClients):
		return usagef("--tls-ca and --verify-clients need --tls-cert and --tls-key")
	case c.VerifyClients && c.TLSCA == "":
		return usagef("--verify-clients needs --tls-ca: whose certificates are to be believed")
	case c.TLSCert == "" && !isLoopbackHost(host):
		return usagef("--listen %s is reachable from other machines: give --tls-cert and --tls-key", c.Listen)
	}
	return nil
}

// write replaces no other configuration unless that is wanted.
func (c *natsConfigCmd) write(text string, out *console) error {
	path := filepath.Join(c.Dir, natsConfigFile)
	old, err := os.ReadFile(path)
	switch {
	case err == nil && string(old) == text:
		out.say("%s is as it was", path)
		return nil
	case err == nil && !c.Replace:
		return fmt.Errorf("%s is there and differs from what would be written; look at it, then --replace", path)
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return err
	}
	if err := writeFile(path, text); err != nil {
		return err
	}
	out.say("wrote %s", path)
	return nil
}

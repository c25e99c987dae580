package main

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

// publishes tells whether publish with these options succeeds, and what it says.
func publishes(t *testing.T, line string, args ...string) (bool, string) {
	t.Helper()
	var out bytes.Buffer
	status := run(t.Context(), append([]string{"publish", "--give-up-after", "1s"}, args...), strings.NewReader(line), &out, &out)
	return status == statusDone, out.String()
}

// The server in the process speaks TLS with publishers; who does not know its
// authority sends nothing, no password either.
func TestNATSWithTLS(t *testing.T) {
	certs, dir := t.TempDir(), t.TempDir()
	certificates(t, certs)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int, 1)
	var log bytes.Buffer
	go func() {
		done <- run(ctx, []string{"serve", "--data", dir, "--listen", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0", "--nats-publisher", "registry=kestrel",
			"--nats-tls-cert", filepath.Join(certs, "server.pem"), "--nats-tls-key", filepath.Join(certs, "server.key")}, strings.NewReader(""), io.Discard, &log)
	}()
	defer func() {
		cancel()
		if code := <-done; code != statusDone {
			t.Errorf("serve ended with %d: %s", code, &log)
		}
	}()
	s := whenReady(t, dir)
	address, ca := s.file(t, "nats.addr"), filepath.Join(certs, "ca.pem")
	if !strings.HasPrefix(address, "tls://") {
		t.Errorf("nats.addr is %s", address)
	}
	line := actionOf("kestrel", "a1")
	seed := filepath.Join(dir, "publishers", "registry.nk")
	for _, c := range []struct {
		want bool
		args []string
	}{
		{true, []string{"--data", dir, "--nats-ca", ca}}, // by publisher.token
		{true, []string{"--nats", address, "--nats-ca", ca, "--nats-seed", seed}},
		{true, []string{"--nats", address, "--nats-ca", ca, "--nats-user", "publisher", "--nats-password-file", filepath.Join(dir, "publisher.token")}},
		{false, []string{"--nats", address, "--nats-seed", seed}},
		{false, []string{"--nats", address, "--nats-ca", ca}}, // as nobody: the token is in another folder
	} {
		if got, said := publishes(t, line, c.args...); got != c.want || strings.Contains(said, s.file(t, "publisher.token")) {
			t.Errorf("%v: %v, %s", c.args, got, said)
		}
	}
}

// With --verify-clients a seed alone is not enough, nor is a certificate alone.
func TestNATSVerifiesClients(t *testing.T) {
	t.Parallel()
	n := foreignSite(t)
	n.serve(t)
	line := actionOf("kestrel", "a1")
	seed := []string{"--nats-seed", n.path("registry.nk")}
	if got, said := publishes(t, line, append(seed, n.tls()...)...); !got {
		t.Error(said)
	}
	if got, said := publishes(t, line, append(seed, "--nats", n.url, "--nats-ca", n.path("ca.pem"))...); got {
		t.Error(said)
	}
	if got, said := publishes(t, line, n.tls()...); got {
		t.Error(said)
	}
}

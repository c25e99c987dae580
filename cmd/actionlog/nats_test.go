package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"actionlog/internal/bus"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// certificates makes an authority, and a server's and a client's certificate of it.
func certificates(t *testing.T, dir string) {
	t.Helper()
	authority := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign}
	authorityKey := issue(t, dir, "ca", authority, authority, nil)
	for i, name := range []string{"server", "client"} {
		usage := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}[i]
		issue(t, dir, name, &x509.Certificate{SerialNumber: big.NewInt(int64(2 + i)), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
			NotBefore: authority.NotBefore, NotAfter: authority.NotAfter, ExtKeyUsage: []x509.ExtKeyUsage{usage}}, authority, authorityKey)
	}
}

// issue writes dir/name.pem and dir/name.key; without a signer the certificate is its own.
func issue(t *testing.T, dir, name string, template, parent *x509.Certificate, signer *ecdsa.PrivateKey) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if signer == nil {
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for suffix, block := range map[string]*pem.Block{".pem": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(dir, name+suffix), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return key
}

// natsSite is a NATS server with a service and two publishers: registry, of the
// institution kestrel, and library, of heron.
type natsSite struct {
	dir     string // of seeds and certificates
	url     string
	service *service
	root    *nats.Conn // may do everything where the service may
	rights  []string   // what the service may publish to
}

func (n *natsSite) path(name string) string { return filepath.Join(n.dir, name) }

// foreignSite runs the configuration that nats-config writes.
func foreignSite(t *testing.T) *natsSite {
	t.Helper()
	n := &natsSite{dir: t.TempDir()}
	certificates(t, n.dir)
	n.command(t, "", "nats-config", n.dir, "--listen", "127.0.0.1:0", "--store", n.path("store"), "--tls-cert", n.path("server.pem"), "--tls-key", n.path("server.key"),
		"--tls-ca", n.path("ca.pem"), "--verify-clients", "--publisher", "registry=kestrel", "--publisher", "library=heron")
	o, err := server.ProcessConfigFile(n.path(natsConfigFile))
	if err != nil {
		t.Fatal(err)
	}
	o.NoSigs, o.Port = true, server.RANDOM_PORT
	for _, a := range o.Accounts {
		if a.Name == "ACTIONLOG" {
			o.Users = append(o.Users, &server.User{Username: "root", Password: "root", Account: a})
		}
	}
	for _, u := range o.Nkeys {
		if u.Account.Name == "ACTIONLOG" {
			n.rights = u.Permissions.Publish.Allow
		}
	}
	if len(n.rights) == 0 {
		t.Fatal("the service may nothing, or everything")
	}
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(30 * time.Second) {
		t.Fatal("the NATS server is not ready")
	}
	n.url = "tls://" + s.Addr().String()
	n.root = n.connect(t, nats.UserInfo("root", "root"))
	return n
}

// serve runs the service there; what it says on standard error is in log at the end.
func (n *natsSite) serve(t *testing.T, args ...string) (log *bytes.Buffer, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done, dir := make(chan int, 1), t.TempDir()
	log = &bytes.Buffer{}
	go func() {
		done <- run(ctx, slices.Concat([]string{"serve", "--data", dir, "--listen", "127.0.0.1:0", "--nats-durable", "--new-admin-token", "--nats-seed", n.path("service.nk")}, n.tls(), args), strings.NewReader(""), io.Discard, log)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if code := <-done; code != statusDone {
			t.Errorf("serve ended with %d:\n%s", code, log)
		}
	})
	t.Cleanup(stop)
	n.service = whenReady(t, dir)
	return log, stop
}

// tls are the options of who connects.
func (n *natsSite) tls() []string {
	return []string{"--nats", n.url, "--nats-ca", n.path("ca.pem"), "--nats-cert", n.path("client.pem"), "--nats-key", n.path("client.key")}
}

// command runs a command that must succeed.
func (n *natsSite) command(t *testing.T, stdin string, args ...string) (stdout string) {
	t.Helper()
	var out, log bytes.Buffer
	if status := run(t.Context(), args, strings.NewReader(stdin), &out, &log); status != statusDone {
		t.Fatalf("%v ended with %d: %s%s", args, status, &out, &log)
	}
	return out.String()
}

func (n *natsSite) connect(t *testing.T, options ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(n.url, append(options, nats.RootCAs(n.path("ca.pem")), nats.ClientCert(n.path("client.pem"), n.path("client.key")),
		nats.PermissionErrOnSubscribe(true), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func actionOf(institution, id string) string {
	return fmt.Sprintf(`{"id":%q,"occurred_at":%q,"institution":{"id":%q},"category":"course","action":{"code":"course.learner.added"},"actor":{"kind":"user","id":"u1"}}`+"\n",
		id, time.Now().UTC().Format(time.RFC3339), institution)
}

// The service needs all that it may, and nothing else: it goes through its whole
// life on the generated configuration, and an onlooker notes the subjects.
func TestServiceOnGeneratedConfiguration(t *testing.T) {
	t.Parallel()
	n := foreignSite(t)
	var mu sync.Mutex
	used := map[string]bool{}
	if _, err := n.root.Subscribe(">", func(m *nats.Msg) {
		mu.Lock()
		defer mu.Unlock()
		used[m.Subject] = true
	}); err != nil {
		t.Fatal(err)
	}
	if err := n.root.Flush(); err != nil {
		t.Fatal(err)
	}
	log, stop := n.serve(t)
	for i, publisher := range []string{"registry", "library"} {
		institution := []string{"kestrel", "heron"}[i]
		args := append([]string{"publish", "--nats-seed", n.path(publisher + ".nk")}, n.tls()...)
		lines := actionOf(institution, "a1") + actionOf(institution, "a2") + strings.Replace(actionOf(institution, "a3"), `"occurred_at":"20`, `"occurred_at":"x20`, 1)
		if got := n.command(t, lines, args...); !strings.HasPrefix(got, "read 3: taken 3,") {
			t.Errorf("%s: %s", publisher, got)
		}
		if got := n.command(t, lines, args...); !strings.HasPrefix(got, "read 3: taken 0, duplicates 3,") {
			t.Errorf("%s, the same again: %s", publisher, got)
		}
		n.service.settle(t)
		if ids, _ := n.service.list(t, institution, url.Values{}); len(ids) != 2 {
			t.Errorf("%s has %v", institution, ids)
		}
	}
	eventually(t, "both dead letters are there", func() bool { return n.service.deadLetters(t) == 2 })
	api := []string{"--url", n.service.url, "--token", n.service.token}
	n.command(t, actionOf("kestrel", "a4"), append([]string{"publish", "--http"}, api...)...)
	n.command(t, "", append([]string{"dead", "drop", "--all"}, api...)...)
	n.command(t, "", append([]string{"token", "create", "--name", "x", "--institution", "kestrel"}, api...)...)
	n.command(t, "", append([]string{"token", "list"}, api...)...)
	eventually(t, "the stream is trimmed", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return used["$JS.API.STREAM.PURGE.ACTIONS"]
	})
	stop()
	if strings.Contains(strings.ToLower(log.String()), "violation") {
		t.Errorf("the service was refused something:\n%s", log)
	}
	n.serveBriefly(t, "--archive", "off")
	n.command(t, actionOf("heron", "a5"), append([]string{"publish", "--nats-seed", n.path("library.nk")}, n.tls()...)...)
	n.behind(t)
	for _, right := range n.rights {
		eventually(t, "the service needs "+right, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return slices.ContainsFunc(slices.Collect(maps.Keys(used)), func(s string) bool { return server.SubjectsCollide(s, right) })
		})
	}
}

// behind does what the service does only while the indexer is behind, which in a running
// service is a matter of milliseconds: it asks how far the stream is settled, and the
// watchdog has the consumer's leader step down.
func (n *natsSite) behind(t *testing.T) {
	t.Helper()
	b, err := bus.Dial(t.Context(), bus.DialOptions{URL: n.url, Seed: n.path("service.nk"), CA: n.path("ca.pem"), Cert: n.path("client.pem"), Key: n.path("client.key")})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	now := time.Now()
	if until, err := b.Progress().Settled(t.Context()); err != nil || !until.Before(now) {
		t.Errorf("settled until %v (%v), although an action waits", until, err)
	}
	if err := b.StepDown(t.Context(), bus.Indexer); err != nil {
		t.Error(err)
	}
}

// serveBriefly runs the service with other options until it is ready.
func (n *natsSite) serveBriefly(t *testing.T, args ...string) {
	t.Helper()
	log, stop := n.serve(t, args...)
	stop()
	if strings.Contains(strings.ToLower(log.String()), "violation") {
		t.Errorf("%v: the service was refused something:\n%s", args, log)
	}
}

package bus

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"actionlog"

	"github.com/nats-io/nats-server/v2/server"
)

// A publisher is added, and another loses its right, while the server runs. It
// takes two reloads: docs/nats.md says so.
func TestReload(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := ServerConfig{Listen: l.Addr().String(), Store: t.TempDir()}
	l.Close()
	dir := t.TempDir()
	write := func(texts ...string) { t.Helper(); c.replace(t, dir, texts) }
	write("registry=kestrel")
	o, err := server.ProcessConfigFile(filepath.Join(dir, "conf"))
	if err != nil {
		t.Fatal(err)
	}
	o.NoSigs = true
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	defer s.Shutdown()
	if !s.ReadyForConnections(30 * time.Second) {
		t.Fatal("not ready")
	}
	b, err := Dial(t.Context(), DialOptions{URL: s.ClientURL(), Seed: ServiceSeed(dir)})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	publishAs := func(name string) error {
		p, err := DialPublisher(DialOptions{URL: s.ClientURL(), Seed: SeedFile(dir, name)})
		if err != nil {
			return err
		}
		defer p.Close()
		return p.Publish(t.Context(), []actionlog.Submission{heronAction(name)})[0].Err
	}
	reload := func() {
		t.Helper()
		for range 2 {
			if err := s.Reload(); err != nil {
				t.Fatal(err)
			}
		}
	}
	write("registry=kestrel", "library=heron")
	reload()
	if err := publishAs("library"); err != nil {
		t.Errorf("the new publisher: %v", err)
	}
	write("registry=kestrel")
	reload()
	if err := publishAs("library"); err == nil {
		t.Error("who is not named any more goes on publishing")
	}
}

// replace writes the configuration dir/conf of these publishers.
func (c ServerConfig) replace(t *testing.T, dir string, texts []string) {
	t.Helper()
	grants, err := ParseGrants(texts)
	if err == nil {
		_, err = EnsureSeeds(dir, grants)
	}
	if err == nil {
		c.Service, _, err = EnsureSeed(ServiceSeed(dir))
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, "conf"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c.Publishers = grants
	if _, err := c.WriteTo(f); err != nil {
		t.Fatal(err)
	}
}

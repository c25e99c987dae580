package bus

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"actionlog"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// site is a server with two publishers: registry, of the institution kestrel, and
// library, of heron.
type site struct {
	url   string
	seeds string // folder
	bus   func(t *testing.T) *Bus
	taken uint64 // of library's actions
	// patience is how long to wait for harm: long only where it is sure to come.
	patience time.Duration
}

func twoPublishers(t *testing.T) (dir string, grants []Grant) {
	t.Helper()
	dir = t.TempDir()
	grants, err := ParseGrants([]string{"registry=kestrel", "library=heron"})
	if err == nil {
		_, err = EnsureSeeds(dir, grants)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir, grants
}

// foreignSite runs the configuration that is generated, after change.
func foreignSite(t *testing.T, change func(*server.Options)) *site {
	t.Helper()
	dir, grants := twoPublishers(t)
	key, _, err := EnsureSeed(ServiceSeed(dir))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "conf")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	c := ServerConfig{Listen: "127.0.0.1:0", Store: t.TempDir(), Service: key, Publishers: grants}
	if _, err := c.WriteTo(f); err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	o, err := server.ProcessConfigFile(path)
	if err != nil {
		t.Fatal(err)
	}
	o.NoSigs, o.Port = true, server.RANDOM_PORT
	if change != nil {
		change(o)
	}
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(30 * time.Second) {
		t.Fatal("not ready")
	}
	return &site{patience: 60 * time.Millisecond, url: s.ClientURL(), seeds: dir, bus: func(t *testing.T) *Bus {
		b, err := Dial(t.Context(), DialOptions{URL: s.ClientURL(), Seed: ServiceSeed(dir), StreamMaxBytes: 64 << 20})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Close)
		return b
	}}
}

// ownSite is the server in the process.
func ownSite(t *testing.T) *site {
	t.Helper()
	dir, grants := twoPublishers(t)
	b := start(t, t.TempDir(), Options{Publishers: grants, StreamMaxBytes: 64 << 20})
	return &site{patience: 60 * time.Millisecond, url: "nats://" + b.Addr(), seeds: dir, bus: func(*testing.T) *Bus { return b }}
}

// picture is all of a site but what registry published of its own, and library.
func (s *site) picture(t *testing.T, b *Bus) string {
	t.Helper()
	var p strings.Builder
	for _, name := range []string{StreamActions, StreamDead, "KV_" + stateBucket} {
		of, err := b.JS.Stream(t.Context(), name)
		if err != nil {
			fmt.Fprintln(&p, name, err)
			continue
		}
		info, err := of.Info(t.Context(), jetstream.WithSubjectFilter(">"))
		if err != nil {
			fmt.Fprintln(&p, name, err)
			continue
		}
		delete(info.State.Subjects, "actions.kestrel.course")
		if name == StreamActions {
			info.State.Subjects["actions.heron.course"] -= s.taken
		}
		fmt.Fprintln(&p, name, info.State.FirstSeq, info.State.NumDeleted, info.State.Subjects, fmt.Sprintf("%+v", info.Config))
	}
	c, err := b.Consumer(t.Context(), Indexer)
	if err != nil {
		return p.String() + err.Error()
	}
	i := c.CachedInfo()
	fmt.Fprintf(&p, "%v %v %v %v %+v", i.Delivered.Stream, i.AckFloor.Stream, i.NumAckPending, i.Paused, i.Config)
	return p.String()
}

// victim publishes something as library, which must be taken.
func (s *site) victim(t *testing.T, id string) error {
	p, err := DialPublisher(DialOptions{URL: s.url, Seed: SeedFile(s.seeds, "library")})
	if err != nil {
		return err
	}
	defer p.Close()
	r := p.Publish(t.Context(), []actionlog.Submission{heronAction(id)})[0]
	if r.Duplicate {
		return fmt.Errorf("%s was suppressed", id)
	}
	if r.Err == nil {
		s.taken++
	}
	return r.Err
}

func heronAction(id string) actionlog.Submission {
	doc := []byte(`{"id":"` + id + `"}`)
	return actionlog.Submission{Institution: "heron", Category: "course", ID: id, Digest: sha256.Sum256(doc), Document: doc}
}

// suffered carries an attack out and says what came of it; "" is: nothing.
func (s *site) suffered(t *testing.T, a attack) string {
	t.Helper()
	b := s.bus(t)
	if _, err := b.State(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.victim(t, "before "+a.name); err != nil {
		t.Fatalf("library cannot publish: %v", err)
	}
	if _, err := b.Consumer(t.Context(), Indexer); err != nil {
		t.Fatal(err)
	}
	before := s.picture(t, b)
	seed, err := nats.NkeyOptionFromSeed(SeedFile(s.seeds, "registry"))
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(s.url, seed, nats.PermissionErrOnSubscribe(true), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if learnt := a.do(t, &attacker{s, nc}); learnt != "" {
		return "read: " + learnt
	}
	// Whatever the attack had the server do is done by the time that another
	// publish of the same connection is acknowledged.
	if m, err := nc.Request("actions.kestrel.course", []byte("{}"), 10*time.Second); err != nil || !strings.Contains(string(m.Data), `"seq"`) {
		return fmt.Sprintf("registry itself cannot publish any more: %v", err)
	}
	for end := time.Now().Add(s.patience); ; time.Sleep(10 * time.Millisecond) {
		if after := s.picture(t, b); after != before {
			return "changed:\n" + before + "\n to\n" + after
		}
		if !time.Now().Before(end) {
			break
		}
	}
	if err := s.victim(t, "after "+a.name); err != nil {
		return err.Error()
	}
	return ""
}

// What registry tries against library comes to nothing, on a server with the
// generated configuration and on the one in the process; both go on publishing.
func TestPublishersCannotHarmEachOther(t *testing.T) {
	for name, s := range map[string]*site{"foreign": foreignSite(t, nil), "own": ownSite(t)} {
		t.Run(name, func(t *testing.T) {
			for _, a := range attacks {
				t.Run(a.name, func(t *testing.T) {
					if harm := s.suffered(t, a); harm != "" {
						t.Error(harm)
					}
				})
			}
		})
	}
}

// The attacks are real: without accounts and permissions each does harm, and with
// permissions alone those do that need none.
func TestAttacksAreReal(t *testing.T) {
	together := func(keep bool) func(o *server.Options) {
		return func(o *server.Options) {
			for _, service := range o.Nkeys {
				if service.Account.Name != "ACTIONLOG" {
					continue
				}
				for _, u := range o.Nkeys {
					if u.Account = service.Account; !keep {
						u.Permissions = nil
					}
				}
			}
		}
	}
	for _, a := range attacks {
		if a.stoppedBy == stream {
			continue
		}
		t.Run("no permissions/"+a.name, func(t *testing.T) {
			s := foreignSite(t, together(false))
			s.patience = 20 * time.Second
			if s.suffered(t, a) == "" {
				t.Error("the test would not notice it")
			}
		})
		t.Run("no accounts/"+a.name, func(t *testing.T) {
			s := foreignSite(t, together(true))
			if a.stoppedBy == accounts {
				s.patience = 20 * time.Second
			}
			if harm := s.suffered(t, a); (harm != "") != (a.stoppedBy == accounts) {
				t.Errorf("harm: %q", harm)
			}
		})
	}
}

// Who may not publish somewhere is told so at once, and the rest is published.
func TestDenied(t *testing.T) {
	s := ownSite(t)
	p, err := DialPublisher(DialOptions{URL: s.url, Seed: SeedFile(s.seeds, "library")})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	mixed := append(submissions(0, 3), heronAction("x"), heronAction("y"))
	ctx, cancel := context.WithTimeout(t.Context(), publishTimeout-time.Second)
	defer cancel()
	for range 2 {
		for i, r := range p.Publish(ctx, mixed) {
			if denied := errors.Is(r.Err, nats.ErrPermissionViolation); denied != (i < 3) || !denied && r.Err != nil {
				t.Errorf("%d: %v", i, r.Err)
			}
		}
	}
}

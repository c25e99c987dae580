package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/enginetest"
)

// process is a process of the test that can be killed and started again.
type process struct {
	name string
	args []string // of the command
	env  []string
	dir  string // whose http.addr is removed before a start; "" none

	cmd *exec.Cmd
}

func (p *process) start(t testing.TB) {
	t.Helper()
	if p.dir != "" {
		if err := os.Remove(filepath.Join(p.dir, "http.addr")); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	p.cmd = exec.Command(p.args[0], p.args[1:]...)
	p.cmd.Env = append(os.Environ(), p.env...)
	p.cmd.Stderr = logTo(t)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	started := p.cmd
	t.Cleanup(func() {
		if started.ProcessState == nil {
			_ = started.Process.Kill()
			_ = started.Wait()
		}
	})
}

func (p *process) kill(t testing.TB) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait() // it was killed
}

// restart ends a process as an operator does, and starts it again.
func (p *process) restart(t testing.TB) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil && p.dir != "" { // a NATS server ends with 1
		t.Errorf("%s: %v", p.name, err)
	}
	p.start(t)
	if p.dir != "" {
		whenReady(t, p.dir)
	}
}

// many is the service on several machines, in small: three servers of the engine,
// three of NATS, two indexers, and a process that answers searches.
type many struct {
	engine   *enginetest.Cluster
	nats     []*process
	natsURL  string
	indexers []*process
	search   *service
}

const natsPassword = "only-for-this-test"

// startNATS starts a cluster of three NATS servers, each of which syncs every write.
func startNATS(t *testing.T) (servers []*process, urls string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "nats-server")
	if out, err := exec.Command("go", "build", "-o", binary, "github.com/nats-io/nats-server/v2").CombinedOutput(); err != nil {
		t.Fatalf("nats-server: %v\n%s", err, out)
	}
	ports, err := enginetest.FreePorts(6)
	if err != nil {
		t.Fatal(err)
	}
	var clients, routes []string
	for _, port := range ports {
		if len(clients) < 3 {
			clients = append(clients, fmt.Sprint(port))
		} else {
			routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", port))
		}
	}
	for i := range 3 {
		dir := t.TempDir()
		conf := fmt.Sprintf(`server_name: n%d
listen: "127.0.0.1:%s"
max_payload: 2MB
jetstream { store_dir: %q, sync_interval: always }
cluster { name: test, listen: %q, routes: [%s] }
authorization { user: publisher, password: %q }
`, i, clients[i], dir, strings.TrimPrefix(routes[i], "nats://"), strings.Join(routes, ", "), natsPassword)
		path := filepath.Join(dir, "nats.conf")
		if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
			t.Fatal(err)
		}
		p := &process{name: fmt.Sprintf("NATS server %d", i), args: []string{binary, "-c", path}}
		p.start(t)
		servers = append(servers, p)
	}
	return servers, "nats://127.0.0.1:" + strings.Join(clients, ",nats://127.0.0.1:")
}

// role is a process of the service with one role.
func (m *many) role(t *testing.T, role string) *process {
	dir := t.TempDir()
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte(natsPassword), 0o600); err != nil {
		t.Fatal(err)
	}
	return &process{name: role, dir: dir, env: []string{"ACTIONLOG_TEST_MAIN=1"}, args: []string{os.Args[0], "serve", "--role", role, "--data", dir, "--listen", "127.0.0.1:0",
		"--nats", m.natsURL, "--nats-password-file", password, "--nats-durable", "--new-admin-token", "--engine", strings.Join(m.engine.URLs(), ",")}}
}

func startMany(t *testing.T) *many {
	t.Helper()
	m := &many{engine: enginetest.StartCluster(t, enginetest.OpenSearch3, 3, "512m")}
	m.nats, m.natsURL = startNATS(t)
	for range 2 {
		p := m.role(t, "indexer")
		p.start(t)
		m.indexers = append(m.indexers, p)
		whenReady(t, p.dir)
	}
	p := m.role(t, "search")
	p.start(t)
	m.search = whenReady(t, p.dir)
	m.search.publisher = dialPublisher(t, m.natsURL, natsPassword)
	return m
}

// publishAnyhow publishes until the stream has taken everything, whatever ends
// meanwhile. half is called when half of it is taken.
func (m *many) publishAnyhow(t *testing.T, all []actionlog.Submission, half func()) {
	t.Helper()
	const batch = 200
	deadline := time.Now().Add(4 * time.Minute)
	for start := 0; start < len(all); start += batch {
		if start == len(all)/2 {
			half()
		}
		rest := all[start:min(start+batch, len(all))]
		for len(rest) > 0 {
			var refused []actionlog.Submission
			for i, r := range m.search.publisher.Publish(t.Context(), rest) {
				if r.Err != nil {
					refused = append(refused, rest[i])
				}
			}
			if rest = refused; len(rest) > 0 {
				if time.Now().After(deadline) {
					t.Fatalf("the stream does not take %d actions", len(rest))
				}
				time.Sleep(100 * time.Millisecond)
			}
		}
	}
}

// settle waits until everything published is settled. That may take a while: a consumer
// that stands still is noticed after half a minute and made anew after another (internal/bus/watch.go).
func (m *many) settle(t *testing.T) {
	t.Helper()
	eventuallyWithin(t, 4*time.Minute, "everything published is settled", m.search.settled(t))
}

// victim is a process to be killed, and to be started again.
type victim struct {
	name       string
	kill, back func()
}

// Any one process may be killed while actions are published, and all be restarted in turn:
// none is lost, none is doubled. The short form kills one of each kind, one after the
// other, each of which comes back before the next.
func TestManyMachines(t *testing.T) {
	t.Parallel()
	m := startMany(t)
	kills := []victim{
		{"a node of the engine", func() { m.engine.Kill(t, 0) }, func() { m.engine.Restart(t, 0) }},
		{m.nats[1].name, func() { m.nats[1].kill(t) }, func() { m.nats[1].start(t) }},
		{"an indexer", func() { m.indexers[0].kill(t) }, func() { m.indexers[0].start(t) }},
	}
	if os.Getenv("ACTIONLOG_KILLS") != "" { // the long form: each of the eight
		kills = kills[:0]
		for i := range 3 {
			kills = append(kills, victim{fmt.Sprintf("node %d of the engine", i), func() { m.engine.Kill(t, i) }, func() { m.engine.Restart(t, i) }})
		}
		for _, p := range append(m.nats, m.indexers...) {
			kills = append(kills, victim{p.name, func() { p.kill(t) }, func() { p.start(t) }})
		}
	}
	kills = append(kills, victim{"nobody, but restarting all in turn", func() {
		for _, p := range slices.Concat(m.indexers, m.nats) {
			p.restart(t)
			m.settle(t) // what comes back has what the others have
		}
	}, func() {}})
	want := map[string]bool{}
	for round, k := range kills {
		all := renamed(benchItems(20_000/len(kills)/400*400, 24*time.Hour), round)
		for _, s := range all {
			want[s.ID] = true
		}
		t.Logf("killing %s", k.name)
		m.publishAnyhow(t, all, k.kill)
		k.back()
		m.settle(t) // one at a time: what comes back has what the others have
	}
	m.holds(t, want)
}

// All three NATS servers killed within seconds, each before the one before it has caught
// up: nothing is lost, nothing doubled, and a consumer that they leave standing still is
// set going again. (Long form only: it takes minutes.)
func TestAllNATSServersKilledAtOnce(t *testing.T) {
	if os.Getenv("ACTIONLOG_KILLS") == "" {
		t.Skip("the long form: ACTIONLOG_KILLS=1")
	}
	m := startMany(t)
	want := map[string]bool{}
	for round := range 4 {
		all := renamed(benchItems(4_000, 24*time.Hour), round)
		for _, s := range all {
			want[s.ID] = true
		}
		m.publishAnyhow(t, all, func() {
			for _, p := range m.nats {
				p.kill(t)
				time.Sleep(1500 * time.Millisecond)
				p.start(t)
				time.Sleep(1500 * time.Millisecond)
			}
		})
		began := time.Now()
		m.settle(t)
		t.Logf("round %d: settled after %s", round, time.Since(began).Round(time.Second))
	}
	m.holds(t, want)
}

// holds checks that exactly these actions are searchable, each once.
func (m *many) holds(t *testing.T, want map[string]bool) {
	t.Helper()
	counted := map[string]int{}
	ids, total := m.search.list(t, "invented", map[string][]string{"from": {"now-92d"}, "to": {"now"}, "limit": {"1000"}, "total": {"exact"}})
	for id, n := range ids {
		counted[id] += n
	}
	if total != int64(len(want)) || len(counted) != len(want) {
		t.Errorf("total %d, %d ids; %d were published", total, len(counted), len(want))
	}
	for id, n := range counted {
		if n != 1 || !want[id] {
			t.Fatalf("%s is there %d times; published: %v", id, n, want[id])
		}
	}
	if dead := m.search.deadLetters(t); dead != 0 {
		t.Errorf("%d dead letters", dead)
	}
}

package enginetest

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Cluster is an engine of one or several nodes from packages, one process each, on
// loopback.
type Cluster struct {
	packages *packages
	release  Release
	dir      string
	heap     string
	nodes    []*node
}

// node is one process.
type node struct {
	name            string
	http, transport int // ports

	mu      sync.Mutex
	process *exec.Cmd // nil: it does not run
	ended   chan struct{}
}

// StartCluster starts a cluster of its own for a test, which ends with it. It
// needs Maven and a JDK.
func StartCluster(t testing.TB, r Release, nodes int, heap string) *Cluster {
	t.Helper()
	dir, err := os.MkdirTemp(folder(), "actionlog-cluster-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // what is left is temporary
	c, err := newCluster(r, dir, nodes, heap)
	none(t, err)
	t.Cleanup(c.stopAll)
	if err := c.startAll(); err != nil {
		t.Fatal(err)
	}
	return c
}

func newCluster(r Release, dir string, nodes int, heap string) (*Cluster, error) {
	c := &Cluster{release: r, dir: dir, heap: heap}
	var err error
	if c.packages, err = fetch(r); err != nil {
		return c, err
	}
	ports, err := FreePorts(2 * nodes)
	if err != nil {
		return c, err
	}
	for i := range nodes {
		c.nodes = append(c.nodes, &node{name: fmt.Sprintf("node-%d", i+1), http: ports[2*i], transport: ports[2*i+1]})
	}
	return c, nil
}

// FreePorts finds ports of loopback that nobody listens on.
func FreePorts(n int) (ports []int, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// URLs are the addresses of the nodes.
func (c *Cluster) URLs() (urls []string) {
	for _, n := range c.nodes {
		urls = append(urls, fmt.Sprintf("http://127.0.0.1:%d", n.http))
	}
	return urls
}

func (c *Cluster) startAll() error {
	for i := range c.nodes {
		if err := c.launch(i); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	return ready(ctx, c.URLs()[0], len(c.nodes), c.alive)
}

// alive says which node has ended.
func (c *Cluster) alive() error {
	for _, n := range c.nodes {
		select {
		case <-n.ended:
			text, _ := os.ReadFile(filepath.Join(c.dir, n.name, "server.log")) // it may have written none
			return fmt.Errorf("%s of %s ended: %s", n.name, c.release, tail(text))
		default:
		}
	}
	return nil
}

// Kill ends a node (from 0) with SIGKILL and waits for its end.
func (c *Cluster) Kill(t testing.TB, i int) {
	t.Helper()
	if err := c.nodes[i].kill(); err != nil {
		t.Fatal(err)
	}
}

// Restart starts a node that was killed, on the same data, and waits until the
// cluster is whole.
func (c *Cluster) Restart(t testing.TB, i int) {
	t.Helper()
	if err := c.launch(i); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	if err := ready(ctx, c.URLs()[i], len(c.nodes), c.alive); err != nil {
		t.Fatal(err)
	}
}

func (n *node) kill() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process == nil {
		return nil
	}
	err := n.process.Process.Kill()
	<-n.ended
	n.process = nil
	return err
}

func (c *Cluster) stopAll() {
	for _, n := range c.nodes {
		_ = n.kill() // it has ended already
	}
}

// launch starts the process of a node.
func (c *Cluster) launch(i int) error {
	n := c.nodes[i]
	n.mu.Lock()
	defer n.mu.Unlock()
	home := filepath.Join(c.dir, n.name)
	for _, sub := range []string{"config", "tmp"} {
		if err := os.MkdirAll(filepath.Join(home, sub), 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(home, "config", "log4j2.properties"), []byte(logging), 0o644); err != nil {
		return err
	}
	modules := filepath.Join(c.packages.dir, "modules")
	if _, err := os.Stat(modules); err == nil {
		if err := os.Symlink(modules, filepath.Join(home, "modules")); err != nil && !os.IsExist(err) {
			return err
		}
	}
	log, err := os.OpenFile(filepath.Join(home, "server.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	p := exec.Command(filepath.Join(c.packages.home, "bin", "java"), c.arguments(n, home)...)
	p.Dir, p.Stdout, p.Stderr = home, log, log
	endWithParent(p)
	if err := p.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_ = p.Wait() // how it ended does not matter
		close(ended)
	}()
	n.process, n.ended = p, ended
	return nil
}

const logging = `status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%c{1}] %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
`

func (c *Cluster) arguments(n *node, home string) []string {
	var seeds, names []string
	for _, other := range c.nodes {
		seeds = append(seeds, fmt.Sprintf("127.0.0.1:%d", other.transport))
		names = append(names, other.name)
	}
	voters := "cluster.initial_cluster_manager_nodes"
	if c.packages.main == "ElasticsearchNode" {
		voters = "cluster.initial_master_nodes"
	}
	// A test asks little of an engine, and is over before what is compiled with care pays.
	machine := []string{"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"}
	if f := flag.Lookup("test.bench"); f != nil && f.Value.String() != "" {
		machine = []string{"-XX:+UseG1GC"}
	}
	args := append(machine, "-Xms"+c.heap, "-Xmx"+c.heap, "-Xshare:auto", "-XX:-OmitStackTraceInFastThrow",
		"-Djava.io.tmpdir="+filepath.Join(home, "tmp"), "-Dfile.encoding=UTF-8", "-Djava.awt.headless=true", "-Djna.nosys=true",
		"-Dio.netty.noUnsafe=true", "-Dio.netty.noKeySetOptimization=true", "-Dlog4j2.disable.jmx=true", "-Dlog4j.shutdownHookEnabled=false",
		"--enable-native-access=ALL-UNNAMED", "--add-modules", "jdk.incubator.vector",
		"-cp", filepath.Join(c.packages.dir, "classes")+":"+filepath.Join(c.packages.dir, "*"), c.packages.main)
	return append(args, fmt.Sprintf("cluster.name=actionlog-test-%d", c.nodes[0].http), "node.name="+n.name, "path.home="+home, "path.data="+filepath.Join(home, "data"),
		"path.logs="+filepath.Join(home, "logs"), "network.host=127.0.0.1", fmt.Sprintf("http.port=%d", n.http), fmt.Sprintf("transport.port=%d", n.transport),
		"discovery.seed_hosts=["+strings.Join(seeds, ",")+"]", voters+"=["+strings.Join(names, ",")+"]",
		"cluster.routing.allocation.disk.watermark.low=2gb", "cluster.routing.allocation.disk.watermark.high=1gb",
		"cluster.routing.allocation.disk.watermark.flood_stage=500mb", "cluster.max_shards_per_node=5000")
}

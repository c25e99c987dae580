// Package enginetest finds or starts a real search engine for tests: at an address
// that the environment names, in Docker, or from packages that Maven fetches, run
// by a JDK. Where there is none of these a test skips and says why, or fails where
// ACTIONLOG_TOOLS is "required".
package enginetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Release is an engine and its version.
type Release string

// The releases that the service is tested on.
const (
	OpenSearch3    Release = "opensearch-3.5.0"
	OpenSearch2    Release = "opensearch-2.19.4"
	Elasticsearch8 Release = "elasticsearch-8.19.21"
)

// Releases are all of them.
var Releases = [...]Release{OpenSearch3, OpenSearch2, Elasticsearch8}

// Variable is the environment variable that holds the address of a server of the
// release: ACTIONLOG_TEST_OPENSEARCH_3, _OPENSEARCH_2, _ELASTICSEARCH_8.
func (r Release) Variable() string {
	kind, version := r.split()
	return "ACTIONLOG_TEST_" + strings.ToUpper(kind) + "_" + version[:1]
}

func (r Release) split() (kind, version string) {
	kind, version, _ = strings.Cut(string(r), "-")
	return kind, version
}

// errNone: there is no way to a server.
var errNone = errors.New("no engine")

// server is a started engine.
type server struct {
	url  string
	err  error
	stop func()
}

var shared struct {
	mu      sync.Mutex
	servers map[Release]*server
}

// URL returns the address of a server with one node, which all tests of the process
// share; Main ends it.
func URL(t testing.TB, r Release) string {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.servers == nil {
		shared.servers = map[Release]*server{}
	}
	s := shared.servers[r]
	if s == nil {
		s = start(r)
		shared.servers[r] = s
	}
	none(t, s.err)
	return s.url
}

// none skips or fails a test for which there is no server.
func none(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case errors.Is(err, errNone) && os.Getenv("ACTIONLOG_TOOLS") != "required":
		t.Skip(err)
	default:
		t.Fatal(err)
	}
}

// Main runs the tests of a package, ends the servers that they started, and does what else
// is to be done at the end. It fails where a goroutine is left.
func Main(m *testing.M, atEnd ...func()) {
	status := m.Run()
	for _, do := range atEnd {
		do()
	}
	shared.mu.Lock()
	for _, s := range shared.servers {
		if s.stop != nil {
			s.stop()
		}
	}
	shared.mu.Unlock()
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	if err := goleak.Find(); err != nil && status == 0 {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

// start tries the ways to a server in their order.
func start(r Release) *server {
	if url := os.Getenv(r.Variable()); url != "" {
		return &server{url: strings.TrimSuffix(url, "/")}
	}
	if s, err := startContainer(r); s != nil || err != nil {
		if err != nil {
			return &server{err: err}
		}
		return s
	}
	dir, err := os.MkdirTemp(folder(), "actionlog-engine-")
	if err != nil {
		return &server{err: err}
	}
	c, err := newCluster(r, dir, 1, "1g")
	if err == nil {
		err = c.startAll()
	}
	if err != nil {
		c.stopAll()
		_ = os.RemoveAll(dir)
		return &server{err: err}
	}
	return &server{url: c.URLs()[0], stop: func() {
		c.stopAll()
		_ = os.RemoveAll(dir)
	}}
}

// ready waits until a server answers and has all its nodes.
func ready(ctx context.Context, url string, nodes int, alive func() error) error {
	state := "yellow"
	if nodes > 1 {
		state = "green"
	}
	path := fmt.Sprintf("%s/_cluster/health?wait_for_status=%s&wait_for_nodes=%d&timeout=2s", url, state, nodes)
	for {
		var health struct {
			TimedOut *bool `json:"timed_out"`
		}
		if body, err := get(ctx, path); err == nil && json.Unmarshal(body, &health) == nil && health.TimedOut != nil && !*health.TimedOut {
			return nil
		}
		if err := alive(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the engine at %s is not %s in time", url, state)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Drop removes all indices whose names begin with a prefix.
func Drop(t testing.TB, url, prefix string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodDelete, url+"/"+prefix+"*?expand_wildcards=all", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusNotFound {
		t.Errorf("removing %s*: %s %s %v", prefix, resp.Status, text, err)
	}
}

func get(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(io.LimitReader(resp.Body, 1<<20))
}

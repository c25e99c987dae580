package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/bus"
	"actionlog/internal/doctor"

	natsserver "github.com/nats-io/nats-server/v2/server"
)

// natsOutside runs a NATS server of its own, with monitoring.
func natsOutside(t *testing.T, always bool) *natsserver.Server {
	t.Helper()
	s, err := natsserver.NewServer(&natsserver.Options{JetStream: true, StoreDir: t.TempDir(), Host: "127.0.0.1", Port: -1, HTTPHost: "127.0.0.1", HTTPPort: -1, SyncAlways: always, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatal("the NATS server did not become ready")
	}
	return s
}

// TestDoctorOfNATS: servers that do not sync, with no stream, with nobody who takes what
// waits, and a stream that is full.
func TestDoctorOfNATS(t *testing.T) {
	lax, strict := natsOutside(t, false), natsOutside(t, true)
	monitor := func(s *natsserver.Server) string { return "http://" + s.MonitorAddr().String() }
	found, status := examine(t, t.TempDir(), "--nats", lax.ClientURL(), "--nats-monitor", monitor(lax))
	finds(t, found, "sync", doctor.Wrong, "the server syncs every 2m0s")
	finds(t, found, "stream", doctor.Warning, "is not there")
	if status != statusFailed {
		t.Error(status)
	}
	if there, err := bus.Look(t.Context(), bus.DialOptions{URL: lax.ClientURL()}); err != nil || there.There {
		t.Errorf("doctor made the stream: %+v %v", there, err)
	}
	found, _ = examine(t, t.TempDir(), "--nats", lax.ClientURL())
	finds(t, found, "sync", doctor.Warning, "nobody vouches")

	b, err := bus.Dial(t.Context(), bus.DialOptions{URL: strict.ClientURL(), Durable: true, StreamMaxBytes: 20_000})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	args := []string{"--nats", strict.ClientURL(), "--nats-durable", "--nats-monitor", monitor(strict), "--stream-max-bytes", "20000"}
	found, _ = examine(t, t.TempDir(), args...)
	finds(t, found, "sync", doctor.OK, "every write")
	finds(t, found, "stream", doctor.OK, "0 %")
	finds(t, found, "consumer archiver", doctor.Warning, "there is none")
	publisher, err := b.Publisher(t.Context(), []byte("key"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 9 {
		publisher.Publish(t.Context(), []actionlog.Submission{{Institution: "a", Category: "course", ID: fmt.Sprint(i), Document: []byte(strings.Repeat("x", 2000))}})
	}
	found, status = examine(t, t.TempDir(), args...)
	finds(t, found, "stream", doctor.Wrong, "publishing is refused")
	finds(t, found, "consumer indexer", doctor.Wrong, "nobody asks for them")
	if status != statusFailed {
		t.Error(status)
	}
	found, _ = examine(t, t.TempDir(), append(args, "--stream-max-bytes", "1000000")...)
	finds(t, found, "stream limit", doctor.Warning, "1000000")
	found, _ = examine(t, t.TempDir(), "--nats", strict.ClientURL(), "--nats-monitor", closedPort(t))
	finds(t, found, "nats monitoring", doctor.Warning, "refused")
}

// closedPort is an address where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// TestDoctorOfAnEngine: what an engine says of itself is told (internal/elastic asks real
// ones), and it is sent nothing but questions.
func TestDoctorOfAnEngine(t *testing.T) {
	answers := map[string]string{
		"/":                                  `{"version":{"number":"3.5.0","distribution":"opensearch"}}`,
		"/_cluster/health":                   `{"status":"red","number_of_data_nodes":2,"active_shards":1900,"unassigned_shards":90}`,
		"/_cluster/stats":                    `{"timestamp":1}`,
		"/_index_template/actionlog-actions": `{"index_templates":[{"index_template":{"_meta":{"version":99}}}]}`,
		"/_cluster/settings":                 `{"persistent":{},"transient":{},"defaults":{"cluster.max_shards_per_node":"1000","cluster.routing.allocation.disk.watermark.high":"90%","cluster.routing.allocation.disk.watermark.flood_stage":"95%"}}`,
		"/_nodes/stats/fs":                   `{"nodes":{"a":{"name":"n1","fs":{"total":{"total_in_bytes":100,"available_in_bytes":4}}}}}`,
		"/_cat/indices/actions-*":            `[{"index":"actions-2026.11.20","status":"close","health":"","docs.count":"1"}]`,
		"/_plugins/_ism/policies/actionlog":  `{}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			t.Errorf("doctor sent %s %s", r.Method, r.URL)
		}
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/_settings/index.blocks.*") {
			fmt.Fprint(w, `{"actions-2026.11.22":{"settings":{"index.blocks.read_only_allow_delete":"true"}}}`)
			return
		}
		fmt.Fprint(w, answers[r.URL.Path])
	}))
	defer server.Close()
	found, status := examine(t, t.TempDir(), "--engine", server.URL)
	finds(t, found, "engine", doctor.OK, "OpenSearch 3.5.0")
	finds(t, found, "engine health", doctor.Wrong, "red")
	finds(t, found, "engine clock", doctor.Wrong, "behind")
	finds(t, found, "engine template", doctor.Warning, "newer version (99")
	finds(t, found, "engine blocks", doctor.Wrong, "actions-2026.11.22 (read_only_allow_delete)")
	finds(t, found, "engine days", doctor.Wrong, "actions-2026.11.20 is closed")
	finds(t, found, "engine disks", doctor.Wrong, "n1 96 %")
	finds(t, found, "engine shards", doctor.Wrong, "1990 of 2000")
	finds(t, found, "engine policy", doctor.OK, "ISM")
	if status != statusFailed {
		t.Error(status)
	}
}

package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collecting is an OTLP receiver: what an OpenTelemetry collector is to the service.
type collecting struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*otlp.Span
	texts []string // every attribute, as text
}

func startCollecting(t *testing.T) *collecting {
	c := &collecting{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := c.take(r); err != nil {
			t.Error(err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collecting) take(r *http.Request) error {
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return err
		}
		body = z
	}
	raw, err := io.ReadAll(body)
	var request collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(raw, &request)
	}
	if err != nil || r.URL.Path != "/v1/traces" {
		return fmt.Errorf("%s: %w", r.URL.Path, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range request.ResourceSpans {
		c.texts = append(c.texts, resource.Resource.String())
		for _, scope := range resource.ScopeSpans {
			for _, span := range scope.Spans {
				c.spans = append(c.spans, span)
				c.texts = append(c.texts, span.String())
			}
		}
	}
	return nil
}

// of are the spans of a trace, by name.
func (c *collecting) of(trace string) map[string]*otlp.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[string]*otlp.Span{}
	for _, s := range c.spans {
		if fmt.Sprintf("%x", s.TraceId) == trace {
			all[s.Name] = s
		}
	}
	return all
}

// said is everything that was sent, as text.
func (c *collecting) said() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.texts, "\n")
}

// tracedService runs the service as a process of its own that sends its traces somewhere.
func tracedService(t *testing.T, endpoint string) (*service, *process) {
	t.Helper()
	dir := t.TempDir()
	p := &process{dir: dir, env: []string{"ACTIONLOG_TEST_MAIN=1", "OTEL_EXPORTER_OTLP_ENDPOINT=" + endpoint, "OTEL_BSP_SCHEDULE_DELAY=100", "OTEL_EXPORTER_OTLP_COMPRESSION=gzip", "OTEL_TRACES_SAMPLER=parentbased_always_off"},
		args: []string{os.Args[0], "serve", "--data", dir, "--listen", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0"}}
	p.start(t)
	return connect(t, dir), p
}

// tracedPerson is what must never be in a trace.
const tracedPerson = "Dorothea Secret"

func tracedAction(id string) string {
	return fmt.Sprintf(`{"id":%q,"occurred_at":%q,"institution":{"id":"traced","name":"Institute of Traces"},"category":"course","action":{"code":"course.opened"},"actor":{"kind":"user","name":%q,"email":"dorothea@secret.example"},"summary":"a secret summary"}`,
		id, time.Now().UTC().Format(time.RFC3339), tracedPerson)
}

// TestTraces: one trace leads from the publisher, over HTTP and over NATS, to where an action
// can be searched and is archived; a search is a span; who is not sampled is not traced; and
// nothing of an action, nobody's name and no token is in any of it.
func TestTraces(t *testing.T) {
	t.Parallel()
	c := startCollecting(t)
	s, _ := tracedService(t, c.URL)
	const overHTTP, overNATS, searching, unsampled = "11f7651916cd43dd8448eb211c80319c", "22f7651916cd43dd8448eb211c80319c", "33f7651916cd43dd8448eb211c80319c", "44f7651916cd43dd8448eb211c80319c"
	below := map[string]string{ // what each is a part of
		"POST /v1/institutions/:institution/actions": "", "send ACTIONS": "POST /v1/institutions/:institution/actions", "acknowledge ACTIONS": "send ACTIONS",
		"index ACTIONS": "send ACTIONS", "write": "index ACTIONS", "searchable": "send ACTIONS", "archive ACTIONS": "send ACTIONS", "archived": "send ACTIONS",
	}
	s.publishTraced(t, unsampled, "00", "u1")
	s.publishTraced(t, overHTTP, "01", "h1", "--http", "--institution", "traced")
	// Only then the next: a batch of two senders is a part of neither's trace.
	eventually(t, "the trace over HTTP is whole", func() bool { return len(c.of(overHTTP)) == len(below) })
	s.publishTraced(t, overNATS, "01", "n1")
	eventually(t, "the trace over NATS is whole", func() bool { return len(c.of(overNATS)) == 5 })
	s.search(t, "00-"+searching+"-b7ad6b7169203331-01")

	all := c.of(overHTTP)
	isTree(t, all, below)
	if sent, found := all["send ACTIONS"], all["searchable"]; found.EndTimeUnixNano < sent.StartTimeUnixNano || len(all["index ACTIONS"].Links) != 1 || len(found.Links) != 1 {
		t.Errorf("searchable %v, sent %v", found, sent)
	}
	for _, name := range []string{"index ACTIONS", "write", "searchable", "archive ACTIONS", "archived"} {
		if c.of(overNATS)[name] == nil {
			t.Errorf("over NATS there is no %s: %v", name, c.of(overNATS))
		}
	}
	eventually(t, "the search is there", func() bool { return len(c.of(searching)) > 0 })
	if span := c.of(searching)["GET /v1/institutions/:institution/actions"]; span == nil || span.Kind != otlp.Span_SPAN_KIND_SERVER {
		t.Errorf("a search: %v", c.of(searching))
	}
	if spans := c.of(unsampled); len(spans) > 0 {
		t.Errorf("who is not sampled is traced: %v", spans)
	}
	c.saysNothingOf(t, tracedPerson, "Dorothea", "secret", "Institute of Traces", s.token, s.token[len(s.token)-12:], "course.opened")
}

// publishTraced publishes an action by the command line, in a trace.
func (s *service) publishTraced(t *testing.T, trace, flags, id string, more ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{"publish", "--data", s.dir}, more...)...)
	cmd.Env = append(os.Environ(), "ACTIONLOG_TEST_MAIN=1", "TRACEPARENT=00-"+trace+"-b7ad6b7169203331-"+flags)
	cmd.Stdin = strings.NewReader(tracedAction(id) + "\n")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "taken 1") {
		t.Fatalf("publish: %v\n%s", err, out)
	}
}

// isTree holds that each span is a part of the one that it should be; of "": that of
// TRACEPARENT.
func isTree(t *testing.T, all map[string]*otlp.Span, below map[string]string) {
	t.Helper()
	for name, above := range below {
		span := all[name]
		if span == nil {
			t.Fatalf("there is no span %s: %v", name, all)
		}
		parent := []byte{0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31}
		if above != "" {
			parent = all[above].GetSpanId()
		}
		if !bytes.Equal(span.ParentSpanId, parent) {
			t.Errorf("%s is below %x, not below %s", name, span.ParentSpanId, above)
		}
		if span.EndTimeUnixNano < span.StartTimeUnixNano || time.Since(time.Unix(0, int64(span.StartTimeUnixNano))) > time.Hour {
			t.Errorf("%s: from %d to %d", name, span.StartTimeUnixNano, span.EndTimeUnixNano)
		}
	}
}

// saysNothingOf fails where one of some texts is in anything that was sent.
func (c *collecting) saysNothingOf(t *testing.T, secrets ...string) {
	t.Helper()
	said := c.said()
	for _, secret := range secrets {
		if strings.Contains(said, secret) {
			t.Errorf("%q is in the traces", secret)
		}
	}
	if !strings.Contains(said, "messaging.system") {
		t.Errorf("the attributes cannot be read: %.500s", said)
	}
}

// search looks for the person, in a trace.
func (s *service) search(t *testing.T, traceparent string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/v1/institutions/traced/actions?user=Dorothea%20Secret", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("traceparent", traceparent)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK || !bytes.Contains(body, []byte(tracedPerson)) {
		t.Fatalf("%s %v %s", resp.Status, err, body)
	}
}

// TestDeadCollector: nobody who collects traces, or one who never answers, harms anything:
// everything is taken and found, and a stop takes no longer.
func TestDeadCollector(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for name, endpoint := range map[string]string{"nobody": closedPort(t), "silent": "http://" + silent.Addr().String()} {
		t.Run(name, func(t *testing.T) {
			s, p := tracedService(t, endpoint)
			lines := inventedLines(3000, time.Now())
			file := filepath.Join(t.TempDir(), "lines.ndjson")
			if err := os.WriteFile(file, append(bytes.Join(lines, []byte("\n")), '\n'), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), os.Args[0], "publish", "--data", s.dir, "--http", file)
			cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "OTEL_") }), "ACTIONLOG_TEST_MAIN=1", "TRACEPARENT=00-55f7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("publish: %v\n%s", err, out)
			}
			s.settle(t)
			if ids, _ := s.list(t, "invented", map[string][]string{"range": {"90d"}, "limit": {"1000"}}); len(ids) != len(lines) {
				t.Errorf("%d of %d actions are there", len(ids), len(lines))
			}
			began := time.Now()
			if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			if err := p.cmd.Wait(); err != nil {
				t.Errorf("it did not stop well: %v", err)
			}
			if took := time.Since(began); took > 2*stopWithin {
				t.Errorf("the stop took %s", took)
			}
		})
	}
}

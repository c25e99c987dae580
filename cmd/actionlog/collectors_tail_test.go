package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"actionlog/internal/enginetest"
)

// eventID is the ID of an event of ECS.
func eventID(t testing.TB, line []byte) string {
	t.Helper()
	var e struct {
		Event struct{ ID, Original string }
	}
	if err := json.Unmarshal(line, &e); err != nil || e.Event.Original == "" {
		t.Fatalf("%v: %.300s", err, line)
	}
	return e.Event.ID
}

// sink takes what rsyslog sends, and counts events by their IDs.
type sink struct {
	*testing.T
	mu  sync.Mutex
	ids map[string]int
}

func (s *sink) serve(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			lines := bufio.NewScanner(conn)
			lines.Buffer(nil, 4<<20)
			for lines.Scan() {
				var e struct{ Event struct{ ID string } }
				if json.Unmarshal(lines.Bytes(), &e) == nil && e.Event.ID != "" { // who is killed may send half a line
					s.mu.Lock()
					s.ids[e.Event.ID]++
					s.mu.Unlock()
				}
			}
		}()
	}
}

func (s *sink) has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ids[id] > 0
}

// withoutTLS takes out of rsyslog's configuration what the receiver of a test has not.
var withoutTLS = []string{` defaultNetstreamDriverCAFile="/etc/ssl/certs/ca-certificates.crt"`, "",
	`StreamDriver="ossl" StreamDriverMode="1" StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="siem.example.org"`, ""}

// rsyslog is one that runs the configuration, sends to an address, and reads a file.
func rsyslog(t *testing.T, file, address string) *process {
	t.Helper()
	binary, err := exec.LookPath("rsyslogd")
	if err != nil {
		binary = "/usr/sbin/rsyslogd"
		if _, err = os.Stat(binary); err != nil && os.Getenv("ACTIONLOG_TOOLS") != "required" {
			t.Skip("there is no rsyslogd")
		}
	}
	dir := t.TempDir()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(withoutTLS...).Replace(readCollector(t, "rsyslog/actionlog.conf"))
	text = strings.NewReplacer("/var/log/actionlog/actions.ecs.ndjson", file, `target="siem.example.org" port="6514"`, fmt.Sprintf("target=%q port=%q", host, port)).Replace(text)
	if !strings.Contains(text, file) || !strings.Contains(text, port) {
		t.Fatalf("the configuration is of another form:\n%s", text)
	}
	config := filepath.Join(dir, "rsyslog.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, "global(workDirectory=%q)\n%s", dir, text), 0o600); err != nil {
		t.Fatal(err)
	}
	return &process{args: []string{binary, "-n", "-f", config, "-i", filepath.Join(dir, "pid")}}
}

// A collector that writes events of ECS into a file, and rsyslog, which reads it and sends
// on: both are killed again and again, and the service too. The file has each action exactly
// once; what rsyslog sends, to a receiver that is there, has each at least once.
func TestRsyslogReadsTheFeed(t *testing.T) {
	t.Parallel()
	dir, out := t.TempDir(), t.TempDir()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	to := &sink{T: t, ids: map[string]int{}}
	go to.serve(listener)
	file := filepath.Join(out, "actions.ecs.ndjson")
	tail := rsyslog(t, file, listener.Addr().String())
	ports, err := enginetest.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", ports[0])
	serving := &process{dir: dir, env: []string{"ACTIONLOG_TEST_MAIN=1"}, args: []string{os.Args[0], "serve", "--data", dir, "--listen", address, "--nats-listen", "127.0.0.1:0", "--archive-seal-age", "500ms"}}
	serving.start(t)
	s := connect(t, dir)
	collector := &process{env: []string{"ACTIONLOG_TEST_MAIN=1"}, args: []string{os.Args[0], "feed", "--url", "http://" + address, "--token", s.token, "--institution", "acme",
		"--follow", "--limit", "20", "--format", "ecs", "--state", filepath.Join(out, "state"), "-o", file}}
	collector.start(t)
	tail.start(t)
	const rounds, each = 4, 100
	for round := range rounds {
		s.publish(t, numbered("r", round*each, (round+1)*each))
		time.Sleep(time.Duration(round*50) * time.Millisecond) // somewhere in the middle
		collector.kill(t)
		tail.kill(t)
		if round%2 == 0 {
			serving.kill(t)
			serving.start(t)
			s = connect(t, dir)
		}
		collector.start(t)
		tail.start(t)
	}
	eventually(t, "everything was sent on", func() bool {
		for n := range rounds * each {
			if !to.has(fmt.Sprintf("r%d", n)) {
				return false
			}
		}
		return true
	})
	collector.kill(t)
	onceIn(t, file, "r", rounds*each)
}

// onceIn holds that a file of events has each of so many actions once.
func onceIn(t *testing.T, file, prefix string, most int) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]int{}
	for line := range bytes.Lines(text) {
		counted[eventID(t, line)]++
	}
	for n := range most {
		if id := fmt.Sprintf("%s%d", prefix, n); counted[id] != 1 {
			t.Errorf("%s is in the file %d times", id, counted[id])
		}
	}
}

// poller is a connector of Sentinel, as far as its reference describes how it polls.
type poller struct {
	Properties struct {
		Auth    struct{ Type, ApiKeyName, ApiKeyIdentifier string }
		Request struct {
			ApiEndpoint     string
			Headers         map[string]string
			QueryParameters map[string]string
		}
		Paging struct {
			PagingType, NextPageTokenJsonPath, NextPageParaName, HasNextFlagJsonPath, PageSizeParameterName string
		}
		Response struct{ EventsJsonPaths []string }
	}
	token string // of the next page, which is kept
}

// poll reads a page, and keeps the token of the next one.
func (p *poller) poll(t *testing.T, endpoint, secret string) (events []any, more bool) {
	t.Helper()
	x := &p.Properties
	query := url.Values{x.Paging.PageSizeParameterName: {"7"}}
	for name, v := range x.Request.QueryParameters {
		query.Set(name, v)
	}
	if p.token != "" {
		query.Set(x.Paging.NextPageParaName, p.token)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, endpoint+"?"+query.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(x.Auth.ApiKeyName, x.Auth.ApiKeyIdentifier+" "+secret)
	for name, v := range x.Request.Headers {
		req.Header.Set(name, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %v: %v", resp.Status, err, body)
	}
	p.token = at(t, body, x.Paging.NextPageTokenJsonPath).(string)
	return at(t, body, x.Response.EventsJsonPaths[0]).([]any), at(t, body, x.Paging.HasNextFlagJsonPath).(bool)
}

// The names in Sentinel's configuration are those of the feed: who polls as its reference
// says, with a token that is kept from window to window, has each action once.
func TestSentinelsNames(t *testing.T) {
	s, stop := startServiceOn(t, t.TempDir(), engineArgs(t))
	defer stop()
	s.publish(t, numbered("s", 0, 30))
	var p poller
	if err := json.Unmarshal([]byte(readCollector(t, "sentinel/connector.json")), &p); err != nil {
		t.Fatal(err)
	}
	if p.Properties.Auth.Type != "APIKey" || p.Properties.Paging.PagingType != "PersistentToken" {
		t.Errorf("%+v", p.Properties)
	}
	endpoint := strings.NewReplacer("[[concat(", "", ")]", "", "parameters('url')", s.url, "parameters('institution')", "acme", ", ", "", "'", "").Replace(p.Properties.Request.ApiEndpoint)
	ids := map[string]int{}
	eventually(t, "all came", func() bool { // a window each
		for more := true; more; {
			var events []any
			events, more = p.poll(t, endpoint, s.token)
			for _, e := range events {
				ids[e.(map[string]any)["id"].(string)]++
			}
		}
		return ids["s29"] > 0
	})
	for n := range 30 {
		if id := fmt.Sprintf("s%d", n); ids[id] != 1 {
			t.Errorf("%s came %d times", id, ids[id])
		}
	}
}

// at is what stands at a path as $.page.next.
func at(t testing.TB, v any, path string) any {
	t.Helper()
	for name := range strings.SplitSeq(strings.TrimPrefix(path, "$."), ".") {
		object, ok := v.(map[string]any)
		if !ok || object[name] == nil {
			t.Fatalf("there is nothing at %s", path)
		}
		v = object[name]
	}
	return v
}

// Splunk finds an event's time where props.conf says, and reads the whole line.
func TestSplunksTimes(t *testing.T) {
	props := map[string]string{}
	for line := range strings.Lines(readCollector(t, "splunk/props.conf")) {
		if name, v, ok := strings.Cut(strings.TrimSpace(line), " = "); ok && !strings.HasPrefix(line, "#") {
			props[name] = v
		}
	}
	line, err := os.ReadFile(filepath.Join("..", "..", "internal", "ecs", "testdata", "golden", "course.class.created.json"))
	if err != nil {
		t.Fatal(err)
	}
	var flat bytes.Buffer
	if err := json.Compact(&flat, line); err != nil {
		t.Fatal(err)
	}
	where := regexp.MustCompile(props["TIME_PREFIX"]).FindIndex(flat.Bytes())
	look, err := strconv.Atoi(props["MAX_TIMESTAMP_LOOKAHEAD"])
	if err != nil || where == nil {
		t.Fatalf("%v, %v", where, err)
	}
	text := flat.String()[where[1] : where[1]+look]
	layout := strings.NewReplacer("%Y", "2006", "%m", "01", "%d", "02", "%H", "15", "%M", "04", "%S", "05", "%3N", "000").Replace(props["TIME_FORMAT"])
	if _, err := time.Parse(layout, text); err != nil || props["TZ"] != "UTC" || props["TRUNCATE"] != "0" {
		t.Errorf("%q as %q: %v; %v", text, layout, err, props)
	}
}

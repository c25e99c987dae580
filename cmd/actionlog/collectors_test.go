package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"actionlog/internal/enginetest"

	"gopkg.in/yaml.v3"
)

// collectorsDir is where the files of docs/collectors.md are.
var collectorsDir = filepath.Join("..", "..", "deploy", "collectors")

func readCollector(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(collectorsDir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// celInput is an input of Filebeat as far as the tests read it.
type celInput struct {
	URL        string         `yaml:"resource.url"`
	State      map[string]any `yaml:"state"`
	Program    string         `yaml:"program"`
	Processors []struct {
		Fingerprint celFingerprint `yaml:"fingerprint"`
	} `yaml:"processors"`
}

// celFingerprint is the processor that makes an _id.
type celFingerprint struct {
	Fields []string `yaml:"fields"`
	Target string   `yaml:"target_field"`
}

// celInputs are the input of Filebeat and the stream of an Elastic Agent.
func celInputs(t testing.TB) (filebeat, agent celInput) {
	t.Helper()
	var f struct {
		Inputs []celInput `yaml:"filebeat.inputs"`
	}
	var a struct {
		Inputs []struct {
			Streams []celInput `yaml:"streams"`
		} `yaml:"inputs"`
	}
	if err := errors.Join(yaml.Unmarshal([]byte(readCollector(t, "elastic/filebeat.yml")), &f), yaml.Unmarshal([]byte(readCollector(t, "elastic/elastic-agent.yml")), &a)); err != nil {
		t.Fatal(err)
	}
	return f.Inputs[0], a.Inputs[0].Streams[0]
}

// agent runs the program of an input as Filebeat does: what it returns is delivered, and
// then its cursor is kept.
type agent struct {
	*testing.T
	mito  string
	input celInput
	state map[string]any
	sent  map[string]int // by _id
	ids   map[string]int // by event.id
}

// buildMito builds what Filebeat runs such programs with.
func buildMito(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "mito")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/elastic/mito/cmd/mito")
	cmd.Dir = filepath.Join("testdata", "mito")
	if out, err := cmd.CombinedOutput(); err != nil {
		lacking(t, "mito, which runs CEL programs, cannot be built: %v\n%s", err, out)
	}
	return binary
}

// run evaluates up to most times, while there is more, and delivers what comes. With crash
// the cursor of the last page is lost: the agent is killed between delivery and noting it.
func (a *agent) run(most int, crash bool) (more bool, err error) {
	a.Helper()
	data, program := filepath.Join(a.TempDir(), "state.json"), filepath.Join(a.TempDir(), "program.cel")
	text, err := json.Marshal(a.state)
	if err == nil {
		err = errors.Join(os.WriteFile(data, text, 0o600), os.WriteFile(program, []byte(a.input.Program), 0o600))
	}
	if err != nil {
		a.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(a.Context(), time.Minute)
	defer cancel()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, a.mito, "-data", data, "-max_executions", fmt.Sprint(most), program)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return false, fmt.Errorf("%w: %s", err, stderr.String())
	}
	var pages []celPage
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p celPage
		if err := d.Decode(&p); err != nil {
			a.Fatalf("%v: %.300s", err, out)
		}
		pages = append(pages, p)
	}
	for i, p := range pages {
		var events []struct{ Message string }
		if json.Unmarshal(p.Events, &events) != nil {
			return false, fmt.Errorf("the program returns %s", p.Events)
		}
		for _, e := range events {
			a.deliver(e.Message)
		}
		if more = p.WantMore; p.Cursor != nil && !(crash && i == len(pages)-1) {
			a.state["cursor"] = p.Cursor
		}
	}
	return more, nil
}

// celPage is what the program returns.
type celPage struct {
	Events   json.RawMessage `json:"events"` // a list, or an error
	Cursor   map[string]any  `json:"cursor"`
	WantMore bool            `json:"want_more"`
}

// deliver counts an event by the _id that the processors make of it.
func (a *agent) deliver(message string) {
	a.Helper()
	var event map[string]any
	if err := json.Unmarshal([]byte(message), &event); err != nil {
		a.Fatalf("%v: %s", err, message)
	}
	fingerprint := a.input.Processors[1].Fingerprint
	var id []string
	for _, path := range fingerprint.Fields {
		at := any(event)
		for name := range strings.SplitSeq(path, ".") {
			at = at.(map[string]any)[name]
		}
		if at == nil || fingerprint.Target != "@metadata._id" {
			a.Fatalf("%s is not in %s", path, message)
		}
		id = append(id, fmt.Sprint(at))
	}
	a.sent[strings.Join(id, "|")]++
	a.ids[event["event"].(map[string]any)["id"].(string)]++
}

// An Elastic Agent that is killed after it delivered a page and before it noted that, a
// service that is killed meanwhile: nothing is lost, and what comes twice has the same _id.
func TestElasticAgent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ports, err := enginetest.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	input, _ := celInputs(t)
	a := &agent{T: t, mito: buildMito(t), input: input, state: maps.Clone(input.State), sent: map[string]int{}, ids: map[string]int{}}
	address := fmt.Sprintf("127.0.0.1:%d", ports[0])
	serving := &process{dir: dir, env: []string{"ACTIONLOG_TEST_MAIN=1"}, args: []string{os.Args[0], "serve", "--data", dir, "--listen", address, "--nats-listen", "127.0.0.1:0", "--archive-seal-age", "500ms"}}
	serving.start(t)
	s := connect(t, dir)
	s.publish(t, numbered("e", 0, 60))
	a.state["url"] = strings.NewReplacer("${ACTIONLOG_URL}", "http://"+address, "${ACTIONLOG_INSTITUTION}", "acme").Replace(input.URL)
	a.state["token"], a.state["limit"] = s.token, 25
	if more, err := a.run(2, true); !more || err != nil {
		t.Fatalf("the first two pages: more is %t, %v", more, err)
	}
	twice := map[string]int{}
	for n := range 60 {
		if n >= 25 && n < 50 {
			twice[fmt.Sprintf("e%d", n)] = 2
		}
	}
	serving.kill(t)
	before := fmt.Sprint(a.state["cursor"])
	if more, err := a.run(1, false); err == nil || more || fmt.Sprint(a.state["cursor"]) != before {
		t.Errorf("of a service that is away: more is %t, %v", more, err)
	}
	serving.start(t)
	s = connect(t, dir)
	s.publish(t, numbered("e", 60, 100))
	more := true
	for runs := 0; more && runs < 5; runs++ {
		if more, err = a.run(10, false); err != nil {
			t.Fatal(err)
		}
	}
	if more {
		t.Error("there is more and more")
	}
	for n := range 100 {
		id := fmt.Sprintf("e%d", n)
		if want := max(1, twice[id]); a.ids[id] != want {
			t.Errorf("%s came %d times, and not %d", id, a.ids[id], want)
		}
	}
	if len(a.sent) != len(a.ids) {
		t.Errorf("%d actions have %d _ids", len(a.ids), len(a.sent))
	}
	a.state["token"] = "al_none"
	if _, err := a.run(1, false); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("of a token that is none: %v", err)
	}
}

// numbered are actions prefix and a number.
func numbered(prefix string, from, to int) (lines [][]byte) {
	for n := from; n < to; n++ {
		lines = append(lines, []byte(acme(fmt.Sprintf("%s%d", prefix, n), time.Duration(n)*time.Minute, "")))
	}
	return lines
}

// What the configurations say of each other and of the service is true, and none holds a
// token.
func TestCollectorFiles(t *testing.T) {
	filebeat, agent := celInputs(t)
	if agent.Program != filebeat.Program || fmt.Sprint(agent.Processors) != fmt.Sprint(filebeat.Processors) || strings.ReplaceAll(agent.URL, "env.", "") != filebeat.URL {
		t.Error("the Elastic Agent's input is another than Filebeat's")
	}
	for name, token := range map[string]string{"elastic/filebeat.yml": "token: ${ACTIONLOG_TOKEN}", "elastic/elastic-agent.yml": "token: ${env.ACTIONLOG_TOKEN}",
		"actionlog-feed.service": "EnvironmentFile=", "sentinel/connector.json": "[[parameters('token')]"} {
		if !strings.Contains(readCollector(t, name), token) {
			t.Errorf("%s does not have %s", name, token)
		}
	}
	const file = "/var/log/actionlog/actions.ecs.ndjson"
	for _, name := range []string{"actionlog-feed.service", "vector/vector.yaml", "fluent-bit/fluent-bit.yaml", "splunk/inputs.conf", "rsyslog/actionlog.conf"} {
		if !strings.Contains(readCollector(t, name), file) {
			t.Errorf("%s does not read %s", name, file)
		}
	}
	for _, name := range []string{"vector/vector.yaml", "fluent-bit/fluent-bit.yaml"} {
		var v map[string]any
		if err := yaml.Unmarshal([]byte(readCollector(t, name)), &v); err != nil || len(v) < 3 {
			t.Errorf("%s: %v", name, err)
		}
	}
	var rule map[string]any
	if err := json.Unmarshal([]byte(readCollector(t, "sentinel/rule.json")), &rule); err != nil {
		t.Error(err)
	}
}

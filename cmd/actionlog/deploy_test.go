package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"actionlog/internal/elastic"

	"github.com/prometheus/client_golang/prometheus"
	"gopkg.in/yaml.v3"
)

// deployed is a file of deploy or docs.
func deployed(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{"..", ".."}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// tool is the path of a program that a test needs; without it the test is skipped, in CI it
// fails.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	lacking(t, "%s is not here: %v", name, err)
	return ""
}

type alertRule struct {
	Alert, Expr, For    string
	Labels, Annotations map[string]string
}

// alertRules are the rules that are shipped.
func alertRules(t *testing.T) []alertRule {
	t.Helper()
	var file struct {
		Groups []struct{ Rules []alertRule }
	}
	if err := yaml.Unmarshal([]byte(deployed(t, "deploy", "prometheus", "alerts.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	var all []alertRule
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) < 20 {
		t.Fatalf("only %d alerts", len(all))
	}
	return all
}

// TestAlertRules has promtool check the rules, and run their tests.
func TestAlertRules(t *testing.T) {
	t.Parallel()
	promtool := tool(t, "promtool")
	for _, args := range [][]string{{"check", "rules", "alerts.yaml"}, {"test", "rules", "alerts_test.yaml"}} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = filepath.Join("..", "..", "deploy", "prometheus")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

// TestAlertsAreTested: for each alert a series is made that it fires on, and it is silent
// while all is well.
func TestAlertsAreTested(t *testing.T) {
	var file struct {
		Tests []struct {
			Name  string
			Rules []struct {
				Alertname string
				Expected  []any `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	if err := yaml.Unmarshal([]byte(deployed(t, "deploy", "prometheus", "alerts_test.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		for _, r := range test.Rules {
			if test.Name == "healthy" && len(r.Expected) == 0 {
				silent[r.Alertname] = true
			}
			if test.Name == r.Alertname && len(r.Expected) == 1 {
				fires[r.Alertname] = true
			}
		}
	}
	for _, a := range alertRules(t) {
		if !fires[a.Alert] || !silent[a.Alert] {
			t.Errorf("%s: fires %v, is silent %v", a.Alert, fires[a.Alert], silent[a.Alert])
		}
		if a.Labels["severity"] != "warning" && a.Labels["severity"] != "critical" || a.Annotations["summary"] == "" {
			t.Errorf("%s: %v %v", a.Alert, a.Labels, a.Annotations)
		}
	}
}

// TestRunbook: the alerts are the sections of the runbook, and each says what it must.
func TestRunbook(t *testing.T) {
	sections := map[string]string{}
	for i, section := range strings.Split(deployed(t, "docs", "runbook.md"), "\n## ") {
		title, text, _ := strings.Cut(section, "\n")
		if i > 0 {
			sections[title] = text
		}
	}
	for _, a := range alertRules(t) {
		text, ok := sections[a.Alert]
		delete(sections, a.Alert)
		if !ok || a.Annotations["runbook_url"] != "docs/runbook.md#"+strings.ToLower(a.Alert) {
			t.Errorf("%s: its section is %v, its address %s", a.Alert, ok, a.Annotations["runbook_url"])
		}
		for _, part := range []string{"**Means:**", "**People see:**", "**Look", "do", "ver:**"} {
			if !strings.Contains(strings.ToLower(text), strings.ToLower(part)) {
				t.Errorf("%s: the runbook does not say %s", a.Alert, part)
			}
		}
	}
	for title := range sections {
		t.Errorf("the runbook explains %s, which is no alert", title)
	}
}

var metricName = regexp.MustCompile(`\b(?:actionlog|process)_[a-z_]+`)

// metricsOf are the names of metrics in a text.
func metricsOf(text string) map[string]bool {
	names := map[string]bool{}
	for _, name := range metricName.FindAllString(text, -1) {
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			name = strings.TrimSuffix(name, suffix)
		}
		names[name] = true
	}
	return names
}

// TestMetricsExist holds what alerts and dashboard ask for, and what docs/operations.md
// lists, against what a running service says.
func TestMetricsExist(t *testing.T) {
	cert, key := writeCertificate(t, t.TempDir(), 1)
	dir := t.TempDir()
	_, stop := startServing(t, dir, []string{"--nats-tls-cert", cert, "--nats-tls-key", key})
	t.Cleanup(stop)
	s := whenReady(t, dir)
	s.send1(t, "/v1/accounting")
	there := map[string]bool{}
	for line := range strings.Lines(s.send1(t, "/metrics") + engineMetrics(t)) {
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, _, _ := strings.Cut(rest, " ")
			there[name] = true
		}
	}
	asked := deployed(t, "deploy", "grafana", "actionlog.json")
	for _, a := range alertRules(t) {
		asked += " " + a.Expr
	}
	if len(metricsOf(asked)) < 20 {
		t.Fatalf("only %d metrics are asked for", len(metricsOf(asked)))
	}
	for name := range metricsOf(asked) {
		if !there[name] {
			t.Errorf("%s is asked for, and the service has none", name)
		}
	}
	documented := metricsOf(deployed(t, "docs", "operations.md"))
	for name := range there {
		if strings.HasPrefix(name, "actionlog_") && !documented[name] {
			t.Errorf("docs/operations.md does not name %s", name)
		}
	}
	for name := range documented {
		if strings.HasPrefix(name, "actionlog_") && !there[name] {
			t.Errorf("docs/operations.md names %s, which the service has not", name)
		}
	}
}

// engineMetrics are the figures that only a store on an engine has, as /metrics has them.
func engineMetrics(t *testing.T) (text string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/" {
			fmt.Fprint(w, `{"version":{"number":"3.5.0","distribution":"opensearch"}}`)
			return
		}
		if strings.HasSuffix(r.URL.Path, "/_settings/index.blocks.*") {
			fmt.Fprint(w, `{"actions-2026.11.22":{"settings":{"index.blocks.read_only_allow_delete":"true"}}}`)
			return
		}
		fmt.Fprint(w, `{}`)
	}))
	t.Cleanup(server.Close)
	store, err := elastic.Open(t.Context(), elastic.Options{Addresses: []string{server.URL}, ReadOnly: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	registry := prometheus.NewRegistry()
	gauges{registry}.store(store)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		text += "# TYPE " + f.GetName() + " gauge\n"
		if f.GetName() == "actionlog_engine_blocked_indices" && f.GetMetric()[0].GetGauge().GetValue() != 1 {
			t.Errorf("%v", f)
		}
	}
	return text
}

type dashboardPanel struct {
	ID      int
	Title   string
	GridPos struct{ X, Y, W, H int }
	Targets []struct{ Expr string }
}

// TestDashboardIsSound: its queries can be parsed, and its panels do not overlap.
func TestDashboardIsSound(t *testing.T) {
	var board struct{ Panels []dashboardPanel }
	if err := json.Unmarshal([]byte(deployed(t, "deploy", "grafana", "actionlog.json")), &board); err != nil {
		t.Fatal(err)
	}
	if len(board.Panels) < 20 {
		t.Fatalf("only %d panels", len(board.Panels))
	}
	for i, p := range board.Panels {
		a := p.GridPos
		if a.X < 0 || a.X+a.W > 24 || a.W < 1 || a.H < 1 {
			t.Errorf("%s is at %+v", p.Title, a)
		}
		for _, q := range board.Panels[:i] {
			if b := q.GridPos; a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H || p.ID == q.ID {
				t.Errorf("%s and %s overlap", p.Title, q.Title)
			}
		}
	}
	checkQueries(t, board.Panels)
}

// checkQueries has promtool read the queries, as those of rules.
func checkQueries(t *testing.T, panels []dashboardPanel) {
	t.Helper()
	type rule struct {
		Record string `yaml:"record"`
		Expr   string `yaml:"expr"`
	}
	filled := strings.NewReplacer("$__rate_interval", "5m", "$job", "actionlog", "$instance", ".*")
	var rules []rule
	for _, p := range panels {
		for _, target := range p.Targets {
			rules = append(rules, rule{fmt.Sprintf("panel:%d:%d", p.ID, len(rules)), filled.Replace(target.Expr)})
		}
	}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), tool(t, "promtool"), "check", "rules", file).CombinedOutput()
	if err != nil || !slices.Contains(strings.Fields(string(out)), fmt.Sprint(len(rules))) {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// dashboardFile is what is imported into Grafana.
var dashboardFile = filepath.Join("..", "..", "deploy", "grafana", "actionlog.json")

// graph is a panel: what it asks, and how its lines are called.
type graph struct {
	title, unit string
	kind        string // "" a time series; stat: a number
	help        string
	asks        [][2]string // query and legend
}

// own are the series of the service that the dashboard's variables choose.
const own = `job="$job", instance=~"$instance"`

// dashboardRows are the panels, by row.
var dashboardRows = []struct {
	title  string
	graphs []graph
}{
	{"Is it well", []graph{
		{"Checks", "none", "stat", "0 ok, 1 warning, 2 failed: what /readyz says.", [][2]string{{`max by (check) (actionlog_check{` + own + `})`, "{{check}}"}}},
		{"Behind the stream", "s", "stat", "How old the newest instant is until which everything can be searched.", [][2]string{{`max(actionlog_behind_seconds{` + own + `})`, ""}}},
		{"Missing and unarchived", "none", "stat", "By the account of the night. To be 0.", [][2]string{{`max by (what) (actionlog_accounted{` + own + `, what=~"missing|unarchived"})`, "{{what}}"}}},
		{"Dead letters", "none", "stat", "", [][2]string{{`max(actionlog_dead_letters{` + own + `})`, ""}}},
		{"Alerts", "none", "stat", "Alerts of the action log that fire.", [][2]string{{`count(ALERTS{alertname=~"ActionLog.*", alertstate="firing"}) or vector(0)`, ""}}},
		{"Backup", "dateTimeFromNow", "stat", "When the last backup was made.", [][2]string{{`1000 * max(actionlog_backup_timestamp_seconds{` + own + `} > 0)`, ""}}},
	}},
	{"Actions come in", []graph{
		{"Taken from the stream", "ops", "", "", [][2]string{{`sum by (outcome) (rate(actionlog_indexer_actions_total{` + own + `}[$__rate_interval]))`, "{{outcome}}"}}},
		{"Published over HTTP", "ops", "", "", [][2]string{{`sum by (outcome) (rate(actionlog_ingest_actions_total{` + own + `}[$__rate_interval]))`, "{{outcome}}"}}},
		{"Until it can be searched", "s", "", "From the stream's acknowledgement. p99 is meant to be below 1 s, on an engine below 1.5 s.", [][2]string{
			{`histogram_quantile(0.5, sum by (le) (rate(actionlog_indexer_searchable_seconds_bucket{` + own + `}[$__rate_interval])))`, "p50"},
			{`histogram_quantile(0.99, sum by (le) (rate(actionlog_indexer_searchable_seconds_bucket{` + own + `}[$__rate_interval])))`, "p99"}}},
		{"Waiting for the indexer, and for the archive", "none", "", "Messages of the stream.", [][2]string{
			{`max(actionlog_pending_messages{` + own + `})`, "indexer"}, {`max(actionlog_archive_behind_messages{` + own + `})`, "archive"}}},
		{"The stream", "bytes", "", "Publishing is refused at the limit.", [][2]string{{`max(actionlog_stream_bytes{` + own + `})`, "holds"}, {`max(actionlog_stream_limit_bytes{` + own + `})`, "limit"}}},
		{"A batch", "s", "", "", [][2]string{
			{`histogram_quantile(0.99, sum by (le) (rate(actionlog_indexer_batch_seconds_bucket{` + own + `}[$__rate_interval])))`, "p99"},
			{`sum(rate(actionlog_indexer_batch_actions_sum{` + own + `}[$__rate_interval])) / sum(rate(actionlog_indexer_batch_actions_count{` + own + `}[$__rate_interval]))`, "actions in one"}}},
	}},
	{"People ask", []graph{
		{"Requests", "reqps", "", "", [][2]string{{`sum by (route) (rate(actionlog_http_seconds_count{` + own + `}[$__rate_interval]))`, "{{route}}"}}},
		{"Seconds, p99", "s", "", "", [][2]string{{`histogram_quantile(0.99, sum by (route, le) (rate(actionlog_http_seconds_bucket{` + own + `, method="GET"}[$__rate_interval])))`, "{{route}}"}}},
		{"Errors and denials", "reqps", "", "", [][2]string{{`sum by (status) (rate(actionlog_http_seconds_count{` + own + `, status=~"401|403|429|5.."}[$__rate_interval]))`, "{{status}}"}}},
	}},
	{"What it stands on", []graph{
		{"The store", "bytes", "", "", [][2]string{{`max(actionlog_store_bytes{` + own + `})`, "days"}}},
		{"Days kept, and missing", "none", "", "", [][2]string{{`max(actionlog_store_days{` + own + `})`, "kept"}, {`max(actionlog_store_missing{` + own + `})`, "missing"}, {`max(actionlog_engine_blocked_indices{` + own + `})`, "blocked by the engine"}}},
		{"Free on the disk", "percentunit", "", "", [][2]string{{`min by (instance) (actionlog_data_free_bytes{` + own + `} / actionlog_data_size_bytes{` + own + `})`, "{{instance}}"}}},
		{"Memory", "bytes", "", "", [][2]string{{`process_resident_memory_bytes{` + own + `}`, "{{instance}}"}}},
		{"Processor", "none", "", "Cores.", [][2]string{{`rate(process_cpu_seconds_total{` + own + `}[$__rate_interval])`, "{{instance}}"}}},
		{"Clock", "s", "", "How far the NATS servers' clock is ahead.", [][2]string{{`actionlog_clock_offset_seconds{` + own + `}`, "{{instance}}"}}},
		{"Certificates end", "s", "", "In so many seconds.", [][2]string{{`actionlog_certificate_expires_timestamp_seconds{` + own + `} - time()`, "{{of}} of {{instance}}"}}},
		{"Webhooks", "none", "", "", [][2]string{{`max by (status) (actionlog_webhooks{` + own + `})`, "{{status}}"}}},
		{"Incarnations of the stream", "none", "", "More than one: the stream went back.", [][2]string{{`max by (incarnation) (actionlog_stream_info{` + own + `})`, "{{incarnation}}"}}},
	}},
}

type object = map[string]any

// TestDashboard: the file is what the table above says; ACTIONLOG_UPDATE=1 writes it.
func TestDashboard(t *testing.T) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(dashboard()); err != nil {
		t.Fatal(err)
	}
	if os.Getenv("ACTIONLOG_UPDATE") != "" {
		if err := os.WriteFile(dashboardFile, text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	there, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(there, text.Bytes()) {
		t.Errorf("%s is not what dashboardRows says; ACTIONLOG_UPDATE=1 writes it anew", dashboardFile)
	}
}

func dashboard() object {
	const wide, high, across = 24, 8, 3
	var panels []object
	y, id := 0, 0
	add := func(p object, x, w, h int) {
		id++
		p["id"], p["gridPos"] = id, object{"x": x, "y": y, "w": w, "h": h}
		panels = append(panels, p)
	}
	for _, row := range dashboardRows {
		add(object{"type": "row", "title": row.title, "collapsed": false, "panels": []object{}}, 0, wide, 1)
		y++
		each, tall := wide/across, high
		if row.graphs[0].kind == "stat" {
			each, tall = wide/len(row.graphs), 4
		}
		for i, g := range row.graphs {
			add(g.panel(), i*each%wide, each, tall)
			if (i+1)*each%wide == 0 || i == len(row.graphs)-1 {
				y += tall
			}
		}
	}
	source := object{"type": "prometheus", "uid": "${source}"}
	return object{
		"title": "Action Log", "uid": "actionlog", "tags": []string{"actionlog"}, "schemaVersion": 39, "version": 1, "editable": true,
		"refresh": "30s", "timezone": "browser", "time": object{"from": "now-6h", "to": "now"}, "panels": panels,
		"templating": object{"list": []object{
			{"name": "source", "type": "datasource", "query": "prometheus", "label": "Source"},
			{"name": "job", "type": "query", "datasource": source, "query": "label_values(actionlog_check, job)", "refresh": 1, "label": "Job"},
			{"name": "instance", "type": "query", "datasource": source, "query": `label_values(actionlog_check{job="$job"}, instance)`, "refresh": 1, "multi": true, "includeAll": true, "label": "Instance"},
		}},
	}
}

// panel is a graph as Grafana knows it.
func (g *graph) panel() object {
	source := object{"type": "prometheus", "uid": "${source}"}
	var targets []object
	for i, ask := range g.asks {
		targets = append(targets, object{"refId": string(rune('A' + i)), "datasource": source, "expr": ask[0], "legendFormat": ask[1]})
	}
	p := object{"type": "timeseries", "title": g.title, "description": g.help, "datasource": source, "targets": targets,
		"fieldConfig": object{"defaults": object{"unit": g.unit}, "overrides": []object{}}}
	if g.kind != "" {
		p["type"] = g.kind
		p["options"] = object{"reduceOptions": object{"calcs": []string{"lastNotNull"}, "fields": "", "values": false}, "colorMode": "none"}
	}
	return p
}

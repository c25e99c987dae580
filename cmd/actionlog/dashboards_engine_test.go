package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/demo"
)

// testDashboards asks a real engine all that the dashboards would have Kibana or OpenSearch
// Dashboards ask it, on a log with demo actions and with what is recorded of its use: every
// panel has something to show, at each of its levels. It runs on an engine only.
func testDashboards(t *testing.T) {
	args := engineArgs(t)
	s, stop := startServiceOn(t, t.TempDir(), args)
	t.Cleanup(stop)
	const zone, from, to = "America/New_York", 8, 18
	lines, outside := demoWeek(t, zone, from, to)
	s.publish(t, lines)
	s.useTheLog(t)
	l := readLens(t, "--engine-prefix", args[3], "--tz", zone, "--hours", fmt.Sprintf("%d-%d", from, to))
	l.engine = args[1]
	shown := 0
	for _, o := range l.objects {
		if o.Type == "index-pattern" || o.Type == "dashboard" {
			continue
		}
		if empty := l.empty(t, o); empty != "" {
			t.Errorf("%s: %s", o.ID, empty)
		}
		shown++
	}
	if shown < 50 {
		t.Errorf("only %d panels", shown)
	}

	// What is said of hours is what the input says.
	invented := savedObject{Type: "visualization", ID: "invented", References: l.objects[len(l.objects)-2].References} // a panel's of hours
	source := `{"query":{"language":"lucene","query":"NOT action.code:(institution.actionlog.* OR institution.restore.*)"},"filter":[]}`
	invented.Attributes.VisState = `{"aggs":[{"id":"1","type":"count","schema":"metric"},{"id":"2","type":"terms","schema":"segment","params":{"field":"out_of_hours","size":2,"orderBy":"_key","order":"asc"}}]}`
	invented.Attributes.KibanaSavedObjectMeta.SearchSourceJSON = source
	var counts []int
	for _, b := range l.ask(t, invented).Aggregations["2"].buckets(t) {
		counts = append(counts, b.Count)
	}
	if want := []int{len(lines) - outside, outside}; !slices.Equal(counts, want) || outside < 50 {
		t.Errorf("within and out of hours: %v, and not %v", counts, want)
	}

	// An empty panel is told from one that is not.
	invented.Attributes.KibanaSavedObjectMeta.SearchSourceJSON = `{"query":{"language":"lucene","query":"action.code:nothing"},"filter":[]}`
	if l.empty(t, invented) == "" {
		t.Error("a panel of nothing is not empty")
	}
}

// demoWeek is the demo's last eight days, and how many of them happened outside of working
// hours.
func demoWeek(t *testing.T, zone string, from, to int) (lines [][]byte, outside int) {
	t.Helper()
	place, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Add(-time.Minute)
	for raw := range demo.New(demoSeed, 90*90).Actions(now) {
		item, err := actionlog.Parse(raw, nil)
		if err != nil {
			t.Fatal(err)
		}
		if now.Sub(item.OccurredAt) > 8*24*time.Hour {
			continue
		}
		lines = append(lines, raw)
		at := item.OccurredAt.In(place)
		if day := at.Weekday(); day == time.Saturday || day == time.Sunday || at.Hour() < from || at.Hour() >= to {
			outside++
		}
	}
	return lines, outside
}

// useTheLog does with the log what is to be seen in dashboards.
func (s *service) useTheLog(t *testing.T) {
	t.Helper()
	base := "/v1/institutions/" + demo.Institution()
	officer := s.createToken(t, `{"name":"officer","roles":["compliance"]}`)
	ann := s.createToken(t, `{"name":"ann","roles":["admin"],"institutions":["`+demo.Institution()+`"]}`)
	for _, x := range []struct {
		token, method, path, body string
		status                    int
	}{
		{officer.Token, http.MethodGet, base + "/actions?any=arts", "", http.StatusOK},
		{officer.Token, http.MethodGet, base + "/export?format=csv", "", http.StatusOK},
		{officer.Token, http.MethodGet, "/v1/tokens", "", http.StatusForbidden},
		{ann.Token, http.MethodGet, "/v1/tokens", "", http.StatusForbidden},
		{ann.Token, http.MethodGet, base + "/export?format=ndjson", "", http.StatusOK},
		{ann.Token, http.MethodPost, base + "/restores", `{"from":"2025-01-01","to":"2025-02-01","reason":"a question"}`, http.StatusCreated},
	} {
		if status, _, answer := s.send(t, x.token, x.method, x.path, "application/json", "", []byte(x.body)); status != x.status {
			t.Fatalf("%s %s: %d %s", x.method, x.path, status, answer)
		}
	}
	s.settle(t)
}

// empty says what of a panel has nothing to show; "" if all of it has.
func (l *lens) empty(t *testing.T, o savedObject) string {
	t.Helper()
	a := l.ask(t, o)
	if a.Hits.Total.Value == 0 {
		return "no actions"
	}
	if o.Type == "search" {
		for _, f := range l.pattern(o).fields {
			if f.Scripted && a.Hits.Hits[0].Fields[f.Name] == nil {
				return "no field " + f.Name
			}
		}
		return ""
	}
	level := []map[string]lensBuckets{a.Aggregations}
	for _, g := range decoded[struct{ Aggs []lensAggregation }](t, o.Attributes.VisState).Aggs {
		if g.Type == "cardinality" && (a.Aggregations[g.ID].Value == nil || *a.Aggregations[g.ID].Value == 0) && len(level) == 1 {
			return "no values of " + g.Params.Field
		}
		if g.Schema == "metric" {
			continue
		}
		var below []map[string]lensBuckets
		for _, in := range level {
			for _, b := range in[g.ID].buckets(t) {
				if b.Count == 0 {
					continue
				}
				next := map[string]lensBuckets{}
				for id, raw := range b.inner {
					if strings.HasPrefix(string(raw), "{") {
						next[id] = decoded[lensBuckets](t, string(raw))
					}
				}
				below = append(below, next)
			}
		}
		if level = below; len(level) == 0 {
			return fmt.Sprintf("nothing by %s %s", g.Type, g.Params.Field)
		}
	}
	return ""
}

package dashboards

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// read is what a server reads of a file, as far as these tests look.
type read struct {
	ID, Type   string
	Attributes struct {
		Title, TimeFieldName, Fields, FieldFormatMap, VisState, UIStateJSON, PanelsJSON, OptionsJSON string
		Columns                                                                                      []string
		KibanaSavedObjectMeta                                                                        struct{ SearchSourceJSON string }
	}
	References       []Reference
	MigrationVersion map[string]string
}

func readAll(t *testing.T, o Options) (all []read) {
	t.Helper()
	for line := range bytes.Lines(NDJSON(o)) {
		var r read
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%v: %.200s", err, line)
		}
		all = append(all, r)
	}
	return all
}

// parsed is JSON that stands in a string.
func parsed[T any](t *testing.T, about, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Errorf("%s: %v: %.200s", about, err, text)
	}
	return v
}

// The file is what it was. ACTIONLOG_UPDATE=1 writes it anew; read its difference.
func TestGolden(t *testing.T) {
	path := filepath.Join("testdata", "actionlog.ndjson")
	got := NDJSON(Options{})
	if os.Getenv("ACTIONLOG_UPDATE") != "" {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Error(diff)
	}
}

// Objects have IDs of their own, refer to each other only, and each to those before it; no
// version is one that one of the servers does not know; what is JSON in a string is JSON.
func TestObjects(t *testing.T) {
	for _, o := range []Options{{}, {Prefix: "eu-", Zone: zone(t, "America/New_York"), From: 8, To: 18}} {
		known := map[string]bool{}
		for _, r := range readAll(t, o) {
			about := r.Type + " " + r.ID
			if known[about] || !strings.HasPrefix(r.ID, o.Prefix+"actionlog-") {
				t.Errorf("%s: there are two, or its ID is another's", about)
			}
			for _, ref := range r.References {
				if !known[ref.Type+" "+ref.ID] {
					t.Errorf("%s refers to %s %s, which is not before it", about, ref.Type, ref.ID)
				}
			}
			known[about] = true
			if v := r.MigrationVersion[r.Type]; len(r.MigrationVersion) != 1 || !regexp.MustCompile(`^7\.[0-9]\.[0-9]$`).MatchString(v) {
				t.Errorf("%s: version %v is none of 7.9 or older", about, r.MigrationVersion)
			}
			if r.Attributes.Title == "" {
				t.Errorf("%s has no title", about)
			}
			checkReferences(t, about, &r)
		}
		if len(known) < 50 {
			t.Errorf("only %d objects", len(known))
		}
	}
}

// checkReferences holds the names of references against where they are used.
func checkReferences(t *testing.T, about string, r *read) {
	t.Helper()
	var used []string
	a := &r.Attributes
	if r.Type != "index-pattern" {
		source := parsed[struct {
			IndexRefName string
			Query        struct{ Language string }
			Filter       []struct {
				Meta struct{ IndexRefName string }
			}
		}](t, about, a.KibanaSavedObjectMeta.SearchSourceJSON)
		if r.Type != "dashboard" {
			used = append(used, source.IndexRefName)
		}
		for _, f := range source.Filter {
			used = append(used, f.Meta.IndexRefName)
		}
	}
	if r.Type == "dashboard" {
		parsed[map[string]any](t, about, a.OptionsJSON)
		for _, p := range parsed[[]struct{ PanelRefName string }](t, about, a.PanelsJSON) {
			used = append(used, p.PanelRefName)
		}
	}
	var have []string
	for _, ref := range r.References {
		have = append(have, ref.Name)
	}
	if diff := cmp.Diff(used, have); diff != "" {
		t.Errorf("%s: references\n%s", about, diff)
	}
}

// Panels lie within the dashboard, and none on another.
func TestPanelsDoNotOverlap(t *testing.T) {
	dashboards := 0
	for _, r := range readAll(t, Options{}) {
		if r.Type != "dashboard" {
			continue
		}
		dashboards++
		taken := map[[2]int]string{}
		panels := parsed[[]struct {
			PanelIndex string
			GridData   struct {
				X, Y, W, H int
				I          string
			}
		}](t, r.ID, r.Attributes.PanelsJSON)
		for _, p := range panels {
			g := p.GridData
			if g.I != p.PanelIndex || g.X < 0 || g.Y < 0 || g.W < 8 || g.H < 8 || g.X+g.W > 48 {
				t.Errorf("%s: panel %s: %+v", r.ID, p.PanelIndex, g)
			}
			for x := g.X; x < g.X+g.W; x++ {
				for y := g.Y; y < g.Y+g.H; y++ {
					if other := taken[[2]int{x, y}]; other != "" {
						t.Fatalf("%s: panel %s lies on %s", r.ID, p.PanelIndex, other)
					}
					taken[[2]int{x, y}] = p.PanelIndex
				}
			}
		}
		if len(panels) < 5 {
			t.Errorf("%s: %d panels", r.ID, len(panels))
		}
	}
	if dashboards != 7 {
		t.Errorf("%d dashboards", dashboards)
	}
}

// fits are the types of fields that an aggregation takes.
var fits = map[string]string{"terms": "string number boolean ip", "date_histogram": "date", "cardinality": "string number boolean ip date"}

// What a panel counts by is a field of the mapping, of a type that can be counted so; what
// it asks for and lists is a field of the mapping too.
func TestFieldsAreInTheMapping(t *testing.T) {
	all := readAll(t, Options{})
	patterns := map[string]map[string]field{}
	for _, r := range all[:2] {
		patterns[r.ID] = map[string]field{}
		for _, f := range parsed[[]field](t, r.ID, r.Attributes.Fields) {
			patterns[r.ID][f.Name] = f
			if f.Type == "" || f.Scripted != (f.Script != "") || f.Scripted && r.ID == all[0].ID {
				t.Errorf("%s: field %+v", r.ID, f)
			}
		}
	}
	fields := patterns[all[0].ID]
	if f := fields[all[0].Attributes.TimeFieldName]; f.Type != "date" || fields["trace.batch_id"].Aggregatable || !fields["actor.key"].Aggregatable || fields["actor.name"].Searchable {
		t.Errorf("the mapping is not read: %+v", f)
	}
	asked := regexp.MustCompile(`([a-z_]+(?:\.[a-z_]+)*):|_exists_:([a-z_.]+)`)
	queries := func(about, query string) {
		for _, m := range asked.FindAllStringSubmatch(query, -1) {
			if name := strings.TrimPrefix(m[1]+m[2], "_exists_"); name != "" && !fields[name].Searchable {
				t.Errorf("%s asks for %q, which cannot be asked for", about, name)
			}
		}
	}
	for _, r := range all[2:] {
		if r.Type != "dashboard" {
			fields = patterns[r.References[0].ID]
		}
		source := parsed[struct{ Query struct{ Query string } }](t, r.ID, r.Attributes.KibanaSavedObjectMeta.SearchSourceJSON)
		queries(r.ID, source.Query.Query)
		for _, c := range r.Attributes.Columns {
			if _, ok := fields[c]; !ok {
				t.Errorf("%s lists %q", r.ID, c)
			}
		}
		if r.Type != "visualization" {
			continue
		}
		checkChart(t, &r, fields, queries)
	}
}

// state is the state of a visualization.
type state struct {
	Title, Type string
	Params      map[string]any
	Aggs        []struct {
		ID, Type, Schema string
		Params           struct {
			Field, OrderBy string
			Filters        []struct {
				Label string
				Input struct{ Query, Language string }
			}
		}
	}
}

func checkChart(t *testing.T, r *read, fields map[string]field, queries func(about, query string)) {
	t.Helper()
	v := parsed[state](t, r.ID, r.Attributes.VisState)
	parsed[map[string]any](t, r.ID, r.Attributes.UIStateJSON)
	if v.Params["type"] != v.Type && v.Type != "table" || v.Title != r.Attributes.Title {
		t.Errorf("%s: %+v", r.ID, v)
	}
	for i, a := range v.Aggs {
		if a.ID != strconv.Itoa(i+1) || a.Schema == "" {
			t.Errorf("%s: aggregation %d: %+v", r.ID, i, a)
		}
		if a.Type == "filters" {
			for _, f := range a.Params.Filters {
				queries(r.ID, f.Input.Query)
			}
			continue
		}
		if f := fields[a.Params.Field]; a.Type != "count" && (!f.Aggregatable || !strings.Contains(" "+fits[a.Type]+" ", " "+f.Type+" ")) {
			t.Errorf("%s: %s of %q, which is %+v", r.ID, a.Type, a.Params.Field, f)
		}
	}
}

// Working hours and their zone are in the scripts, and the prefix in the pattern.
func TestOptions(t *testing.T) {
	o := Options{Prefix: "eu-", Zone: zone(t, "America/New_York"), From: 8, To: 18}
	file := string(NDJSON(o))
	for _, want := range []string{`"title":"eu-actions-*"`, `"title":"eu-actions-2*"`, "ZoneId.of('America/New_York')", "hour < 8 || hour >= 18", "not between 08:00 and 18:00 (America/New_York)"} {
		if !strings.Contains(file, want) {
			t.Errorf("%q is not in it", want)
		}
	}
	for _, other := range []string{`"actionlog-`, "UTC", "hour < 7"} {
		if strings.Contains(file, other) {
			t.Errorf("%q is in it", other)
		}
	}
	if bytes.Equal(NDJSON(Options{}), []byte(file)) || !bytes.Equal(NDJSON(Options{}), NDJSON(Options{Zone: time.UTC, From: 7, To: 19})) {
		t.Error("the defaults are not 7 to 19, UTC")
	}
}

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// Every query of the catalogue is written so that a server's Lucene takes it: brackets
// close, and what has a name in a chart is asked for.
func TestQueries(t *testing.T) {
	for _, d := range (Options{}).all() {
		for _, p := range d.panels {
			for _, pair := range []string{"()", "[]"} {
				if strings.Count(p.query, pair[:1]) != strings.Count(p.query, pair[1:]) {
					t.Errorf("%s %s: %s", d.name, p.name, p.query)
				}
			}
			if p.chart != list && p.chart != gauge && len(p.by) == 0 {
				t.Errorf("%s %s counts by nothing", d.name, p.name)
			}
		}
	}
}

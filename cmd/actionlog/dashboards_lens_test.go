package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"
	"time"
)

// savedObject is an object as Kibana and OpenSearch Dashboards read it.
type savedObject struct {
	ID, Type   string
	Attributes struct {
		Title, TimeFieldName, Fields, VisState string
		Columns                                []string
		Sort                                   [][2]string
		KibanaSavedObjectMeta                  struct{ SearchSourceJSON string }
	}
	References []struct{ ID, Type string }
}

// lens stands for Kibana and OpenSearch Dashboards: it makes of saved objects what they
// send to an engine. It is written after their sources (data/common/search/aggs and
// es_query), and knows no more of our dashboards than they do.
type lens struct {
	objects  []savedObject
	patterns map[string]lensPattern
	engine   string
	now      time.Time
}

type lensPattern struct {
	title, time string
	fields      map[string]lensField
}

type lensField struct {
	Name, Type, Script, Lang string
	Scripted                 bool
}

// readLens exports the dashboards by the command line, and reads them.
func readLens(t *testing.T, args ...string) *lens {
	t.Helper()
	var out, said bytes.Buffer
	if status := run(t.Context(), append([]string{"dashboards", "export"}, args...), strings.NewReader(""), &out, &said); status != statusDone {
		t.Fatal(said.String())
	}
	l := &lens{patterns: map[string]lensPattern{}, now: time.Now()}
	for line := range bytes.Lines(out.Bytes()) {
		var o savedObject
		if err := json.Unmarshal(line, &o); err != nil {
			t.Fatal(err)
		}
		if l.objects = append(l.objects, o); o.Type != "index-pattern" {
			continue
		}
		pattern := lensPattern{o.Attributes.Title, o.Attributes.TimeFieldName, map[string]lensField{}}
		for _, f := range decoded[[]lensField](t, o.Attributes.Fields) {
			pattern.fields[f.Name] = f
		}
		l.patterns[o.ID] = pattern
	}
	return l
}

// pattern is the index pattern that a panel asks.
func (l *lens) pattern(o savedObject) lensPattern { return l.patterns[o.References[0].ID] }

func decoded[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

// request is what is sent for a panel, over the last 30 days.
func (l *lens) request(t *testing.T, o savedObject) object {
	source := decoded[struct {
		Query  lensQuery
		Filter []struct{ Query object }
	}](t, o.Attributes.KibanaSavedObjectMeta.SearchSourceJSON)
	filters := []any{source.Query.body(t)}
	for _, f := range source.Filter {
		filters = append(filters, f.Query)
	}
	filters = append(filters, object{"range": object{l.pattern(o).time: object{
		"gte": l.now.AddDate(0, 0, -30).UTC().Format(time.RFC3339), "lte": l.now.Add(time.Hour).UTC().Format(time.RFC3339), "format": "strict_date_optional_time"}}})
	body := object{"size": 0, "track_total_hits": true, "query": object{"bool": object{"must": []any{}, "filter": filters, "should": []any{}, "must_not": []any{}}}}
	if o.Type == "visualization" {
		body["aggs"] = l.aggregations(t, o)
		return body
	}
	body["size"], body["version"], body["stored_fields"] = 500, true, []string{"*"}
	body["sort"] = []any{object{o.Attributes.Sort[0][0]: object{"order": o.Attributes.Sort[0][1], "unmapped_type": "boolean"}}}
	scripts := object{}
	for _, f := range l.pattern(o).fields {
		if f.Scripted {
			scripts[f.Name] = object{"script": object{"source": f.Script, "lang": f.Lang}}
		}
	}
	body["script_fields"] = scripts
	return body
}

// lensQuery is a query as it is typed.
type lensQuery struct{ Query, Language string }

func (q lensQuery) body(t *testing.T) object {
	switch {
	case q.Language != "lucene":
		t.Errorf("%+v is not in Lucene's syntax", q)
	case q.Query != "":
		return object{"query_string": object{"query": q.Query, "analyze_wildcard": true, "time_zone": "UTC"}}
	}
	return object{"match_all": object{}}
}

// lensAggregation is one of a visualization.
type lensAggregation struct {
	ID, Type, Schema string
	Params           struct {
		Field, OrderBy, Order, Interval string
		Size                            int
		MissingBucket                   bool
		Filters                         []struct {
			Label string
			Input lensQuery
		}
	}
}

// aggregations nests those that split, in their order; what is counted besides actions
// stands in each.
func (l *lens) aggregations(t *testing.T, o savedObject) object {
	all := decoded[struct{ Aggs []lensAggregation }](t, o.Attributes.VisState).Aggs
	counted := object{}
	for _, a := range all {
		if a.Type == "cardinality" {
			counted[a.ID] = object{"cardinality": l.pattern(o).field(t, &a)}
		}
	}
	inner := counted
	for _, a := range slices.Backward(all) {
		if a.Schema == "metric" {
			continue
		}
		body := l.pattern(o).bucket(t, &a)
		body["aggs"] = inner
		inner = object{a.ID: body}
		for id, c := range counted {
			inner[id] = c
		}
	}
	return inner
}

// field is a field, or the script that stands for it.
func (p lensPattern) field(t *testing.T, a *lensAggregation) object {
	f, known := p.fields[a.Params.Field]
	if !known {
		t.Errorf("there is no field %q", a.Params.Field)
	}
	if f.Scripted {
		return object{"script": object{"source": f.Script, "lang": f.Lang}}
	}
	return object{"field": f.Name}
}

func (p lensPattern) bucket(t *testing.T, a *lensAggregation) object {
	switch a.Type {
	case "filters":
		filters := object{}
		for _, f := range a.Params.Filters {
			filters[f.Label] = object{"bool": object{"must": []any{}, "filter": []any{f.Input.body(t)}, "should": []any{}, "must_not": []any{}}}
		}
		return object{"filters": object{"filters": filters}}
	case "date_histogram":
		body := p.field(t, a) // "auto" is 12 hours for 30 days
		body["fixed_interval"], body["time_zone"], body["min_doc_count"] = "12h", "UTC", 1
		return object{"date_histogram": body}
	case "terms":
		body := p.field(t, a)
		if f := p.fields[a.Params.Field]; f.Scripted {
			if body["value_type"] = f.Type; f.Type == "number" {
				body["value_type"] = "float"
			}
		} else if a.Params.MissingBucket && f.Type == "string" {
			body["missing"] = "__missing__"
		}
		order := object{a.Params.OrderBy: a.Params.Order}
		if a.Params.OrderBy == "1" { // the count
			order = object{"_count": a.Params.Order}
		}
		body["order"], body["size"] = order, a.Params.Size
		return object{"terms": body}
	}
	t.Errorf("aggregation %q", a.Type)
	return object{}
}

// lensAnswer is an engine's answer.
type lensAnswer struct {
	TimedOut bool                 `json:"timed_out"`
	Shards   struct{ Failed int } `json:"_shards"`
	Hits     struct {
		Total struct{ Value int }
		Hits  []struct{ Fields object }
	}
	Aggregations map[string]lensBuckets
}

type lensBuckets struct {
	Value   *float64
	Buckets json.RawMessage
}

// lensBucket is a bucket; what is in it stands beside its count.
type lensBucket struct {
	Count int
	inner map[string]json.RawMessage
}

func (b lensBuckets) buckets(t *testing.T) (all []lensBucket) {
	t.Helper()
	var raw []map[string]json.RawMessage
	if json.Unmarshal(b.Buckets, &raw) != nil {
		for _, b := range decoded[map[string]map[string]json.RawMessage](t, string(b.Buckets)) { // of filters
			raw = append(raw, b)
		}
	}
	for _, r := range raw {
		all = append(all, lensBucket{decoded[int](t, string(r["doc_count"])), r})
	}
	return all
}

// ask asks the engine for a panel.
func (l *lens) ask(t *testing.T, o savedObject) (a lensAnswer) {
	t.Helper()
	body, err := json.Marshal(l.request(t, o))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(l.engine+"/"+path.Base(l.pattern(o).title)+"/_search?ignore_unavailable=true&preference=x", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v %s\n%s", o.ID, resp.Status, err, text, body)
	}
	if a = decoded[lensAnswer](t, string(text)); a.TimedOut || a.Shards.Failed > 0 {
		t.Fatalf("%s: %.2000s", o.ID, text)
	}
	return a
}

package dashboards

import (
	"fmt"
	"strconv"
)

// chart is how a panel shows what it counts.
type chart string

const (
	bars  chart = "histogram"
	lying chart = "horizontal_bar"
	pie   chart = "pie"
	table chart = "table"
	gauge chart = "metric"
	list  chart = "search" // the actions themselves, newest first
)

// panel is one chart of a dashboard, or a list of actions.
type panel struct {
	name, title string
	chart       chart
	// query is which actions, in Lucene's syntax: the engines' own, which the dashboards
	// hand on as it is, where KQL has become two languages.
	query string
	// out leaves actions within working hours out.
	out bool
	// share has bars show percentages.
	share bool
	// by is what is counted, each for those before it.
	by []bucket
	// distinct are fields of which different values are counted, besides actions.
	distinct []counted
	// columns are those of a list.
	columns []string
	// w and h are its size; a dashboard is 48 wide.
	w, h int
}

// bucket is an aggregation that splits what is counted.
type bucket struct {
	kind   string
	params map[string]any
}

// counted is a field whose different values are counted.
type counted struct{ field, label string }

// overTime splits by time, as finely as fits the range that is looked at.
func overTime() bucket {
	return bucket{"date_histogram", map[string]any{"field": "occurred_at", "interval": "auto", "drop_partials": false, "min_doc_count": 1, "extended_bounds": map[string]any{}}}
}

// top splits by a field's values, those first that most actions have.
func top(field, label string, n int) bucket {
	return terms(field, label, n, "1", "desc", false)
}

// named is top, where some have none.
func named(field, label string, n int) bucket { return terms(field, label, n, "1", "desc", true) }

// inOrder splits by a field's values, in their order.
func inOrder(field, label string, n int) bucket { return terms(field, label, n, "_key", "asc", false) }

func terms(field, label string, n int, by, order string, missing bool) bucket {
	return bucket{"terms", map[string]any{"field": field, "customLabel": label, "size": n, "orderBy": by, "order": order,
		"otherBucket": false, "otherBucketLabel": "Other", "missingBucket": missing, "missingBucketLabel": "–"}}
}

// kind is actions that have a name in a chart.
type kind struct{ label, query string }

// of splits into kinds.
func of(all ...kind) bucket {
	var filters []map[string]any
	for _, k := range all {
		filters = append(filters, map[string]any{"label": k.label, "input": lucene(k.query)})
	}
	return bucket{"filters", map[string]any{"filters": filters}}
}

func lucene(query string) map[string]any { return map[string]any{"query": query, "language": "lucene"} }

// sourceIndex is the name of the reference to the index pattern.
const sourceIndex = "kibanaSavedObjectMeta.searchSourceJSON.index"

// panel makes a panel's object.
func (o Options) panel(d *dashboard, p *panel) Object {
	pattern := plain
	if d.hours {
		pattern = computed
	}
	references := []Reference{{ID: o.id(pattern), Name: sourceIndex, Type: "index-pattern"}}
	source := map[string]any{"query": lucene(p.query), "filter": []any{}, "indexRefName": sourceIndex}
	if p.out {
		name := "kibanaSavedObjectMeta.searchSourceJSON.filter[0].meta.index"
		references = append(references, Reference{ID: o.id(pattern), Name: name, Type: "index-pattern"})
		source["filter"] = []any{map[string]any{
			"meta":   map[string]any{"alias": "Out of hours", "disabled": false, "negate": false, "type": "custom", "key": "query", "indexRefName": name},
			"query":  map[string]any{"script": map[string]any{"script": o.script(outOfHours)}},
			"$state": map[string]any{"store": "appState"},
		}}
	}
	title := d.title + ": " + p.title
	attributes := map[string]any{"title": title, "description": "", "version": 1, "kibanaSavedObjectMeta": map[string]any{"searchSourceJSON": text(source)}}
	name := d.name + "-" + p.name
	if p.chart == list {
		attributes["columns"], attributes["sort"], attributes["hits"] = p.columns, [][]string{{"occurred_at", "desc"}}, 0
		return o.object("search", name, attributes, references...)
	}
	attributes["visState"] = text(map[string]any{"title": title, "type": p.chart, "params": p.params(), "aggs": p.aggregations()})
	attributes["uiStateJSON"] = "{}"
	return o.object("visualization", name, attributes, references...)
}

// aggregations are a panel's, numbered in their order: what is counted, then what it is
// split by.
func (p *panel) aggregations() []map[string]any {
	all := []map[string]any{{"id": "1", "enabled": true, "type": "count", "schema": "metric", "params": map[string]any{"customLabel": "Actions"}}}
	add := func(kind, schema string, params map[string]any) {
		all = append(all, map[string]any{"id": strconv.Itoa(len(all) + 1), "enabled": true, "type": kind, "schema": schema, "params": params})
	}
	for _, c := range p.distinct {
		add("cardinality", "metric", map[string]any{"field": c.field, "customLabel": c.label})
	}
	for i, b := range p.by {
		schema := "segment"
		switch {
		case p.chart == table:
			schema = "bucket"
		case p.chart == gauge, p.chart != pie && i > 0:
			schema = "group"
		}
		add(b.kind, schema, b.params)
	}
	return all
}

// params are how a panel's chart is drawn; what is not said is the chart's default.
func (p *panel) params() map[string]any {
	switch p.chart {
	case pie:
		return map[string]any{"type": "pie", "addTooltip": true, "addLegend": true, "legendPosition": "right", "isDonut": true,
			"labels": map[string]any{"show": false, "values": true, "last_level": true, "truncate": 100}}
	case table:
		return map[string]any{"perPage": 10, "showPartialRows": false, "showMetricsAtAllLevels": false, "showTotal": false, "totalFunc": "sum", "percentageCol": "",
			"sort": map[string]any{"columnIndex": nil, "direction": nil}}
	case gauge:
		return map[string]any{"type": "metric", "addTooltip": true, "addLegend": false, "metric": map[string]any{"percentageMode": false, "useRanges": false, "colorSchema": "Green to Red",
			"metricColorMode": "None", "colorsRange": []any{map[string]any{"from": 0, "to": 10000}}, "labels": map[string]any{"show": true}, "invertColors": false,
			"style": map[string]any{"bgFill": "#000", "bgColor": false, "labelColor": false, "subText": "", "fontSize": 36}}}
	case bars, lying:
		return p.axes()
	}
	panic(fmt.Sprintf("dashboards: chart %q", p.chart)) // a defect of this package: every test
}

func (p *panel) axes() map[string]any {
	categories, values, mode := "bottom", "left", "normal"
	if p.chart == lying {
		categories, values = values, categories
	}
	if p.share {
		mode = "percentage"
	}
	axis := func(id, kind, position string, scale map[string]any) map[string]any {
		return map[string]any{"id": id, "type": kind, "position": position, "show": true, "style": map[string]any{}, "scale": scale,
			"labels": map[string]any{"show": true, "truncate": 100, "filter": true}, "title": map[string]any{}}
	}
	value := axis("ValueAxis-1", "value", values, map[string]any{"type": "linear", "mode": mode})
	value["name"], value["title"] = "LeftAxis-1", map[string]any{"text": "Actions"}
	return map[string]any{
		"type": p.chart, "grid": map[string]any{"categoryLines": false},
		"categoryAxes": []any{axis("CategoryAxis-1", "category", categories, map[string]any{"type": "linear"})},
		"valueAxes":    []any{value},
		"seriesParams": []any{map[string]any{"show": true, "type": "histogram", "mode": "stacked", "data": map[string]any{"label": "Actions", "id": "1"},
			"valueAxis": "ValueAxis-1", "drawLinesBetweenPoints": true, "showCircles": true}},
		"addTooltip": true, "addLegend": true, "legendPosition": "right", "times": []any{}, "addTimeMarker": false,
	}
}

package dashboards

import "strconv"

// dashboard is panels about one question.
type dashboard struct {
	name, title, description string
	panels                   []panel
	hours                    bool // it asks for computed fields
}

// width is that of a dashboard, in columns of its grid.
const width = 48

// grid is where a panel stands.
type grid struct {
	X int    `json:"x"`
	Y int    `json:"y"`
	W int    `json:"w"`
	H int    `json:"h"`
	I string `json:"i"`
}

// dashboard makes a dashboard's object: its panels from left to right, in rows as high as
// their highest.
func (o Options) dashboard(d *dashboard) Object {
	var panels []map[string]any
	var references []Reference
	x, y, high := 0, 0, 0
	for i, p := range d.panels {
		if x+p.w > width {
			x, y, high = 0, y+high, 0
		}
		name, number := "panel_"+strconv.Itoa(i), strconv.Itoa(i+1)
		panels = append(panels, map[string]any{"version": "7.9.3", "panelIndex": number, "gridData": grid{x, y, p.w, p.h, number},
			"embeddableConfig": map[string]any{"title": p.title}, "title": p.title, "panelRefName": name})
		kind := "visualization"
		if p.chart == list {
			kind = "search"
		}
		references = append(references, Reference{ID: o.id(d.name + "-" + p.name), Name: name, Type: kind})
		x, high = x+p.w, max(high, p.h)
	}
	source := map[string]any{"query": map[string]any{"query": "", "language": "kuery"}, "filter": []any{}}
	return o.object("dashboard", d.name, map[string]any{
		"title": d.title, "description": d.description, "hits": 0, "version": 1,
		"timeRestore": true, "timeFrom": "now-30d", "timeTo": "now", "refreshInterval": map[string]any{"pause": true, "value": 0},
		"optionsJSON": text(map[string]any{"useMargins": true, "hidePanelTitles": false}), "panelsJSON": text(panels),
		"kibanaSavedObjectMeta": map[string]any{"searchSourceJSON": text(source)},
	}, references...)
}

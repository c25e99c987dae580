// Package dashboards writes the dashboards for compliance: an index pattern, saved
// searches, visualizations and dashboards, as saved objects that Kibana 8 and 9 and
// OpenSearch Dashboards 2 and 3 import alike (ADR 31), and imports them. They ask the
// engine itself: what the service's API allows and records is not theirs. This package
// asks nothing, and knows of the engine the names of its indices and its mapping only.
package dashboards

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Options say what differs from place to place.
type Options struct {
	// Prefix is that of the names of indices: serve's --engine-prefix. The IDs of objects
	// begin with it too, so that several services may have theirs in one place.
	Prefix string
	// Zone is where working hours are meant, by its IANA name. Nil: UTC.
	Zone *time.Location
	// From and To are the working hours, Monday to Friday: from the hour From until the hour
	// To begins. Both zero: 7 to 19.
	From, To int
}

func (o Options) hours() (from, to int) {
	if o.From == 0 && o.To == 0 {
		return 7, 19
	}
	return o.From, o.To
}

func (o Options) zone() string {
	if o.Zone == nil {
		return time.UTC.String()
	}
	return o.Zone.String()
}

// id is that of an object.
func (o Options) id(name string) string { return o.Prefix + "actionlog-" + name }

// Object is a saved object.
type Object struct {
	ID               string            `json:"id"`
	Type             string            `json:"type"`
	Attributes       map[string]any    `json:"attributes"`
	References       []Reference       `json:"references"`
	MigrationVersion map[string]string `json:"migrationVersion"`
}

// Reference is another object that one needs.
type Reference struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
}

// versions are those of the objects. Of Kibana 7.9, from which OpenSearch Dashboards was
// forked soon after: all that came later in both migrate them upward, and neither knows
// the other's newer ones.
var versions = map[string]string{"index-pattern": "7.6.0", "search": "7.9.3", "visualization": "7.8.0", "dashboard": "7.9.3"}

func (o Options) object(kind, name string, attributes map[string]any, references ...Reference) Object {
	return Object{ID: o.id(name), Type: kind, Attributes: attributes, References: append([]Reference{}, references...), MigrationVersion: map[string]string{kind: versions[kind]}}
}

// Objects are all of them, each behind those that it refers to.
func Objects(o Options) []Object {
	all := o.indexPatterns()
	for _, d := range o.all() {
		for _, p := range d.panels {
			all = append(all, o.panel(&d, &p))
		}
		all = append(all, o.dashboard(&d))
	}
	return all
}

// NDJSON are all objects as a file to be imported, one a line.
func NDJSON(o Options) []byte {
	var b bytes.Buffer
	lines := json.NewEncoder(&b)
	lines.SetEscapeHTML(false)
	for _, object := range Objects(o) {
		if err := lines.Encode(object); err != nil {
			panic(fmt.Sprintf("dashboards: %s: %v", object.ID, err)) // cannot be: they are strings, numbers and maps of them
		}
	}
	return b.Bytes()
}

// text is JSON in a string: saved objects have objects in them so.
func text(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("dashboards: %v", err)) // the same
	}
	return string(bytes.TrimSpace(b.Bytes()))
}

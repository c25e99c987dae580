package dashboards

import (
	"cmp"
	"fmt"
	"slices"

	"actionlog/mappings"
)

// Names of the fields that the engine computes when it is asked: the hours of an action
// where the institution is.
const (
	hourOfDay  = "hour_of_day"
	dayOfWeek  = "day_of_week"
	outOfHours = "out_of_hours"
)

// field is a field of the index pattern.
type field struct {
	Name         string   `json:"name"`
	Type         string   `json:"type"`
	Engine       []string `json:"esTypes,omitempty"`
	Count        int      `json:"count"`
	Scripted     bool     `json:"scripted"`
	Script       string   `json:"script,omitempty"`
	Lang         string   `json:"lang,omitempty"`
	Searchable   bool     `json:"searchable"`
	Aggregatable bool     `json:"aggregatable"`
	DocValues    bool     `json:"readFromDocValues"`
}

// kinds are what the types of the engine are called there.
var kinds = map[string]string{"keyword": "string", "text": "string", "date": "date", "date_nanos": "date", "long": "number", "boolean": "boolean", "ip": "ip"}

// fields are those of the mapping of a day, by name.
func fields() []field {
	all := fieldsOf("", mappings.Body(mappings.Actions, mappings.Settings{})["mappings"].(map[string]any))
	for _, name := range []string{"_id", "_index"} {
		all = append(all, field{Name: name, Type: "string", Searchable: true, Aggregatable: true})
	}
	all = append(all, field{Name: "_source", Type: "_source"})
	slices.SortFunc(all, func(a, b field) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

func fieldsOf(path string, object map[string]any) (all []field) {
	for name, v := range object["properties"].(map[string]any) {
		f := v.(map[string]any)
		kind, leaf := f["type"].(string)
		if !leaf {
			all = append(all, fieldsOf(path+name+".", f)...)
			continue
		}
		docValues := kind != "text" && f["doc_values"] != false
		all = append(all, field{Name: path + name, Type: kinds[kind], Engine: []string{kind}, Searchable: f["index"] != false, Aggregatable: docValues, DocValues: docValues})
	}
	return all
}

// computed are the fields that say when it was where the institution is. The instant goes
// through milliseconds: releases of the two engines differ in what a date is to a script.
func (o Options) computed() []field {
	at := fmt.Sprintf("ZonedDateTime.ofInstant(Instant.ofEpochMilli(doc['occurred_at'].value.toInstant().toEpochMilli()), ZoneId.of('%s'))", o.zone())
	from, to := o.hours()
	scripted := func(name, kind, script string) field {
		return field{Name: name, Type: kind, Scripted: true, Lang: "painless", Script: script, Searchable: true, Aggregatable: true}
	}
	return []field{
		scripted(hourOfDay, "number", "return "+at+".getHour();"),
		scripted(dayOfWeek, "string", "def day = "+at+".getDayOfWeek(); return day.getValue() + ' ' + day.getDisplayName(TextStyle.FULL, Locale.ENGLISH);"),
		scripted(outOfHours, "boolean", fmt.Sprintf("def at = %s; int hour = at.getHour(); return at.getDayOfWeek().getValue() > 5 || hour < %d || hour >= %d;", at, from, to)),
	}
}

// script is that of a computed field.
func (o Options) script(name string) map[string]any {
	for _, f := range o.computed() {
		if f.Name == name {
			return map[string]any{"source": f.Script, "lang": f.Lang}
		}
	}
	panic("dashboards: no field " + name) // a defect of this package: every test
}

// The index patterns: the days of actions as they are, and with the computed fields. Who
// lists actions by a pattern asks for all of its computed fields: where scripts are switched
// off that fails, and only the dashboard of hours is to. What is restored is in neither: it
// is of days that may be there already.
const (
	plain    = "actions"
	computed = "actions-hours"
)

func (o Options) indexPatterns() []Object {
	pattern := func(name, title string, fields []field, formats map[string]any) Object {
		return o.object("index-pattern", name, map[string]any{"title": o.Prefix + title, "timeFieldName": "occurred_at", "fields": text(fields), "fieldFormatMap": text(formats)})
	}
	// They are told apart by their titles, so these differ; the days are the same.
	return []Object{
		pattern(plain, "actions-*", fields(), map[string]any{}),
		pattern(computed, "actions-2*", append(fields(), o.computed()...), map[string]any{hourOfDay: map[string]any{"id": "number", "params": map[string]any{"pattern": "00"}}}),
	}
}

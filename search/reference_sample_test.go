package search

import (
	"slices"
	"strconv"
)

// samples are values that members of these names have in examples.
var samples = map[string]any{
	"id": "a-17", "institution": "my-school", "name": "Ann Example", "email": "ann@my-school.example", "label": "Learner added", "code": "course.learner.added",
	"reason": "ticket 4711", "title": "Arts and Craft", "detail": "…", "tz": "Europe/Berlin", "position": "ab12cd34.17", "institutions": []any{"my-school"},
	"version": "v1.0.0", "url": "https://siem.example.org/hooks/1", "next": "…", "secret": "whsec_…", "token": "al_…", "q": "arts", "day": "2026-11-30",
}

// sample is a value that a schema allows: what must be there, and nothing else.
func sample(s described, name string, depth int) any {
	s = s.resolved()
	if v, ok := samples[name]; ok && (s.text("type") == "string" || s.text("type") == "array") && s.field("enum").Node == nil && s.text("format") == "" {
		return v
	}
	if v := s.field("const"); v.Node != nil {
		return scalar(v)
	}
	if v := s.field("enum").items(); len(v) > 0 {
		return scalar(v[0])
	}
	for _, key := range []string{"anyOf", "oneOf"} {
		if list := s.field(key).items(); len(list) > 0 && s.field("properties").Node == nil {
			return sample(list[0], name, depth)
		}
	}
	switch s.text("type") {
	case "array":
		if depth > 5 {
			return []any{}
		}
		return []any{sample(s.field("items"), name, depth+1)}
	case "integer", "number":
		low, _ := strconv.Atoi(s.text("minimum"))
		return max(low, 1)
	case "boolean":
		return true
	case "string":
		switch s.text("format") {
		case "date-time":
			return "2026-11-30T09:15:00Z"
		case "date":
			return "2026-11-30"
		}
		return "…"
	}
	return sampleObject(s, name, depth)
}

func sampleObject(s described, name string, depth int) any {
	object := map[string]any{}
	if depth > 6 {
		return object
	}
	for _, part := range append([]described{s}, s.field("allOf").items()...) {
		part = part.resolved()
		if part.Node != s.Node {
			if inner, ok := sample(part, "", depth).(map[string]any); ok {
				for k, v := range inner {
					object[k] = v
				}
			}
			continue
		}
		required := part.at("required").values()
		for member, p := range part.at("properties").members() {
			if !slices.Contains(required, member) {
				continue
			}
			as := member
			if name == "institution" && member == "id" {
				as = name
			}
			object[member] = sample(p, as, depth+1)
		}
	}
	return object
}

func scalar(d described) any {
	var v any
	if err := d.Decode(&v); err != nil {
		return d.Value
	}
	return v
}

package ecs

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// field is one of the schema's own list.
type field struct {
	kind   string
	array  bool
	values map[string][]string // that are allowed, with those of event.type that are expected
}

// schemaFields reads testdata/ecs-fields.tsv, which says how it was made.
func schemaFields(t testing.TB) map[string]field {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "ecs-fields.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(text), ":")
	if !strings.HasSuffix(head, " "+Version) {
		t.Fatalf("the list is of another version than %s: %s", Version, head)
	}
	all := map[string]field{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		cells := append(strings.Split(strings.TrimRight(line, "\n"), "\t"), "", "")
		f := field{kind: cells[1], array: cells[2] == "array", values: map[string][]string{}}
		for _, v := range strings.Fields(cells[3]) {
			name, expected, _ := strings.Cut(v, ">")
			f.values[name] = strings.FieldsFunc(expected, func(r rune) bool { return r == '|' })
		}
		all[cells[0]] = f
	}
	if len(all) < 1000 {
		t.Fatalf("only %d fields", len(all))
	}
	return all
}

// leaf is a value of an event, and where it stands.
type leaf struct {
	path  string
	array bool // of such values
	value any
}

// leavesOf are the values of a JSON value that are not made of others.
func leavesOf(path string, v any) (all []leaf) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			all = append(all, leavesOf(strings.TrimPrefix(path+"."+name, "."), inner)...)
		}
	case []any:
		for _, inner := range v {
			for _, l := range leavesOf(path, inner) {
				l.array = l.array || l.path == path
				all = append(all, l)
			}
		}
	default:
		all = append(all, leaf{path: path, value: v})
	}
	return all
}

// decode reads one line of JSON.
func decode(t testing.TB, line []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(line)))
	d.UseNumber()
	var v map[string]any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	return v
}

// hold tells what is wrong with an event: fields that the schema or the mapping does not
// have, values of another type, values and pairs that are not allowed.
func hold(event map[string]any, schema map[string]field, own map[string]string) (wrong []string) {
	for _, l := range leavesOf("", event) {
		f, known := schema[l.path]
		if strings.HasPrefix(l.path, "actionlog.") {
			if f.kind, known = own[l.path]; known {
				f.array = l.array
			}
		}
		switch {
		case !known:
			wrong = append(wrong, l.path+" is no field")
		case f.array != l.array:
			wrong = append(wrong, fmt.Sprintf("%s: an array is %t", l.path, l.array))
		case !isOf(f.kind, l.value):
			wrong = append(wrong, fmt.Sprintf("%s: %v is no %s", l.path, l.value, f.kind))
		case len(f.values) > 0 && f.values[fmt.Sprint(l.value)] == nil:
			wrong = append(wrong, fmt.Sprintf("%s: %v is not allowed", l.path, l.value))
		}
	}
	about, _ := event["event"].(map[string]any)
	categories, _ := about["category"].([]any)
	types, _ := about["type"].([]any)
	for _, c := range categories {
		for _, x := range types {
			if !slices.Contains(schema["event.category"].values[fmt.Sprint(c)], fmt.Sprint(x)) {
				wrong = append(wrong, fmt.Sprintf("event.type %v is not expected of event.category %v", x, c))
			}
		}
	}
	for _, name := range []string{"event.kind", "event.type", "event.id", "@timestamp", "ecs.version", "message"} {
		if !slices.ContainsFunc(leavesOf("", event), func(l leaf) bool { return l.path == name }) {
			wrong = append(wrong, name+" is missing")
		}
	}
	return wrong
}

// isOf tells whether an index would take a value for a field of a type.
func isOf(kind string, v any) bool {
	text, isText := v.(string)
	switch kind {
	case "keyword", "wildcard", "match_only_text":
		return isText
	case "date":
		_, err := time.Parse(time.RFC3339Nano, text)
		return isText && err == nil
	case "ip":
		_, err := netip.ParseAddr(text)
		return isText && err == nil
	case "long":
		n, isNumber := v.(json.Number)
		if !isNumber {
			return false
		}
		_, err := n.Int64()
		return err == nil
	case "boolean":
		_, is := v.(bool)
		return is
	}
	return false // no other is used
}

// What hold must find.
func TestHoldFinds(t *testing.T) {
	schema, own := schemaFields(t), map[string]string{"actionlog.day": "keyword"}
	good := `{"@timestamp":"2026-11-30T00:00:00.000Z","ecs":{"version":"9.4.0"},"event":{"id":"a","kind":"event","category":["iam"],"type":["user","change"]},"message":"m","actionlog":{"day":"2026-11-30"}}`
	if wrong := hold(decode(t, []byte(good)), schema, own); len(wrong) > 0 {
		t.Errorf("a good event: %q", wrong)
	}
	for of, change := range map[string][2]string{
		"is no field":                {`"message"`, `"massage":"x","message"`},
		"an array is false":          {`["iam"]`, `"iam"`},
		"an array is true":           {`"id":"a"`, `"id":["a"]`},
		"no date":                    {`"2026-11-30T00:00:00.000Z"`, `"today"`},
		"no keyword":                 {`"id":"a"`, `"id":7`},
		"no ip":                      {`"message"`, `"source":{"ip":"localhost"},"message"`},
		"no long":                    {`"message"`, `"http":{"response":{"status_code":"200"}},"message"`},
		"is not allowed":             {`"kind":"event"`, `"kind":"action"`},
		"is not expected of":         {`"change"`, `"access"`},
		"event.id is missing":        {`"id":"a",`, ``},
		"actionlog.x is no field":    {`"day":"2026-11-30"`, `"day":"2026-11-30","x":"y"`},
		"actionlog.day: 7 is no key": {`"day":"2026-11-30"`, `"day":7`},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if wrong := hold(decode(t, []byte(bad)), schema, own); !strings.Contains(strings.Join(wrong, "; "), of) {
			t.Errorf("%s: %q found in %s", of, wrong, bad)
		}
	}
}

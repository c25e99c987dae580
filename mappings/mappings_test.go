package mappings

import (
	"encoding/json"
	"testing"
)

// Every file is JSON, and no object of a mapping takes fields that it does not name.
func TestFiles(t *testing.T) {
	for _, kind := range []Index{Actions, Directory, Words} {
		body := Body(kind, Settings{})
		mapping := body["mappings"].(map[string]any)
		if mapping["dynamic"] != false {
			t.Errorf("%s: dynamic is %v", kind, mapping["dynamic"])
		}
		fields(t, string(kind), mapping)
		if version := mapping["_meta"].(map[string]any)["version"]; version != Version {
			t.Errorf("%s: version %v", kind, version)
		}
	}
	for name, policy := range map[string]json.RawMessage{"ilm": ILM(), "ism": ISM()} {
		var body struct{ Policy map[string]any }
		if err := json.Unmarshal(policy, &body); err != nil || len(body.Policy) == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// fields looks at each field: it has a type or fields of its own, and no type
// whose fields follow from the input.
func fields(t *testing.T, path string, object map[string]any) {
	for name, v := range object["properties"].(map[string]any) {
		field := v.(map[string]any)
		switch kind := field["type"]; kind {
		case nil:
			fields(t, path+"."+name, field)
		case "object", "nested", "flattened", "flat_object":
			t.Errorf("%s.%s: type %s", path, name, kind)
		}
	}
}

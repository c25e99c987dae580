// Package mappings is the shape of an action as data: what an index holds, by
// which template it is made, and by which policy it goes. The JSON files are what
// is sent; docs/engines.md explains their fields.
package mappings

import (
	"embed"
	"encoding/json"
	"fmt"
)

//go:embed *.json
var files embed.FS

// Version is that of the mappings and templates. It stands in their _meta; a
// program refuses to write where a template of a newer version is.
const Version = 1

// Policy is the name of the ILM or ISM policy.
const Policy = "actionlog"

// Index is a kind of index.
type Index string

// The kinds of index.
const (
	Actions   Index = "actions"   // the actions of a day
	Directory Index = "directory" // people, courses and classes
	Words     Index = "words"     // the words of their names
)

// Settings of an index; zero values are the defaults named.
type Settings struct {
	Shards int // primary shards; 1
	// Replicas of each shard; negative: as many as there are other nodes, at most one.
	Replicas int
}

// read returns one of the package's own files.
func read(name string) json.RawMessage {
	text, err := files.ReadFile(name + ".json")
	if err != nil || !json.Valid(text) {
		panic(fmt.Sprintf("mappings: %s: %v", name, err)) // a defect of this package: TestFiles
	}
	return text
}

// ILM is the body of the policy for Elasticsearch, ISM that for OpenSearch.
func ILM() json.RawMessage { return read("ilm") }

// ISM is the body of the policy for OpenSearch's Index State Management.
func ISM() json.RawMessage { return read("ism") }

// Body is what makes an index: its settings and its mapping.
func Body(kind Index, s Settings) map[string]any {
	var mapping map[string]any
	if err := json.Unmarshal(read(string(kind)), &mapping); err != nil {
		panic(fmt.Sprintf("mappings: %s: %v", kind, err)) // a defect of this package: TestFiles
	}
	mapping["_meta"] = meta()
	settings := map[string]any{
		"number_of_shards": max(1, s.Shards),
		"refresh_interval": "30s", // what is written is refreshed by who writes
	}
	if s.Replicas < 0 {
		settings["auto_expand_replicas"] = "0-1"
	} else {
		settings["number_of_replicas"] = s.Replicas
	}
	if kind == Actions {
		settings["sort.field"] = []string{"occurred_at", "id"}
		settings["sort.order"] = []string{"desc", "desc"}
	}
	return map[string]any{"settings": map[string]any{"index": settings}, "mappings": mapping}
}

// Template is the index template for the indices whose names begin so.
func Template(kind Index, pattern string, s Settings) map[string]any {
	return map[string]any{"index_patterns": []string{pattern}, "priority": 500, "template": Body(kind, s), "_meta": meta()}
}

func meta() map[string]any {
	return map[string]any{"version": Version, "by": "actionlog"}
}

package search

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"actionlog"

	"gopkg.in/yaml.v3"
)

// docs/api.md is openapi.yaml as people read it, and the table of roles. To make it anew:
//
//	ACTIONLOG_WRITE=docs go test ./search -run TestReference
func TestReference(t *testing.T) {
	var root yaml.Node
	if err := yaml.Unmarshal(actionlog.OpenAPI(), &root); err != nil {
		t.Fatal(err)
	}
	saysSomething(t, root.Content[0])
	r := &reference{described: described{root.Content[0], root.Content[0]}}
	want := r.write()
	path := filepath.Join("..", "docs", "api.md")
	if os.Getenv("ACTIONLOG_WRITE") == "docs" {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/api.md is not openapi.yaml's: make docs, and look at the difference")
	}
	if unset := regexp.MustCompile(`[?&][a-z_]+=["&]`).Find(want); unset != nil {
		t.Errorf("an example has a parameter without a value: %s", unset)
	}
	for route := range routeRoles {
		method, path, _ := strings.Cut(route, " ")
		if heading := "\n### " + method + " " + braced(path) + "\n"; !bytes.Contains(want, []byte(heading)) {
			t.Errorf("%s is not in it", route)
		}
	}
}

// saysSomething holds that no member is empty: a comma that is not quoted cuts a text off, and what is behind it becomes a key.
func saysSomething(t *testing.T, n *yaml.Node) {
	for i, child := range n.Content {
		if child.Tag == "!!null" && n.Kind == yaml.MappingNode && i%2 == 1 {
			t.Errorf("openapi.yaml:%d: %q has no value", child.Line, n.Content[i-1].Value)
		}
		saysSomething(t, child)
	}
}

// braced writes a route's variables as openapi.yaml does.
func braced(route string) string {
	parts := strings.Split(route, "/")
	for i, p := range parts {
		if name, ok := strings.CutPrefix(p, ":"); ok {
			parts[i] = "{" + name + "}"
		}
	}
	return strings.Join(parts, "/")
}

// described is a part of openapi.yaml, whose order it keeps.
type described struct {
	*yaml.Node
	root *yaml.Node
}

// at is a member, behind a reference too; its Node is nil where there is none.
func (d described) at(keys ...string) described {
	for _, key := range keys {
		d = d.resolved()
		found := described{nil, d.root}
		for k, v := range d.members() {
			if k == key {
				found = v
			}
		}
		d = found
	}
	return d.resolved()
}

func (d described) members() func(yield func(string, described) bool) {
	return func(yield func(string, described) bool) {
		if d.Node == nil || d.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(d.Content); i += 2 {
			if !yield(d.Content[i].Value, described{d.Content[i+1], d.root}) {
				return
			}
		}
	}
}

func (d described) items() (list []described) {
	if d.Node != nil && d.Kind == yaml.SequenceNode {
		for _, n := range d.Content {
			list = append(list, described{n, d.root})
		}
	}
	return list
}

// reference is the name that $ref has in its components; "" where there is none.
func (d described) reference() string {
	for k, v := range d.members() {
		if k == "$ref" {
			return v.Value[strings.LastIndex(v.Value, "/")+1:]
		}
	}
	return ""
}

func (d described) resolved() described {
	for k, v := range d.members() {
		if k == "$ref" {
			keys := strings.Split(strings.TrimPrefix(v.Value, "#/"), "/")
			return described{d.root, d.root}.at(keys...)
		}
	}
	return d
}

func (d described) text(key string) string {
	if v := d.at(key); v.Node != nil {
		return strings.Join(strings.Fields(v.Value), " ")
	}
	return ""
}

// values are those of a list of scalars.
func (d described) values() (list []string) {
	for _, v := range d.items() {
		if v.Value != "" {
			list = append(list, v.Value)
		}
	}
	return list
}

// reference is docs/api.md while it is written.
type reference struct {
	described
	bytes.Buffer
}

const referenceHead = `# The API

Made from openapi.yaml and the table of roles (` + "`make docs`" + `); do not edit. The service serves openapi.yaml itself at ` + "`/openapi.yaml`" + `.

`

// groups are the headings of the routes, by how their paths begin; a route is in the first.
var groups = []struct{ title, prefixes string }{
	{"Actions", "/v1/institutions/{institution}/actions /v1/institutions/{institution}/histogram /v1/institutions/{institution}/facets /v1/institutions/{institution}/tail"},
	{"Words and lookups", "/v1/institutions/{institution}/query /v1/institutions/{institution}/completions /v1/institutions/{institution}/people /v1/institutions/{institution}/courses /v1/institutions/{institution}/classes"},
	{"Exports", "/v1/institutions/{institution}/export"},
	{"Feed and webhooks", "/v1/institutions/{institution}/feed /v1/institutions/{institution}/webhooks"},
	{"Saved searches and alerts", "/v1/institutions/{institution}/searches /v1/institutions/{institution}/alerts"},
	{"Restores and the archive", "/v1/institutions/{institution}/restores /v1/restores /v1/reindex /v1/accounting /v1/archive"},
	{"Accounts", "/v1/sign-in /v1/session /v1/support /v1/tokens"},
	{"The service", "/v1/ /metrics /healthz /readyz /openapi.yaml"},
	{"The page", "/"},
}

func groupOf(path string) string {
	for _, g := range groups {
		if slices.ContainsFunc(strings.Fields(g.prefixes), func(p string) bool { return strings.HasPrefix(path, p) }) {
			return g.title
		}
	}
	return "More of an institution"
}

func (r *reference) write() []byte {
	r.WriteString(referenceHead)
	fmt.Fprintf(r, "%s\n\n", strings.ReplaceAll(r.at("info").text("description"), "|", `\|`))
	r.filters()
	titles := []string{}
	for _, g := range groups {
		titles = append(titles, g.title)
	}
	for _, title := range append(titles, "More of an institution") {
		first := true
		for path, item := range r.at("paths").members() {
			for method, operation := range item.members() {
				if groupOf(path) != title {
					continue
				}
				if first {
					fmt.Fprintf(r, "\n## %s\n", title)
					first = false
				}
				r.operation(strings.ToUpper(method), path, operation)
			}
		}
	}
	r.problems()
	fmt.Fprint(r, "\n## What is sent and answered\n\nMembers that are always there are **bold**.\n")
	for name, schema := range r.at("components", "schemas").members() {
		r.schema(name, schema)
	}
	return r.Bytes()
}

// isFilter tells the parameters that every search takes: those that the list and the
// export share.
func (r *reference) isFilter(name string) bool {
	in := func(path string) bool {
		return slices.ContainsFunc(r.at("paths", path, "get", "parameters").items(), func(p described) bool { return p.reference() == name })
	}
	return name != "institution" && in("/v1/institutions/{institution}/actions") && in("/v1/institutions/{institution}/export")
}

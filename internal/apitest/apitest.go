// Package apitest holds a service to its OpenAPI description: every answer that a test
// gets, and every request that was taken, is compared with openapi.yaml, and what differs
// fails the test with the operation, the status and the pointer.
//
// Schemas are those of github.com/santhosh-tekuri/jsonschema, which two other tests use
// already: JSON Schema 2020-12, which OpenAPI 3.1 is made of, with formats asserted. Paths,
// statuses, media types and headers are matched here. github.com/pb33f/libopenapi-validator
// is alive and does most of it, but not what matters most here: that an answer is looked at
// while it streams and broken off ones are told from whole ones, trailers, and headers that
// are sent and not described. It would add ten modules, a fork of the same jsonschema among
// them.
//
// Of the description it reads what openapi.yaml uses, and two members of its own:
// x-trailer of a header (it comes behind a whole body), x-line of a media type (the schema
// of each line), and x-warned of a request's body (what does not fit it may be taken, if
// the answer says so in warnings or an error).
package apitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

// Reporter is the part of testing.TB that is told what is wrong.
type Reporter interface {
	Helper()
	Errorf(format string, args ...any)
}

// Contract is a description, and what was answered under it.
type Contract struct {
	operations []*operation
	problem    *media // of an address that is not described

	mu       sync.Mutex
	answered map[*operation]tally
}

// tally is how often an operation was answered.
type tally struct{ successes, problems int }

// New reads a description (YAML or JSON). What it does not understand is an error.
func New(description []byte) (*Contract, error) {
	d, err := read(description)
	if err != nil {
		return nil, err
	}
	c := &Contract{answered: map[*operation]tally{}}
	for path, item := range d.at("/paths") {
		for method := range d.at("/paths/" + escape(path)) {
			if item == nil || !slices.Contains(methods, method) {
				return nil, fmt.Errorf("paths/%s/%s: is no operation", path, method)
			}
			o, err := d.operation(path, method)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", method, path, err)
			}
			c.operations = append(c.operations, o)
		}
	}
	// Paths without parameters first: /x/y is not /x/{id}.
	slices.SortFunc(c.operations, func(a, b *operation) int {
		if n := strings.Count(a.path, "{") - strings.Count(b.path, "{"); n != 0 {
			return n
		}
		return strings.Compare(a.String(), b.String())
	})
	if len(c.operations) == 0 {
		return nil, fmt.Errorf("no operation is described")
	}
	c.problem, err = d.media("/components/responses/Problem/content/application~1problem+json", "application/problem+json")
	return c, err
}

// Unanswered lists the operations that were never answered with a success, or never with
// a problem.
func (c *Contract) Unanswered() (list []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.operations {
		if t := c.answered[o]; t.successes == 0 {
			list = append(list, o.String()+": never a success")
		}
		if t := c.answered[o]; t.problems == 0 {
			list = append(list, o.String()+": never a problem")
		}
	}
	return list
}

func (c *Contract) count(o *operation, status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.answered[o]
	if status < 400 {
		t.successes++
	} else {
		t.problems++
	}
	c.answered[o] = t
}

// description is the document, and a compiler of the schemas in it.
type description struct {
	document any
	compiler *jsonschema.Compiler
}

const documentURL = "file:///openapi.json"

var methods = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}

func read(text []byte) (*description, error) {
	var document any
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	plain, err := json.Marshal(document)
	if err != nil {
		return nil, err
	}
	d := &description{compiler: jsonschema.NewCompiler()}
	if d.document, err = jsonschema.UnmarshalJSON(bytes.NewReader(plain)); err != nil {
		return nil, err
	}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	return d, d.compiler.AddResource(documentURL, d.document)
}

// escape is a name as a part of a JSON pointer.
func escape(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// resolve returns the object at a pointer and its own pointer: where a reference leads to.
func (d *description) resolve(pointer string) (object map[string]any, at string) {
	var value = d.document
	for _, name := range strings.Split(pointer, "/")[1:] {
		name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
		switch in := value.(type) {
		case map[string]any:
			value = in[name]
		case []any:
			var i int
			if _, err := fmt.Sscan(name, &i); err != nil || i < 0 || i >= len(in) {
				return nil, pointer
			}
			value = in[i]
		default:
			return nil, pointer
		}
	}
	object, _ = value.(map[string]any)
	if to, ok := object["$ref"].(string); ok {
		return d.resolve(strings.TrimPrefix(to, "#"))
	}
	return object, pointer
}

func (d *description) at(pointer string) map[string]any {
	object, _ := d.resolve(pointer)
	return object
}

// schema compiles the schema at a pointer; nil: there is none.
func (d *description) schema(pointer string) (*jsonschema.Schema, error) {
	parent, name := pointer[:strings.LastIndexByte(pointer, '/')], pointer[strings.LastIndexByte(pointer, '/')+1:]
	if _, there := d.at(parent)[name]; !there {
		return nil, nil
	}
	return d.compiler.Compile(documentURL + "#" + strings.NewReplacer("%", "%25", "{", "%7B", "}", "%7D", "+", "%2B").Replace(pointer))
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

package apitest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// operation is a method of a path, as it is described.
type operation struct {
	method, path string
	segments     []string // of the path
	parameters   []parameter
	open         bool               // needs no credential: it passes over parameters
	body         *body              // nil: it has none
	answers      map[string]*answer // by status, or 4XX, 5XX
}

// String names it as the description does.
func (o *operation) String() string { return o.method + " " + o.path }

// parameter is one in the path or the query.
type parameter struct {
	name, in string
	required bool
	schema   *jsonschema.Schema
	list     bool
}

// body is what a request may hold.
type body struct {
	required bool
	warned   bool // x-warned
	content  map[string]*media
}

// answer is what is sent with a status.
type answer struct {
	headers []header
	content map[string]*media // none: it has no body
}

type header struct {
	name     string
	required bool
	trailer  bool // x-trailer
	schema   *jsonschema.Schema
}

// media is a body of one media type.
type media struct {
	name   string
	schema *jsonschema.Schema
	line   *jsonschema.Schema // x-line
}

func (m *media) isJSON() bool {
	return m.name == "application/json" || strings.HasSuffix(m.name, "+json")
}

func (d *description) operation(path, method string) (*operation, error) {
	at := "/paths/" + escape(path) + "/" + method
	o := &operation{method: strings.ToUpper(method), path: path, segments: strings.Split(path, "/"), answers: map[string]*answer{}}
	described := d.at(at)
	security, given := described["security"].([]any)
	o.open = given && len(security) == 0
	list, _ := described["parameters"].([]any)
	for i := range list {
		p, err := d.parameter(fmt.Sprintf("%s/parameters/%d", at, i))
		if err != nil {
			return nil, err
		}
		if p.in != "header" { // what a client sends beside is its own business
			o.parameters = append(o.parameters, p)
		}
	}
	for _, s := range o.segments {
		if name, is := placeholder(s); is && !slices.ContainsFunc(o.parameters, func(p parameter) bool { return p.in == "path" && p.name == name }) {
			return nil, fmt.Errorf("the parameter %s is not described", name)
		}
	}
	var err error
	if o.body, err = d.body(at + "/requestBody"); err != nil {
		return nil, err
	}
	for status := range d.at(at + "/responses") {
		if o.answers[status], err = d.answer(at + "/responses/" + status); err != nil {
			return nil, fmt.Errorf("%s: %w", status, err)
		}
	}
	return o, nil
}

func (d *description) parameter(pointer string) (p parameter, err error) {
	described, at := d.resolve(pointer)
	p.name, _ = described["name"].(string)
	p.in, _ = described["in"].(string)
	p.required, _ = described["required"].(bool)
	if p.name == "" || p.in != "path" && p.in != "query" && p.in != "header" {
		return p, fmt.Errorf("%s: is no parameter of a path, a query or a header", pointer)
	}
	p.list = d.at(at + "/schema")["type"] == "array"
	p.schema, err = d.schema(at + "/schema")
	return p, err
}

func (d *description) body(pointer string) (*body, error) {
	described, at := d.resolve(pointer)
	if described == nil {
		return nil, nil
	}
	b := &body{content: map[string]*media{}}
	b.required, _ = described["required"].(bool)
	b.warned, _ = described["x-warned"].(bool)
	return b, d.content(at, b.content)
}

func (d *description) answer(pointer string) (*answer, error) {
	described, at := d.resolve(pointer)
	if described == nil {
		return nil, fmt.Errorf("is not described")
	}
	a := &answer{content: map[string]*media{}}
	for _, name := range sortedKeys(d.at(at + "/headers")) {
		about, place := d.resolve(at + "/headers/" + escape(name))
		h := header{name: name}
		h.required, _ = about["required"].(bool)
		h.trailer, _ = about["x-trailer"].(bool)
		var err error
		if h.schema, err = d.schema(place + "/schema"); err != nil {
			return nil, err
		}
		a.headers = append(a.headers, h)
	}
	return a, d.content(at, a.content)
}

// content reads the media types of a body at a pointer.
func (d *description) content(at string, into map[string]*media) (err error) {
	for name := range d.at(at + "/content") {
		if into[name], err = d.media(at+"/content/"+escape(name), name); err != nil {
			return err
		}
	}
	return nil
}

func (d *description) media(pointer, name string) (m *media, err error) {
	m = &media{name: name}
	if m.schema, err = d.schema(pointer + "/schema"); err == nil {
		m.line, err = d.schema(pointer + "/x-line")
	}
	return m, err
}

func placeholder(segment string) (name string, is bool) {
	if strings.HasPrefix(segment, "{") && strings.HasSuffix(segment, "}") {
		return segment[1 : len(segment)-1], true
	}
	return "", false
}

// find returns the operation of a request and what its path says, or nil.
func (c *Contract) find(method, path string) (*operation, map[string]string) {
	segments := strings.Split(path, "/")
	for _, o := range c.operations {
		if o.method != method || len(o.segments) != len(segments) {
			continue
		}
		values, fits := map[string]string{}, true
		for i, s := range o.segments {
			if name, is := placeholder(s); is {
				values[name] = segments[i]
				fits = fits && segments[i] != ""
			} else {
				fits = fits && s == segments[i]
			}
		}
		if fits {
			return o, values
		}
	}
	return nil, nil
}

// answerTo is what is described of a status.
func (o *operation) answerTo(status int) *answer {
	if a := o.answers[fmt.Sprint(status)]; a != nil {
		return a
	}
	return o.answers[fmt.Sprintf("%dXX", status/100)]
}

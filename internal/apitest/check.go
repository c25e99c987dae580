package apitest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// mostBody is how much of a body is looked at. JSON that is longer is not; of lines, those
// that are in it are.
const mostBody = 1 << 20

// exchange is a request and its answer.
type exchange struct {
	method string
	url    *url.URL
	asked  message
	status int
	answer message
	// trailer is what came behind the answer's body.
	trailer http.Header
}

// message is one direction.
type message struct {
	header http.Header
	body   []byte
	state  state
}

// state is how much of a body is there.
type state int

const (
	whole   state = iota
	cut           // longer than mostBody
	unknown       // broken off, or never read
)

// check compares an exchange with the description, counts it, and reports what is wrong.
func (c *Contract) check(t Reporter, x *exchange) {
	t.Helper()
	o, values := c.find(x.method, x.url.Path)
	name := x.method + " " + x.url.Path + " (not described)"
	var errs []error
	if o == nil {
		errs = c.undescribed(x)
	} else {
		name = o.String()
		c.count(o, x.status)
		errs = o.checkAnswer(x)
		if x.status < 400 {
			errs = append(errs, o.checkRequest(x, values)...)
		}
	}
	for _, err := range errs {
		t.Errorf("openapi.yaml: %s: %d: %v\n\t%s ?%s\n\t%.300s", name, x.status, err, x.url.Path, x.url.RawQuery, x.answer.body)
	}
}

// undescribed: an address that is not described is answered with a problem, as one that is
// not there.
func (c *Contract) undescribed(x *exchange) []error {
	if x.status != http.StatusNotFound && x.status != http.StatusMethodNotAllowed && x.status != http.StatusTooManyRequests {
		return []error{errors.New("the operation is not described")}
	}
	return c.problem.check(&x.answer, "the answer")
}

func (o *operation) checkAnswer(x *exchange) (errs []error) {
	a := o.answerTo(x.status)
	if a == nil {
		return []error{errors.New("the status is not described")}
	}
	errs = a.checkHeaders(x)
	if len(a.content) == 0 {
		if len(x.answer.body) > 0 {
			errs = append(errs, errors.New("the answer has a body, which is not described"))
		}
		return errs
	}
	if x.status == http.StatusPartialContent {
		x.answer.state = unknown // a part of JSON is none
	}
	return append(errs, checkBody(a.content, &x.answer, "the answer")...)
}

// ordinary are headers that any answer may have, and that say nothing of it.
var ordinary = []string{"Content-Type", "Content-Length", "Date", "Connection", "Transfer-Encoding", "Vary",
	"X-Content-Type-Options", "Cache-Control", "Referrer-Policy", "X-Frame-Options", "Content-Security-Policy", "Cross-Origin-Resource-Policy",
	"Permissions-Policy", "Strict-Transport-Security"}

func (a *answer) checkHeaders(x *exchange) (errs []error) {
	described := slices.Clone(ordinary)
	for _, h := range a.headers {
		name := http.CanonicalHeaderKey(h.name)
		described = append(described, name)
		values, required := x.answer.header[name], h.required
		if h.trailer {
			values, required = x.trailer[name], x.answer.state != unknown
		}
		if name == "Trailer" && len(values) == 0 && len(x.trailer) > 0 { // net/http has taken it
			values = []string{strings.Join(sortedHeader(x.trailer), ", ")}
		}
		if len(values) == 0 && required {
			errs = append(errs, fmt.Errorf("the header %s is missing", h.name))
		}
		for _, v := range values {
			if err := validText(h.schema, v); err != nil {
				errs = append(errs, fmt.Errorf("the header %s: %w", h.name, err))
			}
		}
	}
	for _, name := range append(sortedHeader(x.answer.header), sortedHeader(x.trailer)...) {
		if !slices.Contains(described, name) {
			errs = append(errs, fmt.Errorf("the header %s is not described", name))
		}
	}
	return errs
}

func sortedHeader(h http.Header) (names []string) {
	for name := range h {
		names = append(names, http.CanonicalHeaderKey(name))
	}
	slices.Sort(names)
	return names
}

// checkBody compares a body with what is described of its media type.
func checkBody(content map[string]*media, m *message, what string) []error {
	name, _, err := mime.ParseMediaType(m.header.Get("Content-Type"))
	if err != nil {
		return []error{fmt.Errorf("the Content-Type of %s: %q: %w", what, m.header.Get("Content-Type"), err)}
	}
	described := content[name]
	if described == nil {
		return []error{fmt.Errorf("the Content-Type %s of %s is not described", name, what)}
	}
	return described.check(m, what)
}

func (m *media) check(got *message, what string) (errs []error) {
	if name, _, err := mime.ParseMediaType(got.header.Get("Content-Type")); err != nil || name != m.name {
		return []error{fmt.Errorf("the Content-Type of %s is %q, not %s", what, got.header.Get("Content-Type"), m.name)}
	}
	switch {
	case got.state == unknown:
	case m.line != nil:
		for line := range bytes.Lines(got.body) {
			if got.state == cut && line[len(line)-1] != '\n' {
				break
			}
			if err := validJSON(m.line, line); err != nil {
				return []error{fmt.Errorf("a line of %s: %w: %.200s", what, err, line)}
			}
		}
	case got.state == cut:
	case m.isJSON():
		if err := validJSON(m.schema, got.body); err != nil {
			return []error{fmt.Errorf("%s: %w", what, err)}
		}
	case m.schema != nil:
		if err := m.schema.Validate(string(got.body)); err != nil {
			return []error{fmt.Errorf("%s: %w", what, brief(err))}
		}
	}
	return nil
}

// checkRequest compares a request that was taken.
func (o *operation) checkRequest(x *exchange, values map[string]string) (errs []error) {
	query := x.url.Query()
	for _, p := range o.parameters {
		given := query[p.name]
		if p.in == "path" {
			given = []string{values[p.name]}
		}
		delete(query, p.name)
		if err := p.check(given); err != nil {
			errs = append(errs, fmt.Errorf("the parameter %s was taken: %w", p.name, err))
		}
	}
	for name := range query {
		if o.open {
			break
		}
		errs = append(errs, fmt.Errorf("the parameter %s was taken and is not described", name))
	}
	if x.asked.state == whole {
		errs = append(errs, o.checkAsked(x)...)
	}
	return errs
}

func (p *parameter) check(given []string) error {
	switch {
	case len(given) == 0 && p.required:
		return errors.New("it is missing")
	case len(given) == 0:
		return nil
	case p.list:
		var list []any
		for _, v := range given {
			list = append(list, v)
		}
		return brief(p.schema.Validate(list))
	case len(given) > 1:
		return errors.New("it is given several times")
	}
	return validText(p.schema, given[0])
}

func (o *operation) checkAsked(x *exchange) []error {
	switch {
	case o.body == nil && o.method == http.MethodGet: // what is in it has no meaning: RFC 9110, section 9.3.1
		return nil
	case o.body == nil && len(x.asked.body) > 0:
		return []error{errors.New("a body was taken that is not described")}
	case o.body == nil || len(x.asked.body) == 0 && !o.body.required:
		return nil
	case x.asked.header.Get("Content-Encoding") != "":
		return nil
	}
	asked := x.asked
	if asked.header.Get("Content-Type") == "" { // it is JSON by default
		asked.header = http.Header{"Content-Type": {"application/json"}}
	}
	if o.body.warned && (bytes.Contains(x.answer.body, []byte(`"warnings":[`)) || bytes.Contains(x.answer.body, []byte(`"error":{`))) {
		return nil
	}
	return checkBody(o.body.content, &asked, "the request")
}

func validJSON(s *jsonschema.Schema, text []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("no JSON: %w", err)
	}
	if s == nil {
		return nil
	}
	return brief(s.Validate(value))
}

// validText judges a value in a header, path or query: as it is, or as the number that it
// is.
func validText(s *jsonschema.Schema, text string) error {
	if s == nil {
		return nil
	}
	err := s.Validate(text)
	if number := json.Number(text); err != nil && json.Valid([]byte(text)) {
		if _, e := number.Float64(); e == nil && s.Validate(number) == nil {
			return nil
		}
	}
	return brief(err)
}

// brief is an error of a schema on a few lines, each with its pointer.
func brief(err error) error {
	if err == nil {
		return nil
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) > 1 {
		lines = lines[1:] // the first names the schema
	}
	return errors.New(strings.Join(lines[:min(len(lines), 8)], "\n\t"))
}

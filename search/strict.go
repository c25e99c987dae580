package search

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"actionlog"

	"github.com/gin-gonic/gin"
)

// maxBody is how large a body may be that holds no actions.
const maxBody = 64 << 10

// decodeBody reads a body that is one JSON object, and nothing behind it. A member has its
// exact name, stands there once and is not null, so that nobody on the way, such as a proxy
// that filters, reads another value than is meant here.
func decodeBody(c *gin.Context, into any, shape string) error {
	text, err := io.ReadAll(io.LimitReader(c.Request.Body, maxBody+1))
	if err == nil && len(text) > maxBody {
		err = errors.New("it is longer than 64 KiB")
	}
	if err == nil {
		err = decodeObject(text, into)
	}
	if err != nil {
		return actionlog.Invalidf("", "the body is not %s: %v", shape, err)
	}
	return nil
}

// decodeObject is decodeBody of a text.
func decodeObject(text []byte, into any) error {
	if err := plainObject(text); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// plainObject refuses what encoding/json would let pass.
func plainObject(text []byte) error {
	d, seen := json.NewDecoder(bytes.NewReader(text)), map[string]bool{}
	if start, err := d.Token(); err == io.EOF {
		return errors.New("it is empty")
	} else if err != nil || start != json.Delim('{') {
		return errors.New("it is not an object")
	}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		name, _ := token.(string)
		switch {
		case strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "":
			return fmt.Errorf("unknown field %q", name)
		case seen[name]:
			return fmt.Errorf("%q is given twice", name)
		case string(value) == "null":
			return fmt.Errorf("%q is null", name)
		}
		seen[name] = true
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something stands behind it")
	}
	return nil
}

// queried are the routes that have parameters, and judge them. Elsewhere a query is
// refused: a parameter that is passed over would look as if it counted.
var queried = []string{"/metrics", "/v1/restores", "/v1/dead-letters", "/v1/usage",
	institutionPath + "/actions", institutionPath + "/actions/:id", institutionPath + "/actions/:id/export", institutionPath + "/actions/:id/proof",
	institutionPath + "/export", institutionPath + "/exports", institutionPath + "/tail", institutionPath + "/feed", institutionPath + "/histogram", institutionPath + "/facets", institutionPath + "/people", institutionPath + "/courses",
	institutionPath + "/classes", institutionPath + "/query", institutionPath + "/completions", institutionPath + "/restores"}

func (s *server) refuseQuery(c *gin.Context) {
	if c.Request.URL.RawQuery != "" && !slices.Contains(queried, c.FullPath()) {
		s.fail(c, actionlog.Invalidf("query", "this call has no parameters"))
	}
}

// metrics has the one parameter that Prometheus's handler reads.
func (s *server) metrics(c *gin.Context) {
	if err := only(c.Request.URL.Query(), "name[]"); err != nil {
		s.fail(c, err)
		return
	}
	s.Metrics.ServeHTTP(c.Writer, c.Request)
}

// methodLabel is a method as a metric's label: those that somebody invents are one, or each
// would be a series for ever.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodDelete, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodPatch:
		return method
	}
	return "other"
}

package search

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"net/url"
	"slices"
	"time"

	"actionlog"
)

// cursor is a place in a list. It carries the bounds in time, so that a rolling
// range does not move from page to page, and for which names near ones are
// searched, which somebody new could change. It is sealed for its institution, and
// bound to the filters and the order.
type cursor struct {
	Mark     actionlog.Mark `json:"m"`
	From, To time.Time
	Near     []bool `json:",omitempty"` // see reading.widened
	Bound    []byte `json:"b"`          // to what
}

// boundTo is a hash of what a list is asked for.
func boundTo(values url.Values) []byte {
	bound := url.Values{}
	for name, v := range values {
		if name != "cursor" && name != "limit" && name != "total" {
			bound[name] = slices.Clone(v)
		}
	}
	sum := sha256.Sum256([]byte(bound.Encode()))
	return sum[:16]
}

func (s *server) encodeCursor(c cursor, institution string, values url.Values) (string, error) {
	c.Bound = boundTo(values)
	body, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	return s.seal.seal("cursor", institution, body)
}

// decodeCursor opens a cursor. One of another institution is ErrNotFound.
func (s *server) decodeCursor(text, institution string, values url.Values) (c cursor, err error) {
	body, err := s.seal.open("cursor", institution, text)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(body, &c); err != nil {
		return c, actionlog.Invalidf("cursor", "is not a cursor of this service")
	}
	if !bytes.Equal(c.Bound, boundTo(values)) {
		return c, actionlog.Invalidf("cursor", "belongs to other filters or another order")
	}
	return c, nil
}

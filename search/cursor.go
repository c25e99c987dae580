package search

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"time"

	"actionlog"
)

// cursor is a place in a list. It carries the bounds in time, so that a rolling
// range does not move from page to page, and for which names near ones are
// searched, which somebody new could change. It is bound to the filter, the order
// and the institution by its signature.
type cursor struct {
	Mark     actionlog.Mark `json:"m"`
	From, To time.Time
	Near     []bool `json:",omitempty"` // see reading.widened
}

// signature covers the cursor and what it is bound to.
func (s *server) signature(body []byte, institution string, values url.Values) []byte {
	bound := url.Values{}
	for name, v := range values {
		if name != "cursor" && name != "limit" && name != "total" {
			bound[name] = slices.Clone(v)
		}
	}
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(institution + "\x00" + bound.Encode() + "\x00"))
	mac.Write(body)
	return mac.Sum(nil)[:16]
}

func (s *server) encodeCursor(c cursor, institution string, values url.Values) (string, error) {
	body, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(append(s.signature(body, institution, values), body...)), nil
}

func (s *server) decodeCursor(text, institution string, values url.Values) (c cursor, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) < 16 {
		return c, actionlog.Invalidf("cursor", "is not a cursor of this service")
	}
	if !hmac.Equal(raw[:16], s.signature(raw[16:], institution, values)) {
		return c, actionlog.Invalidf("cursor", "belongs to other filters, another order or another institution")
	}
	if err := json.Unmarshal(raw[16:], &c); err != nil {
		return c, actionlog.Invalidf("cursor", "is not a cursor of this service")
	}
	return c, nil
}

package signin

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
)

// types of tokens (the header typ, RFC 8725 section 3.11) that are taken: of people, and
// of programs. "" is none said.
var (
	idTypes     = []string{"", "jwt"}
	accessTypes = []string{"", "jwt", "at+jwt", "application/at+jwt"}
)

// wellFormed looks at what a verifier of signatures leaves open: that a token can be read
// in one way only, and says who, and until when.
func (p *Provider) wellFormed(raw string, id bool) error {
	if raw == "" || len(raw) > maxToken {
		return refusedf("the token is empty or too long")
	}
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return refusedf("it is not a signed token")
	}
	var objects [2]map[string]json.RawMessage
	for i, part := range parts {
		text, err := base64.RawURLEncoding.Strict().DecodeString(part)
		if err != nil || strings.ContainsAny(part, "\r\n") { // which the decoder skips
			return refusedf("the token is not base64url")
		}
		if i < 2 {
			if objects[i], err = onlyOnce(text); err != nil {
				return err
			}
		}
	}
	header, claims := objects[0], objects[1]
	allowed := accessTypes
	if id {
		allowed = idTypes
	}
	if kind, ok := textOf(header["typ"]); !ok || !slices.Contains(allowed, strings.ToLower(kind)) {
		return refusedf("a token of the type %q is not for this", clip(kind))
	}
	for _, name := range []string{"crit", "b64"} {
		if _, there := header[name]; there {
			return refusedf("the token has the header %s", name)
		}
	}
	if subject, ok := textOf(claims["sub"]); !ok || subject == "" || len(subject) > 255 {
		return refusedf("the token has no subject")
	}
	if !isNumber(claims["exp"]) {
		return refusedf("the token has no end")
	}
	return p.issuedBefore(claims["iat"])
}

// issuedBefore refuses what is issued in the future.
func (p *Provider) issuedBefore(iat json.RawMessage) error {
	if iat == nil {
		return nil
	}
	var seconds float64
	if !isNumber(iat) || json.Unmarshal(iat, &seconds) != nil || seconds > float64(p.now().Add(skew).Unix()) {
		return refusedf("the token is issued in the future")
	}
	return nil
}

func isNumber(raw json.RawMessage) bool {
	return len(raw) > 0 && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9')
}

// textOf is a JSON string; "" where there is none.
func textOf(raw json.RawMessage) (s string, ok bool) {
	if raw == nil {
		return "", true
	}
	ok = raw[0] == '"' && json.Unmarshal(raw, &s) == nil
	return s, ok
}

// onlyOnce reads a JSON object whose members have different names: of two readers one may
// take the first and the other the last.
func onlyOnce(text []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	object := map[string]json.RawMessage{}
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, refusedf("a part of the token is not an object")
	}
	for d.More() {
		name, err := d.Token()
		var value json.RawMessage
		if err == nil {
			err = d.Decode(&value)
		}
		if err != nil {
			return nil, refusedf("a part of the token is not JSON")
		}
		for known := range object {
			if strings.EqualFold(known, name.(string)) {
				return nil, refusedf("the token says %s twice", clip(known))
			}
		}
		object[name.(string)] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, refusedf("a part of the token is not JSON")
	}
	if d.More() {
		return nil, refusedf("something stands behind a part of the token")
	}
	return object, nil
}

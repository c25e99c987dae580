package search

import (
	"crypto/hkdf"
	"crypto/sha512"
	"encoding/base64"
	"fmt"

	"actionlog"

	"github.com/tink-crypto/tink-go/v2/daead/subtle"
)

// sealer encrypts what a caller carries back and forth and may not read: where a list
// goes on, and where on the stream an action stands, which tells how much all
// institutions publish together. The cipher is AES-SIV (RFC 5297): nothing can be
// changed, and the same is sealed to the same, so that answers can be compared.
type sealer struct{ siv *subtle.AESSIV }

// newSealer derives a key for this purpose from the service's own (HKDF, RFC 5869).
func newSealer(key []byte) (*sealer, error) {
	derived, err := hkdf.Key(sha512.New, key, nil, "actionlog seal 1", subtle.AESSIVKeySize)
	if err != nil {
		return nil, err
	}
	siv, err := subtle.NewAESSIV(derived)
	return &sealer{siv}, err
}

// seal encrypts a text for an institution and a purpose, as URL-safe base64.
func (s *sealer) seal(purpose, institution string, text []byte) (string, error) {
	sealed, err := s.siv.EncryptDeterministically(text, []byte(purpose+"\x00"+institution))
	return base64.RawURLEncoding.EncodeToString(sealed), err
}

// open returns what was sealed, or ErrNotFound: it was sealed by another service, for
// another institution or for another purpose.
func (s *sealer) open(purpose, institution, sealed string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil || len(raw) < 16 {
		return nil, actionlog.Invalidf(purpose, "is not a %s of this service", purpose)
	}
	text, err := s.siv.DecryptDeterministically(raw, []byte(purpose+"\x00"+institution))
	if err != nil {
		return nil, fmt.Errorf("there is no such %s here: %w", purpose, actionlog.ErrNotFound)
	}
	return text, nil
}

// position is a position as an institution sees it. It stays the same, and tells nothing.
func (s *sealer) position(institution string, p actionlog.Position) string {
	if p == (actionlog.Position{}) {
		return ""
	}
	sealed, err := s.seal("position", institution, []byte(p.String()))
	if err != nil {
		return "" // cannot be: only texts of 2^31 bytes are refused
	}
	return sealed
}

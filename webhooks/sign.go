package webhooks

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"actionlog"
)

// Headers of a message (Standard Webhooks 1.0, "Webhook Headers").
const (
	headerID        = "webhook-id"
	headerTimestamp = "webhook-timestamp"
	headerSignature = "webhook-signature"
)

// secretBytes is how long a secret is; the specification has 24 to 64.
const secretBytes = 32

// secretOf is the secret of a webhook and a generation: derived from a key of the service
// (HKDF, RFC 5869), so that none is stored.
func secretOf(key []byte, w *actionlog.Webhook, generation int) ([]byte, error) {
	return hkdf.Key(sha256.New, key, nil, fmt.Sprintf("actionlog webhook 1 %s %s %d", w.Institution, w.ID, generation), secretBytes)
}

// shownSecret is a secret as receivers take it.
func shownSecret(secret []byte) string {
	return "whsec_" + base64.StdEncoding.EncodeToString(secret)
}

// sign puts the headers on a message: the newest secret signs, and the one before as long as
// both are good.
func sign(header http.Header, id string, at time.Time, body []byte, secrets ...[]byte) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	var signatures []string
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, secret)
		fmt.Fprintf(mac, "%s.%s.%s", id, timestamp, body)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	header.Set(headerID, id)
	header.Set(headerTimestamp, timestamp)
	header.Set(headerSignature, strings.Join(signatures, " "))
}

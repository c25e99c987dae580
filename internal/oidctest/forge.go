package oidctest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// The ids of a Forger's own keys, which its JWKS serves.
const (
	RSAKid = "rsa-1" // RS256
	ECKid  = "ec-1"  // ES256
)

// Absent is the value of a claim or header member that is left out.
const Absent = absent("absent")

type absent string

// Forger is an issuer in this process that signs whatever it is told. Its
// discovery document and JWKS are right; it has an authorization and a token
// endpoint for the code flow (flow.go).
type Forger struct {
	Issuer   string            // "http://127.0.0.1:<port>"
	Audience string            // claim "aud" unless told otherwise: "actionlog"
	Subject  string            // claim "sub" unless told otherwise: "somebody"
	Type     string            // header "typ" unless told otherwise: "JWT"; access tokens have "at+jwt" at many issuers
	RSA      *rsa.PrivateKey   // its key RSAKid
	EC       *ecdsa.PrivateKey // its key ECKid
	Now      func() time.Time  // the clock of iat, nbf and exp; default time.Now

	// Of the attacker, who knows all that is public, and whose server serves a JWKS
	// with his keys under any path and under the issuer's own key ids.
	AttackerURL string
	AttackerRSA *rsa.PrivateKey
	AttackerEC  *ecdsa.PrivateKey

	asked atomic.Int64 // requests to the attacker
	flow  flow
}

// NewForger starts an issuer and its attacker, which end with the test.
func NewForger(t testing.TB) *Forger {
	t.Helper()
	f := &Forger{Audience: "actionlog", Subject: "somebody", Type: "JWT", Now: time.Now}
	for _, key := range []**rsa.PrivateKey{&f.RSA, &f.AttackerRSA} {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		*key = k
	}
	for _, key := range []**ecdsa.PrivateKey{&f.EC, &f.AttackerEC} {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		*key = k
	}
	own := http.NewServeMux()
	own.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) { write(w, f.discovery()) })
	own.HandleFunc("GET /jwks", func(w http.ResponseWriter, _ *http.Request) { write(w, jwks(&f.RSA.PublicKey, &f.EC.PublicKey)) })
	own.HandleFunc("GET /auth", f.authorize)
	own.HandleFunc("POST /token", f.exchange)
	issuer := httptest.NewServer(own)
	t.Cleanup(issuer.Close)
	attacker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		f.asked.Add(1)
		write(w, jwks(&f.AttackerRSA.PublicKey, &f.AttackerEC.PublicKey))
	}))
	t.Cleanup(attacker.Close)
	f.Issuer, f.AttackerURL = issuer.URL, attacker.URL
	return f
}

// AttackerRequests is how often somebody asked the attacker's server: a verifier
// never does.
func (f *Forger) AttackerRequests() int { return int(f.asked.Load()) }

func (f *Forger) discovery() map[string]any {
	return map[string]any{
		"issuer": f.Issuer, "jwks_uri": f.Issuer + "/jwks", "authorization_endpoint": f.Issuer + "/auth", "token_endpoint": f.Issuer + "/token",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "scopes_supported": []string{"openid", "profile", "email"},
		"id_token_signing_alg_values_supported": []string{"RS256", "ES256"}, "code_challenge_methods_supported": []string{"S256"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic"},
	}
}

func write(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // the reader may have gone
}

func jwks(r *rsa.PublicKey, e *ecdsa.PublicKey) map[string]any {
	return map[string]any{"keys": []any{jwkRSA(r), jwkEC(e)}}
}

func jwkRSA(k *rsa.PublicKey) map[string]any {
	return map[string]any{"kty": "RSA", "kid": RSAKid, "use": "sig", "alg": "RS256", "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())}
}

func jwkEC(k *ecdsa.PublicKey) map[string]any {
	point, _ := k.Bytes() // a made key is on its curve: 4, x, y
	return map[string]any{"kty": "EC", "crv": "P-256", "kid": ECKid, "use": "sig", "alg": "ES256", "x": b64(point[1:33]), "y": b64(point[33:])}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Claims are those of a good token, with changes: iss, sub, aud, iat and nbf (now),
// exp (in ten minutes) and jti (random). The change Absent leaves a claim out.
func (f *Forger) Claims(changes map[string]any) map[string]any {
	now := f.Now()
	claims := map[string]any{"iss": f.Issuer, "sub": f.Subject, "aud": f.Audience,
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(), "jti": rand.Text()}
	return changed(claims, changes)
}

func changed(members, changes map[string]any) map[string]any {
	maps.Copy(members, changes)
	maps.DeleteFunc(members, func(_ string, v any) bool { return v == Absent })
	return members
}

// header has the type, the alg and the kid, with changes.
func (f *Forger) header(alg, kid string, changes map[string]any) map[string]any {
	return changed(map[string]any{"typ": f.Type, "alg": alg, "kid": kid}, changes)
}

// Good is a token that must be accepted: RS256, with Claims(changes).
func (f *Forger) Good(changes map[string]any) string {
	return f.Sign(f.header("RS256", RSAKid, nil), f.Claims(changes), f.RSA)
}

// GoodEC is Good by ES256.
func (f *Forger) GoodEC(changes map[string]any) string {
	return f.Sign(f.header("ES256", ECKid, nil), f.Claims(changes), f.EC)
}

// Sign makes a token of exactly this header and these claims (Absent leaves one
// out). The key alone says how it is signed, whatever the header's alg: an
// *rsa.PrivateKey by RS256, an *ecdsa.PrivateKey by ES256, []byte as HS256's
// secret; nil leaves the signature empty.
func (f *Forger) Sign(header, claims map[string]any, key any) string {
	return f.SignText(text(header), text(claims), key)
}

// SignText is Sign of a header and a payload that may be no JSON at all.
func (f *Forger) SignText(header, payload string, key any) string {
	signed := b64([]byte(header)) + "." + b64([]byte(payload))
	return signed + "." + b64(signature([]byte(signed), key))
}

func text(members map[string]any) string {
	b, err := json.Marshal(changed(maps.Clone(members), nil))
	if err != nil {
		panic(fmt.Sprintf("oidctest: a token of what is no JSON: %v", err))
	}
	return string(b)
}

// signature signs; a key of another type is the test's mistake.
func signature(signed []byte, key any) []byte {
	sum := sha256.Sum256(signed)
	switch k := key.(type) {
	case nil:
		return nil
	case []byte:
		mac := hmac.New(sha256.New, k)
		mac.Write(signed)
		return mac.Sum(nil)
	case *rsa.PrivateKey:
		if s, err := rsa.SignPKCS1v15(nil, k, crypto.SHA256, sum[:]); err == nil {
			return s
		}
	case *ecdsa.PrivateKey:
		if r, s, err := ecdsa.Sign(rand.Reader, k, sum[:]); err == nil {
			return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
		}
	}
	panic(fmt.Sprintf("oidctest: no signature by a %T", key))
}

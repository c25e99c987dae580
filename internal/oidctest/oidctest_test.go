package oidctest

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const callback = "http://127.0.0.1:1/callback" // nobody listens there

var mara = Account{Subject: "mara", Name: "Mara Lind", Email: "mara@example.org",
	Claims: map[string]any{"groups": []string{"staff"}, "institutions": []string{"north"}}}

func getJSON(t *testing.T, address string, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err == nil {
		err = fetchJSON(req, into)
	}
	if err != nil {
		t.Fatal(address, ": ", err)
	}
}

// kids are the ids of the keys that a JWKS serves.
func kids(t *testing.T, address string) (ids []string) {
	t.Helper()
	var set struct{ Keys []map[string]any }
	getJSON(t, address, &set)
	for _, k := range set.Keys {
		if k["d"] != nil {
			t.Error("the JWKS serves a private key")
		}
		ids = append(ids, k["kid"].(string))
	}
	return ids
}

// rsaKey is a key of a JWKS.
func rsaKey(t *testing.T, address, kid string) *rsa.PublicKey {
	t.Helper()
	var set struct {
		Keys []struct{ Kid, N, E string }
	}
	getJSON(t, address, &set)
	for _, k := range set.Keys {
		if k.Kid == kid {
			n, e := new(big.Int).SetBytes(decode(t, k.N)), new(big.Int).SetBytes(decode(t, k.E))
			return &rsa.PublicKey{N: n, E: int(e.Int64())}
		}
	}
	t.Fatalf("%s has no key %s", address, kid)
	return nil
}

func decode(t *testing.T, part string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatalf("%q: %v", part, err)
	}
	return b
}

// parse reads a token without judging it.
func parse(t *testing.T, token string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts: %.80s", len(parts), token)
	}
	for i, into := range []*map[string]any{&header, &claims} {
		if err := json.Unmarshal(decode(t, parts[i]), into); err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

// signedRS256 says whether a key of a JWKS signed a token.
func signedRS256(t *testing.T, jwks, token string) bool {
	t.Helper()
	header, _ := parse(t, token)
	cut := strings.LastIndexByte(token, '.')
	sum := sha256.Sum256([]byte(token[:cut]))
	return rsa.VerifyPKCS1v15(rsaKey(t, jwks, header["kid"].(string)), crypto.SHA256, sum[:], decode(t, token[cut+1:])) == nil
}

func TestDiscovery(t *testing.T) {
	p := Start(t, Options{})
	var d map[string]any
	getJSON(t, p.Issuer+"/.well-known/openid-configuration", &d)
	if d["issuer"] != p.Issuer {
		t.Errorf("issuer %v, want %s", d["issuer"], p.Issuer)
	}
	if diff := cmp.Diff([]any{"S256"}, d["code_challenge_methods_supported"]); diff != "" {
		t.Error(diff)
	}
	if got := kids(t, d["jwks_uri"].(string)); len(got) != 1 {
		t.Errorf("keys %v, want one", got)
	}
}

// A relying party's own page leads to the provider; the code that comes back is
// worth tokens, once and with the verifier only.
func TestSignIn(t *testing.T) {
	p := Start(t, Options{Accounts: []Account{mara}})
	p.SetRedirectURIs(t, callback)
	verifier := strings.Repeat("verifier", 6)
	sum := sha256.Sum256([]byte(verifier))
	ask := url.Values{"client_id": {p.ClientID}, "response_type": {"code"}, "redirect_uri": {callback}, "scope": {"openid profile email"},
		"state": {"s1"}, "nonce": {"n1"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}}
	rp := httptest.NewServer(http.RedirectHandler(p.Issuer+"/auth?"+ask.Encode(), http.StatusFound))
	t.Cleanup(rp.Close)

	back := p.SignIn(t, nil, rp.URL+"/login", "mara")
	q := back.Query()
	if !strings.HasPrefix(back.String(), callback+"?") || q.Get("state") != "s1" || q.Get("iss") != p.Issuer || q.Get("code") == "" {
		t.Fatalf("redirect %s", back)
	}
	exchange := url.Values{"grant_type": {"authorization_code"}, "code": {q.Get("code")}, "redirect_uri": {callback}, "code_verifier": {verifier}}
	tokens := p.token(t, p.ClientID, p.ClientSecret, exchange)
	header, claims := parse(t, tokens.ID)
	if header["alg"] != "RS256" || !signedRS256(t, p.Issuer+"/jwks", tokens.ID) {
		t.Errorf("header %v, or the signature is wrong", header)
	}
	want := map[string]any{"iss": p.Issuer, "aud": p.ClientID, "sub": "mara", "nonce": "n1", "name": "Mara Lind", "email": "mara@example.org", "email_verified": true,
		"groups": []any{"staff"}, "institutions": []any{"north"}}
	if diff := cmp.Diff(want, without(claims, "iat", "exp", "at_hash")); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(tokens.Access, ".") {
		t.Error("the access token is a JWT, although no resource was asked for")
	}

	refused := p.SignIn(t, nil, rp.URL, "")
	if refused.Query().Get("error") != "access_denied" || refused.Query().Get("state") != "s1" {
		t.Errorf("refusing: %s", refused)
	}
	ask.Del("code_challenge")
	ask.Del("code_challenge_method")
	if got := p.SignIn(t, nil, p.Issuer+"/auth?"+ask.Encode(), "mara").Query(); got.Get("error") != "invalid_request" {
		t.Errorf("without PKCE: %v", got)
	}
}

func without(m map[string]any, names ...string) map[string]any {
	for _, name := range names {
		delete(m, name)
	}
	return m
}

// A session signs in without asking; a changed account is what the next token says.
func TestSession(t *testing.T) {
	p := Start(t, Options{Accounts: []Account{mara}, RedirectURIs: []string{callback}})
	jar, _ := cookiejar.New(nil)
	client := &http.Client{Jar: jar}
	ask := url.Values{"client_id": {p.ClientID}, "response_type": {"code"}, "redirect_uri": {callback}, "scope": {"openid"},
		"code_challenge": {strings.Repeat("c", 43)}, "code_challenge_method": {"S256"}}
	p.SignIn(t, client, p.Issuer+"/auth?"+ask.Encode(), "mara")
	p.RotateKeys(t)
	if got := p.SignIn(t, client, p.Issuer+"/auth?"+ask.Encode(), "nobody").Query(); got.Get("code") == "" {
		t.Errorf("the session was lost: %v", got)
	}
	p.SetAccount(t, Account{Subject: "mara", Claims: map[string]any{"roles": []string{"auditor"}}})
	tokens := p.UserTokens(t, "mara")
	for name, token := range map[string]string{"ID": tokens.ID, "access": tokens.Access} {
		if _, claims := parse(t, token); !cmp.Equal(claims["roles"], []any{"auditor"}) || claims["groups"] != nil {
			t.Errorf("%s token: %v", name, claims)
		}
	}
}

func TestAccessTokens(t *testing.T) {
	p := Start(t, Options{Accounts: []Account{mara}, MachineClaims: map[string]any{"roles": []string{"publisher"}}, Lifetime: 90 * time.Second})
	check := func(what, token string, want map[string]any) {
		t.Helper()
		header, claims := parse(t, token)
		if header["typ"] != "at+jwt" || !signedRS256(t, p.Issuer+"/jwks", token) {
			t.Errorf("%s: header %v, or the signature is wrong", what, header)
		}
		if life := claims["exp"].(float64) - claims["iat"].(float64); life != 90 {
			t.Errorf("%s: lives %v s", what, life)
		}
		want["iss"], want["aud"] = p.Issuer, "actionlog"
		if diff := cmp.Diff(want, without(claims, "iat", "exp", "jti")); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	check("the machine", p.AccessToken(t, nil), map[string]any{"sub": "machine", "client_id": "machine", "roles": []any{"publisher"}})

	m := p.NewMachine(t, "importer", map[string]any{"institutions": []string{"north", "south"}})
	check("a machine", p.MachineToken(t, m), map[string]any{"sub": "importer", "client_id": "importer", "institutions": []any{"north", "south"}})

	if _, claims := parse(t, p.AccessToken(t, map[string]any{"tenant": "x"})); claims["tenant"] != "x" || !strings.HasPrefix(claims["sub"].(string), "machine-") {
		t.Errorf("other claims: %v", claims)
	}
	check("a person", p.UserTokens(t, "mara").Access, map[string]any{"sub": "mara", "client_id": "web", "name": "Mara Lind", "email": "mara@example.org", "email_verified": true,
		"groups": []any{"staff"}, "institutions": []any{"north"}})
}

func TestRotation(t *testing.T) {
	p := Start(t, Options{})
	jwks := p.Issuer + "/jwks"
	before := kids(t, jwks)
	old := p.AccessToken(t, nil)
	kid := p.RotateKeys(t)
	if got := kids(t, jwks); len(got) != 2 || !slices.Contains(got, kid) || !slices.Contains(got, before[0]) || kid == before[0] {
		t.Errorf("keys %v after %v and the new %s", got, before, kid)
	}
	if !signedRS256(t, jwks, old) {
		t.Error("the old token is not signed by an old key any more")
	}
	if header, _ := parse(t, p.AccessToken(t, nil)); header["kid"] != kid {
		t.Errorf("signed by %v, want the new key %s", header["kid"], kid)
	}
	p.DropOldKeys(t)
	if got := kids(t, jwks); !cmp.Equal(got, []string{kid}) {
		t.Errorf("keys %v, want %s only", got, kid)
	}
}

func TestAlgorithms(t *testing.T) {
	for _, alg := range []string{"PS256", "ES256", "EdDSA"} {
		t.Run(alg, func(t *testing.T) {
			p := Start(t, Options{Algorithm: alg, Accounts: []Account{mara}, Audience: "other"})
			p.RotateKeys(t)
			tokens := p.UserTokens(t, "mara")
			for _, token := range []string{tokens.ID, tokens.Access, p.AccessToken(t, nil)} {
				if header, _ := parse(t, token); header["alg"] != alg {
					t.Errorf("header %v", header)
				}
			}
			if _, claims := parse(t, tokens.Access); claims["aud"] != "other" {
				t.Errorf("aud %v", claims["aud"])
			}
		})
	}
}

func TestFailures(t *testing.T) {
	p := Start(t, Options{})
	get := func() (status int, err error) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.Issuer+"/jwks", nil)
		if err != nil {
			return 0, err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err
		}
		return resp.StatusCode, resp.Body.Close()
	}
	p.Fail(t, Unavailable)
	if status, err := get(); status != http.StatusServiceUnavailable {
		t.Errorf("unavailable: %d %v", status, err)
	}
	p.Fail(t, Hangs)
	if status, err := get(); err == nil {
		t.Errorf("hangs: %d", status)
	}
	p.Fail(t, Works)
	if status, err := get(); status != http.StatusOK {
		t.Errorf("works: %d %v", status, err)
	}
	p.Stop()
	if status, err := get(); err == nil {
		t.Errorf("stopped: %d", status)
	}
}

package oidctest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// signedEC says whether a key signed a token by ES256.
func signedEC(t *testing.T, key *ecdsa.PublicKey, token string) bool {
	t.Helper()
	cut := strings.LastIndexByte(token, '.')
	sum, sig := sha256.Sum256([]byte(token[:cut])), decode(t, token[cut+1:])
	return len(sig) == 64 && ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
}

func signedRSA(t *testing.T, key *rsa.PrivateKey, token string) bool {
	t.Helper()
	cut := strings.LastIndexByte(token, '.')
	sum := sha256.Sum256([]byte(token[:cut]))
	return rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], decode(t, token[cut+1:])) == nil
}

func TestGood(t *testing.T) {
	f := NewForger(t)
	var d map[string]any
	getJSON(t, f.Issuer+"/.well-known/openid-configuration", &d)
	if d["issuer"] != f.Issuer {
		t.Errorf("issuer %v", d["issuer"])
	}
	token := f.Good(map[string]any{"roles": []string{"auditor"}, "jti": Absent})
	if !signedRS256(t, d["jwks_uri"].(string), token) {
		t.Error("the good token is not signed by the JWKS")
	}
	if ec := f.GoodEC(nil); !signedEC(t, &f.EC.PublicKey, ec) || signedEC(t, &f.AttackerEC.PublicKey, ec) {
		t.Error("the good token on the curve is not signed by the issuer alone")
	}
	head, claims := parse(t, token)
	if diff := cmp.Diff(map[string]any{"typ": "JWT", "alg": "RS256", "kid": RSAKid}, head); diff != "" {
		t.Error(diff)
	}
	want := map[string]any{"iss": f.Issuer, "sub": "somebody", "aud": "actionlog", "roles": []any{"auditor"}}
	if claims["exp"].(float64)-claims["iat"].(float64) != 600 {
		t.Errorf("lives from %v to %v", claims["iat"], claims["exp"])
	}
	if diff := cmp.Diff(want, without(claims, "iat", "nbf", "exp")); diff != "" {
		t.Error(diff)
	}
}

// bad finds a case.
func bad(t *testing.T, cases []Case, name string) string {
	t.Helper()
	for _, c := range cases {
		if c.Name == name {
			return c.Token
		}
	}
	t.Fatalf("no case %q", name)
	return ""
}

// Each case is there once, says what it is, and is no good token.
func TestMatrix(t *testing.T) {
	f := NewForger(t)
	seen := map[string]bool{}
	tokens := map[string]string{}
	for _, c := range f.Matrix(map[string]any{"jti": "one", "iat": 1, "nbf": 1}) {
		if seen[c.Name] || c.Attack == "" {
			t.Errorf("%q is there twice, or does not say what it is", c.Name)
		}
		seen[c.Name] = true
		if before, ok := tokens[c.Token]; ok {
			t.Errorf("%q is the token of %q", c.Name, before)
		}
		tokens[c.Token] = c.Name
	}
	if len(seen) < 90 {
		t.Errorf("%d cases", len(seen))
	}
	if f.AttackerRequests() != 0 {
		t.Error("making the tokens asked the attacker")
	}
}

// The cases have the properties that they say.
func TestMatrixHeaders(t *testing.T) {
	f := NewForger(t)
	cases := f.Matrix(nil)
	want := map[string]map[string]any{
		"alg/none":                           {"typ": "JWT", "alg": "none", "kid": RSAKid},
		"alg/missing":                        {"typ": "JWT", "kid": RSAKid},
		"alg/HS256 by the public key in PEM": {"typ": "JWT", "alg": "HS256", "kid": RSAKid},
		"kid/path":                           {"typ": "JWT", "alg": "HS256", "kid": "../../../../../../dev/null"},
		"kid/number":                         {"typ": "JWT", "alg": "RS256", "kid": 1.0},
		"pointer/jku":                        {"typ": "JWT", "alg": "RS256", "kid": RSAKid, "jku": f.AttackerURL + "/jwks"},
		"crit/unknown":                       {"typ": "JWT", "alg": "RS256", "kid": RSAKid, "crit": []any{"x-oidctest"}, "x-oidctest": true},
		"typ/logout token":                   {"typ": "logout+jwt", "alg": "RS256", "kid": RSAKid},
	}
	for name, header := range want {
		if got, _ := parse(t, bad(t, cases, name)); !cmp.Equal(got, header) {
			t.Errorf("%s: %s", name, cmp.Diff(header, got))
		}
	}
	got, _ := parse(t, bad(t, cases, "pointer/jwk, no kid"))
	if jwk, ok := got["jwk"].(map[string]any); !ok || got["kid"] != nil || jwk["n"] != b64(f.AttackerRSA.N.Bytes()) {
		t.Errorf("pointer/jwk: %v", got)
	}
	getJSON(t, f.AttackerURL+"/any", &map[string]any{})
	if f.AttackerRequests() != 1 {
		t.Error("the attacker does not count")
	}
}

// What is refused for its claims or its type is signed by the issuer; what is
// refused for its key has good claims and is signed by the attacker.
func TestMatrixSignatures(t *testing.T) {
	f := NewForger(t)
	for _, c := range f.Matrix(nil) {
		kind, _, _ := strings.Cut(c.Name, "/")
		switch kind {
		case "time", "iss", "aud", "sub", "exp", "crit", "payload":
			if own := signedRSA(t, f.RSA, c.Token); own != (c.Name != "iss/the attacker") {
				t.Errorf("%s: signed by the issuer: %v", c.Name, own)
			}
		case "pointer":
			if _, claims := parse(t, c.Token); !signedRSA(t, f.AttackerRSA, c.Token) || claims["iss"] != f.Issuer {
				t.Errorf("%s is not by the attacker, or has other claims: %v", c.Name, claims)
			}
		case "key":
			if signedRSA(t, f.RSA, c.Token) || signedEC(t, &f.EC.PublicKey, c.Token) {
				t.Errorf("%s is signed by the issuer", c.Name)
			}
		case "signature":
			if parts := strings.Split(c.Token, "."); len(parts) == 3 && signedRSA(t, f.RSA, c.Token) {
				t.Errorf("%s is signed well", c.Name)
			}
		}
	}
	token := bad(t, f.Matrix(nil), "sub/twice")
	if payload := string(decode(t, strings.Split(token, ".")[1])); strings.Count(payload, `"sub":`) != 2 || !json.Valid([]byte(payload)) {
		t.Errorf("sub/twice: %s", payload)
	}
	zero := bad(t, f.Matrix(nil), "signature/ES256 r=s=0")
	if got := decode(t, zero[strings.LastIndexByte(zero, '.')+1:]); !cmp.Equal(got, make([]byte, 64)) {
		t.Errorf("r, s: %x", got)
	}
}

// The code flow gives the ID token that the test wants, once a code.
func TestFlow(t *testing.T) {
	f := NewForger(t)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	signIn := func() url.Values {
		ask := url.Values{"client_id": {"web"}, "redirect_uri": {callback}, "state": {"s"}, "nonce": {"n"}}
		resp, err := client.Get(f.Issuer + "/auth?" + ask.Encode())
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		back, err := resp.Location()
		if err != nil {
			t.Fatal(err)
		}
		return back.Query()
	}
	exchange := func(code string) (Tokens, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.Issuer+"/token", strings.NewReader(url.Values{"code": {code}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		var tokens Tokens
		err = fetchJSON(req, &tokens)
		return tokens, err
	}
	back := signIn()
	tokens, err := exchange(back.Get("code"))
	if err != nil || back.Get("state") != "s" || back.Get("iss") != f.Issuer {
		t.Fatal(back, err)
	}
	if _, claims := parse(t, tokens.ID); claims["nonce"] != "n" || claims["aud"] != "web" {
		t.Errorf("claims %v", claims)
	}
	if _, err := exchange(back.Get("code")); err == nil {
		t.Error("a code was taken twice")
	}
	f.Answer(func(nonce, _ string) string { return f.Good(map[string]any{"nonce": nonce + "!"}) })
	tokens, err = exchange(signIn().Get("code"))
	if _, claims := parse(t, tokens.ID); err != nil || claims["nonce"] != "n!" {
		t.Errorf("claims %v, %v", claims, err)
	}
}

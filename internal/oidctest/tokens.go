package oidctest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Tokens are what a token endpoint answers.
type Tokens struct {
	Access  string `json:"access_token"`
	ID      string `json:"id_token"`      // "" without scope openid
	Refresh string `json:"refresh_token"` // "" without scope offline_access and prompt=consent
	Expires int    `json:"expires_in"`    // seconds
}

// AccessToken is a JWT access token of a program, by client_credentials: iss, sub
// and client_id (the program's id), aud (Audience), iat, exp, jti and the claims
// given; its header says typ "at+jwt". Claims nil are those of Machine; others
// make a program of their own, with an id that begins with "machine-". The claims
// named first are the provider's and cannot be given.
func (p *Provider) AccessToken(t testing.TB, claims map[string]any) string {
	t.Helper()
	m := p.Machine
	if claims != nil {
		m = p.NewMachine(t, "machine-"+rand.Text(), claims)
	}
	return p.MachineToken(t, m)
}

// NewMachine registers a program, or replaces the one with this id.
func (p *Provider) NewMachine(t testing.TB, id string, claims map[string]any) Machine {
	t.Helper()
	m := Machine{ID: id, Secret: rand.Text(), Claims: claims}
	p.do(t, "machine", m)
	return m
}

// MachineToken is a new JWT access token of a registered program, as AccessToken
// says.
func (p *Provider) MachineToken(t testing.TB, m Machine) string {
	t.Helper()
	return p.token(t, m.ID, m.Secret, url.Values{"grant_type": {"client_credentials"}}).Access
}

// UserTokens signs an account in at the web client, in a browser of its own, with
// scopes openid, profile and email. The ID token is for ClientID (with the claim
// nonce, random), the access token is a JWT for Audience with the account's claims:
// what a command line would send for its person.
func (p *Provider) UserTokens(t testing.TB, subject string) Tokens {
	t.Helper()
	verifier, state := rand.Text()+rand.Text(), rand.Text()
	challenge := sha256.Sum256([]byte(verifier))
	redirectURI := p.Issuer + ownRedirect
	ask := url.Values{
		"client_id": {p.ClientID}, "response_type": {"code"}, "redirect_uri": {redirectURI}, "scope": {"openid profile email"},
		"resource": {p.Resource}, "state": {state}, "nonce": {rand.Text()},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}
	back := p.SignIn(t, nil, p.Issuer+"/auth?"+ask.Encode(), subject).Query()
	if back.Get("code") == "" || back.Get("state") != state {
		t.Fatalf("sign in as %s: no code, or another state: %v", subject, back)
	}
	return p.token(t, p.ClientID, p.ClientSecret, url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Get("code")}, "redirect_uri": {redirectURI},
		"code_verifier": {verifier}, "resource": {p.Resource},
	})
}

// token asks the token endpoint.
func (p *Provider) token(t testing.TB, id, secret string, form url.Values) (tokens Tokens) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.Issuer+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal("token: ", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	if err := fetchJSON(req, &tokens); err != nil {
		t.Fatalf("token of %s: %v", id, err)
	}
	return tokens
}

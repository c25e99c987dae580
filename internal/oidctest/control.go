package oidctest

import "testing"

// RotateKeys makes a new key, by which everything is signed from now on, and
// returns its id. The JWKS serves it and the old ones. Sessions and codes stay.
func (p *Provider) RotateKeys(t testing.TB) (kid string) {
	t.Helper()
	return p.do(t, "rotate", nil)[0]
}

// DropOldKeys removes all keys from the JWKS but the one that signs.
func (p *Provider) DropOldKeys(t testing.TB) {
	t.Helper()
	p.do(t, "drop", nil)
}

// SetRedirectURIs replaces the redirect URIs of the web client.
func (p *Provider) SetRedirectURIs(t testing.TB, uris ...string) {
	t.Helper()
	p.do(t, "redirects", list(uris))
}

// SetAccount adds an account, or replaces the one with its subject: tokens issued
// from now on say what it says.
func (p *Provider) SetAccount(t testing.TB, a Account) {
	t.Helper()
	p.do(t, "account", a)
}

// Failure is how a provider fails.
type Failure string

// The ways to fail.
const (
	Works       Failure = ""            // it does not
	Unavailable Failure = "unavailable" // every answer is 503
	Hangs       Failure = "hangs"       // it takes connections and requests and never answers
)

// Fail has the provider fail from now on, until Fail(t, Works).
func (p *Provider) Fail(t testing.TB, how Failure) {
	t.Helper()
	p.do(t, "fail", how)
}

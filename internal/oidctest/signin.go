package oidctest

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"
)

// SignIn does what a browser and its person do: it follows the redirects from
// authorizationURL, signs in and consents as the account, and returns the redirect
// to the relying party (?code=…&state=…&iss=…), which is not followed. With the
// subject "" the person refuses (?error=access_denied&…).
//
// authorizationURL is the provider's, or a page of the relying party that redirects
// there. The client's jar keeps the cookies of both (those of the provider are named
// oidctest_…); nil, or a client without a jar, gets one for this call. The client
// itself is not changed. A jar that holds a session of the provider is signed in
// without asking, as whom the session is, unless the request says prompt=login.
func (p *Provider) SignIn(t testing.TB, client *http.Client, authorizationURL, subject string) (redirect *url.URL) {
	t.Helper()
	b := browser{provider: p, subject: subject, client: http.Client{}}
	if client != nil {
		b.client = *client
	}
	if b.client.Jar == nil {
		b.client.Jar, _ = cookiejar.New(nil) // it never fails
	}
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	next, err := url.Parse(authorizationURL)
	if err != nil {
		t.Fatal("sign in: ", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for range 20 {
		if b.arrived(next) {
			return next
		}
		next = b.step(ctx, t, next)
	}
	t.Fatal("sign in: too many redirects, the last to ", next)
	return nil
}

// browser is a sign-in under way.
type browser struct {
	provider *Provider
	client   http.Client
	subject  string
	visited  bool   // the provider was seen
	redirect string // the redirect_uri of the request, without query; "" where it does not say
}

// arrived says whether an address is the relying party's, after the provider's.
func (b *browser) arrived(next *url.URL) bool {
	if b.redirect != "" && strings.HasPrefix(next.String(), b.redirect+"?") {
		return true
	}
	here := next.Scheme+"://"+next.Host == b.provider.Issuer
	if here && b.redirect == "" {
		b.redirect, _, _ = strings.Cut(next.Query().Get("redirect_uri"), "?")
	}
	b.visited = b.visited || here
	return b.visited && !here
}

// step opens a page, or posts the form of a page that asks, and returns where it
// leads.
func (b *browser) step(ctx context.Context, t testing.TB, at *url.URL) *url.URL {
	t.Helper()
	method, form := http.MethodGet, ""
	if strings.HasPrefix(at.String(), b.provider.Issuer+"/interaction/") {
		method, form = http.MethodPost, url.Values{"subject": {b.subject}}.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, at.String(), strings.NewReader(form))
	if err != nil {
		t.Fatal("sign in: ", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := b.client.Do(req)
	if err != nil {
		t.Fatal("sign in: ", err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10)) // for the message only
	next, err := resp.Location()
	if err != nil || resp.StatusCode < 300 || resp.StatusCode > 399 {
		t.Fatalf("sign in: %s %s: %s, no redirect: %s", method, at, resp.Status, text)
	}
	return next
}

// Package oidctest gives tests an issuer of OpenID Connect tokens. Start runs a
// real provider, npm's oidc-provider, by Node on loopback: people sign in by code
// and PKCE, programs get JWT access tokens, keys rotate. NewForger is an issuer in
// Go without any of it, whose tokens are as bad as a test wants. Where Node, npm or
// its registry is missing, Start skips the test and says why, or fails it where
// ACTIONLOG_TOOLS is "required"; a Forger needs nothing. It judges no token: that
// is for the code under test.
package oidctest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// Account is somebody who can sign in.
type Account struct {
	Subject string `json:"subject"`         // claim "sub"; required
	Name    string `json:"name,omitempty"`  // claim "name", by scope "profile"; "" is none
	Email   string `json:"email,omitempty"` // claims "email" and "email_verified": true, by scope "email"; "" is none

	// Claims are further claims, as encoding/json writes them ({"groups":
	// []string{"staff"}}). They come with scope "openid" in ID tokens and at
	// userinfo, and always in JWT access tokens.
	Claims map[string]any `json:"claims,omitempty"`
}

// Options of a provider; the zero value will do.
type Options struct {
	Accounts      []Account      // who can sign in; SetAccount adds more
	RedirectURIs  []string       // of the web client, exactly as requests send them; SetRedirectURIs replaces them
	Audience      string         // claim "aud" of JWT access tokens; default "actionlog"
	Algorithm     string         // of all signatures: "RS256" (the default), "PS256", "ES256" or "EdDSA"
	Lifetime      time.Duration  // of ID and access tokens, in whole seconds; default 10 minutes
	MachineClaims map[string]any // claims of the tokens of the program Machine; default none
}

// Machine is a program that is a client of the provider.
type Machine struct {
	ID     string         `json:"id"`               // claims "sub" and "client_id" of its tokens
	Secret string         `json:"secret"`           // by client_secret_basic
	Claims map[string]any `json:"claims,omitempty"` // further claims of its tokens
}

// Provider is a running provider. It requires PKCE with S256 of the web client.
type Provider struct {
	Issuer       string  // "http://127.0.0.1:<port>", without a slash at its end
	ClientID     string  // of the confidential web client: code flow, client_secret_basic, scopes openid, profile, email, offline_access
	ClientSecret string  // its secret
	Audience     string  // claim "aud" of JWT access tokens
	Resource     string  // the parameter "resource" by which an authorization and a token request get a JWT access token for Audience
	Machine      Machine // a program that gets tokens by client_credentials, for Audience without asking

	control string // the secret path of the control endpoints
	stop    func()
}

// state is what the process is told at its start.
type state struct {
	Control      string    `json:"control"`
	ClientID     string    `json:"clientID"`
	ClientSecret string    `json:"clientSecret"`
	RedirectURIs []string  `json:"redirectURIs"`
	OwnRedirect  string    `json:"ownRedirect"`
	Accounts     []Account `json:"accounts"`
	Machines     []Machine `json:"machines"`
	Audience     string    `json:"audience"`
	Resource     string    `json:"resource"`
	Algorithm    string    `json:"algorithm"`
	Lifetime     int       `json:"lifetime"`
}

// ownRedirect is the path, at the issuer, of a redirect URI that is always
// registered, for UserTokens. Nothing answers there.
const ownRedirect = "/oidctest-callback"

// Start starts a provider, which ends with the test. The first call on a machine
// installs its packages into the user's cache.
func Start(t testing.TB, o Options) *Provider {
	t.Helper()
	dir, err := install()
	none(t, err)
	p := &Provider{
		ClientID: "web", ClientSecret: rand.Text(), Audience: or(o.Audience, "actionlog"), Resource: "urn:actionlog:api",
		Machine: Machine{ID: "machine", Secret: rand.Text(), Claims: o.MachineClaims}, control: rand.Text(),
	}
	if o.Lifetime == 0 {
		o.Lifetime = 10 * time.Minute
	}
	first, err := json.Marshal(state{
		Control: p.control, ClientID: p.ClientID, ClientSecret: p.ClientSecret, RedirectURIs: list(o.RedirectURIs), OwnRedirect: ownRedirect,
		Accounts: list(o.Accounts), Machines: []Machine{p.Machine}, Audience: p.Audience, Resource: p.Resource,
		Algorithm: or(o.Algorithm, "RS256"), Lifetime: int(o.Lifetime / time.Second),
	})
	if err != nil {
		t.Fatal("the options of the provider: ", err)
	}
	if err := p.launch(dir, append(first, '\n')); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	return p
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// list is never null in JSON.
func list[T any](values []T) []T { return append([]T{}, values...) }

// launch runs the process and waits until it says its address. Its standard input
// stays open as long as this process lives: its end is the provider's end.
func (p *Provider) launch(dir string, first []byte) error {
	program, err := files.ReadFile("provider/provider.mjs")
	if err != nil {
		return err
	}
	node := exec.Command("node", "--input-type=module", "--eval", string(program)) // imports are found from its folder
	var errors output
	node.Dir, node.Stderr, node.WaitDelay = dir, &errors, 5*time.Second
	in, err := node.StdinPipe()
	if err != nil {
		return err
	}
	out, err := node.StdoutPipe()
	if err != nil {
		return err
	}
	if err := node.Start(); err != nil {
		return fmt.Errorf("node: %w", err)
	}
	p.stop = sync.OnceFunc(func() {
		_ = node.Process.Kill() // it may have ended
		_ = node.Wait()         // how does not matter
		_ = in.Close()
	})
	said := make(chan string, 1)
	go func() {
		defer close(said)
		lines := bufio.NewScanner(out)
		if lines.Scan() {
			said <- lines.Text()
		}
		_, _ = io.Copy(io.Discard, out)
	}()
	if _, err := in.Write(first); err != nil {
		p.stop()
		return fmt.Errorf("the provider ended at once: %w: %s", err, errors.String())
	}
	select {
	case p.Issuer = <-said:
	case <-time.After(30 * time.Second):
	}
	if !strings.HasPrefix(p.Issuer, "http://127.0.0.1:") {
		p.stop()
		return fmt.Errorf("the provider said no address: %q: %s", p.Issuer, errors.String())
	}
	return nil
}

// output keeps the beginning of what a process writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.text.Len() < 64<<10 {
		o.text.Write(b)
	}
	return len(b), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return tail(o.text.Bytes())
}

// Stop ends the process: nobody listens at the issuer's address any more. It ends
// with the test anyway.
func (p *Provider) Stop() { p.stop() }

// do calls a control endpoint and returns the key ids of the JWKS, the one that
// signs first.
func (p *Provider) do(t testing.TB, action string, argument any) (kids []string) {
	t.Helper()
	body, err := json.Marshal(argument)
	if err != nil {
		t.Fatal(action, ": ", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var answer struct {
		Kids []string `json:"kids"`
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.Issuer+"/"+p.control+"/"+action, bytes.NewReader(body))
	if err != nil {
		t.Fatal(action, ": ", err)
	}
	if err := fetchJSON(req, &answer); err != nil {
		t.Fatal(action, ": ", err)
	}
	return answer.Kids
}

// fetchJSON does a request whose answer is JSON; another status than 200 is an
// error.
func fetchJSON(req *http.Request, into any) error {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", resp.Status, text)
	}
	return json.Unmarshal(text, into)
}

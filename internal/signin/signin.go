// Package signin asks an OpenID Connect provider who somebody is: the code flow with PKCE
// for people, signed access tokens for programs. It maps what the provider says to roles
// and institutions. It keeps nothing, and it knows nothing of sessions or of HTTP beyond
// the provider's.
//
// OpenID Connect Core 1.0; RFC 7636 (PKCE); RFC 8725 (JWT best practices); RFC 9068 (JWT
// access tokens).
package signin

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"actionlog"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	// askWithin is how long one request to the provider may take.
	askWithin = 10 * time.Second
	// skew is how far the provider's clock may go ahead of ours.
	skew = time.Minute
	// maxToken is how long a token may be, in bytes.
	maxToken = 16 << 10
)

// Identity is who somebody is, and what they may.
type Identity struct {
	Subject string // of the provider
	Name    string
	Email   string
	Grants  []Grant
}

// Grant is a set of roles for a set of institutions.
type Grant struct {
	Roles        []actionlog.Role
	All          bool
	Institutions []string
}

// Provider is an OpenID Connect provider. It is asked what it can when it is first
// needed: the service starts without it.
type Provider struct {
	config Config
	client *http.Client
	now    func() time.Time

	mu    sync.Mutex
	found *found
}

// found is what the provider says of itself.
type found struct {
	provider *oidc.Provider
	keys     oidc.KeySet
}

// New returns a provider. now is time.Now where it is nil.
func New(c Config, now func() time.Time) (*Provider, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if now == nil {
		now = time.Now
	}
	return &Provider{config: c, client: newClient(), now: now}, nil
}

// discover asks the provider what it can, once.
func (p *Provider) discover(ctx context.Context) (*found, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.client), askWithin)
	defer cancel()
	provider, err := oidc.NewProvider(ctx, p.config.Issuer)
	if err != nil {
		return nil, fmt.Errorf("sign-in provider: %w: %w", actionlog.ErrUnavailable, err)
	}
	var more struct {
		Keys string `json:"jwks_uri"`
	}
	if err := provider.Claims(&more); err != nil {
		return nil, fmt.Errorf("sign-in provider: %w: %w", actionlog.ErrUnavailable, err)
	}
	// Keys are fetched again when a token names one that is not known: rotation.
	keys := oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), p.client), more.Keys)
	p.found = &found{provider, keys}
	return p.found, nil
}

func (p *Provider) oauth(f *found) *oauth2.Config {
	return &oauth2.Config{ClientID: p.config.ClientID, ClientSecret: p.config.ClientSecret, Endpoint: f.provider.Endpoint(),
		RedirectURL: p.config.RedirectURL, Scopes: p.config.Scopes}
}

// Flow is what has to be kept, unseen by others, from Begin to Finish.
type Flow struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
}

// Begin returns the provider's address to which somebody is sent to sign in.
func (p *Provider) Begin(ctx context.Context) (address string, flow Flow, err error) {
	f, err := p.discover(ctx)
	if err != nil {
		return "", flow, err
	}
	flow = Flow{oauth2.GenerateVerifier(), oauth2.GenerateVerifier(), oauth2.GenerateVerifier()}
	return p.oauth(f).AuthCodeURL(flow.State, oidc.Nonce(flow.Nonce), oauth2.S256ChallengeOption(flow.Verifier)), flow, nil
}

// Finish returns who came back from the provider. ErrNotFound: nobody whom we know.
func (p *Provider) Finish(ctx context.Context, flow Flow, answer url.Values) (Identity, error) {
	if flow.State == "" || subtle.ConstantTimeCompare([]byte(flow.State), []byte(answer.Get("state"))) != 1 {
		return Identity{}, refusedf("it was not begun here, or too long ago")
	}
	if code := answer.Get("error"); code != "" {
		return Identity{}, refusedf("the provider says %q", clip(code))
	}
	f, err := p.discover(ctx)
	if err != nil {
		return Identity{}, err
	}
	token, err := p.oauth(f).Exchange(oidc.ClientContext(ctx, p.client), answer.Get("code"), oauth2.VerifierOption(flow.Verifier))
	var said *oauth2.RetrieveError
	switch {
	case errors.As(err, &said) && said.Response.StatusCode < 500:
		return Identity{}, refusedf("the provider does not know the code (%s)", clip(said.ErrorCode))
	case err != nil:
		return Identity{}, fmt.Errorf("sign-in provider: %w: %w", actionlog.ErrUnavailable, withoutBody(err))
	}
	raw, _ := token.Extra("id_token").(string)
	return p.identify(ctx, f, raw, p.config.ClientID, flow.Nonce)
}

// withoutBody keeps what the provider answered, which may hold tokens, out of errors.
func withoutBody(err error) error {
	var said *oauth2.RetrieveError
	if errors.As(err, &said) {
		return fmt.Errorf("it answers %s", said.Response.Status)
	}
	return err
}

// Bearer returns of whom a program's access token is. ErrNotFound: it is not good.
func (p *Provider) Bearer(ctx context.Context, token string) (Identity, error) {
	if p.config.Audience == "" {
		return Identity{}, refusedf("access tokens of the provider are not taken here")
	}
	f, err := p.discover(ctx)
	if err != nil {
		return Identity{}, err
	}
	return p.identify(ctx, f, token, p.config.Audience, "")
}

// identify verifies a token: signature, issuer, audience, times, form, and with a nonce
// that it answers our question.
func (p *Provider) identify(ctx context.Context, f *found, raw, audience, nonce string) (Identity, error) {
	if err := p.wellFormed(raw, nonce != ""); err != nil {
		return Identity{}, err
	}
	keys := &noting{KeySet: f.keys}
	verifier := oidc.NewVerifier(p.config.Issuer, keys, &oidc.Config{ClientID: audience, SupportedSigningAlgs: p.config.Algorithms, Now: p.now})
	token, err := verifier.Verify(ctx, raw)
	switch {
	case keys.unreachable != nil:
		return Identity{}, fmt.Errorf("sign-in provider: %w: %w", actionlog.ErrUnavailable, keys.unreachable)
	case err != nil:
		return Identity{}, refusedf("%s", clip(err.Error()))
	case nonce != "" && subtle.ConstantTimeCompare([]byte(nonce), []byte(token.Nonce)) != 1:
		return Identity{}, refusedf("the token answers another question")
	}
	var claims map[string]any
	if err := token.Claims(&claims); err != nil {
		return Identity{}, refusedf("the token's claims are not an object")
	}
	text := func(name string) string { s, _ := claims[name].(string); return clip(s) }
	who := Identity{Subject: token.Subject, Name: text("name"), Email: text("email"), Grants: p.config.grants(claims)}
	if verified, there := claims["email_verified"].(bool); there && !verified {
		who.Email = ""
	}
	if len(who.Grants) == 0 {
		return who, refusedf("the provider knows %q, and no rule gives them anything to do here", token.Subject)
	}
	return who, nil
}

// noting tells a provider that cannot be reached from a signature that is wrong.
type noting struct {
	oidc.KeySet
	unreachable error
}

// VerifySignature implements oidc.KeySet.
func (n *noting) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := n.KeySet.VerifySignature(ctx, jwt)
	if err != nil && strings.HasPrefix(err.Error(), "fetching keys") { // as oidc.RemoteKeySet has it
		n.unreachable = err
	}
	return payload, err
}

func refusedf(format string, args ...any) error {
	return fmt.Errorf("sign-in: %s: %w", fmt.Sprintf(format, args...), actionlog.ErrNotFound)
}

func clip(s string) string {
	if len(s) > 200 {
		s = s[:200]
	}
	return strings.ToValidUTF8(s, "")
}

// grants are what the rules give to who has these claims.
func (c *Config) grants(claims map[string]any) (grants []Grant) {
	for i := range c.Rules {
		r := &c.Rules[i]
		if r.Claim != "" && !has(claims[r.Claim], r.Value) {
			continue
		}
		g := Grant{Roles: r.Roles, All: r.All, Institutions: r.Institutions}
		if r.InstitutionsClaim != "" {
			g.Institutions = nil
			for _, id := range texts(claims[r.InstitutionsClaim]) {
				if actionlog.IsInstitutionID(id) && id != actionlog.PlatformLog {
					g.Institutions = append(g.Institutions, id)
				}
			}
			if len(g.Institutions) == 0 {
				continue
			}
		}
		grants = append(grants, g)
	}
	return grants
}

// texts are a claim that is a text, or a list of texts.
func texts(claim any) (list []string) {
	switch v := claim.(type) {
	case string:
		return []string{v}
	case []any:
		for _, x := range v {
			if s, ok := x.(string); ok {
				list = append(list, s)
			}
		}
	}
	return list
}

func has(claim any, value string) bool {
	if b, ok := claim.(bool); ok {
		text, _ := json.Marshal(b) // true or false
		return string(text) == value
	}
	for _, s := range texts(claim) {
		if s == value {
			return true
		}
	}
	return false
}

package main

import (
	"context"
	"encoding/json"
	"net/url"
	"time"

	"actionlog"
	"actionlog/internal/access"
	"actionlog/internal/signin"
	"actionlog/search"
)

// accessPort is what package search asks of package access.
type accessPort struct{ tokens *access.Tokens }

func (a accessPort) Check(ctx context.Context, token string) (actionlog.Principal, error) {
	g, err := a.tokens.Check(ctx, token)
	return g.Principal(), err
}

func tokenOf(g access.Grant) search.Token {
	return search.Token{ID: g.ID, Name: g.Name, Roles: g.Roles, All: g.All, Institutions: g.Institutions, Reason: g.Reason, CreatedAt: g.CreatedAt, ExpiresAt: g.ExpiresAt, UsedAt: g.UsedAt}
}

func (a accessPort) Create(ctx context.Context, t search.Token) (search.Token, string, error) {
	g, secret, err := a.tokens.Create(ctx, access.Grant{Name: t.Name, Roles: t.Roles, All: t.All, Institutions: t.Institutions, Reason: t.Reason, ExpiresAt: t.ExpiresAt})
	return tokenOf(g), secret, err
}

func (a accessPort) Rotate(ctx context.Context, id string, overlap time.Duration, record func(search.Token) error) (search.Token, string, error) {
	g, secret, err := a.tokens.Rotate(ctx, id, overlap, func(g access.Grant) error { return record(tokenOf(g)) })
	return tokenOf(g), secret, err
}

func (a accessPort) List(ctx context.Context) (list []search.Token, err error) {
	grants, err := a.tokens.List(ctx)
	for _, g := range grants {
		list = append(list, tokenOf(g))
	}
	return list, err
}

func (a accessPort) Revoke(ctx context.Context, id string) (search.Token, error) {
	g, err := a.tokens.Revoke(ctx, id)
	return tokenOf(g), err
}

// sessionPort is what package search asks of sessions.
type sessionPort struct{ sessions *access.Sessions }

func sessionOf(s access.Session) search.Session {
	return search.Session{ID: s.ID, Who: s.Who.ID, Name: s.Who.Name, Email: s.Who.Email, CreatedAt: s.CreatedAt, ExpiresAt: s.ExpiresAt, UsedAt: s.UsedAt}
}

func (p sessionPort) Open(ctx context.Context, who actionlog.Principal, token string) (search.Session, string, error) {
	s, secret, err := p.sessions.Open(ctx, who, token)
	return sessionOf(s), secret, err
}

func (p sessionPort) Check(ctx context.Context, secret string) (actionlog.Principal, error) {
	return p.sessions.Check(ctx, secret)
}

func (p sessionPort) End(ctx context.Context, id string) (search.Session, actionlog.Principal, error) {
	s, err := p.sessions.End(ctx, id)
	return sessionOf(s), s.Who, err
}

func (p sessionPort) List(ctx context.Context) (list []search.Session, err error) {
	all, err := p.sessions.List(ctx)
	for _, s := range all {
		list = append(list, sessionOf(s))
	}
	return list, err
}

// supportPort is what package search asks of support.
type supportPort struct{ supports *access.Supports }

func (p supportPort) Of(ctx context.Context, who string) (list []search.Support, err error) {
	all, err := p.supports.Of(ctx, who)
	for _, s := range all {
		list = append(list, search.Support(s))
	}
	return list, err
}

func (p supportPort) TakeUp(ctx context.Context, who string, x search.Support, record func(search.Support) error) (search.Support, error) {
	s, err := p.supports.TakeUp(ctx, who, access.Support(x), func(x access.Support) error { return record(search.Support(x)) })
	return search.Support(s), err
}

func (p supportPort) End(ctx context.Context, who, institution string) (search.Support, error) {
	s, err := p.supports.End(ctx, who, institution)
	return search.Support(s), err
}

// signIn is the provider that --oidc-config names; nil: none.
func (r *running) signIn() (search.SignIn, error) {
	if r.cmd.OIDCConfig == "" {
		return nil, nil
	}
	config, err := signin.ReadConfig(r.cmd.OIDCConfig)
	if err != nil {
		return nil, err
	}
	provider, err := signin.New(config, nil)
	return signInPort{provider}, err
}

// signInPort is what package search asks of the provider.
type signInPort struct{ provider *signin.Provider }

func (p signInPort) Begin(ctx context.Context) (string, []byte, error) {
	address, flow, err := p.provider.Begin(ctx)
	if err != nil {
		return "", nil, err
	}
	secret, err := json.Marshal(flow)
	return address, secret, err
}

func (p signInPort) Finish(ctx context.Context, secret []byte, answer url.Values) (actionlog.Principal, error) {
	var flow signin.Flow
	if err := json.Unmarshal(secret, &flow); err != nil {
		return actionlog.Principal{}, err
	}
	who, err := p.provider.Finish(ctx, flow, answer)
	return signedIn(who, true), err
}

func (p signInPort) Bearer(ctx context.Context, token string) (actionlog.Principal, error) {
	who, err := p.provider.Bearer(ctx, token)
	return signedIn(who, false), err
}

// signedIn is a person or a program that the provider knows, by an ID that no token has.
func signedIn(who signin.Identity, person bool) actionlog.Principal {
	if who.Subject == "" {
		return actionlog.Principal{}
	}
	p := actionlog.Principal{ID: "oidc:" + who.Subject, Name: who.Name, Email: who.Email, Person: person}
	for _, g := range who.Grants {
		p.Grants = append(p.Grants, actionlog.Grant{Roles: g.Roles, All: g.All, Institutions: g.Institutions})
	}
	return p
}

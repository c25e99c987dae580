package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// tokenCmd looks after the tokens that the API accepts.
type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Create a token. It is shown once, alone on the last line."`
	List   tokenListCmd   `cmd:"" help:"List tokens; never the secrets, which nobody keeps."`
	Rotate tokenRotateCmd `cmd:"" help:"Make another token that allows the same; the old one goes on for a while."`
	Revoke tokenRevokeCmd `cmd:"" help:"Revoke tokens."`
}

const tokenPath = "/v1/tokens"

type tokenCreateCmd struct {
	Name    string        `required:"" env:"-" placeholder:"TEXT" help:"Whose it is, or what for."`
	Role    []string      `env:"-" placeholder:"ROLE" help:"What it may: admin (reads, exports, asks for restores), auditor (reads), support (the same for a time and with a reason; grants restores), compliance (every institution), publisher (only writes), operator (no action's content). Repeat it. Default: admin; with --all every role."`
	For     []string      `env:"-" placeholder:"ID" help:"Institutions that it is for. Default: --institution."`
	All     bool          `env:"-" help:"For every institution."`
	Expires time.Duration `env:"-" placeholder:"DURATION" help:"After what time it ends, as 720h. Default: never; support 31 days at most."`
	Reason  string        `env:"-" placeholder:"TEXT" help:"Why support needs it, or for which ticket."`
}

type token struct {
	ID           string    `json:"id"`
	Name         string    `json:"name"`
	Roles        []string  `json:"roles"`
	Institutions []string  `json:"institutions"`
	All          bool      `json:"all"`
	Reason       string    `json:"reason"`
	CreatedAt    time.Time `json:"created_at"`
	ExpiresAt    time.Time `json:"expires_at"`
	UsedAt       time.Time `json:"used_at"`
	Token        string    `json:"token"`
}

func (t token) of() string {
	switch {
	case t.All:
		return "every institution"
	case len(t.Institutions) == 0:
		return "none"
	}
	return strings.Join(t.Institutions, " ")
}

func (t token) tell(out *console) error {
	until := ""
	if !t.ExpiresAt.IsZero() {
		until = ", until " + t.ExpiresAt.Format(time.RFC3339)
	}
	_, err := fmt.Fprintf(out.out, "token %s of %s, %s for %s%s: kept nowhere, shown once\n%s\n", t.ID, clean(t.Name), strings.Join(t.Roles, " "), t.of(), until, t.Token)
	if err != nil {
		err = fmt.Errorf("token %s was made, and could not be shown; revoke it: %w", t.ID, err)
	}
	return err
}

// Run creates a token.
func (t *tokenCreateCmd) Run(ctx context.Context, s *settings, out *console) error {
	institutions := t.For
	if len(institutions) == 0 && s.Institution != "" && !t.All {
		institutions = []string{s.Institution}
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	request := map[string]any{"name": t.Name}
	if t.All {
		request["all"] = true
	}
	if len(institutions) > 0 {
		request["institutions"] = institutions
	}
	if len(t.Role) > 0 {
		request["roles"] = t.Role
	}
	if t.Reason != "" {
		request["reason"] = t.Reason
	}
	if t.Expires > 0 {
		request["expires_at"] = time.Now().Add(t.Expires).UTC().Truncate(time.Second)
	}
	if !t.All && len(institutions) == 0 && len(t.Role) == 0 {
		return usagef("give --institution (or --for) for a token of institutions, or --all; or a --role that is of none")
	}
	var made token
	if err := c.send(ctx, http.MethodPost, tokenPath, request, &made); err != nil {
		return err
	}
	return made.tell(out)
}

type tokenRotateCmd struct {
	ID      string        `arg:"" help:"As the list gives it."`
	Overlap time.Duration `env:"-" placeholder:"DURATION" default:"24h" help:"For how long the old one goes on. Default: ${default}."`
}

// Run makes another token that allows the same.
func (t *tokenRotateCmd) Run(ctx context.Context, s *settings, out *console) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	var made token
	if err := c.send(ctx, http.MethodPost, tokenPath+"/"+url.PathEscape(t.ID)+"/rotate", map[string]string{"overlap": t.Overlap.String()}, &made); err != nil {
		return err
	}
	if err := made.tell(out); err != nil {
		return err
	}
	out.say("token %s ends at %s", t.ID, time.Now().Add(t.Overlap).UTC().Format(time.RFC3339))
	return nil
}

type tokenListCmd struct {
	Format string `short:"f" env:"-" enum:"auto,table,ndjson,json" default:"auto" help:"table, ndjson or json. Default: a table on a terminal, else ndjson."`
}

// Run lists tokens.
func (t *tokenListCmd) Run(ctx context.Context, s *settings, out *console) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	var answer listPage
	if err := c.get(ctx, tokenPath, nil, &answer); err != nil {
		return err
	}
	columns := []string{"ID", "NAME", "FOR", "ROLES", "CREATED", "EXPIRES", "USED", "REASON"}
	return writeList(out, out.formatFor(t.Format, ""), answer.Data, rows{columns, func(raw []byte) ([]string, error) {
		var k token
		if err := json.Unmarshal(raw, &k); err != nil {
			return nil, err
		}
		return []string{k.ID, k.Name, k.of(), strings.Join(k.Roles, " "), shortTime(k.CreatedAt), shortTime(k.ExpiresAt), shortTime(k.UsedAt), k.Reason}, nil
	}})
}

type tokenRevokeCmd struct {
	ID []string `arg:"" help:"As the list gives it."`
}

// Run revokes tokens, at once.
func (t *tokenRevokeCmd) Run(ctx context.Context, s *settings, out *console) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	for _, id := range t.ID {
		if err := c.send(ctx, http.MethodDelete, tokenPath+"/"+url.PathEscape(id), nil, nil); err != nil {
			return fmt.Errorf("token %s: %w", id, err)
		}
		out.say("token %s is revoked", id)
	}
	return nil
}

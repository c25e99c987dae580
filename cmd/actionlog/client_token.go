package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// tokenCmd looks after the tokens that the API accepts.
type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Create a token. It is shown once, alone on the last line."`
	List   tokenListCmd   `cmd:"" help:"List tokens; never the secrets, which nobody keeps."`
	Revoke tokenRevokeCmd `cmd:"" help:"Revoke tokens."`
}

const tokenPath = "/v1/tokens"

type tokenCreateCmd struct {
	Name string `required:"" env:"-" placeholder:"TEXT" help:"Whose it is, or what for."`
	All  bool   `env:"-" help:"It may do everything, for every institution. Otherwise it is for one (--institution)."`
}

type token struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Institution string    `json:"institution"`
	All         bool      `json:"all"`
	CreatedAt   time.Time `json:"created_at"`
	Token       string    `json:"token"`
}

func (t token) of() string {
	if t.All {
		return "every institution"
	}
	return t.Institution
}

// Run creates a token.
func (t *tokenCreateCmd) Run(ctx context.Context, s *settings, out *console) error {
	if t.All == (s.Institution != "") {
		return usagef("give --institution for a token of one institution, or --all")
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	request := map[string]any{"name": t.Name}
	if t.All {
		request["all"] = true
	} else {
		request["institution"] = s.Institution
	}
	var made token
	if err := c.send(ctx, http.MethodPost, tokenPath, request, &made); err != nil {
		return err
	}
	fmt.Fprintf(out.out, "token %s of %s, for %s: kept nowhere, shown once\n%s\n", made.ID, clean(made.Name), made.of(), made.Token)
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
	columns := []string{"ID", "NAME", "FOR", "CREATED"}
	return writeList(out, out.formatFor(t.Format, ""), answer.Data, rows{columns, func(raw []byte) ([]string, error) {
		var k token
		if err := json.Unmarshal(raw, &k); err != nil {
			return nil, err
		}
		return []string{k.ID, k.Name, k.of(), shortTime(k.CreatedAt)}, nil
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

package signin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"actionlog"
)

// Config says how to sign in; docs/sign-in.md has an example.
type Config struct {
	Issuer string `json:"issuer"` // URL
	// ClientID and ClientSecretFile are the service's own at the provider. A client
	// without a secret is a public one.
	ClientID         string `json:"client_id"`
	ClientSecretFile string `json:"client_secret_file,omitempty"`
	ClientSecret     string `json:"-"`
	// RedirectURL is where the provider sends people back to:
	// https://HOST/v1/sign-in/callback.
	RedirectURL string `json:"redirect_url"`
	// Audience of access tokens of programs; "": they are not taken.
	Audience string `json:"audience,omitempty"`
	// Algorithms of signatures; default RS256, PS256, ES256, EdDSA. Never none, never HS….
	Algorithms []string `json:"algorithms,omitempty"`
	Scopes     []string `json:"scopes,omitempty"` // default openid, profile, email
	Rules      []Rule   `json:"rules"`
}

// Rule gives roles to whose Claim is, or contains, Value. Each rule that holds is a grant
// of its own: what one gives for one institution is not given for another's.
type Rule struct {
	Claim string `json:"claim"` // "": everybody whom the provider knows
	Value string `json:"value"`

	Roles []actionlog.Role `json:"roles"`
	// Of which institutions: these, those that a claim lists, or all. Compliance and
	// operators need none; support takes up each with a reason, for a time.
	Institutions      []string `json:"institutions,omitempty"`
	InstitutionsClaim string   `json:"institutions_claim,omitempty"`
	All               bool     `json:"all,omitempty"`
}

// asymmetric are the algorithms that may be asked for: RFC 7518, RFC 8037.
var asymmetric = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// ReadConfig reads a file; that of the secret is beside it, if its path is not absolute.
func ReadConfig(path string) (c Config, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return c, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	if c.ClientSecretFile != "" {
		file := c.ClientSecretFile
		if !filepath.IsAbs(file) {
			file = filepath.Join(filepath.Dir(path), file)
		}
		secret, err := os.ReadFile(file)
		if err != nil {
			return c, fmt.Errorf("%s: client_secret_file: %w", path, err)
		}
		c.ClientSecret = strings.TrimSpace(string(secret))
	}
	if err := c.check(); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// check says what is wrong, and sets defaults.
func (c *Config) check() error {
	if len(c.Algorithms) == 0 {
		c.Algorithms = []string{"RS256", "PS256", "ES256", "EdDSA"}
	}
	if len(c.Scopes) == 0 {
		c.Scopes = []string{"openid", "profile", "email"}
	}
	for _, a := range c.Algorithms {
		if !slices.Contains(asymmetric, a) {
			return actionlog.Invalidf("/algorithms", "%q is not one of %v", a, asymmetric)
		}
	}
	if err := secureURL("/issuer", c.Issuer); err != nil {
		return err
	}
	if err := secureURL("/redirect_url", c.RedirectURL); err != nil {
		return err
	}
	switch {
	case c.ClientID == "":
		return actionlog.Invalidf("/client_id", "is missing")
	case c.Audience == c.ClientID:
		return actionlog.Invalidf("/audience", "is the client's ID: then what signs people in would be a program's token too")
	case !slices.Contains(c.Scopes, "openid"):
		return actionlog.Invalidf("/scopes", "lack openid")
	case len(c.Rules) == 0:
		return actionlog.Invalidf("/rules", "are missing: nobody would be given anything")
	}
	for i := range c.Rules {
		if err := c.Rules[i].check(fmt.Sprintf("/rules/%d", i)); err != nil {
			return err
		}
	}
	return nil
}

func (r *Rule) check(at string) error {
	support, other := false, false
	for _, role := range r.Roles {
		if !slices.Contains(actionlog.Roles[:], role) {
			return actionlog.Invalidf(at+"/roles", "%q is not one of %v", role, actionlog.Roles)
		}
		support = support || role == actionlog.RoleSupport
		other = other || role == actionlog.RoleAdmin || role == actionlog.RoleAuditor || role == actionlog.RolePublisher
	}
	for _, id := range r.Institutions {
		if !actionlog.IsInstitutionID(id) {
			return actionlog.Invalidf(at+"/institutions", "%q is not the ID of an institution", id)
		}
	}
	ways := 0
	for _, yes := range []bool{r.All, len(r.Institutions) > 0, r.InstitutionsClaim != ""} {
		if yes {
			ways++
		}
	}
	switch {
	case len(r.Roles) == 0:
		return actionlog.Invalidf(at+"/roles", "are missing: one or more of %v", actionlog.Roles)
	case r.Claim == "" && r.Value != "":
		return actionlog.Invalidf(at+"/claim", "is missing")
	case r.Claim != "" && r.Value == "":
		return actionlog.Invalidf(at+"/value", "is missing")
	case ways > 1:
		return actionlog.Invalidf(at, "give one of institutions, institutions_claim and all")
	case support && (other || ways > 0):
		return actionlog.Invalidf(at+"/roles", "support has a rule of its own and names no institutions: it takes up each with a reason, for a time")
	case other && ways == 0:
		return actionlog.Invalidf(at+"/institutions", "are missing: of which institutions?")
	}
	return nil
}

// secureURL is https, or http on this machine.
func secureURL(at, text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Fragment != "" || u.User != nil {
		return actionlog.Invalidf(at, "%q is not a URL as https://host/path", text)
	}
	switch host := u.Hostname(); {
	case u.Scheme == "https", u.Scheme == "http" && (host == "localhost" || host == "127.0.0.1" || host == "::1"):
		return nil
	}
	return actionlog.Invalidf(at, "%q is not https", text)
}

package signin

import (
	"errors"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/oidctest"

	"github.com/google/go-cmp/cmp"
)

func open(t *testing.T, c Config) *Provider {
	t.Helper()
	if len(c.Rules) == 0 {
		c.Rules = []Rule{{Roles: []actionlog.Role{actionlog.RoleAuditor}, Institutions: []string{"uni"}}}
	}
	if c.ClientID == "" {
		c.ClientID = "client"
	}
	c.RedirectURL = "http://127.0.0.1:1/v1/sign-in/callback"
	p, err := New(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Every bad token is refused, as a program's and as what signs a person in; the good ones
// are taken; nobody asks the attacker for keys.
func TestForgedTokens(t *testing.T) {
	f := oidctest.NewForger(t)
	p := open(t, Config{Issuer: f.Issuer, Audience: "actionlog"})
	for name, good := range map[string]string{"RSA": f.Good(nil), "EC": f.GoodEC(nil)} {
		if who, err := p.Bearer(t.Context(), good); err != nil || who.Subject != f.Subject || len(who.Grants) != 1 {
			t.Errorf("good, %s: %+v, %v", name, who, err)
		}
	}
	bad := f.Matrix(nil)
	if len(bad) < 100 {
		t.Fatalf("only %d cases", len(bad))
	}
	for _, c := range bad {
		if who, err := p.Bearer(t.Context(), c.Token); !errors.Is(err, actionlog.ErrNotFound) || len(who.Grants) > 0 {
			t.Errorf("%s (%s): %+v, %v", c.Name, c.Attack, who, err)
		}
	}
	if n := f.AttackerRequests(); n != 0 {
		t.Errorf("the attacker was asked %d times", n)
	}
}

// The same as answers to a sign-in, and one that answers another question.
func TestForgedSignIns(t *testing.T) {
	f := oidctest.NewForger(t)
	p := open(t, Config{Issuer: f.Issuer, Audience: "programs"})
	try := func(token func(nonce, client string) string) (Identity, error) {
		f.Answer(token)
		address, flow, err := p.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := client.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		back, err := resp.Location()
		if err != nil {
			t.Fatal(err)
		}
		return p.Finish(t.Context(), flow, back.Query())
	}
	if who, err := try(func(nonce, client string) string { return f.Good(map[string]any{"nonce": nonce, "aud": client}) }); err != nil || who.Subject == "" {
		t.Errorf("good: %+v, %v", who, err)
	}
	for i := range f.Matrix(nil) {
		var c oidctest.Case
		if who, err := try(func(nonce, client string) string {
			c = f.Matrix(map[string]any{"nonce": nonce, "aud": client})[i]
			return c.Token
		}); !errors.Is(err, actionlog.ErrNotFound) || len(who.Grants) > 0 {
			t.Errorf("%s (%s): %+v, %v", c.Name, c.Attack, who, err)
		}
	}
	for name, nonce := range map[string]any{"another": "x", "none": oidctest.Absent} {
		if _, err := try(func(_, client string) string { return f.Good(map[string]any{"nonce": nonce, "aud": client}) }); !errors.Is(err, actionlog.ErrNotFound) {
			t.Errorf("nonce %s: %v", name, err)
		}
	}
	if _, err := p.Finish(t.Context(), Flow{State: "a"}, map[string][]string{"state": {"b"}, "code": {"x"}}); !errors.Is(err, actionlog.ErrNotFound) {
		t.Errorf("another state: %v", err)
	}
	if _, err := p.Finish(t.Context(), Flow{}, map[string][]string{"code": {"x"}}); !errors.Is(err, actionlog.ErrNotFound) {
		t.Errorf("no state at all: %v", err)
	}
}

// A person and a program sign in at a real provider; keys change; a provider that is away
// is not the caller's fault, and what is known goes on.
func TestRealProvider(t *testing.T) {
	o := oidctest.Start(t, oidctest.Options{RedirectURIs: []string{"http://127.0.0.1:1/v1/sign-in/callback"},
		Accounts:      []oidctest.Account{{Subject: "ann", Name: "Ann Lee", Email: "ann@example.edu", Claims: map[string]any{"groups": []string{"log-admins"}, "institutions": []string{"uni", "bad id"}}}, {Subject: "bob"}},
		MachineClaims: map[string]any{"groups": "siem"}})
	p := open(t, Config{Issuer: o.Issuer, ClientID: o.ClientID, ClientSecret: o.ClientSecret, Audience: o.Audience, Rules: []Rule{
		{Claim: "groups", Value: "log-admins", Roles: []actionlog.Role{actionlog.RoleAdmin}, InstitutionsClaim: "institutions"},
		{Claim: "groups", Value: "siem", Roles: []actionlog.Role{actionlog.RoleAuditor}, All: true}}})
	signIn := func(subject string) (Identity, error) {
		address, flow, err := p.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		jar, _ := cookiejar.New(nil)
		back := o.SignIn(t, &http.Client{Jar: jar}, address, subject)
		who, err := p.Finish(t.Context(), flow, back.Query())
		if _, again := p.Finish(t.Context(), flow, back.Query()); !errors.Is(again, actionlog.ErrNotFound) {
			t.Errorf("a code was taken twice: %v", again)
		}
		return who, err
	}
	want := Identity{Subject: "ann", Name: "Ann Lee", Email: "ann@example.edu", Grants: []Grant{{Roles: []actionlog.Role{actionlog.RoleAdmin}, Institutions: []string{"uni"}}}}
	if who, err := signIn("ann"); err != nil || cmp.Diff(want, who) != "" {
		t.Errorf("%v\n%s", err, cmp.Diff(want, who))
	}
	if who, err := signIn("bob"); !errors.Is(err, actionlog.ErrNotFound) || len(who.Grants) > 0 {
		t.Errorf("somebody for whom there is no rule: %+v, %v", who, err)
	}
	if _, err := signIn(""); !errors.Is(err, actionlog.ErrNotFound) {
		t.Errorf("somebody who refuses: %v", err)
	}
	old := o.AccessToken(t, nil)
	o.RotateKeys(t)
	for name, token := range map[string]string{"before": old, "behind": o.AccessToken(t, nil)} {
		if who, err := p.Bearer(t.Context(), token); err != nil || len(who.Grants) != 1 || !who.Grants[0].All {
			t.Errorf("%s the rotation: %+v, %v", name, who, err)
		}
	}
	if _, err := p.Bearer(t.Context(), o.UserTokens(t, "ann").ID); !errors.Is(err, actionlog.ErrNotFound) {
		t.Errorf("what signs a person in is no program's token: %v", err)
	}
	o.RotateKeys(t)
	unknown := o.AccessToken(t, nil)
	o.Fail(t, oidctest.Unavailable)
	if _, err := p.Bearer(t.Context(), unknown); !errors.Is(err, actionlog.ErrUnavailable) {
		t.Errorf("a provider that is away: %v", err)
	}
	if _, err := p.Bearer(t.Context(), old); err != nil {
		t.Errorf("a key that is known while the provider is away: %v", err)
	}
	o.Stop()
	if _, _, err := open(t, Config{Issuer: o.Issuer}).Begin(t.Context()); !errors.Is(err, actionlog.ErrUnavailable) {
		t.Errorf("a provider that never was there: %v", err)
	}
}

// A token that is over is refused, also while its key is known.
func TestTokenEnds(t *testing.T) {
	f := oidctest.NewForger(t)
	now := time.Now()
	p := open(t, Config{Issuer: f.Issuer, Audience: "actionlog"})
	p.now = func() time.Time { return now }
	token := f.Good(nil)
	if _, err := p.Bearer(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	now = now.Add(24 * time.Hour)
	if _, err := p.Bearer(t.Context(), token); !errors.Is(err, actionlog.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

// What is wrong with a configuration is named.
func TestConfig(t *testing.T) {
	good := func() Config {
		return Config{Issuer: "https://id.example.org", ClientID: "c", RedirectURL: "https://log.example.org/v1/sign-in/callback", Audience: "a",
			Rules: []Rule{{Claim: "g", Value: "v", Roles: []actionlog.Role{actionlog.RoleAdmin}, InstitutionsClaim: "i"}, {Claim: "g", Value: "s", Roles: []actionlog.Role{actionlog.RoleSupport}}}}
	}
	for pointer, change := range map[string]func(c *Config){
		"":                             func(*Config) {},
		"/issuer":                      func(c *Config) { c.Issuer = "http://id.example.org" },
		"/redirect_url":                func(c *Config) { c.RedirectURL = "/v1" },
		"/client_id":                   func(c *Config) { c.ClientID = "" },
		"/audience":                    func(c *Config) { c.Audience = "c" },
		"/algorithms":                  func(c *Config) { c.Algorithms = []string{"HS256"} },
		"/scopes":                      func(c *Config) { c.Scopes = []string{"email"} },
		"/rules":                       func(c *Config) { c.Rules = nil },
		"/rules/0/roles":               func(c *Config) { c.Rules[0].Roles = []actionlog.Role{"boss"} },
		"/rules/0/institutions":        func(c *Config) { c.Rules[0].InstitutionsClaim = "" },
		"/rules/0":                     func(c *Config) { c.Rules[0].All = true },
		"/rules/0/claim":               func(c *Config) { c.Rules[0].Claim = "" },
		"/rules/0/value":               func(c *Config) { c.Rules[0].Value = "" },
		"/rules/1/roles":               func(c *Config) { c.Rules[1].All = true },
		"/rules/1/roles (with others)": func(c *Config) { c.Rules[1].Roles = append(c.Rules[1].Roles, actionlog.RoleAdmin) },
	} {
		c := good()
		change(&c)
		_, err := New(c, nil)
		var invalid *actionlog.InvalidError
		if want, _, _ := strings.Cut(pointer, " "); (want == "") != (err == nil) || errors.As(err, &invalid) && invalid.Field != want {
			t.Errorf("%s: %v", pointer, err)
		}
	}
}

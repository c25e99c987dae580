package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"actionlog/internal/enginetest"
	"actionlog/internal/oidctest"
)

// browser keeps cookies and sends requests as a page of the service does.
type browser struct {
	*testing.T
	service *service
	client  *http.Client
}

func newBrowser(t *testing.T, s *service) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, s, &http.Client{Transport: contract, Jar: jar, Timeout: time.Minute}}
}

// send returns the status and the body; site is who has the browser send it, as
// Sec-Fetch-Site says.
func (b *browser) send(method, path, site, body string) (int, http.Header, string) {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), method, b.service.url+path, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	if site != "" {
		req.Header.Set("Sec-Fetch-Site", site)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

func (b *browser) want(status int, method, path, site, body string) string {
	b.Helper()
	got, _, text := b.send(method, path, site, body)
	if got != status {
		b.Errorf("%s %s: %d, want %d: %.300s", method, path, got, status, text)
	}
	return text
}

// withProvider starts a real provider and a service that asks it.
func withProvider(t *testing.T, rules string, accounts ...oidctest.Account) (*oidctest.Provider, *service) {
	t.Helper()
	provider := oidctest.Start(t, oidctest.Options{Accounts: accounts, MachineClaims: map[string]any{"groups": []string{"siem"}}})
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ports, err := enginetest.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	callback := fmt.Sprintf("http://127.0.0.1:%d/v1/sign-in/callback", ports[0])
	provider.SetRedirectURIs(t, callback)
	write("secret", provider.ClientSecret+"\n")
	write("oidc.json", fmt.Sprintf(`{"issuer":%q,"client_id":%q,"client_secret_file":"secret","redirect_url":%q,"audience":%q,"rules":%s}`,
		provider.Issuer, provider.ClientID, callback, provider.Audience, rules))
	s := startService(t, "--oidc-config", filepath.Join(dir, "oidc.json"), "--listen", fmt.Sprintf("127.0.0.1:%d", ports[0]))
	return provider, s
}

// signIn goes to the provider and back.
func (b *browser) signIn(provider *oidctest.Provider, subject string) (status int) {
	b.Helper()
	back := provider.SignIn(b.T, b.client, b.service.url+"/v1/sign-in", subject)
	status, _, _ = b.send("GET", back.RequestURI(), "cross-site", "")
	return status
}

// A person signs in at a real provider, works with a cookie that no script can read, and
// signs out; another site cannot use the session; one that was ended is of no use.
func TestSessions(t *testing.T) {
	t.Parallel()
	provider, s := withProvider(t, `[{"claim":"groups","value":"admins","roles":["admin"],"institutions_claim":"of"},{"claim":"groups","value":"siem","roles":["auditor"],"institutions":["acme"]}]`,
		oidctest.Account{Subject: "ann", Name: "Ann Lee", Email: "ann@example.edu", Claims: map[string]any{"groups": "admins", "of": []string{"acme"}}}, oidctest.Account{Subject: "bob"})
	s.publish(t, [][]byte{[]byte(acme("a1", time.Hour, ""))})
	b := newBrowser(t, s)
	b.want(401, "GET", "/v1/session", "", "")
	if status := b.signIn(provider, "ann"); status != 200 {
		t.Fatalf("signing in: %d", status)
	}
	var who struct{ ID, Name, Email, Session string }
	if err := json.Unmarshal([]byte(b.want(200, "GET", "/v1/session", "same-origin", "")), &who); err != nil || who.Name != "Ann Lee" || who.ID != "oidc:ann" || who.Session == "" {
		t.Errorf("%+v %v", who, err)
	}
	b.want(200, "GET", "/v1/institutions/acme/actions", "same-origin", "")
	b.want(404, "GET", "/v1/institutions/other/actions", "same-origin", "")
	b.want(403, "GET", "/v1/tokens", "same-origin", "")
	b.want(403, "POST", "/v1/institutions/acme/restores", "cross-site", `{}`)
	b.want(403, "DELETE", "/v1/session", "cross-site", "")
	b.want(403, "DELETE", "/v1/session", "same-site", "")
	b.want(400, "POST", "/v1/institutions/acme/restores", "same-origin", `{}`)
	u, _ := url.Parse(s.url)
	old := b.client.Jar.Cookies(u)
	b.want(204, "DELETE", "/v1/session", "same-origin", "")
	b.want(401, "GET", "/v1/session", "same-origin", "")
	b.client.Jar.SetCookies(u, old)
	b.want(401, "GET", "/v1/institutions/acme/actions", "same-origin", "")

	stranger := newBrowser(t, s)
	if status := stranger.signIn(provider, "bob"); status != 403 {
		t.Errorf("somebody for whom there is no rule: %d", status)
	}
	stranger.want(401, "GET", "/v1/session", "", "")
	if status := stranger.signIn(provider, ""); status != 403 {
		t.Errorf("somebody who refuses: %d", status)
	}
	// What another browser began is nobody's to end here: a forged sign-in.
	begun := provider.SignIn(t, newBrowser(t, s).client, s.url+"/v1/sign-in", "ann")
	stranger.want(403, "GET", begun.RequestURI(), "cross-site", "")

	// Programs: a token of the provider, for its audience.
	if status, _, body := s.send(t, provider.AccessToken(t, nil), "GET", "/v1/institutions/acme/actions", "", "", nil); status != 200 {
		t.Errorf("a program: %d %s", status, body)
	}
	if status, _, _ := s.send(t, provider.UserTokens(t, "ann").ID, "GET", "/v1/institutions/acme/actions", "", "", nil); status != 401 {
		t.Errorf("an ID token as a program's: %d", status)
	}
	provider.Fail(t, oidctest.Unavailable)
	defer provider.Fail(t, oidctest.Works)
	if status, _, _ := s.send(t, s.token, "GET", "/v1/institutions/acme/actions", "", "", nil); status != 200 {
		t.Errorf("a token of our own while the provider is away: %d", status)
	}
}

// Cookies are for browsers' eyes only: HttpOnly, SameSite=Strict; and an API token opens a
// session that ends with it.
func TestSessionByToken(t *testing.T) {
	s := startService(t)
	made := s.createToken(t, `{"name":"ann","roles":["admin"],"institutions":["acme"]}`)
	b := newBrowser(t, s)
	b.want(401, "POST", "/v1/session", "same-origin", `{"token":"al_xxxxxxxxxx_nothing"}`)
	b.want(403, "POST", "/v1/session", "cross-site", fmt.Sprintf(`{"token":%q}`, made.Token))
	b.want(400, "POST", "/v1/session", "same-origin", `{"tok":"x"}`)
	status, h, body := b.send("POST", "/v1/session", "same-origin", fmt.Sprintf(`{"token":%q}`, made.Token))
	cookie := h.Get("Set-Cookie")
	if status != 200 || !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Strict") || strings.Contains(cookie, made.Token) || strings.Contains(body, made.Token) {
		t.Fatalf("%d %s %s", status, cookie, body)
	}
	b.want(200, "GET", "/v1/institutions/acme/actions", "same-origin", "")
	var list struct{ Data []struct{ ID, Who string } }
	s.get(t, "/v1/sessions", &list)
	if len(list.Data) != 1 || list.Data[0].Who != made.ID {
		t.Fatalf("%+v", list)
	}
	if status, _, _ := s.send(t, s.token, "DELETE", "/v1/sessions/"+list.Data[0].ID, "", "", nil); status != 204 {
		t.Errorf("ended by an operator: %d", status)
	}
	b.want(401, "GET", "/v1/institutions/acme/actions", "same-origin", "")
	b.want(200, "POST", "/v1/session", "same-origin", fmt.Sprintf(`{"token":%q}`, made.Token))
	if status, _, _ := s.send(t, s.token, "DELETE", "/v1/tokens/"+made.ID, "", "", nil); status != 204 {
		t.Errorf("revoked: %d", status)
	}
	b.want(401, "GET", "/v1/institutions/acme/actions", "same-origin", "")
	s.settle(t)
	ids := s.codes(t, "acme")
	for code, n := range map[string]int{"token_created": 1, "token_revoked": 1, "signed_in": 2, "signed_out": 1} {
		if ids["institution.actionlog."+code] != n {
			t.Errorf("%s: %d, want %d (%v)", code, ids["institution.actionlog."+code], n, ids)
		}
	}
}

// Support sees no institution until it says why, and for how long; that stands in the
// institution's log, and so does every search.
func TestSupportIsTakenUp(t *testing.T) {
	t.Parallel()
	provider, s := withProvider(t, `[{"claim":"groups","value":"staff","roles":["support"]}]`,
		oidctest.Account{Subject: "sam", Name: "Sam Staff", Claims: map[string]any{"groups": []string{"staff"}}})
	s.publish(t, [][]byte{[]byte(acme("a1", time.Hour, ""))})
	b := newBrowser(t, s)
	if status := b.signIn(provider, "sam"); status != 200 {
		t.Fatalf("signing in: %d", status)
	}
	b.want(404, "GET", "/v1/institutions/acme/actions", "same-origin", "")
	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for _, bad := range []string{`{"institution":"acme","until":"` + until + `"}`, `{"institution":"acme","reason":"T-1"}`, `{"institution":"acme","reason":"T-1","until":"2099-01-01T00:00:00Z"}`, `{"institution":"_platform","reason":"x","until":"` + until + `"}`} {
		b.want(400, "POST", "/v1/support", "same-origin", bad)
	}
	b.want(201, "POST", "/v1/support", "same-origin", `{"institution":"acme","reason":"ticket T-17","until":"`+until+`"}`)
	b.want(200, "GET", "/v1/institutions/acme/actions?any=x", "same-origin", "")
	b.want(404, "GET", "/v1/institutions/other/actions", "same-origin", "")
	b.want(204, "DELETE", "/v1/support/acme", "same-origin", "")
	b.want(404, "DELETE", "/v1/support/acme", "same-origin", "")
	b.want(404, "GET", "/v1/institutions/acme/actions", "same-origin", "")
	s.settle(t)
	codes := s.codes(t, "acme")
	for _, code := range []string{"support_taken_up", "searched", "support_ended"} {
		if codes["institution.actionlog."+code] != 1 {
			t.Errorf("%s: %v", code, codes)
		}
	}
	// Staff have the display name, and the reason can be found.
	_, _, found := s.send(t, s.token, "GET", "/v1/institutions/acme/actions?action=institution.actionlog.searched&any=T-17", "", "", nil)
	if !strings.Contains(string(found), "OpenLearning System") || strings.Contains(string(found), "Sam") || !strings.Contains(string(found), "ticket T-17") {
		t.Errorf("%s", found)
	}
}

// codes counts an institution's actions by code.
func (s *service) codes(t *testing.T, institution string) map[string]int {
	t.Helper()
	var answer struct {
		Data []struct {
			Document struct{ Action struct{ Code string } }
		}
	}
	s.get(t, "/v1/institutions/"+institution+"/actions?limit=1000", &answer)
	counts := map[string]int{}
	for _, d := range answer.Data {
		counts[d.Document.Action.Code]++
	}
	return counts
}

type madeToken struct{ ID, Token string }

// createToken makes a token with the service's first one.
func (s *service) createToken(t *testing.T, body string) (made madeToken) {
	t.Helper()
	status, _, answer := s.send(t, s.token, "POST", "/v1/tokens", "application/json", "", []byte(body))
	if err := json.Unmarshal(answer, &made); err != nil || status != 201 {
		t.Fatalf("%d %s %v", status, answer, err)
	}
	return made
}

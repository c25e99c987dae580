package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"actionlog/internal/oidctest"

	"gopkg.in/yaml.v3"
)

// docs/owasp.md has all ten risks, and each test that it names is there.
func TestOWASPTableNamesTests(t *testing.T) {
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "docs", "owasp.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests := testNames(t, root)
	rows := regexp.MustCompile(`(?m)^\| API(\d+)\b.*$`).FindAllStringSubmatch(string(text), -1)
	if len(rows) != 10 {
		t.Errorf("%d of ten risks", len(rows))
	}
	for i, row := range rows {
		named := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(row[0], -1)
		if row[1] != fmt.Sprint(i+1) || len(named) == 0 {
			t.Errorf("row %d: %.60s names %d tests", i+1, row[0], len(named))
		}
		for _, name := range named {
			if !tests[name[1]] {
				t.Errorf("API%s: there is no %s", row[1], name[1])
			}
		}
	}
}

// Nor does docs/security.md name a test that is not there.
func TestSecurityNamesTests(t *testing.T) {
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests, named := testNames(t, root), regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(string(text), -1)
	if len(named) < 20 {
		t.Errorf("it names %d tests", len(named))
	}
	for _, name := range named {
		if !tests[name[1]] {
			t.Errorf("there is no %s", name[1])
		}
	}
}

// testNames are the tests of the repository.
func testNames(t *testing.T, root string) map[string]bool {
	t.Helper()
	tests, function := map[string]bool{}, regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range function.FindAllSubmatch(source, -1) {
			tests[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}

// API3: nobody sets what is the service's to set.
func TestMassAssignment(t *testing.T) {
	s := startService(t)
	s.publish(t, [][]byte{[]byte(acme("a1", time.Hour, ""))})
	admin := s.createToken(t, `{"name":"acme's","institutions":["acme"]}`)
	const restores = "/v1/institutions/acme/restores"
	for _, member := range []string{`"status":"granted"`, `"id":"x"`, `"institution":"other"`, `"steps":[]`, `"progress":{}`, `"expires_at":"2099-01-01T00:00:00Z"`, `"created_at":"2099-01-01T00:00:00Z"`} {
		if status, _, body := s.send(t, admin.Token, "POST", restores, "application/json", "", []byte(`{"from":"2020-01-01","to":"2020-01-01","reason":"x",`+member+`}`)); status != 400 {
			t.Errorf("a restore with %s: %d %s", member, status, body)
		}
	}
	for _, member := range []string{`"id":"x"`, `"token":"al_x_y"`, `"hash":[]`, `"institution":"other"`, `"used_at":"2099-01-01T00:00:00Z"`, `"created_at":"2099-01-01T00:00:00Z"`, `"person":true`, `"grants":[]`} {
		if status, _, body := s.send(t, s.token, "POST", "/v1/tokens", "application/json", "", []byte(`{"name":"x","institutions":["acme"],`+member+`}`)); status != 400 {
			t.Errorf("a token with %s: %d %s", member, status, body)
		}
	}
	// What a document says of the service's own members stays a word of the document.
	document := acme("claims", 0, `"position":"s1.1","received_at":"2000-01-01T00:00:00Z","day":"2000-01-01","actor_masked":true,"warnings":["x"]`)
	if status, body := s.post(t, "application/json", document); status != 201 {
		t.Fatalf("%d %s", status, body)
	}
	s.settle(t)
	var r struct{ Day, Position string }
	s.get(t, "/v1/institutions/acme/actions/claims", &r)
	if r.Day == "2000-01-01" || r.Position == "s1.1" {
		t.Errorf("%+v", r)
	}
}

// API7: the service asks no address that comes in a request: in a parameter, a member, a
// header, a document or a token.
func TestNothingIsFetched(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	canary := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer canary.Close()
	f := oidctest.NewForger(t)
	config := filepath.Join(t.TempDir(), "oidc.json")
	text := fmt.Sprintf(`{"issuer":%q,"client_id":"c","redirect_url":"http://127.0.0.1:1/v1/sign-in/callback","audience":"actionlog","rules":[{"claim":"g","value":"v","roles":["auditor"],"institutions":["acme"]}]}`, f.Issuer)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startService(t, "--oidc-config", config)
	at := canary.URL + "/x"
	for _, r := range attackRoutes(t) {
		path := strings.NewReplacer("{institution}", "acme", "{id}", "a1", "{position}", "x.1", "{of}", "acme").Replace(r.path)
		if strings.HasSuffix(r.path, "/rotate") || r.method == http.MethodDelete || r.path == "/v1/sign-in" || strings.HasSuffix(r.path, "/tail") { // a tail goes on for minutes
			continue
		}
		for _, name := range append(queryNames(t), "url", "uri", "callback", "redirect_uri", "issuer", "webhook", "next") {
			s.send(t, s.token, r.method, path+"?"+name+"="+urlEscape(at), "", "", nil)
		}
		for _, body := range []string{`{"reason":%q,"from":%q}`, `{"url":%q,"filter":{"any":%q}}`, `{"name":%q,"token":%q}`} {
			s.send(t, s.token, r.method, path, "application/json", "", fmt.Appendf(nil, body, at, at))
		}
	}
	for _, name := range []string{"redirect_uri", "next", "return_to", "issuer"} { // the one redirect goes to the provider
		req := httptest.NewRequest(http.MethodGet, s.url+"/v1/sign-in?"+name+"="+urlEscape(at), nil)
		req.RequestURI = ""
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if to := resp.Header.Get("Location"); !strings.HasPrefix(to, f.Issuer+"/") || strings.Contains(to, urlEscape(canary.URL)) {
			t.Errorf("%s: sent to %q", name, to)
		}
	}
	document := acme("a1", 0, fmt.Sprintf(`"request":{"url":%q,"method":"GET"},"origin":{"ip":%q},"$schema":%q,"details":{"href":%q}`, at, at, at, at))
	if status, body := s.post(t, "application/json", document); status != 201 {
		t.Errorf("%d %s", status, body)
	}
	for _, header := range []map[string]any{{"jku": at}, {"x5u": at}, {"kid": at}, {"jku": f.AttackerURL}, {"jwk": map[string]any{"jku": at}}} {
		header["alg"], header["typ"] = "RS256", "at+jwt"
		for _, claims := range []map[string]any{{}, {"iss": canary.URL}, {"iss": f.AttackerURL}} {
			if status, _, _ := s.send(t, f.Sign(header, f.Claims(claims), f.AttackerRSA), "GET", "/v1/institutions/acme/actions", "", "", nil); status != 401 {
				t.Errorf("%v %v: %d", header, claims, status)
			}
		}
	}
	s.settle(t)
	if n := asked.Load() + int64(f.AttackerRequests()); n != 0 {
		t.Errorf("the service asked %d times", n)
	}
}

// queryNames are all parameters of openapi.yaml.
func queryNames(t *testing.T) (names []string) {
	t.Helper()
	var api struct {
		Components struct {
			Parameters map[string]struct{ Name, In string }
		}
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "openapi.yaml"))
	if err == nil {
		err = yaml.Unmarshal(text, &api)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range api.Components.Parameters {
		if p.In == "query" {
			names = append(names, p.Name)
		}
	}
	return names
}

// API8: every answer, also of what goes wrong, has the headers that keep browsers from
// making anything of it, lets no other site read it, and says nothing of what is behind.
func TestSecureAnswers(t *testing.T) {
	s := startService(t)
	inside := regexp.MustCompile(`(?i)goroutine|\.go:\d|sqlite|nats:|gin-gonic|panic|/tmp/|select .* from`)
	for _, r := range attackRoutes(t) {
		path := strings.NewReplacer("{institution}", "acme", "{id}", "%ff", "{position}", "x", "{of}", "x", "{view}", "x", "{file}", "x").Replace(r.path)
		for _, token := range []string{s.token, "nobody"} {
			status, h, body := s.send(t, token, r.method, path+"?x=%ff", "", "", []byte("{"))
			cache := "no-store"
			if strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'; script-src 'self'") && !strings.HasPrefix(path, "/v1/") {
				cache = "no-cache" // the page, which holds nobody's data
			}
			for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": cache, "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin", "Access-Control-Allow-Origin": "", "Server": "", "X-Powered-By": ""} {
				if h.Get(name) != want {
					t.Errorf("%s %s: %d with %s: %q", r.method, path, status, name, h.Get(name))
				}
			}
			if h.Get("Content-Security-Policy") == "" || h.Get("X-Request-Id") == "" {
				t.Errorf("%s %s: %d without a policy or an ID", r.method, path, status)
			}
			if status >= 400 && r.path != "/metrics" && r.path != "/readyz" && inside.Match(body) {
				t.Errorf("%s %s: %d tells of the inside: %.300s", r.method, path, status, body)
			}
		}
	}
	// API9: nothing else is there, for whoever has every role.
	for _, path := range []string{"/index.html", "/assets", "/assets/", "/debug/pprof/", "/debug/vars", "/debug/pprof/heap", "/swagger", "/docs", "/.env", "/.git/config", "/admin", "/v0/institutions", "/v2/institutions", "/V1/institutions", "/v1", "/v1/", "/v1/institutions/", "/graphql", "/actuator", "/server-status", "/robots.txt", "/varz", "/jsz", "/_search", "/_cat/indices", "/openapi.json"} {
		if status, _, body := s.send(t, s.token, "GET", path, "", "", nil); status != 404 {
			t.Errorf("%s: %d %.100s", path, status, body)
		}
	}
}

// API8: TLS 1.2 is the oldest; what is spoken without TLS at such an address is refused;
// browsers are told to come with TLS only, and cookies are bound to the host.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	certificates(t, dir)
	address := serveTLS(t, dir)
	for version, good := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version})
		if (err == nil) != good {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err == nil {
			conn.Close()
		}
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, Timeout: time.Minute}
	defer client.CloseIdleConnections()
	ask := func(scheme string) (*http.Response, string) {
		resp, err := client.Get(scheme + "://" + address + "/v1/session")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return resp, string(body)
	}
	if resp, body := ask("https"); resp.StatusCode != 401 || resp.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%s %v %s", resp.Status, resp.Header, body)
	}
	if resp, body := ask("http"); resp.StatusCode != 400 {
		t.Errorf("without TLS: %s %s", resp.Status, body)
	}
}

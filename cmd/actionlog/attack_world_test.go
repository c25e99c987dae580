package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

// foreignMark stands in all that the institution other has. No answer to acme may hold it,
// and no attack sends it.
const foreignMark = "zq7-only-of-other"

// attackWorld is a service with two institutions that share IDs, names and addresses; what
// acme's people hold, and what of other's they may have heard of.
type attackWorld struct {
	*service
	address                                     string            // host:port that attacks go to
	tokens                                      map[string]string // acme's, by role
	otherToken, otherCookie                     string            // other's own, which no attack has
	restore, session, tokenID, cursor, position string            // other's: IDs, a cursor of its list, a sealed position
	restoresCursor, dead, acmeCookie, export    string
	webhooks                                    [2]string // the second is there to be removed
	searches                                    [3]string // the second to be removed, the third to be changed
	routes                                      []attackRoute
}

// attackRoute is an operation of openapi.yaml.
type attackRoute struct {
	method, path string
	body, public bool
}

func newAttackWorld(t *testing.T) *attackWorld {
	t.Helper()
	w := &attackWorld{service: startService(t), tokens: map[string]string{}, routes: attackRoutes(t)}
	w.address = strings.TrimPrefix(w.url, "http://")
	w.publish(t, attackActions())
	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for _, role := range []string{"admin", "auditor", "publisher", "support"} {
		w.tokens[role] = w.createToken(t, fmt.Sprintf(`{"name":"acme's","roles":[%q],"institutions":["acme"],"reason":"T-1","expires_at":%q}`, role, until)).Token
	}
	made := w.createToken(t, `{"name":"`+foreignMark+`","roles":["admin","publisher"],"institutions":["other"]}`)
	w.tokenID, w.otherToken = made.ID, made.Token
	w.acmeCookie, _ = w.signInWith(t, w.tokens["admin"])
	w.otherCookie, w.session = w.signInWith(t, w.otherToken)
	_, _, body := w.send(t, w.otherToken, "POST", "/v1/institutions/other/restores", "application/json", "", []byte(`{"from":"2020-01-01","to":"2020-01-02","reason":"`+foreignMark+`"}`))
	w.restore = w.member(t, body, "id")
	w.send(t, w.otherToken, "POST", "/v1/institutions/other/restores", "application/json", "", []byte(`{"from":"2020-01-01","to":"2020-01-02","reason":"`+foreignMark+`"}`))
	eventually(t, "other's requests stand in its log", func() bool { return w.codes(t, "other")["institution.restore.requested"] == 2 })
	_, _, body = w.send(t, w.otherToken, "GET", "/v1/institutions/other/actions?limit=1", "", "", nil)
	w.cursor, w.position = w.member(t, body, "page", "next"), w.member(t, body, "data", "0", "position")
	eventually(t, "what the restores will read is known", func() bool {
		_, _, list := w.send(t, w.otherToken, "GET", "/v1/institutions/other/restores", "", "", nil)
		return strings.Count(string(list), `"estimate"`) == 2
	})
	_, _, body = w.send(t, w.otherToken, "GET", "/v1/institutions/other/restores?limit=1", "", "", nil)
	w.restoresCursor = w.member(t, body, "page", "next")
	w.export = w.exportOf(t, w.otherToken, "other")
	for i := range w.webhooks {
		_, _, body = w.send(t, w.otherToken, "POST", "/v1/institutions/other/webhooks", "application/json", "", []byte(`{"name":"`+foreignMark+`","url":"https://receiver.invalid/x","filter":{"action":"that.nobody.does"}}`))
		w.webhooks[i] = w.member(t, body, "id")
	}
	for i := range w.searches {
		_, _, body = w.send(t, w.otherToken, "POST", "/v1/institutions/other/searches", "application/json", "", fmt.Appendf(nil, `{"name":"%s %d"}`, foreignMark, i))
		w.searches[i] = w.member(t, body, "id")
	}
	w.dead = w.somePositions(t)[0]
	w.settle(t)
	return w
}

// exportOf makes an export job of an institution, and waits for its file.
func (w *attackWorld) exportOf(t *testing.T, token, institution string) string {
	t.Helper()
	path := "/v1/institutions/" + institution + "/exports"
	_, _, body := w.send(t, token, "POST", path, "application/json", "", []byte(`{"format":"csv","filter":{"any":"`+foreignMark+`"}}`))
	id := w.member(t, body, "id")
	eventually(t, "its file is there, and its end is in the log", func() bool {
		_, _, body := w.send(t, token, "GET", path+"/"+id, "", "", nil)
		return w.member(t, body, "status") == "ready" && w.codes(t, institution)["institution.actionlog.exported"] > 0
	})
	return id
}

// attackActions are acme's and other's: the same people with the same IDs in both, and
// other's mark in all texts of other's.
func attackActions() (lines [][]byte) {
	for i := range 12 {
		for _, institution := range []string{"acme", "other"} {
			text, id := "of acme", fmt.Sprintf("a%d", i)
			if institution == "other" {
				text = foreignMark
			}
			if institution == "other" && i == 11 {
				id = "only-other"
			}
			line := acme(id, time.Duration(i)*time.Hour, `"summary":"`+text+`","course":{"id":"c1","title":"Craft `+text+`"},"class":{"id":"k1","title":"Craft `+text+`"},`+
				`"targets":[{"kind":"learner","id":"u2","name":"Melody Wang `+text+`","email":"melody@shared.example"}]`)
			line = strings.Replace(line, `{"kind":"user"}`, `{"kind":"user","id":"u1","name":"Ann Lee","email":"ann@shared.example"}`, 1)
			lines = append(lines, []byte(strings.Replace(line, `{"id":"acme"}`, `{"id":"`+institution+`"}`, 1)))
		}
	}
	return lines
}

// member is a text in a JSON answer.
func (w *attackWorld) member(t *testing.T, body []byte, path ...string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	for _, name := range path {
		switch x := v.(type) {
		case map[string]any:
			v = x[name]
		case []any:
			v = x[0]
		}
	}
	text, ok := v.(string)
	if !ok || text == "" {
		t.Fatalf("%v is not in %s", path, body)
	}
	return text
}

// signInWith opens a session and returns its cookie and its ID.
func (w *attackWorld) signInWith(t *testing.T, token string) (cookie, id string) {
	t.Helper()
	status, h, body := w.send(t, "", "POST", "/v1/session", "application/json", "", fmt.Appendf(nil, `{"token":%q}`, token))
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	cookie, _, _ = strings.Cut(h.Get("Set-Cookie"), ";")
	return cookie, w.member(t, body, "session")
}

// attackRoutes are all operations that openapi.yaml has: a new one is attacked as soon as
// it stands there, and TestOpenAPIKnowsEveryRoute sees to that.
func attackRoutes(t *testing.T) (routes []attackRoute) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var api struct {
		Paths map[string]map[string]struct {
			Security    *[]any `yaml:"security"`
			RequestBody any    `yaml:"requestBody"`
		} `yaml:"paths"`
	}
	if err := yaml.Unmarshal(text, &api); err != nil {
		t.Fatal(err)
	}
	for path, methods := range api.Paths {
		for method, o := range methods {
			routes = append(routes, attackRoute{strings.ToUpper(method), path, o.RequestBody != nil, o.Security != nil && len(*o.Security) == 0})
		}
	}
	slices.SortFunc(routes, func(a, b attackRoute) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	if len(routes) < 64 {
		t.Fatalf("openapi.yaml has only %d operations", len(routes))
	}
	return routes
}

// ofInstitution tells whether the route is one of an institution's data. The page's
// addresses name one too, and have nothing of it.
func (r attackRoute) ofInstitution() bool {
	return strings.HasPrefix(r.path, "/v1/institutions/{institution}/")
}

// idOf is an ID of other's for the route.
func (w *attackWorld) idOf(r attackRoute) string {
	if r.method == http.MethodDelete && strings.Contains(r.path, "/webhooks/") {
		return w.webhooks[1]
	}
	if i := map[string]int{http.MethodDelete: 1, http.MethodPut: 2}[r.method]; strings.Contains(r.path, "/searches/") {
		return w.searches[i]
	}
	for part, id := range map[string]string{"/restores/": w.restore, "/exports/": w.export, "/webhooks/": w.webhooks[0], "/sessions/": w.session, "/tokens/": w.tokenID} {
		if strings.Contains(r.path, part) {
			return id
		}
	}
	return "a1"
}

// target is the route's address for an institution, as it is written in the path.
func (w *attackWorld) target(r attackRoute, institution string) string {
	return w.targetID(r, institution, w.idOf(r))
}

func (w *attackWorld) targetID(r attackRoute, institution, id string) string {
	path := strings.NewReplacer("{institution}", institution, "{id}", id, "{position}", w.dead, "{of}", "other", "{view}", "list", "{file}", "index.js").Replace(r.path)
	switch {
	case strings.HasSuffix(path, "/facets"):
		path += "?field=actor"
	case strings.HasSuffix(path, "/completions"), strings.HasSuffix(path, "/query"):
		path += "?q=target:melody"
	case strings.HasSuffix(path, "/tail"), strings.HasSuffix(path, "/feed"):
		path += "?since=2020-01-01T00:00:00Z"
	case strings.HasSuffix(path, "/people"):
		path += "?q=melody"
	case strings.HasSuffix(path, "/courses"), strings.HasSuffix(path, "/classes"):
		path += "?q=craft"
	}
	return path
}

// snapshot is all that other has, by itself and by operators: it is to be the same after
// all attacks.
func (w *attackWorld) snapshot(t *testing.T) map[string]string {
	t.Helper()
	w.settle(t)
	about := regexp.MustCompile(`,?"(took_ms|complete_through|used_at|from|to|defaulted)":("[^"]*"|\d+)`)
	all := map[string]string{}
	for _, path := range []string{"/v1/institutions/other/actions?limit=1000&total=exact", "/v1/institutions/other/restores", "/v1/institutions/other/exports", "/v1/institutions/other/people?q=melody"} {
		status, _, body := w.send(t, w.otherToken, "GET", path, "", "", nil)
		all[path] = fmt.Sprint(status, " ", about.ReplaceAllString(string(body), ""))
	}
	for _, path := range []string{"/v1/tokens", "/v1/dead-letters", "/v1/reindex"} {
		all[path] = about.ReplaceAllString(w.send1(t, path), "")
	}
	var list struct{ Data []struct{ ID, Who string } }
	w.get(t, "/v1/sessions", &list)
	for _, x := range list.Data {
		if x.Who == w.tokenID {
			all["sessions"] += x.ID + " "
		}
	}
	return all
}

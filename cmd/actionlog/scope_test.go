package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func urlEscape(s string) string { return url.QueryEscape(s) }

// The three worked examples of the product, as they are written.
func TestWorkedExamples(t *testing.T) {
	t.Parallel()
	s := startService(t)
	doc := func(id string, ago time.Duration, category, code, more string) []byte {
		return []byte(fmt.Sprintf(`{"id":%q,"occurred_at":%q,"institution":{"id":"acme"},"category":%q,"action":{"code":%q},%s}`,
			id, time.Now().Add(-ago).UTC().Format(time.RFC3339), category, code, more))
	}
	day := 24 * time.Hour
	melody := `"targets":[{"kind":"administrator","id":"u1","name":"Melody Wang","email":"melody@acme.example"}],"course":{"id":"c1","title":"Arts and Craft"}`
	s.publish(t, [][]byte{
		doc("api-200", day, "api", "api.post:/users", `"actor":{"kind":"api_key","id":"k"},"request":{"method":"POST"},"response":{"code":200}`),
		doc("api-201", day, "api", "api.post:/users", `"actor":{"kind":"api_key","id":"k"},"request":{"method":"POST"},"response":{"code":201}`),
		doc("api-409", day, "api", "api.post:/users", `"actor":{"kind":"api_key","id":"k"},"request":{"method":"POST"},"response":{"code":409}`),
		doc("api-get", day, "api", "api.get:/users", `"actor":{"kind":"api_key","id":"k"},"request":{"method":"GET"},"response":{"code":200}`),
		doc("removed-old", 12*day, "course", "course.administrator.removed", `"actor":{"kind":"user","id":"u2","name":"Ann Lee"},`+melody),
		doc("removed-new", 2*day, "course", "course.administrator.removed", `"actor":{"kind":"user","id":"u2","name":"Ann Lee"},`+melody),
		doc("by-melody", 12*day, "course", "course.administrator.removed", `"actor":{"kind":"user","id":"u1","name":"Melody Wang"},"course":{"id":"c2","title":"Craft"}`),
		doc("inst-1", 89*day, "portal", "institution.role.changed", `"actor":{"kind":"user","id":"u2"}`),
		doc("inst-2", day, "institution", "institution.role.changed", `"actor":{"kind":"user","id":"u1"}`),
	})
	for query, want := range map[string][]string{
		"category=api&request_method=POST&response_code=200":                                                 {"api-200"},
		"category=api&request_method=post&response_code=2xx,409":                                             {"api-200", "api-201", "api-409"},
		"category=course&action=course.administrator.removed&range=30d&course=Arts+and+Craft":                {"removed-old", "removed-new"},
		"action=course.administrator.removed&from=now-30d&to=now-10d&course=Arts+and+Craft&user=Melody+Wang": {"removed-old"},
		"user=melody+wang&user_role=target&range=30d":                                                        {"removed-old", "removed-new"},
		"user=melody+wang&user_role=actor&range=30d":                                                         {"by-melody", "inst-2"},
		"category=institution&range=90d":                                                                     {"inst-1", "inst-2"},
		"category=portal&range=90d":                                                                          {"inst-1", "inst-2"},
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		ids, _ := s.list(t, "acme", values)
		expected := map[string]int{}
		for _, id := range want {
			expected[id] = 1
		}
		if d := cmp.Diff(expected, ids); d != "" {
			t.Errorf("%s:\n%s", query, d)
		}
	}
}

// The platform's staff: shown under the display name in lists, facets and bulk
// exports; who it really was in the details and the single export; findable by
// both names, unless configuration says nowhere.
func TestStaff(t *testing.T) {
	t.Parallel()
	line := acme("s1", time.Hour, `"summary":"Robin Helper fixed it","details":{"by":"robin@platform.example"}`)
	line = strings.Replace(line, `{"kind":"user"}`, `{"kind":"staff","id":"s-3","name":"Robin Helper","email":"robin@platform.example"}`, 1)
	base := "/v1/institutions/acme/"
	for _, test := range []struct {
		names                  string
		list, detail, findable bool // whether the real name is there
	}{{"detail", false, true, true}, {"everywhere", true, true, true}, {"nowhere", false, false, false}} {
		t.Run(test.names, func(t *testing.T) {
			s := startService(t, "--staff-names", test.names)
			s.publish(t, [][]byte{[]byte(line), []byte(acme("u1", time.Hour, ""))})
			for path, real := range map[string]bool{"actions": test.list, "export": test.list, "export?format=csv": test.list, "facets?field=actor": test.list,
				"actions/s1": test.detail, "actions/s1/export?format=csv": test.detail} {
				_, _, body := s.send(t, s.token, "GET", base+path, "", "", nil)
				if got := strings.Contains(string(body), "Robin"); got != real {
					t.Errorf("%s shows the real name: %v\n%s", path, got, body)
				}
				if got := strings.Contains(string(body), "robin@"); got != (real && !strings.HasPrefix(path, "facets")) {
					t.Errorf("%s shows the real address: %v\n%s", path, got, body)
				}
				if shown := strings.Contains(string(body), "OpenLearning System"); shown == real {
					t.Errorf("%s shows the display name: %v\n%s", path, shown, body)
				}
			}
			s.staffUnnamed(t, base, test.list)
			for query, found := range map[string]bool{"user=OpenLearning+System": test.names != "x", "user=Robin+Helper": test.findable,
				"user=robin@platform.example": test.findable, "actor=Robin+Helper": test.findable, "actor=OpenLearning+System": true, "q=actor:id:s-3": test.findable, "user=id:s-3": test.findable, "any=robin": test.findable, "any=fixed": true} {
				values, err := url.ParseQuery(query)
				if err != nil {
					t.Fatal(err)
				}
				if ids, _ := s.list(t, "acme", values); (ids["s1"] == 1) != found || ids["u1"] != 0 {
					t.Errorf("%s found %v", query, ids)
				}
			}
		})
	}
}

// staffUnnamed looks wherever else a name could show: what a filter matched, near names,
// people, a cursor, the steps of a restore, other formats and orders.
func (s *service) staffUnnamed(t *testing.T, base string, named bool) {
	t.Helper()
	for _, path := range []string{"people?q=robin", "people?q=robyn+helpr", "people?q=robin@platform.example", "people?q=s-3", "actions?user=id:s-3", "actions?user=robyn+helpr&near=include", "actions?user=@platform.example",
		"actions?limit=1&order=oldest", "histogram?user=id:s-3", "facets?field=actor&user=id:s-3", "export?format=json&user=id:s-3", "export?format=ndjson&end=line&user=@platform.example",
		"actions?actor=id:s-3", "actions?q=actor:robin", "completions?q=robin", "completions?q=actor:robin@", "completions?q=actor:id:s-3", "completions?q=user:%22robyn+helpr%22"} {
		_, h, body := s.send(t, s.token, "GET", base+path, "", "", nil)
		seen := string(body) + fmt.Sprint(h)
		if !named && (strings.Contains(seen, "Robin") || strings.Contains(seen, "robin@") && !strings.Contains(path, "robin@")) {
			t.Errorf("%s shows who it was:\n%s", path, seen)
		}
	}
}

// A token of one institution sees that one; every other is as if it were not
// there, and the operator's calls are not for it.
func TestScope(t *testing.T) {
	t.Parallel()
	s := startService(t)
	other := strings.Replace(acme("o1", time.Hour, `"summary":"secret"`), `"acme"`, `"other"`, 1)
	s.publish(t, [][]byte{[]byte(acme("a1", time.Hour, "")), []byte(other)})
	status, _, body := s.send(t, s.token, "POST", "/v1/tokens", "application/json", "", []byte(`{"name":"acme's","institutions":["acme"]}`))
	var created struct{ ID, Token string }
	if err := json.Unmarshal(body, &created); err != nil || status != 201 {
		t.Fatalf("%d %s %v", status, body, err)
	}
	for path, want := range map[string]int{
		"/v1/institutions/acme/actions": 200, "/v1/institutions/acme/actions/a1": 200, "/v1/institutions": 200, "/v1/action-types": 200,
		"/v1/institutions/other/actions": 404, "/v1/institutions/other/actions/o1": 404, "/v1/institutions/other/export": 404,
		"/v1/institutions/other/histogram": 404, "/v1/institutions/other/facets?field=actor": 404, "/v1/institutions/other/people?q=x": 404, "/v1/institutions/other/query?q=x": 404, "/v1/institutions/other/completions?q=x": 404,
		"/v1/institutions/acme/actions/o1": 404, "/v1/tokens": 403, "/v1/dead-letters": 403, "/metrics": 403, "/v1/institutions/nobody/actions": 404,
	} {
		status, _, body := s.send(t, created.Token, "GET", path, "", "", nil)
		if status != want || strings.Contains(string(body), "secret") || path == "/v1/institutions" && strings.Contains(string(body), "other") {
			t.Errorf("%s: %d, want %d: %.300s", path, status, want, body)
		}
	}
	if status, _, _ := s.send(t, created.Token, "POST", "/v1/institutions/other/actions", "application/json", "", []byte(other)); status != 404 {
		t.Errorf("ingest for another institution: %d", status)
	}
	for _, token := range []string{"", "x", "al_x_y", created.Token + "x"} {
		if status, h, _ := s.send(t, token, "GET", "/v1/institutions/acme/actions", "", "", nil); status != 401 || h.Get("WWW-Authenticate") == "" {
			t.Errorf("token %q: %d", token, status)
		}
	}
	if status, _, _ := s.send(t, s.token, "DELETE", "/v1/tokens/"+created.ID, "", "", nil); status != 204 {
		t.Errorf("revoke: %d", status)
	}
	if status, _, _ := s.send(t, created.Token, "GET", "/v1/institutions/acme/actions", "", "", nil); status != 401 {
		t.Errorf("a revoked token: %d", status)
	}
}

// What is wrong is named.
func TestBadParameters(t *testing.T) {
	t.Parallel()
	s := startService(t)
	s.publish(t, [][]byte{[]byte(acme("a1", time.Hour, "")), []byte(acme("a2", time.Hour, ""))})
	var page listAnswer
	s.get(t, "/v1/institutions/acme/actions?limit=1", &page)
	for query, parameter := range map[string]string{
		"actions?colour=red": "colour", "actions?category=curse": "category", "actions?response_code=2x": "response_code", "actions?response_code=500-400": "response_code",
		"actions?ip=10.0.0": "ip", "actions?action=-": "action", "actions?any=!!": "any", "actions?range=8d": "range", "actions?range=7d&from=now": "range", "actions?from=yesterday": "from",
		"actions?from=now&to=now-1d": "from", "actions?tz=Mars/Base": "tz", "actions?limit=0": "limit", "actions?limit=1001": "limit", "actions?limit=x": "limit",
		"actions?order=up": "order", "actions?total=all": "total", "actions?user_role=boss": "user_role", "actions?cursor=abc": "cursor", "actions?outcome=ok": "outcome",
		"actions?near=maybe": "near", "actions?actor=id:": "actor", "actions?target=-": "target", "actions?q=usr:x": "q", "actions?q=code:abc": "q", "query?q=user:": "q", "query?limit=1": "limit", "actions?q=code:200&response_code=200": "response_code", "completions?at=x": "at", "actions?user=id:": "user", "export?format=xml": "format", "export?end=line&format=csv": "end", "export?limit=3": "limit",
		"facets": "field", "facets?field=summary": "field", "histogram?interval=year": "interval", "histogram?interval=hour&from=2020-01-01": "interval",
		"people": "q", "people?q=x&limit=101": "limit", "actions/a1?day=x": "day", "actions/a1?user=x": "user",
		"actions?limit=1&category=api&cursor=" + page.Page.Next: "cursor", "actions?limit=1&order=oldest&cursor=" + page.Page.Next: "cursor",
	} {
		status, h, body := s.send(t, s.token, "GET", "/v1/institutions/acme/"+query, "", "", nil)
		var p struct{ Parameter, Detail string }
		if err := json.Unmarshal(body, &p); err != nil || status != 400 || p.Parameter != parameter || p.Detail == "" || h.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s", query, status, body)
		}
	}
	if status, _, _ := s.send(t, s.token, "GET", "/v1/institutions/other/actions?limit=1&cursor="+page.Page.Next, "", "", nil); status != 404 {
		t.Errorf("a cursor of another institution: %d", status)
	}
	if status, h, _ := s.send(t, s.token, "PUT", "/v1/institutions/acme/actions", "", "", nil); status != 405 || h.Get("Content-Type") != "application/problem+json" {
		t.Errorf("PUT: %d", status)
	}
}

// Late, future, too old, collisions, repeats.
func TestOddActions(t *testing.T) {
	t.Parallel()
	s := startService(t)
	day := 24 * time.Hour
	late, old := acme("late", 92*day, ""), acme("old", 94*day, "")
	first := acme("same", time.Hour, `"summary":"one"`)
	s.publish(t, [][]byte{[]byte(late), []byte(old), []byte(first)})
	s.publish(t, [][]byte{[]byte(strings.Replace(first, "one", "two", 1)), []byte(acme("ahead", -23*time.Hour, "")), []byte(acme("future", -25*time.Hour, ""))})
	ids, _ := s.list(t, "acme", url.Values{"from": {"now-95d"}, "to": {"now+2d"}})
	if d := cmp.Diff(map[string]int{"late": 1, "same": 1, "ahead": 1}, ids); d != "" {
		t.Error(d)
	}
	var answer struct {
		Meta struct {
			ByReason map[string]int `json:"by_reason"`
		} `json:"meta"`
	}
	s.get(t, "/v1/dead-letters", &answer)
	if d := cmp.Diff(map[string]int{"id_collision": 1, "future": 1}, answer.Meta.ByReason); d != "" {
		t.Error(d)
	}
}

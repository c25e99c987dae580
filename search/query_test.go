package search

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"actionlog"
)

// problemIn is the problem that a path answers.
func problemIn(t *testing.T, body []byte) problem {
	t.Helper()
	var p problem
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return p
}

// q finds what the parameters find, in every call that has them; and its cursor goes on.
func TestQueryFindsAsParameters(t *testing.T) {
	ask, export, _ := nearServer(t)
	for q, want := range map[string]string{
		`user:"melody wang"`:                       "2 found, exact u1 2, offered u2 1",
		"user:melodi near:include wang":            "3 found, near u2 1, near u1 2",
		"actor:ann":                                "1 found, exact u3",
		"target:ann":                               "0 found, exact u3",
		`actor:"melody wang" -actor:id:u1`:         "0 found, exact u1 2, offered u2 1, exact u1 2",
		"-kind:user":                               "0 found",
		"":                                         "4 found",
		`user:"melody wang" user_role:target`:      "0 found, exact u1 2, offered u2 1",
		`-for:"melody wang"`:                       "4 found, exact u1 2, offered u2 1",
		"from:now-1d -user:ann":                    "3 found, exact u3",
		"from:now-30d to:now-1d":                   "0 found",
		"melody type:course":                       "2 found",
		"user:\"melody wang\" user:\"ann okafor\"": "3 found, exact u1 2, offered u2 1, exact u3 1",
	} {
		if got := ask("q=" + url.QueryEscape(q)).String(); got != want {
			t.Errorf("%s: %s; want %s", q, got, want)
		}
	}
	if body := export("q=actor%3Aann"); strings.Count(string(body), "\n") != 1 {
		t.Errorf("an export: %s", body)
	}
	first := ask("q=user%3Amelody&limit=1")
	if second := ask("q=user%3Amelody&limit=1&cursor=" + first.Page.Next); len(first.Data) != 1 || len(second.Data) != 1 || string(first.Data[0]) == string(second.Data[0]) {
		t.Errorf("pages of q: %s, %s", first, second)
	}
	if m := ask("q=target%3Aann").Meta.Matched; len(m) != 1 || m[0].Filter != "target" || m[0].Value != "ann" {
		t.Errorf("matched: %+v", m)
	}
}

// A problem of q has its place in every call, also one that the store finds.
func TestProblemsOfQuery(t *testing.T) {
	server, store := newServer(t, 3)
	for _, path := range []string{"actions?", "export?", "histogram?", "facets?field=actor&", "query?"} {
		resp, body, err := get(t, server, path+"q="+url.QueryEscape("王 code:200,abc"))
		p := problemIn(t, body)
		if err != nil || resp.StatusCode != http.StatusBadRequest || p.Parameter != "q" || p.Column != 12 || p.Length != 3 || !strings.HasPrefix(p.Detail, `code: "abc" is not`) {
			t.Errorf("%s: %s", path, body)
		}
	}
	_, body, err := get(t, server, "actions?limit=1&q=type:course")
	var l listed
	if err == nil {
		err = json.Unmarshal(body, &l)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, body, _ := get(t, server, "actions?limit=1&q=type:api&cursor="+l.Page.Next); problemIn(t, body).Parameter != "cursor" {
		t.Errorf("a cursor of another q: %s", body)
	}
	store.Fault = func(call string) error {
		if call == "Page" {
			return actionlog.Invalidf("actor", "asks for too much at once")
		}
		return nil
	}
	for query, want := range map[string]string{"q=arts+actor:x": "q 12 1 actor: asks", "actor=x": "actor 0 0 actor: asks", "user=x&user_role=actor": "user 0 0 user: asks", "q=user:x+user_role:actor": "q 6 1 user: asks"} {
		_, body, err := get(t, server, "actions?"+query)
		p := problemIn(t, body)
		if got := fmt.Sprintf("%s %d %d %s", p.Parameter, p.Column, p.Length, p.Detail); err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s; want %s", query, got, want)
		}
	}
}

// What q and the parameters mean, without asking the store or the directory for anything.
func TestQueryMeaning(t *testing.T) {
	server, store := newServer(t, 3)
	store.Fault = func(call string) error { t.Errorf("the store is asked: %s", call); return nil }
	for query, want := range map[string]string{
		"": `{"data":{"filters":{},"q":"","terms":[]}}`,
		"q=user:%22melody+wang%22&outcome=-failure&range=30d": `{"data":{"filters":{"outcome":["-failure"],"range":["30d"],"user":["melody wang"]},"q":"user:\"melody wang\" -outcome:failure range:30d","terms":[{"name":"user","value":"melody wang","not":false,"start":1,"end":19}]}}`,
		"q=%E7%8E%8B+-kind:staff":                             `{"data":{"filters":{"actor_kind":["-staff"],"any":["王"]},"q":"-kind:staff 王","terms":[{"name":"any","value":"王","not":false,"start":1,"end":2},{"name":"actor_kind","value":"staff","not":true,"start":3,"end":14}]}}`,
	} {
		if _, body, err := get(t, server, "query?"+query); err != nil || string(body) != want {
			t.Errorf("%s: %s %v; want %s", query, body, err, want)
		}
	}
	for query, parameter := range map[string]string{"limit=1": "limit", "cursor=x": "cursor", "outcome=%ff": "outcome", "user=%ff": "user", "from=x": "from", "q=a&q=b": "q"} {
		resp, body, err := get(t, server, "query?"+query)
		if err != nil || resp.StatusCode != http.StatusBadRequest || problemIn(t, body).Parameter != parameter {
			t.Errorf("%s: %s", query, body)
		}
	}
}

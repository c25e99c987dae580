package search

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/archive"
	"actionlog/internal/storetest"
)

// everything is the ports that the API needs, of which each has one thing with every member
// that such a thing may have.
type everything struct{ now time.Time }

func (e everything) principal() actionlog.Principal {
	return actionlog.Principal{ID: "oidc:sam", Name: "Sam", Email: "sam@example.edu", Person: true, Session: "s1",
		Grants: []actionlog.Grant{{All: true, Roles: actionlog.Roles[:]}, {Institutions: []string{"uni"}, Roles: []actionlog.Role{actionlog.RoleAdmin}}}}
}

func (e everything) token() Token {
	return Token{ID: "t1", Name: "a token", Roles: actionlog.Roles[:], All: true, Institutions: []string{"uni"}, Reason: "T-1",
		CreatedAt: e.now, ExpiresAt: e.now, UsedAt: e.now}
}

type everyAccess struct{ everything }

func (e everyAccess) Check(_ context.Context, token string) (actionlog.Principal, error) {
	if token == "nobody" {
		return actionlog.Principal{}, actionlog.ErrNotFound
	}
	return e.principal(), nil
}
func (e everyAccess) Create(context.Context, Token) (Token, string, error) {
	return e.token(), "secret", nil
}
func (e everyAccess) Rotate(context.Context, string, time.Duration, func(Token) error) (Token, string, error) {
	return Token{ID: "t2", Roles: actionlog.Roles[:1], CreatedAt: e.now}, "secret", nil
}
func (e everyAccess) List(context.Context) ([]Token, error)         { return []Token{e.token()}, nil }
func (e everyAccess) Revoke(context.Context, string) (Token, error) { return e.token(), nil }

type everySession struct{ everything }

func (e everySession) one() Session {
	return Session{ID: "s1", Who: "oidc:sam", Name: "Sam", Email: "sam@example.edu", CreatedAt: e.now, ExpiresAt: e.now.Add(time.Hour), UsedAt: e.now}
}
func (e everySession) Open(context.Context, actionlog.Principal, string) (Session, string, error) {
	return e.one(), "secret", nil
}
func (e everySession) Check(context.Context, string) (actionlog.Principal, error) {
	return e.principal(), nil
}
func (e everySession) End(context.Context, string) (Session, actionlog.Principal, error) {
	return e.one(), e.principal(), nil
}
func (e everySession) List(context.Context) ([]Session, error) { return []Session{e.one()}, nil }

type everySupport struct{ everything }

func (e everySupport) Of(context.Context, string) ([]Support, error) {
	return []Support{{"uni", "T-1", e.now, e.now}}, nil
}
func (e everySupport) TakeUp(_ context.Context, _ string, s Support, record func(Support) error) (Support, error) {
	return s, record(s)
}
func (e everySupport) End(context.Context, string, string) (Support, error) {
	return Support{Institution: "uni", Reason: "T-1"}, nil
}

type everySignIn struct{ everything }

func (everySignIn) Begin(context.Context) (string, []byte, error) {
	return "https://provider.example/?x=y", []byte("kept"), nil
}
func (e everySignIn) Finish(context.Context, []byte, url.Values) (actionlog.Principal, error) {
	return e.principal(), nil
}
func (e everySignIn) Bearer(context.Context, string) (actionlog.Principal, error) {
	return e.principal(), nil
}

type everyRestore struct{ everything }

func (e everyRestore) one() actionlog.Restore {
	day := actionlog.DayOf(e.now).Add(-150)
	return actionlog.Restore{ID: "r1", Institution: "uni", From: day, To: day.Add(9), Filter: map[string][]string{"category": {"course"}}, Reason: "T-1",
		Status: actionlog.RestoreReady, CreatedAt: e.now, Estimate: &actionlog.RestoreSize{Actions: 1, Bytes: 2}, Progress: actionlog.RestoreProgress{Read: 3, Restored: 2, LeftOut: 1},
		Kept: []actionlog.Day{day}, Through: e.now, ExpiresAt: e.now, Problem: "the archive was away",
		Steps: []actionlog.RestoreStep{{Step: "requested", At: e.now, By: "t1", Name: "a token", Staff: true, Reason: "T-1"}}}
}
func (e everyRestore) Create(context.Context, actionlog.Restore, actionlog.Requester) (actionlog.Restore, error) {
	return actionlog.Restore{ID: "r2", Institution: "uni", Status: actionlog.RestoreRequested, From: e.one().From, To: e.one().To, CreatedAt: e.now, Steps: []actionlog.RestoreStep{{Step: "requested", At: e.now}}}, nil
}
func (e everyRestore) Get(context.Context, string, string) (actionlog.Restore, error) {
	return e.one(), nil
}
func (e everyRestore) List(context.Context, string) ([]actionlog.Restore, error) {
	return []actionlog.Restore{e.one(), e.one()}, nil
}
func (e everyRestore) step() (actionlog.Restore, error) { return e.one(), nil }
func (e everyRestore) Grant(context.Context, string, string, actionlog.Requester, string) (actionlog.Restore, error) {
	return e.step()
}
func (e everyRestore) Decline(context.Context, string, string, actionlog.Requester, string) (actionlog.Restore, error) {
	return e.step()
}
func (e everyRestore) Renew(context.Context, string, string, actionlog.Requester, string) (actionlog.Restore, error) {
	return e.step()
}
func (e everyRestore) Drop(context.Context, string, string, actionlog.Requester, string) (actionlog.Restore, error) {
	return e.step()
}
func (e everyRestore) Covered(context.Context, string) ([]actionlog.Restored, error) {
	r := e.one()
	return []actionlog.Restored{{ID: r.ID, From: r.From, To: r.To, Filter: r.Filter, Through: r.Through, ExpiresAt: r.ExpiresAt, Token: "x"}}, nil
}
func (e everyRestore) Reindex(context.Context, []actionlog.Day) ([]actionlog.DayJob, error) {
	return nil, nil
}
func (e everyRestore) Reindexing(context.Context) ([]actionlog.DayJob, error) {
	return []actionlog.DayJob{{Day: actionlog.DayOf(e.now), Status: "failed", Actions: 1, LeftOut: 1, Problem: "a disk", At: e.now}}, nil
}

// everyWebhook has a webhook of which everything is known.
type everyWebhook struct{ everything }

func (e everyWebhook) one() actionlog.Webhook {
	return actionlog.Webhook{ID: "w1", Institution: "uni", Name: "SIEM", URL: "https://siem.example.org/x", Events: actionlog.WebhookActions, Filter: map[string][]string{"outcome": {"failure"}}, Format: "json", PerMessage: 10,
		Status: actionlog.WebhookActive, CreatedAt: e.now, By: actionlog.ExportedBy{ID: "t1", Name: "x", Staff: true}, Generation: 2, Overlap: e.now.Add(time.Hour)}
}

func (e everyWebhook) Create(context.Context, actionlog.Webhook, time.Time) (actionlog.Webhook, string, error) {
	return e.one(), "whsec_AAAA", nil
}

func (e everyWebhook) Get(_ context.Context, _, id string) (actionlog.Webhook, actionlog.WebhookProgress, error) {
	switch id {
	case "w3":
		w := e.one()
		w.ID, w.Events = id, actionlog.WebhookAlerts
		return w, actionlog.WebhookProgress{}, nil
	case "x":
		return actionlog.Webhook{}, actionlog.WebhookProgress{}, actionlog.ErrNotFound
	}
	return e.one(), actionlog.WebhookProgress{At: "1", Messages: 1, Actions: 2, DeliveredAt: e.now, Through: e.now, Tries: 1, FailingFrom: e.now, NextAt: e.now, Problem: "500"}, nil
}

func (e everyWebhook) List(context.Context, string) ([]actionlog.Webhook, error) {
	return []actionlog.Webhook{e.one()}, nil
}
func (e everyWebhook) Pause(context.Context, string, string) (actionlog.Webhook, error) {
	return e.one(), nil
}
func (e everyWebhook) Resume(context.Context, string, string) (actionlog.Webhook, error) {
	return e.one(), nil
}
func (e everyWebhook) Replay(context.Context, string, string, time.Time) (actionlog.Webhook, error) {
	return e.one(), nil
}
func (e everyWebhook) Rotate(context.Context, string, string, time.Duration) (actionlog.Webhook, string, error) {
	return e.one(), "whsec_BBBB", nil
}
func (e everyWebhook) Drop(context.Context, string, string) (actionlog.Webhook, error) {
	return e.one(), nil
}
func (e everyWebhook) Test(_ context.Context, _, id string) error {
	if id == "w2" {
		return errors.New("the message was not taken: 500")
	}
	return nil
}

// everySearch has a saved search of which everything is known.
type everySearch struct{ everything }

func (e everySearch) one() actionlog.SavedSearch {
	by := actionlog.ExportedBy{ID: "t1", Name: "x", Staff: true}
	return actionlog.SavedSearch{ID: "s1", Institution: "uni", Name: "Failures", Filter: map[string][]string{"outcome": {"failure"}, "range": {"30d"}}, By: by, CreatedAt: e.now, ChangedBy: by, ChangedAt: e.now, Watch: 2, WatchedFrom: e.now,
		Alert: &actionlog.Alert{Kind: actionlog.AlertCount, MoreThan: 20, Minutes: 10, Quiet: 30, Webhook: "w3", Paused: true}}
}

func (e everySearch) Create(context.Context, actionlog.SavedSearch) (actionlog.SavedSearch, error) {
	return e.one(), nil
}
func (e everySearch) Get(_ context.Context, _, id string) (actionlog.SavedSearch, actionlog.AlertProgress, error) {
	if id == "x" {
		return actionlog.SavedSearch{}, actionlog.AlertProgress{}, actionlog.ErrNotFound
	}
	return e.one(), actionlog.AlertProgress{Watch: 2, At: "1", Count: 1, FiredAt: e.now, Through: e.now, Late: 1}, nil
}
func (e everySearch) List(context.Context, string) ([]actionlog.SavedSearch, error) {
	first := e.one()
	first.Alert = &actionlog.Alert{Kind: actionlog.AlertFirst, Of: actionlog.AlertOfIP}
	plain := e.one()
	plain.Alert = nil
	return []actionlog.SavedSearch{e.one(), first, plain}, nil
}
func (e everySearch) Change(context.Context, actionlog.SavedSearch, func(*actionlog.SavedSearch) error) (actionlog.SavedSearch, error) {
	return e.one(), nil
}
func (e everySearch) Drop(context.Context, string, string, func(*actionlog.SavedSearch) error) (actionlog.SavedSearch, error) {
	return e.one(), nil
}

type everyLetter struct{ everything }

func (e everyLetter) one() actionlog.DeadLetter {
	return actionlog.DeadLetter{Position: actionlog.Position{Stream: "s1", Sequence: 7}, ReceivedAt: e.now, Institution: "uni", Reason: actionlog.DeadInvalid, Field: "/id",
		Detail: "is missing", Subject: "actions.uni.institution", Document: e.document("dead")}
}
func (everyLetter) Add(context.Context, actionlog.DeadLetter) error { return nil }
func (e everyLetter) List(context.Context, uint64, int) ([]actionlog.DeadLetter, uint64, error) {
	binary := e.one()
	binary.Document = []byte{0xff}
	return []actionlog.DeadLetter{e.one(), binary}, 8, nil
}
func (e everyLetter) Get(context.Context, actionlog.Position) (actionlog.DeadLetter, error) {
	return e.one(), nil
}
func (everyLetter) Drop(context.Context, actionlog.Position) error { return nil }
func (everyLetter) Count(context.Context) (map[string]int64, error) {
	return map[string]int64{actionlog.DeadInvalid: 2}, nil
}

type everyArchive struct{ everything }

func (everyArchive) PublicKey(context.Context) (string, error) { return "archive+0000+AAAA", nil }
func (everyArchive) Prove(context.Context, string, string, actionlog.Position) (any, error) {
	return archive.Proof{Version: 1, Statement: "{}", Size: 2, Path: [][]byte{{1}}, Checkpoint: "x\n2\nAAAA\n"}, nil
}

func (e everything) Institutions(context.Context) ([]actionlog.Institution, error) {
	return []actionlog.Institution{{ID: "uni", Name: "A university"}, {ID: "other"}}, nil
}

// document is one of which an optional member is not what it should be: it is kept, with a
// warning.
func (e everything) document(id string) []byte {
	return fmt.Appendf(nil, `{"id":%q,"occurred_at":%q,"institution":{"id":"uni"},"category":"portal","action":{"code":"x"},"actor":{"kind":"user","id":"u1","name":"Melody Wang","email":5},"course":{"id":"c1","title":"Arts"},"origin":{"ip":"x"}}`,
		id, e.now.Add(-time.Hour).Format(time.RFC3339))
}

// every is an API that has everything, with an action.
func every(t *testing.T, change func(o *Options)) http.Handler {
	t.Helper()
	store, e := storetest.NewModel(), everything{time.Now().UTC()}
	item, err := actionlog.Parse(e.document("a1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Write(t.Context(), []actionlog.Item{item}); err != nil {
		t.Fatal(err)
	}
	o := options(store)
	o.Access, o.Sessions, o.Supports, o.SignIn, o.Restores, o.Dead, o.Archive, o.Institutions = everyAccess{e}, everySession{e}, everySupport{e}, everySignIn{e}, everyRestore{e}, everyLetter{e}, everyArchive{e}, e
	o.Exports = &Exports{Storage: files{}, Dir: t.TempDir(), Name: "p1"}
	o.Feed, o.Webhooks, o.Searches = feedOf{store}, everyWebhook{e}, everySearch{e}
	o.Account = func(context.Context) (any, error) {
		return archive.Accounts{Archived: 1, Differences: []archive.Difference{{Institution: "uni", Day: "2026-11-20", Positions: []string{"s1.1"}}}}, nil
	}
	o.Usage = func(_ context.Context, q actionlog.UsageQuery) (actionlog.UsagePage, error) {
		rows := []actionlog.Usage{{Institution: "other", From: q.From, To: q.To, Actions: 1}, {Institution: "uni", From: q.From, To: q.To, Actions: 3, Archived: 4, Bytes: 500, HasBytes: true}}
		return actionlog.UsagePage{Rows: rows, More: true, Through: actionlog.Position{Stream: "s1", Sequence: 7}, Counted: q.From.Add(1)}, nil
	}
	o.Checks = []Check{{Name: "store", About: "a folder", Run: func(context.Context) error { return nil }}, {Name: "disk", Run: func(context.Context) error { return actionlog.ErrUnavailable }, Warning: true}}
	o.Exports = &Exports{Storage: &filesInMemory{files: map[string][]byte{}}, Dir: t.TempDir(), Name: "p1"}
	if change != nil {
		change(&o)
	}
	handler, err := newAPI(t, o)
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

// said is what a handler answers.
func said(t *testing.T, handler http.Handler, token, method, path, body string, cookies ...*http.Cookie) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	req := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer "+token)
	for _, c := range cookies {
		req.AddCookie(c)
	}
	handler.ServeHTTP(w, req)
	return w
}

// Every operation is answered with all that it may answer with, and held to openapi.yaml.
func TestEveryOperation(t *testing.T) {
	e, handler := everything{time.Now().UTC()}, every(t, nil)
	of, long := "/v1/institutions/uni", "from=now-200d"
	month := e.now.Add(20 * 24 * time.Hour).Format(time.RFC3339)
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/healthz", "", 200}, {"GET", "/readyz", "", 200}, {"GET", "/openapi.yaml", "", 200}, {"GET", "/metrics?name[]=up", "", 200},
		{"GET", of + "/actions?user=melody&course=arts&tz=Europe/Paris&" + long, "", 200}, {"GET", of + "/actions?user=meldy+wang", "", 200},
		{"POST", of + "/actions", string(e.document("a2")), 201}, {"POST", of + "/actions", "[" + string(e.document("a3")) + ",{}]", 207}, {"POST", of + "/actions", "[{}]", 422},
		{"GET", of + "/actions/a1", "", 200}, {"GET", of + "/actions/a1/export", "", 200}, {"GET", of + "/actions/a1/export?format=csv", "", 200}, {"GET", of + "/actions/a1/proof", "", 200},
		{"GET", of + "/export?end=line&" + long, "", 200}, {"GET", of + "/export?format=json", "", 200}, {"GET", of + "/export?format=csv", "", 200}, {"GET", of + "/export?format=ecs&end=line", "", 200},
		{"GET", of + "/histogram?by=category&" + long, "", 200}, {"GET", of + "/facets?field=course&" + long, "", 200}, {"GET", of + "/facets?field=actor", "", 200},
		{"GET", of + "/people?q=melody", "", 200}, {"GET", of + "/courses?q=arts", "", 200}, {"GET", of + "/classes?q=x", "", 200},
		{"GET", of + "/query?q=melody&outcome=failure", "", 200}, {"GET", of + "/completions?q=user:mel&at=8", "", 200}, {"GET", of + "/tail?q=melody&since=2026-01-02T15:04:05Z", "", 200},
		{"GET", of + "/searches", "", 200}, {"GET", of + "/searches/s1", "", 200}, {"DELETE", of + "/searches/s1", "", 204},
		{"POST", of + "/searches", `{"name":"Failures","q":"melody -outcome:success","filter":{"range":"30d"},"alert":{"kind":"count","more_than":20,"minutes":10,"webhook":"w3"}}`, 201},
		{"PUT", of + "/searches/s1", `{"name":"New addresses","alert":{"kind":"first","of":"ip"}}`, 200},
		{"GET", of + "/webhooks", "", 200}, {"POST", of + "/webhooks", `{"name":"SIEM","url":"https://siem.example.org/x","filter":{"outcome":"failure"},"format":"ecs","per_message":10,"since":"now-1d"}`, 201}, {"GET", of + "/webhooks/w1", "", 200}, {"DELETE", of + "/webhooks/w1", "", 204},
		{"POST", of + "/webhooks/w1/pause", "", 200}, {"POST", of + "/webhooks/w1/resume", "", 200}, {"POST", of + "/webhooks/w1/replay", `{"since":"now-1d"}`, 200}, {"POST", of + "/webhooks/w1/rotate", `{"overlap":"1h"}`, 200},
		{"POST", of + "/webhooks/w1/test", "", 200}, {"POST", of + "/webhooks/w2/test", "", 200},
		{"GET", of + "/feed?q=melody&since=now-1d", "", 200}, {"GET", of + "/feed?format=ndjson&end=line&wait=0", "", 200}, {"GET", of + "/feed?format=ecs&end=line", "", 200},
		{"GET", "/v1/about", "", 200}, {"GET", "/", "", 200}, {"GET", "/institutions", "", 200}, {"GET", "/institutions/uni", "", 200}, {"GET", "/institutions/uni/people", "", 200},
		{"GET", "/institutions/uni/actions/a1", "", 200}, {"GET", "/restores", "", 200}, {"GET", "/favicon.svg", "", 200}, {"GET", "/licences.txt", "", 200}, {"GET", "/assets/index-1.js", "", 200}, {"GET", "/assets/nothing.js", "", 404},
		{"GET", of + "/restores?limit=1", "", 200}, {"POST", of + "/restores", `{"from":"2020-01-01","filter":{"category":"course","any":["x"]},"reason":"T-1"}`, 201},
		{"GET", of + "/restores/r1", "", 200}, {"DELETE", of + "/restores/r1", "", 200}, {"POST", of + "/restores/r1/renew", `{"reason":"x"}`, 200},
		{"POST", of + "/restores/r1/grant", "", 200}, {"POST", of + "/restores/r1/decline", "", 200},
		{"GET", "/v1/restores", "", 200}, {"GET", "/v1/reindex", "", 200}, {"POST", "/v1/reindex", `{"all":true}`, 202},
		{"GET", "/v1/accounting", "", 200}, {"GET", "/v1/usage?from=2026-11-01&by=month&limit=2", "", 200}, {"GET", "/v1/archive/key", "", 200}, {"GET", "/v1/institutions", "", 200}, {"GET", "/v1/action-types", "", 200},
		{"GET", "/v1/session", "", 200}, {"POST", "/v1/session", `{"token":"x"}`, 200}, {"DELETE", "/v1/session", "", 204}, {"GET", "/v1/sessions", "", 200}, {"DELETE", "/v1/sessions/s1", "", 204},
		{"POST", "/v1/support", `{"institution":"uni","reason":"T-1","until":"` + month + `"}`, 201}, {"DELETE", "/v1/support/uni", "", 204},
		{"GET", "/v1/tokens", "", 200}, {"POST", "/v1/tokens", `{"name":"x","institutions":["uni"]}`, 201}, {"DELETE", "/v1/tokens/t1", "", 204}, {"POST", "/v1/tokens/t1/rotate", `{"overlap":"24h"}`, 201},
		{"GET", "/v1/dead-letters", "", 200}, {"GET", "/v1/dead-letters/s1.7", "", 200}, {"DELETE", "/v1/dead-letters/s1.7", "", 204}, {"POST", "/v1/dead-letters/s1.7/replay", "", 200},
	} {
		if r := said(t, handler, "all", c.method, c.path, c.body); r.Code != c.status {
			t.Errorf("%s %s: %d %s", c.method, c.path, r.Code, r.Body)
		}
	}
	begun := said(t, handler, "", "GET", "/v1/sign-in", "")
	if back := said(t, handler, "", "GET", "/v1/sign-in/callback?code=x&state=y", "", begun.Result().Cookies()...); begun.Code != 302 || back.Code != 200 {
		t.Errorf("signing in: %d, %d %s", begun.Code, back.Code, back.Body)
	}
}

// Every operation is answered with a problem where there are too many requests, and, where
// somebody must be known, where nobody is.
func TestEveryOperationRefuses(t *testing.T) {
	handler := every(t, nil)
	crowded := every(t, func(o *Options) { o.Limits = Limits{PerAddress: 0.1} })
	for said(t, crowded, "", "GET", "/healthz", "").Code != http.StatusTooManyRequests {
	}
	for _, r := range routesOf(handler) {
		path := strings.NewReplacer(":institution", "uni", ":id", "x", ":position", "s1.1", ":of", "uni", ":view", "list", ":file", "nothing.js").Replace(r.Path)
		if w := said(t, crowded, "all", r.Method, path, ""); w.Code != http.StatusTooManyRequests {
			t.Errorf("%s %s of a crowd: %d", r.Method, path, w.Code)
		}
		if w := said(t, handler, "nobody", r.Method, path, ""); routeRoles[r.Method+" "+r.Path] != nil && w.Code != http.StatusUnauthorized {
			t.Errorf("%s %s of nobody: %d", r.Method, path, w.Code)
		}
		if routeRoles[r.Method+" "+r.Path] == nil {
			continue // these pass over parameters
		}
		if w := said(t, handler, "all", r.Method, path+"?institution=other", ""); w.Code != http.StatusBadRequest {
			t.Errorf("%s %s with a parameter that there is not: %d %s", r.Method, path, w.Code, w.Body)
		}
	}
}

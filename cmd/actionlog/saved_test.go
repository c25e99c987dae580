package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"
)

// alerts are what alerts recorded in an institution's log: the values that they name, or how
// many there were.
func (s *service) alerts(t *testing.T, institution string) (found []string) {
	t.Helper()
	var list struct {
		Data []struct {
			Document struct {
				Actor   struct{ Kind string }
				Targets []struct{ Kind, Name string }
				Details struct {
					Actionlog struct {
						Name, Value string
						Count       int
					}
				}
			}
		}
	}
	s.get(t, "/v1/institutions/"+institution+"/actions?action=institution.actionlog.alert_fired&range=7d&limit=500", &list)
	for _, r := range list.Data {
		d := r.Document
		if d.Actor.Kind != "system" || len(d.Targets) != 1 || d.Targets[0].Kind != "saved_search" || d.Targets[0].Name != d.Details.Actionlog.Name {
			t.Errorf("an alert as %+v", d)
		}
		if found = append(found, d.Details.Actionlog.Value); d.Details.Actionlog.Count > 0 {
			found[len(found)-1] = fmt.Sprint(d.Details.Actionlog.Name, " ", d.Details.Actionlog.Count)
		}
	}
	slices.Sort(found)
	return found
}

// Each address is told of once, and each burst, in the log and to the webhook, while the
// service is killed; what another institution does raises nothing; an alert is an admin's.
func TestAlerts(t *testing.T) {
	t.Parallel()
	to := &siem{t: t, seen: map[string]bool{}}
	receiver := httptest.NewServer(to)
	defer receiver.Close()
	dir := t.TempDir()
	serving := startWith(t, dir, []string{"serve", "--data", dir, "--listen", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0", "--archive-seal-age", "500ms", "--webhook-allow", "127.0.0.0/8"})
	s := connect(t, dir)
	s.publish(t, [][]byte{[]byte(acme("before", time.Hour, `"origin":{"ip":"10.0.0.1"}`))})
	s.settle(t)
	const of = "/v1/institutions/acme"
	var hook struct{ ID, Secret string }
	s.call(t, http.MethodPost, of+"/webhooks", `{"name":"pager","url":"`+receiver.URL+`/hook","events":"alerts"}`, &hook)
	to.mu.Lock()
	to.secret = hook.Secret
	to.mu.Unlock()
	s.call(t, http.MethodPost, of+"/searches", `{"name":"addresses","q":"channel:web range:7d","alert":{"kind":"first","of":"ip","webhook":"`+hook.ID+`"}}`, &struct{}{})
	s.call(t, http.MethodPost, of+"/searches", `{"name":"failures","filter":{"outcome":"failure"},"alert":{"kind":"count","more_than":9,"minutes":1440,"quiet":1440}}`, &struct{}{})
	want := []string{"failures 10"}
	for round := range 4 {
		lines := [][]byte{[]byte(acme(fmt.Sprintf("again%d", round), 0, `"origin":{"ip":"10.0.0.1","channel":"web"}`))}
		for i := range 3 {
			ip := fmt.Sprintf("10.1.%d.%d", round, i)
			want = append(want, ip)
			lines = append(lines, []byte(acme(fmt.Sprintf("new%d-%d", round, i), 0, `"origin":{"ip":"`+ip+`","channel":"web"},"outcome":"failure"`)),
				[]byte(acme(fmt.Sprintf("same%d-%d", round, i), 0, `"origin":{"ip":"`+ip+`","channel":"web"}`)),
				[]byte(acme(fmt.Sprintf("api%d-%d", round, i), 0, `"origin":{"ip":"10.2.0.1","channel":"api"}`)))
		}
		s.publish(t, lines)
		if round%2 == 0 {
			time.Sleep(time.Duration(round) * 200 * time.Millisecond)
			serving.kill(t)
			serving.start(t)
			s = connect(t, serving.dir)
		}
	}
	want = append(want, "10.0.0.1") // its first time through the web
	slices.Sort(want)
	eventually(t, "all alerts are raised", func() bool { return len(s.alerts(t, "acme")) >= len(want) })
	eventually(t, "the receiver has its alerts", func() bool { return len(to.has()) >= len(want)-1 })
	if got := s.alerts(t, "acme"); !slices.Equal(got, want) {
		t.Errorf("alerts %q\nand not %q", got, want)
	}
	if got := to.has(); len(got) != len(want)-1 {
		t.Errorf("the receiver has %d alerts, and not %d", len(got), len(want)-1)
	}
	s.alertsOfAdmins(t)
}

// alertsOfAdmins holds that who is no admin makes, changes and removes no alert, but saves
// searches, and that nobody of another institution sees them.
func (s *service) alertsOfAdmins(t *testing.T) {
	t.Helper()
	token := func(role, institution string) string {
		var made struct{ Token string }
		s.call(t, http.MethodPost, "/v1/tokens", `{"name":"`+role+`","institutions":["`+institution+`"],"roles":["`+role+`"]}`, &made)
		return made.Token
	}
	compliance, auditor, other := token("compliance", "acme"), token("auditor", "acme"), token("admin", "other")
	var list struct{ Data []struct{ ID, Name string } }
	s.get(t, "/v1/institutions/acme/searches", &list)
	if len(list.Data) != 2 || list.Data[0].Name != "addresses" {
		t.Fatalf("%+v", list)
	}
	one := "/v1/institutions/acme/searches/" + list.Data[0].ID
	alert := `{"name":"x","alert":{"kind":"first","of":"ip"}}`
	for _, c := range []struct {
		token, method, path, body string
		status                    int
	}{
		{compliance, "POST", "/v1/institutions/acme/searches", alert, 403}, {compliance, "PUT", one, `{"name":"x"}`, 403}, {compliance, "DELETE", one, "", 403},
		{compliance, "POST", "/v1/institutions/acme/searches", `{"name":"x"}`, 201}, {auditor, "POST", "/v1/institutions/acme/searches", `{"name":"y"}`, 403},
		{auditor, "GET", one, "", 200}, {other, "GET", one, "", 404}, {other, "GET", "/v1/institutions/other/searches/" + list.Data[0].ID, "", 404},
	} {
		if status, _, body := s.send(t, c.token, c.method, c.path, "application/json", "", []byte(c.body)); status != c.status {
			t.Errorf("%s %s: %d, and not %d: %s", c.method, c.path, status, c.status, body)
		}
	}
}

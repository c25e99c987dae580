package search

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"actionlog"

	"github.com/prometheus/client_golang/prometheus"
)

// A body is read in one way only: what another reader would take for something else is
// refused.
func TestBodiesHaveOneMeaning(t *testing.T) {
	w := watch(t, nil)
	for name, body := range map[string]string{
		"nothing": "", "null": "null", "an array": "[]", "a text": `"x"`, "a member that is null": `{"overlap":null}`, "a member twice": `{"overlap":"1h","overlap":"2h"}`,
		"a member in capitals": `{"Overlap":"1h"}`, "a letter that folds to one": `{"overla\u017f":"1h"}`, "an unknown member": `{"overlap":"1h","roles":["operator"]}`, "two objects": `{"overlap":"1h"}{}`,
		"something behind it": `{"overlap":"1h"}]`, "half of it": `{"overlap":"1h"`, "too much": `{"overlap":"` + strings.Repeat("1", 70_000) + `"}`, "depth": strings.Repeat(`{"overlap":`, 20_000),
	} {
		if r := w.ask("POST", "/v1/tokens/x/rotate", "operator", body); r.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, r.Code, r.Body)
		}
	}
}

// A parameter is never passed over.
func TestNoQueryIsPassedOver(t *testing.T) {
	w := watch(t, nil)
	for _, path := range []string{"/v1/tokens", "/v1/sessions", "/v1/institutions", "/v1/action-types", "/v1/dead-letters", "/v1/session", "/v1/institutions/uni/actions", "/v1/institutions/uni/actions/x", "/v1/institutions/uni/export", "/v1/institutions/uni/facets"} {
		if r := w.ask("GET", path+"?institution=other", "all", ""); r.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", path, r.Code, r.Body)
		}
	}
}

// lent is somebody with two grants: support of uni, and publisher of other.
type lent struct{ Access }

func (lent) Check(context.Context, string) (actionlog.Principal, error) {
	return actionlog.Principal{ID: "sam", Person: true, Grants: []actionlog.Grant{{Roles: []actionlog.Role{actionlog.RoleSupport}, Institutions: []string{"uni"}},
		{Roles: []actionlog.Role{actionlog.RolePublisher}, Institutions: []string{"other"}}}}, nil
}

type someRestores struct{ Restores }

func (someRestores) List(context.Context, string) ([]actionlog.Restore, error) {
	day := actionlog.DayOf(time.Now())
	one := actionlog.Restore{ID: "1", Institution: "uni", From: day, To: day, Status: actionlog.RestoreRequested, Steps: []actionlog.RestoreStep{}}
	other := one
	other.ID, other.Institution, other.Reason = "2", "other", "secret"
	return []actionlog.Restore{one, other}, nil
}

// The list of all restores has those of institutions in which the role that reads them is
// held; another role there is not enough.
func TestRolesAreNotLent(t *testing.T) {
	w := watch(t, func(o *Options) { o.Access, o.Restores = lent{}, someRestores{} })
	r := w.ask("GET", "/v1/restores", "x", "")
	if r.Code != http.StatusOK || !strings.Contains(r.Body.String(), `"uni"`) || strings.Contains(r.Body.String(), "secret") {
		t.Errorf("%d %s", r.Code, r.Body)
	}
}

// Support is taken up by people; a token's institutions are its own, and with it nobody
// writes into another's log.
func TestTokensTakeUpNoSupport(t *testing.T) {
	w := watch(t, nil)
	w.recorded()
	if r := w.ask("POST", "/v1/support", "support", `{"institution":"other","reason":"x","until":"2099-01-01T00:00:00Z"}`); r.Code != http.StatusConflict {
		t.Errorf("%d %s", r.Code, r.Body)
	}
	if all := w.recorded(); len(all) != 0 {
		t.Errorf("%+v", all)
	}
}

// Whoever invents methods makes no new series of metrics.
func TestInventedMethodsAreOneSeries(t *testing.T) {
	registry := prometheus.NewRegistry()
	w := watch(t, func(o *Options) { o.Registerer = registry })
	for _, method := range []string{"A", "B", "C", "get", "PROPFIND"} {
		w.ask(method, "/v1/tokens", "operator", "")
		w.ask(method, "/nowhere", "operator", "")
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "actionlog_http_seconds" && len(f.GetMetric()) > 2 {
			t.Errorf("%d series", len(f.GetMetric()))
		}
	}
}

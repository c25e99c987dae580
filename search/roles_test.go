package search

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"actionlog"
	"actionlog/internal/storetest"

	"github.com/gin-gonic/gin"
)

// asRole is an Access whose tokens are named after what they allow: "admin", "admin+publisher",
// for the institution uni; "all" has all roles for all institutions.
type asRole struct{ Access }

func (asRole) Check(_ context.Context, token string) (actionlog.Principal, error) {
	if token == "all" {
		return actionlog.Principal{ID: token, Grants: []actionlog.Grant{{All: true, Roles: actionlog.Roles[:]}}}, nil
	}
	g := actionlog.Grant{Institutions: []string{"uni"}}
	for name := range strings.SplitSeq(token, "+") {
		if !slices.Contains(actionlog.Roles[:], actionlog.Role(name)) {
			return actionlog.Principal{}, actionlog.ErrNotFound
		}
		g.Roles = append(g.Roles, actionlog.Role(name))
	}
	return actionlog.Principal{ID: token, Grants: []actionlog.Grant{g}}, nil
}

// Every route with every role, and with none: the table decides, for the own institution
// and for another.
func TestEveryRouteWithEveryRole(t *testing.T) {
	o := options(storetest.NewModel())
	o.Access = asRole{o.Access}
	handler, err := newAPI(t, o)
	if err != nil {
		t.Fatal(err)
	}
	status := func(method, path, token string) int {
		w := httptest.NewRecorder()
		req := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader("{"))
		req.Header.Set("Authorization", "Bearer "+token)
		handler.ServeHTTP(w, req)
		return w.Code
	}
	cases := 0
	for _, r := range routesOf(handler) {
		allowed, known := routeRoles[r.Method+" "+r.Path]
		if !known {
			t.Errorf("%s %s is in no table", r.Method, r.Path)
		}
		path := strings.NewReplacer(":institution", "uni", ":id", "x", ":position", "s1.1").Replace(r.Path)
		for _, nobody := range []string{"", "x"} {
			if got := status(r.Method, path, nobody); (got == http.StatusUnauthorized) != (allowed != nil) {
				t.Errorf("%s %s with the token %q: %d", r.Method, path, nobody, got)
			}
		}
		if allowed == nil {
			continue
		}
		for _, role := range actionlog.Roles {
			cases++
			got, may := status(r.Method, path, string(role)), slices.Contains(allowed, role)
			if got == http.StatusUnauthorized || (got == http.StatusForbidden) == may {
				t.Errorf("%s %s as %s: %d, allowed %v", r.Method, path, role, got, may)
			}
			if !strings.Contains(r.Path, ":institution") {
				continue
			}
			got = status(r.Method, strings.Replace(path, "/uni", "/other", 1), string(role))
			if role != actionlog.RoleCompliance && got != http.StatusNotFound || role == actionlog.RoleCompliance && (got == http.StatusForbidden) == may {
				t.Errorf("%s %s of another institution as %s: %d", r.Method, path, role, got)
			}
		}
		if got := status(r.Method, path, "all"); got == http.StatusForbidden || got == http.StatusUnauthorized {
			t.Errorf("%s %s with all roles: %d", r.Method, path, got)
		}
	}
	if cases < 150 {
		t.Errorf("only %d cases", cases)
	}
	// That compliance sees every institution lends its other roles none.
	if got := status("POST", "/v1/institutions/other/actions", "compliance+publisher"); got != http.StatusForbidden {
		t.Errorf("publishing for another institution as compliance and publisher: %d", got)
	}
}

// A route that nobody decided about does not start.
func TestUndecidedRoute(t *testing.T) {
	err := checkRoutes(gin.RoutesInfo{{Method: "GET", Path: "/healthz"}, {Method: "POST", Path: "/v1/new"}})
	if err == nil || !strings.Contains(err.Error(), "POST /v1/new") {
		t.Errorf("%v", err)
	}
}

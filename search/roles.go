package search

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"actionlog"

	"github.com/gin-gonic/gin"
)

// Who may what: the only table. A route that is not in it does not start.
var (
	anybody   = []actionlog.Role{actionlog.RoleAdmin, actionlog.RoleAuditor, actionlog.RoleSupport, actionlog.RoleCompliance, actionlog.RolePublisher, actionlog.RoleOperator}
	readers   = []actionlog.Role{actionlog.RoleAdmin, actionlog.RoleAuditor, actionlog.RoleSupport, actionlog.RoleCompliance}
	exporters = []actionlog.Role{actionlog.RoleAdmin, actionlog.RoleSupport, actionlog.RoleCompliance}
	// A webhook takes actions out for as long as it is there.
	administrators = []actionlog.Role{actionlog.RoleAdmin}
	restorers      = []actionlog.Role{actionlog.RoleAdmin, actionlog.RoleSupport}
	granters       = []actionlog.Role{actionlog.RoleSupport}
	publishers     = []actionlog.Role{actionlog.RolePublisher}
	operators      = []actionlog.Role{actionlog.RoleOperator}
	// A proof says at which of all institutions' positions an action stands.
	provers   = []actionlog.Role{actionlog.RoleCompliance}
	overseers = []actionlog.Role{actionlog.RoleOperator, actionlog.RoleCompliance}
)

// routeRoles are the roles of which one is needed for a route; nil: not even a token is.
var routeRoles = map[string][]actionlog.Role{
	"GET /healthz":      nil,
	"GET /readyz":       nil,
	"GET /openapi.yaml": nil,
	"GET /v1/about":     nil,

	// The page itself is nobody's secret.
	"GET /":                                    nil,
	"GET /institutions":                        nil,
	"GET /institutions/:institution":           nil,
	"GET /institutions/:institution/:view":     nil,
	"GET /institutions/:institution/:view/:id": nil,
	"GET /restores":                            nil,
	"GET /favicon.svg":                         nil,
	"GET /licences.txt":                        nil,
	"GET /assets/:file":                        nil,

	"GET /v1/sign-in":         nil, // begins to sign in
	"GET " + callbackPath:     nil,
	"POST /v1/session":        nil, // takes a token
	"GET /v1/session":         anybody,
	"DELETE /v1/session":      anybody,
	"GET /v1/sessions":        operators,
	"DELETE /v1/sessions/:id": operators,
	"POST /v1/support":        {actionlog.RoleSupport},
	"DELETE /v1/support/:of":  {actionlog.RoleSupport},

	"GET /metrics":                           operators,
	"GET /v1/accounting":                     overseers,
	"GET /v1/usage":                          operators,
	"GET /v1/institutions":                   anybody,
	"GET /v1/action-types":                   anybody,
	"GET /v1/archive/key":                    anybody,
	"GET /v1/tokens":                         operators,
	"POST /v1/tokens":                        operators,
	"DELETE /v1/tokens/:id":                  operators,
	"POST /v1/tokens/:id/rotate":             operators,
	"GET /v1/dead-letters":                   overseers,
	"GET /v1/dead-letters/:position":         overseers,
	"DELETE /v1/dead-letters/:position":      operators,
	"POST /v1/dead-letters/:position/replay": operators,
	"GET /v1/restores":                       {actionlog.RoleSupport, actionlog.RoleCompliance},
	"GET /v1/reindex":                        operators,
	"POST /v1/reindex":                       operators,

	ofInstitution("GET", "/actions"):               readers,
	ofInstitution("POST", "/actions"):              publishers,
	ofInstitution("GET", "/actions/:id"):           readers,
	ofInstitution("GET", "/actions/:id/export"):    exporters,
	ofInstitution("GET", "/actions/:id/proof"):     provers,
	ofInstitution("GET", "/export"):                exporters,
	ofInstitution("GET", "/exports"):               exporters,
	ofInstitution("POST", "/exports"):              exporters,
	ofInstitution("GET", "/exports/:id"):           exporters,
	ofInstitution("DELETE", "/exports/:id"):        exporters,
	ofInstitution("GET", "/exports/:id/content"):   exporters,
	ofInstitution("GET", "/webhooks"):              exporters,
	ofInstitution("POST", "/webhooks"):             administrators,
	ofInstitution("GET", "/webhooks/:id"):          exporters,
	ofInstitution("DELETE", "/webhooks/:id"):       administrators,
	ofInstitution("POST", "/webhooks/:id/pause"):   administrators,
	ofInstitution("POST", "/webhooks/:id/resume"):  administrators,
	ofInstitution("POST", "/webhooks/:id/replay"):  administrators,
	ofInstitution("POST", "/webhooks/:id/rotate"):  administrators,
	ofInstitution("POST", "/webhooks/:id/test"):    administrators,
	ofInstitution("GET", "/searches"):              readers,
	ofInstitution("POST", "/searches"):             exporters, // with an alert: administrators
	ofInstitution("GET", "/searches/:id"):          readers,
	ofInstitution("PUT", "/searches/:id"):          exporters,
	ofInstitution("DELETE", "/searches/:id"):       exporters,
	ofInstitution("GET", "/histogram"):             readers,
	ofInstitution("GET", "/tail"):                  readers,
	ofInstitution("GET", "/feed"):                  exporters,
	ofInstitution("GET", "/facets"):                readers,
	ofInstitution("GET", "/query"):                 readers,
	ofInstitution("GET", "/completions"):           readers,
	ofInstitution("GET", "/people"):                readers,
	ofInstitution("GET", "/courses"):               readers,
	ofInstitution("GET", "/classes"):               readers,
	ofInstitution("GET", "/restores"):              readers,
	ofInstitution("POST", "/restores"):             restorers,
	ofInstitution("GET", "/restores/:id"):          readers,
	ofInstitution("DELETE", "/restores/:id"):       restorers,
	ofInstitution("POST", "/restores/:id/renew"):   restorers,
	ofInstitution("POST", "/restores/:id/grant"):   granters,
	ofInstitution("POST", "/restores/:id/decline"): granters,
}

const institutionPath = "/v1/institutions/:institution"

func ofInstitution(method, path string) string { return method + " " + institutionPath + path }

// checkRoutes holds the routes against the table.
func checkRoutes(routes gin.RoutesInfo) error {
	var errs []error
	for _, r := range routes {
		if _, known := routeRoles[r.Method+" "+r.Path]; !known {
			errs = append(errs, fmt.Errorf("nobody decided who may %s %s", r.Method, r.Path))
		}
	}
	return errors.Join(errs...)
}

// authorize is the one place where an institution enters a request, and where a role is
// asked for. An institution that the caller has nothing to do with is as if it were not
// there.
func (s *server) authorize(c *gin.Context) {
	p, path := principal(c), c.FullPath()
	institution := c.Param("institution")
	if strings.HasPrefix(path, institutionPath) && (!actionlog.IsInstitutionID(institution) || !p.May(institution)) {
		s.deny(c, "", newProblem(http.StatusNotFound, "there is no such institution"))
		return
	}
	roles := routeRoles[c.Request.Method+" "+path]
	if !p.Allowed(institution, roles) {
		var names []string
		for _, r := range roles {
			names = append(names, string(r))
		}
		s.deny(c, institution, newProblem(http.StatusForbidden, "that is for the role %s", strings.Join(names, " / ")))
	}
}

// deny answers a request that is not for the caller, and records it: in the institution's
// log, or, where the caller has nothing to do with that, in the caller's own.
func (s *server) deny(c *gin.Context, institution string, p problem) {
	if wait, ok := s.failures.take("caller " + principal(c).ID); !ok {
		s.tooMany(c, wait, "too many of your requests were denied")
		return
	}
	s.denied(c, institution, p.Status, p.Detail)
	s.answer(c, p)
}

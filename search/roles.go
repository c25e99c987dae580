package search

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"actionlog"

	"github.com/gin-gonic/gin"
)

// Who may what: the only table. A route that is not in it does not start.
var (
	anybody    = []actionlog.Role{actionlog.RoleAdmin, actionlog.RoleAuditor, actionlog.RoleSupport, actionlog.RoleCompliance, actionlog.RolePublisher, actionlog.RoleOperator}
	readers    = []actionlog.Role{actionlog.RoleAdmin, actionlog.RoleAuditor, actionlog.RoleSupport, actionlog.RoleCompliance}
	exporters  = []actionlog.Role{actionlog.RoleAdmin, actionlog.RoleSupport, actionlog.RoleCompliance}
	restorers  = []actionlog.Role{actionlog.RoleAdmin, actionlog.RoleSupport}
	granters   = []actionlog.Role{actionlog.RoleSupport}
	publishers = []actionlog.Role{actionlog.RolePublisher}
	operators  = []actionlog.Role{actionlog.RoleOperator}
	overseers  = []actionlog.Role{actionlog.RoleOperator, actionlog.RoleCompliance}
)

// routeRoles are the roles of which one is needed for a route; nil: not even a token is.
var routeRoles = map[string][]actionlog.Role{
	"GET /healthz":      nil,
	"GET /readyz":       nil,
	"GET /openapi.yaml": nil,

	"GET /metrics":                           operators,
	"GET /v1/accounting":                     overseers,
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
	ofInstitution("GET", "/actions/:id/proof"):     readers,
	ofInstitution("GET", "/export"):                exporters,
	ofInstitution("GET", "/histogram"):             readers,
	ofInstitution("GET", "/facets"):                readers,
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

// has tells whether p has one of the roles.
func (p Principal) has(roles ...actionlog.Role) bool {
	return slices.ContainsFunc(p.Roles, func(r actionlog.Role) bool { return slices.Contains(roles, r) })
}

// may tells whether p has anything to do with an institution.
func (p Principal) may(institution string) bool {
	return institution != "" && (p.All || p.has(actionlog.RoleCompliance) || slices.Contains(p.Institutions, institution))
}

// authorize is the one place where an institution enters a request, and where a role is
// asked for. An institution that the caller has nothing to do with is as if it were not
// there.
func (s *server) authorize(c *gin.Context) {
	p, path := principal(c), c.FullPath()
	institution := c.Param("institution")
	if strings.HasPrefix(path, institutionPath) && (!actionlog.IsInstitutionID(institution) || !p.may(institution)) {
		s.answer(c, newProblem(http.StatusNotFound, "there is no such institution"))
		return
	}
	roles := routeRoles[c.Request.Method+" "+path]
	if !p.allowed(institution, roles) {
		var names []string
		for _, r := range roles {
			names = append(names, string(r))
		}
		s.answer(c, newProblem(http.StatusForbidden, "that is for the role "+strings.Join(names, " or ")))
	}
}

// allowed tells whether p has one of the roles, for an institution ("": for none). That
// compliance sees every institution lends its other roles none.
func (p Principal) allowed(institution string, roles []actionlog.Role) bool {
	own := institution == "" || p.All || slices.Contains(p.Institutions, institution)
	return slices.ContainsFunc(roles, func(r actionlog.Role) bool {
		return p.has(r) && (own || r == actionlog.RoleCompliance)
	})
}

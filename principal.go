package actionlog

import "slices"

// Principal is who asks, and what it may.
type Principal struct {
	ID    string
	Name  string
	Email string
	// Person: somebody who signed in, and not a program with a token.
	Person bool
	Grants []Grant
	// Session in which it is signed in; "": none, it sent its token with the request.
	Session string
}

// Grant is a set of roles for a set of institutions.
type Grant struct {
	Roles        []Role
	All          bool // every institution
	Institutions []string
	Reason       string // why, where that was asked for
}

func (g *Grant) names(institution string) bool {
	return g.All || slices.Contains(g.Institutions, institution)
}

func (g *Grant) has(roles ...Role) bool {
	return slices.ContainsFunc(g.Roles, func(r Role) bool { return slices.Contains(roles, r) })
}

// Has tells whether p has one of the roles, for whatever institution.
func (p Principal) Has(roles ...Role) bool {
	return slices.ContainsFunc(p.Grants, func(g Grant) bool { return g.has(roles...) })
}

// Everywhere tells whether p has something to do with every institution.
func (p Principal) Everywhere() bool {
	return p.Has(RoleCompliance) || slices.ContainsFunc(p.Grants, func(g Grant) bool { return g.All })
}

// Named are those institutions that p has something to do with by name.
func (p Principal) Named() (list []string) {
	for _, g := range p.Grants {
		list = append(list, g.Institutions...)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// May tells whether p has anything to do with an institution.
func (p Principal) May(institution string) bool {
	return institution != "" && (p.Has(RoleCompliance) || slices.ContainsFunc(p.Grants, func(g Grant) bool { return g.names(institution) }))
}

// Allowed tells whether p has one of the roles, for an institution ("": for none). That
// compliance sees every institution lends its other roles none.
func (p Principal) Allowed(institution string, roles []Role) bool {
	return slices.ContainsFunc(p.Grants, func(g Grant) bool {
		return slices.ContainsFunc(roles, func(r Role) bool {
			return g.has(r) && (institution == "" || g.names(institution) || r == RoleCompliance)
		})
	})
}

// OfPlatform tells whether p is of the platform's own staff.
func (p Principal) OfPlatform() bool {
	return slices.ContainsFunc(p.Grants, func(g Grant) bool { return slices.ContainsFunc(g.Roles, Role.OfPlatform) })
}

// AsStaff tells whether p reads an institution only as the platform's staff, and not as
// the institution's admin or auditor.
func (p Principal) AsStaff(institution string) bool {
	return p.OfPlatform() && !p.Allowed(institution, []Role{RoleAdmin, RoleAuditor})
}

// Reason is why p may look at an institution as staff, as far as it was asked for.
func (p Principal) Reason(institution string) string {
	for _, g := range p.Grants {
		if g.Reason != "" && g.names(institution) {
			return g.Reason
		}
	}
	return ""
}

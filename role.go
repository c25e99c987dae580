package actionlog

// Role is what somebody does with the log. What each role may is decided by package
// search, in one table.
type Role string

// The roles.
const (
	RoleAdmin      Role = "admin"      // of institutions: reads and exports, asks for restores
	RoleAuditor    Role = "auditor"    // reads institutions
	RoleSupport    Role = "support"    // of the platform: reads and exports named institutions for a time, grants restores
	RoleCompliance Role = "compliance" // of the platform: reads and exports every institution, sees accounts and dead letters whole
	RolePublisher  Role = "publisher"  // writes actions of institutions, and reads nothing
	RoleOperator   Role = "operator"   // health, jobs, tokens, the engine; no action's content
)

// Roles are all of them.
var Roles = [...]Role{RoleAdmin, RoleAuditor, RoleSupport, RoleCompliance, RolePublisher, RoleOperator}

// OfPlatform tells whether who has the role is of the platform's own staff.
func (r Role) OfPlatform() bool {
	return r == RoleSupport || r == RoleCompliance || r == RoleOperator
}

package actionlog

// ActionType is an entry of the catalogue: a stable code and the label that
// people read.
type ActionType struct {
	Code     string   `json:"code"`
	Label    string   `json:"label"`
	Category Category `json:"category"`
}

// catalogue lists the actions that the platform documents. The platform grows:
// a code that is not listed is accepted and shown with the label that its
// document carries. API actions (api.<method>:<route>) are never listed.
var catalogue = [...]ActionType{
	{"institution.team_member.added", "Team member added", CategoryInstitution},
	{"institution.team_member.course_assigned", "Team member assigned to course", CategoryInstitution},
	{"institution.team_member.course_removed", "Team member removed from course", CategoryInstitution},
	{"institution.role.changed", "Role changed", CategoryInstitution},
	{"institution.group.member_added", "Added to institution group", CategoryInstitution},
	{"institution.group.member_removed", "Removed from institution group", CategoryInstitution},
	{"institution.member.removed", "Removed from institution", CategoryInstitution},
	{"institution.learner.added", "Learner added", CategoryInstitution},
	{"institution.learner.enrolled", "Learner assigned to course (enrolment)", CategoryInstitution},
	{"institution.learner.unenrolled", "Learner removed from course (unenrolment)", CategoryInstitution},
	{"institution.course.added", "Course added", CategoryInstitution},
	{"institution.course.copied", "Course copied", CategoryInstitution},
	{"institution.course.linked", "Existing course added", CategoryInstitution},
	{"institution.course.categories_changed", "Course categories changed", CategoryInstitution},
	{"institution.qualification.added", "Qualification added", CategoryInstitution},
	{"institution.qualification.changed", "Qualification changed", CategoryInstitution},
	{"institution.qualification.deleted", "Qualification deleted", CategoryInstitution},
	{"course.administrator.added", "Administrator added to course", CategoryCourse},
	{"course.administrator.removed", "Administrator removed from course", CategoryCourse},
	{"course.staff.added", "Staff added to course", CategoryCourse},
	{"course.staff.removed", "Staff removed from course", CategoryCourse},
	{"course.staff.role_changed", "Staff role changed", CategoryCourse},
	{"course.learner.added", "Learner added", CategoryCourse},
	{"course.learner.removed", "Learner removed", CategoryCourse},
	{"course.report.created", "Report created", CategoryCourse},
	{"course.report.removed", "Report removed", CategoryCourse},
	{"course.report.modified", "Report modified", CategoryCourse},
	{"course.report.released", "Report released for class", CategoryCourse},
	{"course.report.class_added", "Report added to class", CategoryCourse},
	{"course.report.class_removed", "Report removed from class", CategoryCourse},
	{"course.export.created", "Export created", CategoryCourse},
	{"course.export.deleted", "Export deleted", CategoryCourse},
	{"course.export.rerun", "Export re-run", CategoryCourse},
	{"course.class.created", "Class created", CategoryCourse},
	{"course.class.deleted", "Class deleted", CategoryCourse},
}

// Catalogue returns the documented action types, in the order of the platform's
// documentation. The slice is the caller's.
func Catalogue() []ActionType { return append([]ActionType(nil), catalogue[:]...) }

// CatalogueLabel returns the label of a documented code.
func CatalogueLabel(code string) (label string, ok bool) {
	for i := range catalogue {
		if catalogue[i].Code == code {
			return catalogue[i].Label, true
		}
	}
	return "", false
}

package ecs

import (
	"strings"

	"actionlog"
)

// kind is where an action stands in the schema's hierarchy: event.kind, event.category and
// event.type.
type kind struct {
	kind     string
	category []string
	types    []string
}

// alertFired is the code of an alert of the service.
const alertFired = "institution.actionlog.alert_fired"

// kindOf is the kind of an action. The service guesses no category for what it does not
// know: a detection for deleted accounts had better miss a new action than take it for one.
func kindOf(a *actionlog.Action) kind {
	if a.Category == actionlog.CategoryAPI {
		return callKind(a)
	}
	if a.Code == alertFired {
		return kind{"alert", nil, []string{"info"}}
	}
	if k, ok := kinds[a.Code]; ok {
		return k.kind()
	}
	verb := verbOf(a.Code)
	switch {
	case strings.HasPrefix(a.Code, "institution.actionlog."):
		return fields{"configuration", verb}.kind()
	case strings.HasPrefix(a.Code, "institution.restore."):
		return fields{"database", "info"}.kind()
	}
	return fields{"", verb}.kind()
}

// callKind is the kind of a request to the platform's API, by its method.
func callKind(a *actionlog.Action) kind {
	method := a.Request.Method
	if method == "" {
		method, _, _ = strings.Cut(strings.TrimPrefix(a.Code, "api."), ":")
	}
	types := "info"
	switch strings.ToUpper(method) {
	case "GET", "HEAD", "OPTIONS":
		types = "access"
	case "POST":
		types = "creation"
	case "PUT", "PATCH":
		types = "change"
	case "DELETE":
		types = "deletion"
	}
	if a.Response != nil && (*a.Response == 401 || *a.Response == 403) {
		types += " denied"
	}
	return fields{"api", types}.kind()
}

// verbOf is the type that the last word of a code means.
func verbOf(code string) string {
	word := code[strings.LastIndexAny(code, "._")+1:]
	switch word {
	case "added", "created", "copied", "saved":
		return "creation"
	case "deleted", "removed", "dropped", "revoked":
		return "deletion"
	case "changed", "modified", "updated", "renamed", "moved", "paused", "resumed", "replayed", "rotated", "stopped":
		return "change"
	}
	return "info"
}

// fields are a category, or none, and types of events, in words.
type fields struct{ category, types string }

func (f fields) kind() kind {
	return kind{"event", strings.Fields(f.category), strings.Fields(f.types)}
}

// kinds are those of the catalogue, and of what the service records of itself. Who is
// taken out of a course still has an account: that is a change of a user, not its deletion.
var kinds = map[string]fields{
	"institution.team_member.added":           {"iam", "user creation"},
	"institution.team_member.course_assigned": {"iam", "user change"},
	"institution.team_member.course_removed":  {"iam", "user change"},
	"institution.role.changed":                {"iam", "user change"},
	"institution.group.member_added":          {"iam", "group change"},
	"institution.group.member_removed":        {"iam", "group change"},
	"institution.member.removed":              {"iam", "user deletion"},
	"institution.learner.added":               {"iam", "user creation"},
	"institution.learner.enrolled":            {"iam", "user change"},
	"institution.learner.unenrolled":          {"iam", "user change"},
	"institution.course.added":                {"configuration", "creation"},
	"institution.course.copied":               {"configuration", "creation"},
	"institution.course.linked":               {"configuration", "change"},
	"institution.course.categories_changed":   {"configuration", "change"},
	"institution.qualification.added":         {"configuration", "creation"},
	"institution.qualification.changed":       {"configuration", "change"},
	"institution.qualification.deleted":       {"configuration", "deletion"},
	"course.administrator.added":              {"iam", "user change"},
	"course.administrator.removed":            {"iam", "user change"},
	"course.staff.added":                      {"iam", "user change"},
	"course.staff.removed":                    {"iam", "user change"},
	"course.staff.role_changed":               {"iam", "user change"},
	"course.learner.added":                    {"iam", "user change"},
	"course.learner.removed":                  {"iam", "user change"},
	"course.report.created":                   {"configuration", "creation"},
	"course.report.removed":                   {"configuration", "deletion"},
	"course.report.modified":                  {"configuration", "change"},
	"course.report.released":                  {"configuration", "change"},
	"course.report.class_added":               {"configuration", "change"},
	"course.report.class_removed":             {"configuration", "change"},
	"course.export.created":                   {"file", "creation"},
	"course.export.deleted":                   {"file", "deletion"},
	"course.export.rerun":                     {"file", "creation"},
	"course.class.created":                    {"configuration", "creation"},
	"course.class.deleted":                    {"configuration", "deletion"},

	"institution.actionlog.searched":          {"database", "access"},
	"institution.actionlog.export_started":    {"database", "access"},
	"institution.actionlog.exported":          {"database", "access"},
	"institution.actionlog.export_downloaded": {"file", "access"},
	"institution.actionlog.feed_read":         {"database", "access"},
	"institution.actionlog.denied":            {"api", "access denied"},
	"institution.actionlog.signed_in":         {"authentication", "start"},
	"institution.actionlog.sign_in_failed":    {"authentication", "start"},
	"institution.actionlog.signed_out":        {"authentication", "end"},
	"institution.actionlog.token_created":     {"iam", "admin creation"},
	"institution.actionlog.token_rotated":     {"iam", "admin change"},
	"institution.actionlog.token_revoked":     {"iam", "admin deletion"},
	"institution.actionlog.support_taken_up":  {"session", "start"},
	"institution.actionlog.support_ended":     {"session", "end"},
	"institution.restore.completed":           {"database", "change"},
	"institution.restore.dropped":             {"database", "change"},
	"institution.restore.expired":             {"database", "change"},
}

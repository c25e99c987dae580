package dashboards

import "fmt"

// What the dashboards are about, in Lucene's syntax.
const (
	everything = ""
	privileged = "action.code:(institution.role.changed OR institution.team_member.* OR institution.group.* OR institution.member.removed OR " +
		"course.administrator.* OR course.staff.* OR institution.actionlog.token_*)"
	requests = "category:api"
	errors4  = "response.code:[400 TO 499]"
	errors5  = "response.code:[500 TO 599]"
	staff    = "staff:true"
	ofTheLog = "action.code:(institution.actionlog.* OR institution.restore.*)"
	exports  = "action.code:(course.export.* OR api.*exports* OR institution.actionlog.export* OR institution.actionlog.feed_read)"
	restores = "action.code:institution.restore.*"
	removals = "action.code:(*removed OR *unenrolled OR *deleted OR api.delete*)"
	bulk     = "_exists_:trace.batch_id"
)

// all are the dashboards.
func (o Options) all() []dashboard {
	from, to := o.hours()
	return []dashboard{volume(), roles(), keys(), staffAccess(), takenOut(), removed(),
		hours(fmt.Sprintf("What was done on Saturday, on Sunday, or not between %02d:00 and %02d:00 (%s).", from, to, o.zone()))}
}

// people are a table of who did it. Who is meant by the key; names are what they were
// called then, and two may have the same.
func people(name, query string, w int) panel {
	return panel{name: name, title: "Who", chart: table, query: query, by: []bucket{top("actor.key", "Actor", 50), named("actor.name", "Name", 1)}, w: w, h: 16}
}

// codes are a table of what was done.
func codes(name, query string, w int) panel {
	return panel{name: name, title: "What", chart: table, query: query, by: []bucket{top("action.code", "Action", 50)}, distinct: []counted{{"actor.key", "Actors"}}, w: w, h: 16}
}

// actions are a list of the actions themselves.
func actions(query string, columns ...string) panel {
	return panel{name: "list", title: "Actions", chart: list, query: query, columns: append([]string{"institution", "action.code", "actor.name"}, columns...), w: width, h: 18}
}

func volume() dashboard {
	return dashboard{name: "volume", title: "Action log: volume", description: "How much is done, of which kind, and how it ends.", panels: []panel{
		{name: "total", title: "Total", chart: gauge, query: everything, distinct: []counted{{"actor.key", "Actors"}, {"institution", "Institutions"}}, w: 16, h: 10},
		{name: "categories", title: "By type", chart: bars, query: everything, by: []bucket{overTime(), top("category", "Type", 5)}, w: 32, h: 10},
		{name: "outcomes", title: "By outcome", chart: bars, query: everything, by: []bucket{overTime(), top("outcome", "Outcome", 5)}, w: 24, h: 12},
		{name: "failures", title: "Outcomes, in percent", chart: bars, query: everything, share: true, by: []bucket{overTime(), top("outcome", "Outcome", 5)}, w: 24, h: 12},
		{name: "institutions", title: "By institution", chart: lying, query: everything, by: []bucket{top("institution", "Institution", 20), top("outcome", "Outcome", 5)}, w: 16, h: 16},
		{name: "channels", title: "Where it came from, and who", chart: pie, query: everything, by: []bucket{top("origin.channel", "Channel", 8), top("actor.kind", "Actor", 6)}, w: 16, h: 16},
		codes("codes", everything, 16),
		actions(everything, "category", "outcome", "course.name"),
	}}
}

func roles() dashboard {
	return dashboard{name: "roles", title: "Action log: privileged roles", description: "Who was given or lost rights: team members, groups, administrators, staff of courses, tokens of this log.", panels: []panel{
		{name: "time", title: "Over time", chart: bars, query: privileged, by: []bucket{overTime(), top("action.code", "Action", 10)}, w: 48, h: 12},
		{name: "institutions", title: "By institution", chart: lying, query: privileged, by: []bucket{top("institution", "Institution", 20), top("category", "Type", 3)}, w: 16, h: 16},
		people("people", privileged, 16),
		codes("codes", privileged, 16),
		{name: "targets", title: "To whom", chart: table, query: privileged, by: []bucket{top("targets.key", "Person", 50)}, distinct: []counted{{"actor.key", "Actors"}}, w: 24, h: 16},
		{name: "courses", title: "In which courses", chart: table, query: privileged, by: []bucket{top("course.key", "Course", 50), named("course.name", "Title", 1)}, w: 24, h: 16},
		actions(privileged, "targets.key", "course.name", "outcome"),
	}}
}

func keys() dashboard {
	answers := of(kind{"2xx", "response.code:[200 TO 299]"}, kind{"3xx", "response.code:[300 TO 399]"}, kind{"4xx", errors4}, kind{"5xx", errors5})
	failed := requests + " AND response.code:[400 TO 599]"
	return dashboard{name: "keys", title: "Action log: API keys and errors", description: "What programs ask, and how often they are refused.", panels: []panel{
		{name: "total", title: "Requests", chart: gauge, query: requests, by: []bucket{answers}, w: 16, h: 10},
		{name: "time", title: "Requests", chart: bars, query: requests, by: []bucket{overTime(), answers}, w: 32, h: 10},
		{name: "rate", title: "Rate of errors", chart: bars, query: requests, share: true, by: []bucket{overTime(), answers}, w: 48, h: 12},
		{name: "answers", title: "Keys, and what they were answered", chart: lying, query: "actor.kind:api_key", by: []bucket{top("actor.key", "Key", 15), answers}, w: 24, h: 16},
		{name: "owners", title: "Keys, and for whom", chart: table, query: "actor.kind:api_key", by: []bucket{top("actor.key", "Key", 50), named("actor.name", "Name", 1), named("on_behalf_of.key", "For", 10)}, w: 24, h: 16},
		{name: "routes", title: "Errors by request", chart: table, query: failed, by: []bucket{top("action.code", "Request", 50), top("response.code", "Code", 10)}, w: 24, h: 16},
		{name: "addresses", title: "Errors by address", chart: table, query: failed, by: []bucket{top("origin.ip", "Address", 50), top("response.code", "Code", 10)}, w: 24, h: 16},
		{name: "methods", title: "Methods", chart: pie, query: requests, by: []bucket{top("request.method", "Method", 8)}, w: 24, h: 12},
		{name: "media", title: "Content types", chart: pie, query: requests, by: []bucket{top("request.content_type", "Content type", 8)}, w: 24, h: 12},
		actions(failed, "request.method", "response.code", "origin.ip"),
	}}
}

func staffAccess() dashboard {
	return dashboard{name: "staff", title: "Action log: staff", description: "What the platform's own staff did, also with this log. Names are the real ones.", panels: []panel{
		{name: "time", title: "Over time", chart: bars, query: staff, by: []bucket{overTime(), top("institution", "Institution", 10)}, w: 48, h: 12},
		people("people", staff, 24),
		{name: "behalf", title: "For whom", chart: table, query: staff, by: []bucket{top("actor.key", "Staff", 20), top("on_behalf_of.key", "For", 20)}, w: 24, h: 16},
		codes("codes", staff, 24),
		{name: "log", title: "With this log", chart: lying, query: staff + " AND " + ofTheLog, by: []bucket{top("action.code", "Action", 20), top("institution", "Institution", 10)}, w: 24, h: 16},
		{name: "denied", title: "Denied requests and failed sign-ins", chart: table, query: "action.code:(institution.actionlog.denied OR institution.actionlog.sign_in_failed)",
			by: []bucket{top("institution", "Institution", 20), named("actor.key", "Actor", 20), named("origin.ip", "Address", 10)}, w: 48, h: 12},
		actions(staff, "outcome", "origin.ip"),
	}}
}

func takenOut() dashboard {
	both := "(" + exports + ") OR (" + restores + ")"
	return dashboard{name: "exports", title: "Action log: exports and restores", description: "What left: exports of courses and of this log, its feed, and what was brought back from the archive.", panels: []panel{
		{name: "time", title: "Exports", chart: bars, query: exports, by: []bucket{overTime(), top("action.code", "Action", 10)}, w: 24, h: 12},
		{name: "restores", title: "Restores", chart: bars, query: restores, by: []bucket{overTime(), top("action.code", "Action", 10)}, w: 24, h: 12},
		people("people", both, 16),
		codes("codes", both, 16),
		{name: "institutions", title: "By institution", chart: lying, query: both, by: []bucket{top("institution", "Institution", 20), of(kind{"exports", exports}, kind{"restores", restores})}, w: 16, h: 16},
		{name: "log", title: "Exports of this log", chart: table, query: "action.code:institution.actionlog.export*", by: []bucket{top("institution", "Institution", 20), top("action.code", "Action", 10), top("actor.key", "Actor", 20)}, w: 48, h: 12},
		actions(both, "outcome", "course.name"),
	}}
}

func removed() dashboard {
	return dashboard{name: "removals", title: "Action log: bulk removals", description: "Removals in numbers: a peak is somebody, or a program, that removes many at once.", panels: []panel{
		{name: "time", title: "Removals", chart: bars, query: removals, by: []bucket{overTime(), top("action.code", "Action", 10)}, w: 48, h: 12},
		people("people", removals, 16),
		codes("codes", removals, 16),
		{name: "courses", title: "From which courses", chart: table, query: removals, by: []bucket{top("course.key", "Course", 50), named("course.name", "Title", 1)}, w: 16, h: 16},
		{name: "peaks", title: "Who, when", chart: bars, query: removals, by: []bucket{overTime(), top("actor.key", "Actor", 10)}, w: 48, h: 12},
		{name: "bulk", title: "Bulk operations (of a batch)", chart: lying, query: bulk, by: []bucket{top("action.code", "Action", 20), top("outcome", "Outcome", 5)}, w: 24, h: 14},
		{name: "bulk-people", title: "Who ran bulk operations", chart: table, query: bulk, by: []bucket{top("actor.key", "Actor", 50), named("actor.name", "Name", 1)}, w: 24, h: 14},
		actions(removals, "targets.key", "course.name", "outcome"),
	}}
}

func hours(description string) dashboard {
	return dashboard{name: "hours", title: "Action log: out of hours", description: description, hours: true, panels: []panel{
		{name: "time", title: "In and out of hours", chart: bars, query: everything, by: []bucket{overTime(), inOrder(outOfHours, "Out of hours", 2)}, w: 48, h: 12},
		{name: "hour", title: "Hours of the day", chart: bars, query: everything, by: []bucket{inOrder(hourOfDay, "Hour", 24), top("category", "Type", 3)}, w: 24, h: 12},
		{name: "day", title: "Days of the week", chart: bars, query: everything, by: []bucket{inOrder(dayOfWeek, "Day", 7), inOrder(outOfHours, "Out of hours", 2)}, w: 24, h: 12},
		outside(people("people", everything, 16)),
		outside(codes("codes", everything, 16)),
		outside(panel{name: "privileged", title: "Privileged roles", chart: table, query: privileged, by: []bucket{top("actor.key", "Actor", 50), top("action.code", "Action", 10)}, w: 16, h: 16}),
		outside(actions(everything, "category", "outcome", "origin.ip")),
	}}
}

// outside leaves out what was done within working hours.
func outside(p panel) panel {
	p.title, p.out = p.title+", out of hours", true
	return p
}

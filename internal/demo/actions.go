package demo

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"actionlog"
)

// start is what all documents have.
func (x *institution) start(rng *rand.Rand, at time.Time) *document {
	return &document{at: at, ID: uuid(rng, at), Schema: actionlog.Schema, OccurredAt: at.UTC().Format("2006-01-02T15:04:05.000Z"), Institution: x.named, Outcome: "success",
		Origin: origin{IP: fmt.Sprintf("198.51.100.%d", rng.IntN(250)+1), UserAgent: pick(rng, x.agents), Channel: "web"},
		Trace:  trace{RequestID: fmt.Sprintf("req-%08x", rng.Uint32()), SessionID: fmt.Sprintf("ses-%06x", rng.Uint32()&0xffffff)}}
}

// anything invents one action.
func (x *institution) anything(rng *rand.Rand, at time.Time) *document {
	if rng.IntN(100) < 35 {
		return x.call(rng, at)
	}
	d := x.catalogued(rng, at, pick(rng, actionlog.Catalogue()))
	if rng.IntN(100) < 6 { // the platform's staff, for somebody
		admin := x.admin(rng)
		d.OnBehalfOf, d.Actor = &admin, pick(rng, x.staff)
		d.Origin = origin{IP: "203.0.113.5", UserAgent: "staff-console/3.1", Channel: "staff_console"}
	}
	if rng.IntN(100) < 4 {
		d.Outcome, d.Reason, d.Changes = "failure", pick(rng, []string{"permission denied", "already there", "locked by another change"}), nil
	}
	d.Summary = x.summary(d)
	return d
}

func (x *institution) admin(rng *rand.Rand) person {
	return x.people[rng.IntN(max(8, len(x.people)/20))]
}
func (x *institution) someone(rng *rand.Rand) person {
	return x.people[int(float64(len(x.people))*rng.Float64()*rng.Float64())] // some more often than others
}

// catalogued invents an action of the catalogue.
func (x *institution) catalogued(rng *rand.Rand, at time.Time, t actionlog.ActionType) *document {
	d := x.start(rng, at)
	d.Category, d.Action, d.Actor = string(t.Category), what{t.Code, t.Label}, x.admin(rng)
	d.Actor.Roles = []string{"institution_admin"}
	c := pick(rng, x.courses)
	if t.Category == actionlog.CategoryCourse {
		d.Course = &c.titled
		d.Actor.Roles = []string{"course_admin"}
	}
	person, rest := x.someone(rng), t.Code[strings.IndexByte(t.Code, '.')+1:]
	switch subject, verb, _ := strings.Cut(rest, "."); subject {
	case "team_member", "learner", "member", "administrator", "staff", "group", "role":
		d.Targets = append(d.Targets, person)
		d.Changes = roleChange(subject, verb)
		if strings.Contains(verb, "course") || subject == "learner" {
			d.Course = &c.titled
		}
	case "class":
		class := pick(rng, c.classes)
		d.Class = &class
	case "report":
		d.Targets = append(d.Targets, personOf("report", fmt.Sprintf("r-%d", rng.IntN(400)), pick(rng, []string{"Weekly progress", "Final marks", "Attendance"})))
		if strings.HasPrefix(verb, "class") || verb == "released" {
			class := pick(rng, c.classes)
			d.Class = &class
		}
	case "export":
		d.Targets = append(d.Targets, personOf("export", fmt.Sprintf("x-%d", rng.IntN(400)), "Marks of "+c.Title))
		d.Details = map[string]any{"rows": rng.IntN(5000), "format": pick(rng, []string{"csv", "xlsx"})}
	case "course":
		d.Course = &c.titled
		if verb == "categories_changed" {
			d.Changes = []change{{"categories", []string{"science"}, []string{"science", pick(rng, []string{"evening", "online"})}}}
		}
	case "qualification":
		d.Targets = append(d.Targets, personOf("qualification", fmt.Sprintf("q-%d", rng.IntN(40)), "Certificate of "+pick(rng, subjects)))
		if verb == "changed" {
			d.Changes = []change{{"credits", 20, 30}}
		}
	}
	return d
}

func personOf(kind, id, name string) person { return person{Kind: kind, ID: id, Name: name} }

// roleChange is what an action about a person changes.
func roleChange(subject, verb string) []change {
	role := map[string]string{"team_member": "team_member", "administrator": "course_admin", "staff": "teacher", "learner": "learner", "member": "member", "group": "group_member", "role": "auditor"}[subject]
	switch {
	case verb == "changed" || verb == "role_changed":
		return []change{{"role", "viewer", role}}
	case strings.Contains(verb, "removed") || verb == "unenrolled":
		return []change{{"role", role, nil}}
	}
	return []change{{"role", nil, role}}
}

func (x *institution) summary(d *document) string {
	s := d.Actor.Name + ": " + d.Action.Label
	if len(d.Targets) > 0 {
		s += " (" + d.Targets[0].Name + ")"
	}
	if d.Course != nil {
		s += " in " + d.Course.Title
	}
	return s
}

// melody is the story that the documentation tells: every twentieth day somebody
// removes Melody Wang from Arts and Craft.
func (x *institution) melody(rng *rand.Rand, day actionlog.Day, number uint64) []*document {
	if number%20 != 7 {
		return nil
	}
	d := x.start(rng, day.Start().Add(14*time.Hour+12*time.Minute+9*time.Second))
	label, _ := actionlog.CatalogueLabel("course.administrator.removed")
	d.Category, d.Action = string(actionlog.CategoryCourse), what{"course.administrator.removed", label}
	d.Actor, d.Targets, d.Course = x.people[3], x.people[:1:1], &x.courses[0].titled
	d.Changes = []change{{"role", "course_admin", nil}}
	d.Summary = x.summary(d)
	return []*document{d}
}

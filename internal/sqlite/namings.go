package sqlite

import (
	"actionlog"
	"actionlog/internal/people"
)

// naming is a fact: an item names somebody or something so.
type naming struct {
	entryKey
	name, email, id, external string
	day                       actionlog.Day
	staff                     bool
	at                        int64 // Unix milliseconds
}

// namings yields whom and what an item names. Only an actor's kind tells that
// somebody is of the platform's staff.
func namings(item *actionlog.Item, yield func(*naming) error) error {
	a, day, at := &item.Action, item.Day(), item.OccurredAt.UnixMilli()
	person := func(p *actionlog.Person, staff bool) error {
		if key := people.Key(*p); key != "" {
			return yield(&naming{entryKey{item.Institution, actionlog.DirectoryPeople, key}, p.Name, p.Email, p.ID, p.ExternalID, day, staff, at})
		}
		return nil
	}
	if err := person(&a.Actor, a.Actor.Kind == actionlog.KindStaff); err != nil {
		return err
	}
	if a.OnBehalfOf != nil {
		if err := person(a.OnBehalfOf, false); err != nil {
			return err
		}
	}
	for i := range a.Targets {
		if p := &a.Targets[i]; p.IsPerson() {
			if err := person(p, false); err != nil {
				return err
			}
		}
	}
	titled := func(kind actionlog.DirectoryKind, t actionlog.Titled) error {
		if key := people.TitledKey(t); key != "" {
			return yield(&naming{entryKey{item.Institution, kind, key}, t.Title, "", t.ID, "", day, false, at})
		}
		return nil
	}
	if err := titled(actionlog.DirectoryCourses, a.Course); err != nil {
		return err
	}
	return titled(actionlog.DirectoryClasses, a.Class)
}

package people

import "actionlog"

// Naming is a fact that a directory learns from an action: somebody or something
// was called so. Empty texts say nothing.
type Naming struct {
	Kind       actionlog.DirectoryKind
	Key        string // of the entry, never empty
	ID         string
	ExternalID string
	Name       string // or title
	Email      string // as written
	Staff      bool   // of the platform's own staff
}

// Namings yields whom and what an action names, until yield returns an error.
// Only an actor's kind tells that somebody is of the platform's staff.
func Namings(a *actionlog.Action, yield func(*Naming) error) error {
	person := func(p *actionlog.Person, staff bool) error {
		if key := Key(*p); key != "" {
			return yield(&Naming{actionlog.DirectoryPeople, key, p.ID, p.ExternalID, p.Name, p.Email, staff})
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
		if key := TitledKey(t); key != "" {
			return yield(&Naming{Kind: kind, Key: key, ID: t.ID, Name: t.Title})
		}
		return nil
	}
	if err := titled(actionlog.DirectoryCourses, a.Course); err != nil {
		return err
	}
	return titled(actionlog.DirectoryClasses, a.Class)
}

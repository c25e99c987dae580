package actionlog

import (
	"fmt"
	"strings"
	"time"
)

// String writes a query for people: the institution, the bounds, and a line for
// each clause.
func (q Query) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "institution %s", q.Institution)
	if !q.From.IsZero() {
		fmt.Fprintf(&b, "\nfrom %s", q.From.UTC().Format(time.RFC3339Nano))
	}
	if !q.To.IsZero() {
		fmt.Fprintf(&b, "\nto %s", q.To.UTC().Format(time.RFC3339Nano))
	}
	for _, c := range q.Clauses {
		b.WriteString("\n" + c.String())
	}
	return b.String()
}

// String is "response_code 200-299 or 404", or "not …".
func (c Clause) String() string {
	values := make([]string, len(c.Values))
	for i, v := range c.Values {
		values[i] = v.describe(c.Field)
	}
	s := string(c.Field) + " " + strings.Join(values, " or ")
	if c.Not {
		s = "not " + s
	}
	return s
}

func (v Value) describe(f Field) string {
	switch f {
	case FieldCode:
		if v.Min == v.Max {
			return fmt.Sprint(v.Min)
		}
		return fmt.Sprintf("%d-%d", v.Min, v.Max)
	case FieldAny:
		return fmt.Sprintf("words %q", v.Words)
	case FieldIP:
		return v.Prefix.String()
	case FieldActor, FieldTarget, FieldOnBehalfOf, FieldPerson:
		return v.Person.String()
	case FieldCourse, FieldClass:
		return v.Titled.String()
	}
	return fmt.Sprintf("%q", v.Text)
}

// String names the one field that is set.
func (m PersonMatch) String() string {
	switch {
	case m.Staff:
		return "staff"
	case m.Email != "":
		return fmt.Sprintf("e-mail %q", m.Email)
	case m.Prefix != "":
		return fmt.Sprintf("e-mail beginning %q", m.Prefix)
	case m.Domain != "":
		return fmt.Sprintf("e-mail domain %q", m.Domain)
	}
	return TitledMatch{m.Key, m.ID, m.Words}.String()
}

// String names the one field that is set.
func (m TitledMatch) String() string {
	switch {
	case m.Key != "":
		return fmt.Sprintf("key %q", m.Key)
	case m.ID != "":
		return fmt.Sprintf("id %q", m.ID)
	}
	return fmt.Sprintf("words %q", m.Words)
}

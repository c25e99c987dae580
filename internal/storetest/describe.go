package storetest

import (
	"fmt"
	"strings"
	"time"

	"actionlog"
)

// describe prints a query for people.
func describe(q actionlog.Query) string {
	var b strings.Builder
	fmt.Fprintf(&b, "query %q", q.Institution)
	if !q.From.IsZero() {
		b.WriteString(" from " + stamp(q.From))
	}
	if !q.To.IsZero() {
		b.WriteString(" to " + stamp(q.To))
	}
	b.WriteString([]string{"", " staff-shown", " staff-hidden"}[q.Staff])
	for _, c := range q.Clauses {
		b.WriteString(" ")
		if c.Not {
			b.WriteString("-")
		}
		b.WriteString(string(c.Field) + "{")
		for i, v := range c.Values {
			if i == 10 {
				fmt.Fprintf(&b, " … %d values", len(c.Values))
				break
			}
			if i > 0 {
				b.WriteString(" | ")
			}
			b.WriteString(describeValue(c.Field, v))
		}
		b.WriteString("}")
	}
	return b.String()
}

func describeValue(f actionlog.Field, v actionlog.Value) string {
	switch f {
	case actionlog.FieldCode:
		return fmt.Sprintf("%d..%d", v.Min, v.Max)
	case actionlog.FieldIP:
		return v.Prefix.String()
	case actionlog.FieldAny:
		return strings.Join(v.Words, " ")
	case actionlog.FieldCourse, actionlog.FieldClass:
		return describeMatch(v.Titled.Key, v.Titled.ID, "", "", "", v.Titled.Words)
	case actionlog.FieldActor, actionlog.FieldTarget, actionlog.FieldOnBehalfOf, actionlog.FieldPerson:
		if v.Person.Staff {
			return "staff"
		}
		p := v.Person
		return describeMatch(p.Key, p.ID, p.Email, p.Prefix, p.Domain, p.Words)
	}
	if len(v.Text) > 80 {
		return fmt.Sprintf("%.80q… (%d bytes)", v.Text, len(v.Text))
	}
	return fmt.Sprintf("%q", v.Text)
}

func describeMatch(key, id, email, prefix, domain string, words []string) string {
	switch {
	case key != "":
		return fmt.Sprintf("key %q", key)
	case id != "":
		return fmt.Sprintf("id %q", id)
	case email != "":
		return email
	case prefix != "":
		return prefix + "*"
	case domain != "":
		return "@" + domain
	}
	return "words " + strings.Join(words, " ")
}

func describeOrder(o actionlog.Order) string {
	if o == actionlog.OldestFirst {
		return "oldest first"
	}
	return "newest first"
}

func stamp(t time.Time) string { return t.Format("2006-01-02T15:04:05.999Z07:00") }

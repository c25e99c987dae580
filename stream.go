package actionlog

import "strings"

// SubjectPrefix is the first token of every subject of the stream.
const SubjectPrefix = "actions"

// Subject is where an action is published: actions.<institution>.<category>.
func Subject(institution string, category Category) string {
	return SubjectPrefix + "." + institution + "." + string(category)
}

// ParseSubject reads what Subject wrote. The category "portal" is read as
// CategoryInstitution.
func ParseSubject(subject string) (institution string, category Category, ok bool) {
	parts := strings.Split(subject, ".")
	if len(parts) != 3 || parts[0] != SubjectPrefix || parts[1] == "" {
		return "", "", false
	}
	category, ok = ParseCategory(parts[2])
	return parts[1], category, ok
}

// ParseCategory reads a category; "portal" is CategoryInstitution.
func ParseCategory(s string) (Category, bool) {
	switch s {
	case "institution", "portal":
		return CategoryInstitution, true
	case "course":
		return CategoryCourse, true
	case "api":
		return CategoryAPI, true
	}
	return "", false
}

// Judge says what a message of the stream is: an action, or, with an error, why it can
// never be one; reason is then that of its dead letter.
func Judge(subject string, document []byte, s *Scrubber) (item Item, reason string, err error) {
	item, err = Parse(document, s)
	if err != nil {
		return item, DeadInvalid, err
	}
	return item.judged(subject)
}

// judged holds an action against the subject on which it came.
func (item Item) judged(subject string) (Item, string, error) {
	institution, category, ok := ParseSubject(subject)
	if !ok || institution != item.Institution {
		return item, DeadSubject, Invalidf("/institution/id", "is not the institution of the subject %s", subject)
	}
	if category != item.Action.Category {
		return item, DeadSubject, Invalidf("/category", "is not the category of the subject %s", subject)
	}
	return item, "", nil
}

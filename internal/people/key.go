package people

import (
	"strings"

	"actionlog"
)

// Key is the directory key of a person as one action names it, see
// actionlog.DirectoryEntry; "" when nothing names it.
func Key(p actionlog.Person) string {
	switch {
	case p.ID != "":
		return "id:" + p.ID
	case p.Email != "":
		return "email:" + FoldEmail(p.Email)
	case p.ExternalID != "":
		return "external:" + p.ExternalID
	}
	return nameKey(p.Name)
}

// TitledKey is the directory key of a course or class; "" when nothing names it.
func TitledKey(t actionlog.Titled) string {
	if t.ID != "" {
		return "id:" + t.ID
	}
	return nameKey(t.Title)
}

func nameKey(name string) string {
	if folded := strings.Join(Words(name), " "); folded != "" {
		return "name:" + folded
	}
	if name = strings.TrimSpace(name); name != "" {
		return "name:" + name
	}
	return ""
}

// FoldEmail returns an e-mail address as it is compared: in lower case,
// without surrounding space. Nothing else is forgiven.
func FoldEmail(address string) string { return strings.ToLower(strings.TrimSpace(address)) }

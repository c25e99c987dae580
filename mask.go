package actionlog

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaskStaff returns a document as lists show it: if its actor is a member of
// the platform's staff, the actor is {"kind":"staff","name":display}, and
// display stands wherever another string of the document holds the actor's
// name or e-mail address, in any letter case, or is one of the actor's IDs.
// Everything else stays byte for byte. Other documents are returned as they are.
func MaskStaff(document []byte, display string) []byte {
	root, err := decodeJSON(document)
	if err != nil {
		return document
	}
	actor, ok := root.get("actor")
	if !ok || actor.kind != '{' {
		return document
	}
	if kind, ok := actor.get("kind"); !ok || kind.text != KindStaff {
		return document
	}
	id := identify(&root)
	edits := id.edits(&root, display, nil)
	return apply(document, edits)
}

// identity is how a document names its actor.
type identity struct {
	actors []*node        // the actor objects (several where the key is repeated)
	whole  []string       // strings that are replaced where they stand alone
	part   *regexp.Regexp // what is replaced inside a string; nil is nothing
}

func identify(root *node) identity {
	var id identity
	var parts []string
	for i := range root.members {
		if root.members[i].key != "actor" {
			continue
		}
		n := &root.members[i].value
		id.actors = append(id.actors, n)
		for _, m := range n.members {
			if m.value.kind != '"' || m.value.text == "" {
				continue
			}
			switch m.key {
			case "id", "external_id":
				id.whole = append(id.whole, m.value.text)
			case "name", "email":
				id.whole = append(id.whole, m.value.text)
				if part := clip(m.value.text, maxPart); len(part) > 2 {
					parts = append(parts, regexp.QuoteMeta(part))
				}
			}
		}
	}
	// The longest first: "ann.smith@x" is not "Ann" and ".smith@x".
	slices.SortFunc(parts, func(a, b string) int { return len(b) - len(a) })
	if len(parts) > 0 {
		id.part = regexp.MustCompile("(?i)" + strings.Join(parts, "|"))
	}
	return id
}

// maxPart is how much of a name is looked for inside other strings, in bytes: a
// name of kilobytes, found nowhere but in an attack, would take seconds.
const maxPart = 200

func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// mask returns s with display for the actor.
func (id *identity) mask(s, display string) string {
	for _, w := range id.whole {
		if strings.EqualFold(s, w) {
			return display
		}
	}
	if id.part == nil {
		return s
	}
	return id.part.ReplaceAllLiteralString(s, display)
}

func (id *identity) isActor(n *node) bool {
	for _, a := range id.actors {
		if a == n {
			return true
		}
	}
	return false
}

// fixed members of a document are values of the format, not of people: an
// actor whose ID is "course" changes no category.
var fixedMembers = map[string]bool{"schema": true, "category": true, "institution": true,
	"occurred_at": true, "outcome": true, "kind": true, "id": true}

func (id *identity) edits(n *node, display string, edits []edit) []edit {
	for i := range n.members {
		m := &n.members[i]
		if id.isActor(&m.value) {
			shown := append([]byte(`{"kind":"staff","name":`), quote(display)...)
			edits = append(edits, edit{m.value.start, m.value.end, append(shown, '}')})
			continue
		}
		edits = id.memberEdits(m, n.start == 0, display, edits)
	}
	for i := range n.items {
		edits = id.valueEdits(&n.items[i], display, edits)
	}
	return edits
}

func (id *identity) memberEdits(m *member, top bool, display string, edits []edit) []edit {
	if top && m.key == "action" {
		if label, ok := m.value.get("label"); ok {
			edits = id.valueEdits(label, display, edits)
		}
		return edits
	}
	if top && fixedMembers[m.key] {
		return edits
	}
	if key := id.mask(m.key, display); key != m.key && len(m.key) > 2 {
		edits = append(edits, edit{m.start, m.end, quote(key)})
	}
	return id.valueEdits(&m.value, display, edits)
}

func (id *identity) valueEdits(n *node, display string, edits []edit) []edit {
	if n.kind != '"' {
		return id.edits(n, display, edits)
	}
	if s := id.mask(n.text, display); s != n.text {
		edits = append(edits, edit{n.start, n.end, quote(s)})
	}
	return edits
}

// texts collects what FieldAny looks at, see Item. The strings of an action of
// the platform's staff that say who it was are staff text.
func texts(root *node, a *Action) (text, staff []string) {
	var id *identity
	if a.Actor.Kind == KindStaff {
		found := identify(root)
		id = &found
	}
	var walk func(n *node)
	walk = func(n *node) {
		switch {
		case id != nil && id.isActor(n):
			staff = appendLeaves(staff, n)
			text = append(text, KindStaff)
			return
		case n.kind == '"' && id != nil:
			shown := id.mask(n.text, " ")
			if shown != n.text {
				staff = append(staff, n.text)
			}
			text = append(text, shown)
		case n.kind == '"' || n.kind == '0':
			text = append(text, n.text)
		}
		for i := range n.members {
			if n != root || n.members[i].key != "schema" {
				walk(&n.members[i].value)
			}
		}
		for i := range n.items {
			walk(&n.items[i])
		}
	}
	walk(root)
	label := a.Label
	if id != nil {
		label = id.mask(label, " ")
	}
	return append(text, label), staff
}

func appendLeaves(dst []string, n *node) []string {
	if (n.kind == '"' || n.kind == '0') && n.text != "" {
		dst = append(dst, n.text)
	}
	for i := range n.members {
		dst = appendLeaves(dst, &n.members[i].value)
	}
	for i := range n.items {
		dst = appendLeaves(dst, &n.items[i])
	}
	return dst
}

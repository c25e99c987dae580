package actionlog

import (
	"slices"
	"strconv"
	"strings"
)

// trail says where a value stands, from the inside out; nil is the document.
type trail struct {
	up    *trail
	key   string
	index int // in an array, where key is ""
}

// String gives "details.items[3].name".
func (t *trail) String() string {
	var steps []string
	for ; t != nil; t = t.up {
		if t.key == "" {
			steps = append(steps, "["+strconv.Itoa(t.index)+"]")
		} else {
			steps = append(steps, "."+t.key)
		}
	}
	slices.Reverse(steps)
	if len(steps) > 12 {
		steps = append(steps[:12:12], ".…")
	}
	return strings.TrimPrefix(strings.Join(steps, ""), ".")
}

// duplicates warns of every key below n that its object holds twice.
func (r *reader) duplicates(n *node, at *trail) {
	if r.full() {
		return
	}
	for _, key := range duplicateKeys(n) {
		if r.full() {
			return
		}
		r.warn((&trail{up: at, key: key}).String(), "duplicate key")
	}
	for i := range n.members {
		if v := &n.members[i].value; v.kind == '{' || v.kind == '[' {
			r.duplicates(v, &trail{up: at, key: n.members[i].key})
		}
	}
	for i := range n.items {
		if v := &n.items[i]; v.kind == '{' || v.kind == '[' {
			r.duplicates(v, &trail{up: at, index: i})
		}
	}
}

func duplicateKeys(n *node) (keys []string) {
	if len(n.members) > 16 {
		return manyDuplicateKeys(n)
	}
	for i := range n.members {
		for j := range i {
			if n.members[i].key == n.members[j].key {
				keys = append(keys, n.members[i].key)
				break
			}
		}
	}
	return keys
}

func manyDuplicateKeys(n *node) (keys []string) {
	seen := make(map[string]bool, len(n.members))
	for i := range n.members {
		if key := n.members[i].key; seen[key] {
			keys = append(keys, key)
		} else {
			seen[key] = true
		}
	}
	return keys
}

package actionlog

import (
	"bytes"
	"time"
)

// Skim is Judge for who needs no more of an action than whose it is and of which day,
// at a third of the cost. Of the item Institution, ID, OccurredAt and Document are set,
// and Action.Institution.ID, Action.ID, Action.OccurredAt and Action.Category.
func Skim(subject string, document []byte, s *Scrubber) (item Item, reason string, err error) {
	doc := bytes.TrimSpace(document)
	if len(doc) > MaxDocumentBytes || !IsJSON(doc) || doc[0] != '{' || !s.orDefault().clean(doc) {
		return Judge(subject, document, s) // which says what is wrong, or does the rest
	}
	root := skim(doc)
	r := reader{doc: doc}
	if err := r.required(&root, &item.Action); err != nil {
		return Item{}, DeadInvalid, err
	}
	a := &item.Action
	item.Record = Record{Institution: a.Institution.ID, ID: a.ID, OccurredAt: a.OccurredAt, Staff: a.Actor.Kind == KindStaff, Document: doc}
	return item.judged(subject)
}

// SkimID returns the ID of an action, and when it occurred, of a document that Parse takes; of
// another one an *InvalidError, or what it says of itself.
func SkimID(document []byte) (id string, occurredAt time.Time, err error) {
	doc := bytes.TrimSpace(document)
	if !IsJSON(doc) || doc[0] != '{' {
		return "", occurredAt, Invalidf("", "is not a JSON object")
	}
	root, a := skim(doc), Action{}
	r := reader{doc: doc}
	err = r.required(&root, &a)
	return a.ID, a.OccurredAt, err
}

// requiredMembers are those that hold what every document must have.
var requiredMembers = map[string]bool{"id": true, "occurred_at": true, "institution": true, "category": true, "action": true, "actor": true}

// skim reads the required members of a valid document that is an object.
func skim(doc []byte) node {
	d := decode(doc, 1)
	defer d.release()
	root := node{kind: '{', end: len(doc), members: make([]member, 0, len(requiredMembers))}
	for {
		d.space()
		if doc[d.at] == '}' {
			return root
		}
		m := member{start: d.at}
		m.key = d.str(true)
		m.end = d.at
		d.space()
		if requiredMembers[m.key] {
			m.value = d.value()
			root.members = append(root.members, m)
		} else {
			d.skip()
		}
	}
}

// skip passes over a value.
func (d *decoder) skip() {
	for depth := 0; ; {
		switch d.doc[d.at] {
		case '"':
			d.skipString()
		case '{', '[':
			depth++
			d.at++
		case '}', ']':
			depth--
			d.at++
		case ' ', '\t', '\r', '\n', ',', ':':
			d.at++
			continue
		default:
			for d.at < len(d.doc) && !bytes.ContainsRune([]byte(" \t\r\n,]}"), rune(d.doc[d.at])) {
				d.at++
			}
		}
		if depth == 0 {
			return
		}
	}
}

func (d *decoder) skipString() {
	for d.at++; d.doc[d.at] != '"'; d.at++ {
		if d.doc[d.at] == '\\' {
			d.at++
		}
	}
	d.at++
}

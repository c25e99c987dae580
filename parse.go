package actionlog

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Parse judges an action document (action/1) and extracts its fields.
//
// A document that cannot be kept (invalid JSON or UTF-8, over
// MaxDocumentBytes, or with a missing or invalid required field) is an
// *InvalidError whose Field is a JSON pointer. A malformed optional field or a
// duplicate key is no error: the document is kept, the field is not extracted,
// and Item.Warnings says so. Of a duplicate required key the last one counts.
//
// Item.Document is the document without surrounding white space and without
// the credentials that the scrubber finds (nil: the built-in ones); otherwise
// it is the same bytes, and may share them with document. ReceivedAt and
// Position are left to the caller, and so is CheckTime.
func Parse(document []byte, s *Scrubber) (Item, error) {
	item, root, err := parse(document, s)
	if err != nil {
		return Item{}, err
	}
	item.Digest = root.digest(item.Document)
	item.Text, item.StaffText = texts(&root, &item.Action)
	return item, nil
}

// ParseRecord is Parse for who needs the record alone, at two thirds of the cost.
func ParseRecord(document []byte, s *Scrubber) (Record, error) {
	item, _, err := parse(document, s)
	return item.Record, err
}

// ReadAction extracts the fields of a document as it is kept, at half the cost of Parse: the credentials, the content and the
// keys that stand twice are not looked at again. member is what a member of the document holds, as it stands there; nil: it is
// absent or null. An error is an *InvalidError.
func ReadAction(document []byte) (a Action, member func(name string) []byte, err error) {
	root, err := decodeObject(document)
	if err != nil {
		return a, nil, err
	}
	r := reader{doc: document}
	if err := r.required(&root, &a); err != nil {
		return a, nil, err
	}
	r.optional(&root, &a)
	return a, func(name string) []byte {
		if v, ok := root.get(name); ok {
			return document[v.start:v.end]
		}
		return nil
	}, nil
}

// parse is Parse without the digest and the texts.
func parse(document []byte, s *Scrubber) (item Item, root node, err error) {
	doc := bytes.TrimSpace(document)
	if len(doc) > MaxDocumentBytes {
		return Item{}, root, Invalidf("", "is %d bytes long; at most %d are allowed", len(doc), MaxDocumentBytes)
	}
	if root, err = decodeObject(doc); err != nil {
		return Item{}, root, err
	}
	if edits := s.orDefault().documentEdits(doc, &root); len(edits) > 0 {
		doc = apply(doc, edits)
		if root, err = decodeJSON(doc); err != nil {
			return Item{}, root, fmt.Errorf("scrubbed document: %w", err)
		}
		if len(doc) > MaxDocumentBytes {
			return Item{}, root, Invalidf("", "is %d bytes long without its credentials; at most %d are allowed", len(doc), MaxDocumentBytes)
		}
	}
	r := reader{doc: doc}
	a, err := r.action(&root)
	if err != nil {
		return Item{}, root, err
	}
	item.Action = a
	item.Record = Record{
		Institution: a.Institution.ID, ID: a.ID, OccurredAt: a.OccurredAt,
		Warnings: r.warnings, Staff: a.Actor.Kind == KindStaff, Document: doc,
	}
	return item, root, nil
}

// CheckTime says whether an action that occurred then may be kept at the
// instant now: it must not lie more than MaxAhead in the future.
func CheckTime(occurredAt, now time.Time) error {
	if occurredAt.After(now.Add(MaxAhead)) {
		return Invalidf("/occurred_at", "is more than %s in the future", MaxAhead)
	}
	return nil
}

// reader extracts fields and collects warnings.
type reader struct {
	doc      []byte
	warnings []string
}

// maxWarnings of one document; the last one says that there are more.
const maxWarnings = 20

func (r *reader) warn(path, reason string) {
	switch {
	case len(r.warnings) < maxWarnings-1:
		r.warnings = append(r.warnings, path+": "+reason)
	case len(r.warnings) == maxWarnings-1:
		r.warnings = append(r.warnings, "further warnings are left out")
	}
}

// full tells whether further warnings would be left out.
func (r *reader) full() bool { return len(r.warnings) >= maxWarnings }

func (r *reader) action(root *node) (a Action, err error) {
	if err = r.required(root, &a); err != nil {
		return a, err
	}
	r.duplicates(root, nil)
	r.optional(root, &a)
	return a, nil
}

// optional reads what may be left out.
func (r *reader) optional(root *node, a *Action) {
	top := object{r, root, ""}
	if v := top.str("schema", 0); v != "" && v != Schema {
		r.warn("schema", "not "+Schema)
	}
	r.what(top, a)
	a.OnBehalfOf = r.behalf(top)
	a.Targets = r.targets(top)
	a.Course = r.titled(top, "course")
	a.Class = r.titled(top, "class")
	a.Changes = r.changes(top)
	if o, ok := top.object("request"); ok {
		a.Request = Request{Method: strings.ToUpper(o.str("method", 0)), URL: o.str("url", 0),
			Route: o.str("route", 0), ContentType: o.str("content_type", 0)}
	}
	if o, ok := top.object("response"); ok {
		a.Response = o.integer("code")
	}
	r.origin(top, a)
	top.object("details")
}

// what reads the parts that say what was done and how it ended.
func (r *reader) what(top object, a *Action) {
	if o, ok := top.object("action"); ok {
		a.Label = o.str("label", 200)
	}
	if a.Label == "" {
		a.Label, _ = CatalogueLabel(a.Code)
	}
	if o, ok := top.object("institution"); ok {
		a.Institution.Name = o.str("name", 0)
	}
	a.Outcome = top.str("outcome", 0)
	switch a.Outcome {
	case "", "success", "failure", "unknown":
	default:
		r.warn("outcome", "not success, failure or unknown")
		a.Outcome = ""
	}
	a.Reason = top.str("reason", 0)
	a.Summary = top.str("summary", 0)
	if o, ok := top.object("actor"); ok {
		kind := a.Actor.Kind
		a.Actor = r.person(o)
		a.Actor.Kind = kind
	}
}

func (r *reader) behalf(top object) *Person {
	o, ok := top.object("on_behalf_of")
	if !ok {
		return nil
	}
	p := r.person(o)
	p.Kind = o.str("kind", 0)
	return &p
}

func (r *reader) person(o object) Person {
	p := Person{ID: o.str("id", 0), Name: o.str("name", 0), Email: o.str("email", 0),
		ExternalID: o.str("external_id", 0)}
	v, ok := o.member("roles")
	if !ok {
		return p
	}
	if v.kind != '[' {
		r.warn(o.at("roles"), "not an array")
		return p
	}
	for i := range v.items {
		if v.items[i].kind != '"' {
			r.warn(fmt.Sprintf("%s[%d]", o.at("roles"), i), "not a string")
			continue
		}
		p.Roles = append(p.Roles, v.items[i].text)
	}
	return p
}

func (r *reader) targets(top object) (targets []Person) {
	for o := range top.objects("targets") {
		p := r.person(o)
		p.Kind = o.str("kind", 0)
		targets = append(targets, p)
	}
	return targets
}

func (r *reader) changes(top object) (changes []Change) {
	for o := range top.objects("changes") {
		c := Change{Field: o.str("field", 0)}
		if v, ok := o.n.get("before"); ok {
			c.Before = r.doc[v.start:v.end]
		}
		if v, ok := o.n.get("after"); ok {
			c.After = r.doc[v.start:v.end]
		}
		changes = append(changes, c)
	}
	return changes
}

func (r *reader) titled(top object, name string) Titled {
	o, ok := top.object(name)
	if !ok {
		return Titled{}
	}
	return Titled{ID: o.str("id", 0), Title: o.str("title", 0)}
}

func (r *reader) origin(top object, a *Action) {
	if o, ok := top.object("origin"); ok {
		a.Origin = Origin{UserAgent: o.str("user_agent", 0), Channel: o.str("channel", 0)}
		if s := o.str("ip", 0); s != "" {
			ip, err := netip.ParseAddr(s)
			if err != nil || ip.Zone() != "" {
				r.warn("origin.ip", "not an IP address")
			} else {
				a.Origin.IP = ip.Unmap()
			}
		}
	}
	if o, ok := top.object("trace"); ok {
		a.Trace = Trace{RequestID: o.str("request_id", 0), SessionID: o.str("session_id", 0),
			BatchID: o.str("batch_id", 0)}
	}
}

// object is an object of the document and where it stands in it.
type object struct {
	r    *reader
	n    *node
	path string // "origin" or "targets[2]"; "" is the document
}

func (o object) at(name string) string {
	if o.path == "" {
		return name
	}
	return o.path + "." + name
}

// member returns an optional member; one whose key is not unique is absent.
func (o object) member(name string) (*node, bool) {
	v, ok := o.n.get(name)
	return v, ok && !o.repeated(name)
}

func (o object) repeated(name string) bool {
	seen := 0
	for i := range o.n.members {
		if o.n.members[i].key == name {
			seen++
		}
	}
	return seen > 1
}

// str returns an optional string; max limits its characters (0: no limit).
func (o object) str(name string, max int) string {
	v, ok := o.member(name)
	if !ok {
		return ""
	}
	if v.kind != '"' {
		o.r.warn(o.at(name), "not a string")
		return ""
	}
	if max > 0 && utf8.RuneCountInString(v.text) > max {
		o.r.warn(o.at(name), fmt.Sprintf("longer than %d characters", max))
		return ""
	}
	return v.text
}

func (o object) integer(name string) *int {
	v, ok := o.member(name)
	if !ok {
		return nil
	}
	i, err := strconv.ParseInt(v.text, 10, 32)
	if v.kind != '0' || err != nil {
		o.r.warn(o.at(name), "not an integer")
		return nil
	}
	n := int(i)
	return &n
}

// object returns an optional member that is an object.
func (o object) object(name string) (object, bool) {
	v, ok := o.n.get(name)
	if !ok || o.repeated(name) && !requiredObjects[name] {
		return object{}, false
	}
	if v.kind != '{' {
		o.r.warn(o.at(name), "not an object")
		return object{}, false
	}
	return object{o.r, v, o.at(name)}, true
}

// objects yields the objects of an optional array.
func (o object) objects(name string) func(yield func(object) bool) {
	return func(yield func(object) bool) {
		v, ok := o.member(name)
		if !ok {
			return
		}
		if v.kind != '[' {
			o.r.warn(o.at(name), "not an array")
			return
		}
		for i := range v.items {
			path := fmt.Sprintf("%s[%d]", o.at(name), i)
			if v.items[i].kind != '{' {
				o.r.warn(path, "not an object")
				continue
			}
			if !yield(object{o.r, &v.items[i], path}) {
				return
			}
		}
	}
}

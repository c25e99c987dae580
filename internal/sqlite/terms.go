package sqlite

import (
	"cmp"
	"strconv"
	"strings"

	"actionlog"
	"actionlog/internal/people"

	"zombiezen.com/go/sqlite"
)

// column is a column of the table action that holds a number of the table term.
// Its index is the term's field.
type column struct {
	name  string
	field actionlog.Field // "" where facets do not ask for it
}

var termColumns = [14]column{
	{"institution", ""}, {"stream", ""}, {"category", actionlog.FieldCategory}, {"action", actionlog.FieldAction},
	{"outcome", actionlog.FieldOutcome}, {"actor_kind", actionlog.FieldActorKind}, {"channel", actionlog.FieldChannel},
	{"request_method", actionlog.FieldMethod}, {"response_code", actionlog.FieldCode},
	{"request_content_type", actionlog.FieldContentType}, {"ip", actionlog.FieldIP}, {"actor", actionlog.FieldActor},
	{"course", actionlog.FieldCourse}, {"class", actionlog.FieldClass},
}

const codeColumn = 8

// columnOf returns the column of a field, or -1.
func columnOf(f actionlog.Field) int {
	for i, c := range termColumns {
		if c.field == f && f != "" {
			return i
		}
	}
	return -1
}

// term is a value of a column and its label. Values that have labels are kept
// apart by institution, and actors also by whether they are of the platform's
// staff: what one institution calls somebody is nothing to another.
type term struct{ value, label string }

// A label begins with a digit: a name or title counts more than what stands in
// for one, however old.
const (
	labelStandIn = "0"
	labelName    = "1"
)

func labelled(item *actionlog.Item, staff bool, value, name, standIn string) term {
	if value == "" {
		return term{}
	}
	scope := item.Institution + "\x00"
	if staff {
		scope += "staff"
	}
	t := term{scope + "\x00" + value, ""}
	switch {
	case name != "":
		t.label = labelName + name
	case standIn != "":
		t.label = labelStandIn + standIn
	}
	return t
}

// plain undoes labelled.
func (t term) plain() term {
	if _, rest, ok := strings.Cut(t.value, "\x00"); ok {
		_, t.value, _ = strings.Cut(rest, "\x00")
	}
	if t.label != "" {
		t.label = t.label[1:]
	}
	return t
}

// columns returns an item's terms in the order of termColumns.
func columns(item *actionlog.Item) [14]term {
	a := &item.Action
	code, ip := "", ""
	if a.Response != nil {
		code = strconv.Itoa(*a.Response)
	}
	if a.Origin.IP.IsValid() {
		ip = a.Origin.IP.String()
	}
	institution := term{value: item.Institution}
	if a.Institution.Name != "" {
		institution.label = labelName + a.Institution.Name
	}
	return [14]term{
		institution, {item.Position.Stream, ""}, {string(a.Category), ""}, labelled(item, false, a.Code, a.Label, ""), {a.Outcome, ""},
		{a.Actor.Kind, ""}, {a.Origin.Channel, ""}, {a.Request.Method, ""}, {code, ""}, {a.Request.MediaType(), ""}, {ip, ""},
		labelled(item, item.Staff, people.Key(a.Actor), a.Actor.Name, cmp.Or(a.Actor.Email, a.Actor.ID, a.Actor.ExternalID)),
		labelled(item, false, people.TitledKey(a.Course), a.Course.Title, a.Course.ID),
		labelled(item, false, people.TitledKey(a.Class), a.Class.Title, a.Class.ID),
	}
}

// What a day's writer remembers: so many terms, each of so many bytes.
const maxTerms, maxTermBytes = 5_000, 512

// terms remembers numbers of the table term.
type terms struct{ known map[termKey]knownTerm }

type termKey struct {
	field int
	value string
}

type knownTerm struct {
	no    int64
	label string
	at    int64
}

func newTerms() *terms { return &terms{known: map[termKey]knownTerm{}} }

// better tells whether a label, true at the time at, should replace what is known.
func (k knownTerm) better(label string, at int64) bool {
	if label == "" || label == k.label {
		return false
	}
	return k.label == "" || label[0] > k.label[0] || label[0] == k.label[0] && at >= k.at
}

// number returns the number of a term, which it makes; the best label stays.
func (t *terms) number(c *sqlite.Conn, field int, v term, at int64) (int64, error) {
	if v.value == "" {
		return 0, nil
	}
	key := termKey{field, v.value}
	known, ok := t.known[key]
	if !ok {
		var err error
		if known, err = findTerm(c, key, v.label, at); err != nil {
			return 0, err
		}
	}
	if known.better(v.label, at) {
		if err := run(c, "UPDATE term SET label = ?, at = ? WHERE no = ?", v.label, at, known.no); err != nil {
			return 0, err
		}
		known.label, known.at = v.label, at
	} else if known.label == v.label {
		known.at = max(known.at, at)
	}
	if len(t.known) >= maxTerms {
		clear(t.known)
	}
	if len(key.value)+len(known.label) <= maxTermBytes {
		t.known[key] = known
	}
	return known.no, nil
}

// findTerm reads a term, or makes it.
func findTerm(c *sqlite.Conn, key termKey, label string, at int64) (knownTerm, error) {
	stmt, err := prepare(c, "SELECT no, label, at FROM term WHERE field = ? AND value = ?", int64(key.field), key.value)
	if err != nil {
		return knownTerm{}, err
	}
	found, err := stmt.Step()
	known := knownTerm{stmt.ColumnInt64(0), stmt.ColumnText(1), stmt.ColumnInt64(2)}
	if e := stmt.Reset(); err == nil {
		err = e
	}
	if err != nil || found {
		return known, err
	}
	err = run(c, "INSERT INTO term(field, value, label, at) VALUES (?, ?, ?, ?)", int64(key.field), key.value, label, at)
	return knownTerm{c.LastInsertRowID(), label, at}, err
}

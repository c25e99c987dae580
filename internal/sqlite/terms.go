package sqlite

import (
	"strconv"

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

// term is a value of a column and its label.
type term struct{ value, label string }

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
	return [14]term{
		{item.Institution, a.Institution.Name}, {item.Position.Stream, ""}, {string(a.Category), ""}, {a.Code, a.Label}, {a.Outcome, ""},
		{a.Actor.Kind, ""}, {a.Origin.Channel, ""}, {a.Request.Method, ""}, {code, ""}, {a.Request.MediaType(), ""}, {ip, ""},
		{people.Key(a.Actor), firstOf(a.Actor.Name, a.Actor.Email, a.Actor.ID, a.Actor.ExternalID)},
		{people.TitledKey(a.Course), firstOf(a.Course.Title, a.Course.ID)},
		{people.TitledKey(a.Class), firstOf(a.Class.Title, a.Class.ID)},
	}
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// maxTerms bounds what a day's writer remembers.
const maxTerms = 20_000

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

// number returns the number of a term, which it makes; the newest label stays.
func (t *terms) number(c *sqlite.Conn, field int, v term, at int64) (int64, error) {
	if v.value == "" {
		return 0, nil
	}
	key := termKey{field, v.value}
	known, ok := t.known[key]
	if ok && (known.label == v.label || known.at > at || v.label == "") {
		return known.no, nil
	}
	stmt := c.Prep(`INSERT INTO term(field, value, label, at) VALUES (?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET label = CASE WHEN excluded.at >= at AND excluded.label <> '' THEN excluded.label ELSE label END,
		at = max(at, excluded.at) RETURNING no, label, at`)
	stmt.BindInt64(1, int64(field))
	stmt.BindText(2, v.value)
	stmt.BindText(3, v.label)
	stmt.BindInt64(4, at)
	defer stmt.Reset()
	if _, err := stmt.Step(); err != nil {
		return 0, err
	}
	known = knownTerm{stmt.ColumnInt64(0), stmt.ColumnText(1), stmt.ColumnInt64(2)}
	if _, err := stmt.Step(); err != nil { // RETURNING: to the end
		return 0, err
	}
	if len(t.known) >= maxTerms {
		clear(t.known)
	}
	t.known[key] = known
	return known.no, nil
}

package actionlog

import (
	"net/netip"
	"slices"
	"time"
)

// Query says which actions are meant. It is flat: clauses are AND-ed, the
// values inside a clause OR-ed, and a clause may be negated. What asks for more
// than a thousand things at once may be refused with an *InvalidError that names
// the field. The institution
// is not a clause but a field that every query has; a store refuses a query
// without it.
type Query struct {
	// Institution whose actions are meant; never empty.
	Institution string
	// From (inclusive) and To (exclusive) bound OccurredAt, at millisecond
	// precision; a zero time is no bound.
	From, To time.Time
	// Clauses that an action must all satisfy.
	Clauses []Clause
	// Staff says how far this query may look behind the display name of the
	// platform's staff.
	Staff StaffView
	// MissingDays permits an answer although days that the query covers are
	// set aside as damaged. Without it such an answer is ErrUnavailable.
	MissingDays bool
}

// Check returns an *InvalidError for a query that has no institution or a clause that
// means nothing; every store refuses these.
func (q *Query) Check() error {
	if q.Institution == "" {
		return Invalidf("institution", "is missing")
	}
	for _, c := range q.Clauses {
		if len(c.Values) == 0 {
			return Invalidf(string(c.Field), "has no value")
		}
		if !slices.Contains(clauseFields[:], c.Field) {
			return Invalidf("field", "%q is not a field that a clause can look at", c.Field)
		}
	}
	return nil
}

// StaffView says how actions of the platform's own staff are treated.
type StaffView int

const (
	// StaffFindable: filters find staff by their real names, facets count all
	// of them as one. The default.
	StaffFindable StaffView = iota
	// StaffShown: staff are people like any others.
	StaffShown
	// StaffHidden: as StaffFindable, but no filter looks at who they are.
	StaffHidden
)

// Clause is one condition: the field has one of the values, or, negated, none
// of them. An action without the field has none of the values.
type Clause struct {
	Field  Field
	Values []Value // at least one
	Not    bool
}

// Field is what a clause looks at. The constants' values are the API's names; a
// store refuses any other field with an InvalidError.
type Field string

const (
	FieldID          Field = "id"                   // Value.Text: the action's id
	FieldCategory    Field = "category"             // Value.Text
	FieldAction      Field = "action"               // Value.Text: the code
	FieldOutcome     Field = "outcome"              // Value.Text
	FieldActorKind   Field = "actor_kind"           // Value.Text
	FieldChannel     Field = "channel"              // Value.Text
	FieldMethod      Field = "request_method"       // Value.Text, upper case
	FieldCode        Field = "response_code"        // Value.Min, Value.Max: inclusive
	FieldURL         Field = "response_url"         // Value.Text: see URLMatches
	FieldContentType Field = "request_content_type" // Value.Text: a media type as MediaType gives it
	FieldAny         Field = "any"                  // Value.Words: all of them, anywhere
	FieldIP          Field = "ip"                   // Value.Prefix, masked
	FieldBatch       Field = "batch"                // Value.Text
	FieldRequestID   Field = "request_id"           // Value.Text
	FieldActor       Field = "actor"                // Value.Person
	FieldTarget      Field = "target"               // Value.Person
	FieldOnBehalfOf  Field = "on_behalf_of"         // Value.Person
	FieldPerson      Field = "person"               // Value.Person: actor, on_behalf_of or any target
	FieldCourse      Field = "course"               // Value.Titled
	FieldClass       Field = "class"                // Value.Titled
)

// clauseFields are all fields that a clause can look at.
var clauseFields = [...]Field{FieldID, FieldCategory, FieldAction, FieldOutcome, FieldActorKind, FieldChannel, FieldMethod, FieldCode, FieldURL,
	FieldContentType, FieldAny, FieldIP, FieldBatch, FieldRequestID, FieldActor, FieldTarget, FieldOnBehalfOf, FieldPerson, FieldCourse, FieldClass}

// ClauseFields are all fields that a clause can look at.
func ClauseFields() []Field { return slices.Clone(clauseFields[:]) }

// Value is one alternative of a clause. Which part is used depends on the
// field, see there; the others are zero. Text compares byte for byte unless
// the field says otherwise.
type Value struct {
	Text     string
	Words    []string // folded, as internal/people cuts them; at least one
	Min, Max int
	Prefix   netip.Prefix
	Person   PersonMatch
	Titled   TitledMatch
}

// PersonMatch describes a person of an action; exactly one field is set.
type PersonMatch struct {
	Key    string   // the directory key, see DirectoryEntry; only of people (IsPerson)
	ID     string   // the platform's ID or the external ID, byte for byte
	Email  string   // the whole e-mail address, in lower case
	Prefix string   // the beginning of the e-mail address, in lower case
	Domain string   // what stands behind the last @, in lower case
	Words  []string // all are words of the name; only of people (IsPerson)
	Staff  bool     // the actor is of the platform's staff
}

// TitledMatch describes a course or class of an action; exactly one field is
// set.
type TitledMatch struct {
	Key   string   // the directory key, see DirectoryEntry
	ID    string   // byte for byte
	Words []string // all are words of the title
}

// Order of a list or scan, by OccurredAt. Among equal times the order is the
// store's own, total, and the same in every call; OldestFirst is the exact
// reverse of NewestFirst.
type Order int

const (
	NewestFirst Order = iota
	OldestFirst
)

// URLMatches is what FieldURL means: text is the request's whole URL, or its
// path, or the beginning of its path. A text that does not begin with "/"
// matches a whole URL only.
func URLMatches(r Request, text string) bool {
	if r.URL == "" || text == "" {
		return false
	}
	path := r.Path()
	return r.URL == text || text[0] == '/' && len(path) >= len(text) && path[:len(text)] == text
}

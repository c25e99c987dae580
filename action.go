package actionlog

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Schema is the value of an action document's optional "schema" member.
const Schema = "action/1"

// MaxDocumentBytes is the size limit of one action document, in bytes.
const MaxDocumentBytes = 256 << 10

// Action is what a person, a member of the platform's staff, or a program did:
// the fields that the service reads from an action document. Absent optional
// fields are zero. The document itself, which may hold more, is in a Record.
type Action struct {
	ID          string      // made by the publisher, 1–128 of A-Za-z0-9._:-
	Institution Institution // the tenant
	OccurredAt  time.Time   // UTC, truncated to the millisecond
	Category    Category
	Code        string // what was done: a code of the catalogue, or any other
	Label       string // for people; from the catalogue where the document has none
	Outcome     string // "success", "failure", "unknown" or ""
	Reason      string
	Actor       Person  // who did it
	OnBehalfOf  *Person // for whom the actor acted, or nil
	Targets     []Person
	Course      Titled
	Class       Titled
	Changes     []Change
	Request     Request
	Response    *int // status code, or nil
	Origin      Origin
	Trace       Trace
	Summary     string
}

// Day is the UTC date on which the action occurred. It is part of an action's
// identity: (institution, id, day).
func (a *Action) Day() Day { return DayOf(a.OccurredAt) }

// Institution is a tenant of the platform. ID: 1–64 of A-Za-z0-9_-.
type Institution struct{ ID, Name string }

// Category is the kind of action that the filter "action type" means.
type Category string

// The categories. A document may say "portal" for CategoryInstitution.
const (
	CategoryInstitution Category = "institution"
	CategoryCourse      Category = "course"
	CategoryAPI         Category = "api"
)

// Kinds of actor.
const (
	KindUser      = "user"
	KindStaff     = "staff" // a member of the platform's own staff
	KindAPIKey    = "api_key"
	KindSystem    = "system"
	KindAnonymous = "anonymous"
)

// Person is an actor, one for whom somebody acted, or a target. A target need
// not be a person (see IsPerson): assignments and reports are targets too.
type Person struct {
	Kind       string
	ID         string // the platform's own
	Name       string
	Email      string
	ExternalID string // the institution's own ID for the person
	Roles      []string
}

// Titled is a course or a class.
type Titled struct{ ID, Title string }

// Change is one field that an action changed; Before and After are JSON values
// as they stand in the document, nil where absent.
type Change struct {
	Field         string
	Before, After json.RawMessage
}

// Request is the HTTP request of an API action.
type Request struct{ Method, URL, Route, ContentType string }

// Path is the path of the request's URL, percent-encoding as recorded, without
// scheme, host, query and fragment; "" where there is no URL.
func (r Request) Path() string {
	u := r.URL
	if i := strings.IndexAny(u, "?#"); i >= 0 {
		u = u[:i]
	}
	if i := strings.Index(u, "://"); i >= 0 && !strings.Contains(u[:i], "/") {
		u = u[i+3:]
		if j := strings.IndexByte(u, '/'); j >= 0 {
			return u[j:]
		}
		return "/"
	}
	return u
}

// MediaType is the request's content type without parameters, in lower case.
func (r Request) MediaType() string { return MediaType(r.ContentType) }

// MediaType strips parameters such as charset from a content type and lowers
// its case: "Application/JSON; charset=utf-8" is "application/json".
func MediaType(contentType string) string {
	s, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(s))
}

// Origin says where an action came from. Channel (web, api, lti, job,
// staff_console, …) tells what people did by hand from what a program did.
type Origin struct {
	IP        netip.Addr // zero where absent; IPv4-mapped addresses are unmapped
	UserAgent string
	Channel   string
}

// Trace ties actions together: one request, one session, one bulk operation.
type Trace struct{ RequestID, SessionID, BatchID string }

// IsPerson tells whether a person filter by name applies to p. Actors always
// are people in that sense; a target is one when it has an e-mail address or
// an external ID, or when its kind says so or is absent.
func (p Person) IsPerson() bool {
	if p.Email != "" || p.ExternalID != "" {
		return true
	}
	switch strings.ToLower(p.Kind) {
	case "", "user", "staff", "person", "people", "learner", "student", "participant",
		"member", "team_member", "administrator", "admin", "course_administrator",
		"teacher", "instructor", "tutor", "coach", "mentor", "facilitator", "author",
		"manager", "owner", "guardian", "parent", "employee", "account", "contact",
		"api_key", "system", "anonymous":
		return true
	}
	return false
}

// Position is where the stream took an action: which incarnation of the
// stream, and at which sequence there. Positions of one incarnation are
// ordered; a rebuilt stream has another incarnation. The zero Position is
// "not from a stream".
type Position struct {
	Stream   string // incarnation: 1–32 of a-z0-9
	Sequence uint64 // from 1
}

// Record is an action as it is kept and handed back: the publisher's document,
// byte for byte but for scrubbed secrets, and the service's own fields.
type Record struct {
	Institution string
	ID          string
	OccurredAt  time.Time // UTC, milliseconds
	ReceivedAt  time.Time // when the stream took it, UTC
	Position    Position
	Warnings    []string // what was not indexed and why: "origin.ip: not an IP address"
	Staff       bool     // the actor is a member of the platform's staff
	Document    []byte   // one JSON object
}

// Item reads what is kept as what is written: to put it into another store, or another
// place of this one.
func (r *Record) Item() (Item, error) {
	item, err := Parse(r.Document, nil)
	if err != nil {
		return item, fmt.Errorf("action %s of %s: %w", r.ID, r.Institution, err)
	}
	item.ReceivedAt, item.Position, item.Warnings = r.ReceivedAt, r.Position, r.Warnings
	return item, nil
}

// Day is the UTC date of the record's action.
func (r *Record) Day() Day { return DayOf(r.OccurredAt) }

// PlatformLog is the log of what concerns no institution, or all: it is written by the
// service alone, and read by compliance, and by whom a token names for it.
const PlatformLog = "_platform"

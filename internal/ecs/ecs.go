// Package ecs writes actions as events of the Elastic Common Schema, each one line of JSON.
// The names of an event's members are the package's own, all of them: what a publisher names
// freely (details, what was before and after a change) is text in it, so that no document
// decides how an index is made, or is refused by one. docs/ecs.md has the mapping. It does
// no I/O and filters nothing.
package ecs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"actionlog"
)

// Version of the schema whose fields are written.
const Version = "9.4.0"

// Record is an action as it leaves the service.
type Record struct {
	actionlog.Record
	Position string // sealed; "" is none
	Masked   bool   // its actor has the display name of staff
}

// Append writes a record as an event, without a line feed.
func Append(b []byte, r *Record) ([]byte, error) {
	a, member, err := actionlog.ReadAction(r.Document)
	if err != nil {
		return b, fmt.Errorf("action %s of %s: %w", r.ID, r.Institution, err)
	}
	e := eventOf(r, &a, member("details"))
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(e); err != nil {
		return b, err
	}
	return append(b, bytes.TrimSuffix(line.Bytes(), []byte("\n"))...), nil
}

// timeFormat is that of dates: RFC 3339, UTC, milliseconds.
const timeFormat = "2006-01-02T15:04:05.000Z"

// dateOf is a time that an index reads: of a year of four digits. An offset may put an
// action an hour before the first of them.
func dateOf(t time.Time, format string) string {
	t = t.UTC()
	if first := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC); t.Before(first) {
		t = first
	}
	return t.Format(format)
}

func eventOf(r *Record, a *actionlog.Action, details []byte) *event {
	kind := kindOf(a)
	e := &event{
		Timestamp: dateOf(a.OccurredAt, timeFormat), ECS: version{Version}, Message: firstOf(a.Summary, a.Label, a.Code),
		Event: about{ID: a.ID, Kind: kind.kind, Category: kind.category, Type: kind.types, Action: a.Code, Outcome: a.Outcome, Reason: a.Reason,
			Module: "actionlog", Dataset: "actionlog.action", Original: string(r.Document)},
		Organization: named{a.Institution.ID, a.Institution.Name},
		User:         actor{user: userOf(&a.Actor)},
		UserAgent:    original{a.Origin.UserAgent},
		HTTP:         exchange{Request: request{ID: a.Trace.RequestID, Method: a.Request.Method}, Response: response{a.Response}},
		URL:          addressOf(a.Request),
		Own:          ownOf(r, a),
	}
	if !r.ReceivedAt.IsZero() {
		e.Event.Created = dateOf(r.ReceivedAt, time.RFC3339Nano)
	}
	if a.Origin.IP.IsValid() {
		e.Source.IP, e.Related.IP = a.Origin.IP.String(), []string{a.Origin.IP.String()}
	}
	e.Related.add(&a.Actor)
	if a.OnBehalfOf != nil {
		e.User.Effective = userOf(a.OnBehalfOf)
		e.Related.add(a.OnBehalfOf)
	}
	for i := range a.Targets {
		t := &a.Targets[i]
		if !t.IsPerson() {
			continue
		}
		if e.User.Target.Name == "" {
			e.User.Target = userOf(t)
		}
		e.Related.add(t)
	}
	e.Own.free(details, a)
	return e
}

// userOf is somebody as the schema has users. Its user.name is what people are told apart
// by in dashboards and detections: the address, which two of the same name do not share.
func userOf(p *actionlog.Person) user {
	return user{ID: p.ID, Name: firstOf(p.Email, p.Name, p.ExternalID, p.ID), FullName: p.Name, Email: p.Email, Roles: p.Roles}
}

// add adds all by which somebody is known.
func (r *related) add(p *actionlog.Person) {
	for _, name := range []string{p.ID, p.Name, p.Email, p.ExternalID} {
		known := name == ""
		for _, other := range r.User {
			known = known || other == name
		}
		if !known {
			r.User = append(r.User, name)
		}
	}
}

func ownOf(r *Record, a *actionlog.Action) own {
	o := own{Category: string(a.Category), Label: a.Label, Day: r.Day().String(), Position: r.Position, Channel: a.Origin.Channel,
		Actor: known{a.Actor.Kind, a.Actor.ExternalID}, Course: titled(a.Course), Class: titled(a.Class),
		Request: ownRequest{a.Request.Route, a.Request.ContentType}, Trace: trace{a.Trace.SessionID, a.Trace.BatchID},
		Warnings: r.Warnings, ActorMasked: r.Masked}
	if a.OnBehalfOf != nil {
		o.OnBehalfOf = known{a.OnBehalfOf.Kind, a.OnBehalfOf.ExternalID}
	}
	for _, t := range a.Targets {
		o.Targets = append(o.Targets, target(t))
	}
	return o
}

// free adds what publishers name and type freely, as text.
func (o *own) free(details []byte, a *actionlog.Action) {
	o.Details = textOf(details)
	for _, c := range a.Changes {
		o.Changes = append(o.Changes, change{c.Field, textOf(c.Before), textOf(c.After)})
	}
}

// textOf is a string's content, and other values as JSON; "" where there is none.
func textOf(value json.RawMessage) string {
	var s string
	if len(value) > 0 && json.Unmarshal(value, &s) != nil {
		s = string(value)
	}
	return s
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

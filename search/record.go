package search

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"actionlog"
	"actionlog/internal/ecs"
)

// timeFormat of the service's own times: RFC 3339, UTC.
const timeFormat = "2006-01-02T15:04:05.000Z"

// view is a record as it leaves the service.
type view struct {
	actionlog.Record
	sealed string // its position
	masked bool   // its actor has the display name of staff
}

// shown returns the record as lists and bulk exports show it.
func (s *server) shown(r actionlog.Record) view {
	v := view{Record: r, sealed: s.seal.position(r.Institution, r.Position)}
	if r.Staff && s.Staff != actionlog.StaffShown {
		v.Document, v.masked = actionlog.MaskStaff(r.Document, s.StaffDisplay), true
	}
	return v
}

// detailed returns the record as the details of one action show it.
func (s *server) detailed(r actionlog.Record) view {
	if s.Staff == actionlog.StaffHidden {
		return s.shown(r)
	}
	return view{Record: r, sealed: s.seal.position(r.Institution, r.Position)}
}

// appendRecord writes a record in its envelope, on one line. The document is
// never encoded again.
func appendRecord(b []byte, r view) []byte {
	b = append(b, `{"id":`...)
	b = appendString(b, r.ID)
	b = append(b, `,"day":"`...)
	b = r.Day().Start().AppendFormat(b, time.DateOnly)
	b = append(b, `","received_at":"`...)
	b = r.ReceivedAt.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","position":`...)
	b = appendString(b, r.sealed)
	for i, w := range r.Warnings {
		if i == 0 {
			b = append(b, `,"warnings":[`...)
		} else {
			b = append(b, ',')
		}
		b = appendString(b, w)
	}
	if len(r.Warnings) > 0 {
		b = append(b, ']')
	}
	if r.masked {
		b = append(b, `,"actor_masked":true`...)
	}
	b = append(b, `,"document":`...)
	return append(append(b, oneLine(r.Document)...), '}')
}

// appendEvent writes a record as an event of the Elastic Common Schema, on one line.
func appendEvent(b []byte, r view) ([]byte, error) {
	return ecs.Append(b, &ecs.Record{Record: r.Record, Position: r.sealed, Masked: r.masked})
}

// appendAs writes a record on one line, in a format that has a line for each.
func appendAs(format string, b []byte, r view) ([]byte, error) {
	if format == formatECS {
		return appendEvent(b, r)
	}
	return appendRecord(b, r), nil
}

// oneLine removes the line breaks between a document's tokens.
func oneLine(document []byte) []byte {
	if bytes.IndexByte(document, '\n') < 0 && bytes.IndexByte(document, '\r') < 0 {
		return document
	}
	var b bytes.Buffer
	if err := json.Compact(&b, document); err != nil {
		return []byte(strconv.Quote(err.Error())) // cannot be: Parse accepted it
	}
	return b.Bytes()
}

// appendString appends a JSON string, as json.Marshal writes it.
func appendString(b []byte, s string) []byte {
	if !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' || r > '~' || r == '"' || r == '\\' || r == '<' || r == '>' || r == '&'
	}) {
		return append(append(append(b, '"'), s...), '"')
	}
	text, err := json.Marshal(s)
	if err != nil {
		return append(b, `""`...)
	}
	return append(b, text...)
}

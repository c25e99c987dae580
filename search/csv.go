package search

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"

	"actionlog"
)

// csvColumns are the columns of a CSV export, in order. Nested values are JSON.
var csvColumns = []string{"id", "day", "occurred_at", "occurred_at_local", "received_at", "position",
	"institution_id", "institution_name", "category", "action_code", "action_label", "outcome", "reason",
	"actor_kind", "actor_id", "actor_name", "actor_email", "actor_external_id", "actor_roles",
	"on_behalf_of_id", "on_behalf_of_name", "on_behalf_of_email",
	"target_kind", "target_id", "target_name", "target_email", "course_id", "course_title", "class_id", "class_title",
	"request_method", "request_url", "request_route", "request_content_type", "response_code",
	"ip", "user_agent", "channel", "request_id", "session_id", "batch_id", "summary",
	"targets", "changes", "details", "warnings", "actor_masked"}

// csvFormat is RFC 4180, with a header row and CRLF. A cell that a spreadsheet
// would take for a formula begins with an apostrophe (OWASP, "CSV Injection").
type csvFormat struct {
	zone   *time.Location
	bom    bool
	cells  []string
	buffer bytes.Buffer
	csv    *csv.Writer
}

func newCSV(zone *time.Location, bom bool) *csvFormat {
	f := &csvFormat{zone: zone, bom: bom}
	f.csv = csv.NewWriter(&f.buffer)
	f.csv.UseCRLF = true
	return f
}

func (f *csvFormat) contentType() string { return "text/csv" }

func (f *csvFormat) begin(w io.Writer) error {
	if f.bom {
		if _, err := io.WriteString(w, "\ufeff"); err != nil {
			return err
		}
	}
	return f.row(w, csvColumns)
}

func (f *csvFormat) end(io.Writer) error { return nil }

func (f *csvFormat) row(w io.Writer, cells []string) error {
	f.buffer.Reset()
	if err := f.csv.Write(cells); err != nil {
		return err
	}
	f.csv.Flush()
	if err := f.csv.Error(); err != nil {
		return err
	}
	_, err := w.Write(f.buffer.Bytes())
	return err
}

func (f *csvFormat) write(w io.Writer, r view) error {
	a, member, err := actionlog.ReadAction(r.Document)
	if err != nil {
		return err
	}
	f.cells = appendBody(f.appendHead(f.cells[:0], r, &a), &a, member)
	warnings := ""
	if len(r.Warnings) > 0 {
		warnings = encode(r.Warnings)
	}
	f.cells = append(f.cells, warnings, strconv.FormatBool(r.masked))
	for i := range f.cells {
		f.cells[i] = cell(f.cells[i])
	}
	return f.row(w, f.cells)
}

func (f *csvFormat) appendHead(cells []string, r view, a *actionlog.Action) []string {
	obo := actionlog.Person{}
	if a.OnBehalfOf != nil {
		obo = *a.OnBehalfOf
	}
	return append(cells, r.ID, r.Day().String(), r.OccurredAt.UTC().Format(timeFormat), r.OccurredAt.In(f.zone).Format("2006-01-02T15:04:05.000-07:00"),
		r.ReceivedAt.UTC().Format(timeFormat), r.sealed, a.Institution.ID, a.Institution.Name, string(a.Category), a.Code, a.Label, a.Outcome, a.Reason,
		a.Actor.Kind, a.Actor.ID, a.Actor.Name, a.Actor.Email, a.Actor.ExternalID, strings.Join(a.Actor.Roles, ";"), obo.ID, obo.Name, obo.Email)
}

// appendBody appends what was done to whom, and as JSON what is nested.
func appendBody(cells []string, a *actionlog.Action, member func(name string) []byte) []string {
	target, code, ip := actionlog.Person{}, "", ""
	if len(a.Targets) > 0 {
		target = a.Targets[0]
	}
	if a.Response != nil {
		code = strconv.Itoa(*a.Response)
	}
	if a.Origin.IP.IsValid() {
		ip = a.Origin.IP.String()
	}
	return append(cells, target.Kind, target.ID, target.Name, target.Email, a.Course.ID, a.Course.Title, a.Class.ID, a.Class.Title,
		a.Request.Method, a.Request.URL, a.Request.Route, a.Request.ContentType, code, ip, a.Origin.UserAgent, a.Origin.Channel,
		a.Trace.RequestID, a.Trace.SessionID, a.Trace.BatchID, a.Summary, string(member("targets")), string(member("changes")), string(member("details")))
}

func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

// cell makes a string safe for spreadsheets: no formula, no NUL.
func cell(s string) string {
	if strings.IndexByte(s, 0) < 0 && (s == "" || plainStart[s[0]]) {
		return s
	}
	s = strings.ReplaceAll(s, "\x00", "\ufffd")
	if trimmed := strings.TrimLeft(s, " \t\r\n\u00a0\ufeff"); trimmed != "" && strings.ContainsRune("=+-@\uff1d\uff0b\uff0d\uff20", firstRune(trimmed)) || strings.HasPrefix(s, "\t") || strings.HasPrefix(s, "\r") {
		return "'" + s
	}
	return s
}

// plainStart are the bytes with which no formula begins, and nothing that a formula may stand behind.
var plainStart = func() (plain [256]bool) {
	for _, c := range "{[\"" {
		plain[c] = true
	}
	for c := '0'; c <= '9'; c++ {
		plain[c] = true
	}
	for c := 'a'; c <= 'z'; c++ {
		plain[c], plain[c-'a'+'A'] = true, true
	}
	return plain
}()

func firstRune(s string) rune {
	for _, r := range s {
		return r
	}
	return 0
}

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"actionlog"
)

// cellWidth is where a table cuts a cell, in characters.
const cellWidth = 44

// table writes aligned columns for people.
type table struct{ *tabwriter.Writer }

func newTable(w io.Writer, columns ...string) table {
	t := table{tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)}
	t.row(columns...)
	return t
}

func (t table) row(cells ...string) {
	for i, c := range cells {
		cells[i] = cut(clean(c), cellWidth)
	}
	fmt.Fprintln(t.Writer, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
}

// clean replaces what could steer a terminal: an action's texts are foreign.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return ' '
		}
		return r
	}, s)
}

func cut(s string, width int) string {
	if runes := []rune(s); len(runes) > width {
		return string(runes[:width-1]) + "…"
	}
	return s
}

// record is what a table shows of the service's envelope of an action.
type record struct {
	ID       string `json:"id"`
	Document struct {
		OccurredAt string `json:"occurred_at"`
		Category   string `json:"category"`
		Action     struct{ Code, Label string }
		Actor      person
		Targets    []person
		Course     titled
		Class      titled
		Response   struct{ Code json.RawMessage }
		Outcome    string
	} `json:"document"`
}

type person struct{ Name, Email, ID string }

func (p person) String() string { return first(p.Name, p.Email, p.ID) }

type titled struct{ ID, Title string }

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// recordTable writes actions, one a row, with times in zone.
type recordTable struct {
	table
	zone *time.Location
}

func newRecordTable(w io.Writer, zone *time.Location) recordTable {
	return recordTable{newTable(w, "TIME ("+zoneName(zone)+")", "TYPE", "ACTION", "ACTOR", "TARGET", "COURSE", "CLASS", "RESULT", "ID"), zone}
}

func zoneName(zone *time.Location) string {
	if zone == time.Local {
		return "local"
	}
	return zone.String()
}

// add shows one envelope. Optional fields of a document may be malformed:
// then the row shows what can be read.
func (t recordTable) add(envelope []byte) error {
	var r record
	if err := json.Unmarshal(envelope, &r); err != nil && r.ID == "" {
		return fmt.Errorf("the answer cannot be read: %w", err)
	}
	d := r.Document
	label, _ := actionlog.CatalogueLabel(d.Action.Code)
	var target string
	if len(d.Targets) > 0 {
		target = d.Targets[0].String()
	}
	if n := len(d.Targets); n > 1 {
		target = fmt.Sprintf("%s +%d", cut(target, cellWidth-5), n-1)
	}
	t.row(t.time(d.OccurredAt), d.Category, first(d.Action.Label, label, d.Action.Code),
		d.Actor.String(), target, first(d.Course.Title, d.Course.ID), first(d.Class.Title, d.Class.ID),
		first(string(d.Response.Code), d.Outcome), r.ID)
	return nil
}

// time shows an instant in the table's zone; one that cannot be read, as it is.
func (t recordTable) time(text string) string {
	at, err := time.Parse(time.RFC3339Nano, strings.ToUpper(text))
	if err != nil {
		return text
	}
	return at.In(t.zone).Format("2006-01-02 15:04:05")
}

// zoneNamed is where a table's times are shown: --tz, else where the user is.
func zoneNamed(name string) (*time.Location, error) {
	if name == "" {
		return time.Local, nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, usagef("--tz: %q is not a time zone as Europe/Berlin", name)
	}
	return zone, nil
}

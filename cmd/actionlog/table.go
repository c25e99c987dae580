package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"actionlog"

	"github.com/rivo/uniseg"
)

const (
	// cellWidth is where a table cuts a cell, in columns of a terminal.
	cellWidth = 44
	// leastWidth is what a narrow terminal leaves of a cell.
	leastWidth = 10
	// maxRows is how many rows a table holds; they are aligned with each other.
	maxRows = 1000
	// between is the space between two columns.
	between = "  "
)

// table writes aligned columns for people. It holds rows until Flush, or until they
// are maxRows.
type table struct {
	w       io.Writer
	width   int // of the terminal; 0: any
	columns int // that have room; what was left out once stays out
	rows    [][]string
	err     error // of writing, for the next Flush
}

func newTable(o *output, columns ...string) *table {
	t := &table{w: o, width: o.width, columns: len(columns)}
	t.row(columns...)
	return t
}

func (t *table) row(cells ...string) {
	for i, c := range cells {
		cells[i] = cut(clean(c), cellWidth)
	}
	if t.rows = append(t.rows, cells[:min(len(cells), t.columns)]); len(t.rows) >= maxRows {
		t.err = t.Flush()
	}
}

// Flush writes the rows, as wide as the widest of each column, or as the terminal
// allows: columns become narrower, but for the first and the last one, which is
// copied; where that is not enough, the last ones are left out.
func (t *table) Flush() error {
	if t.err != nil || len(t.rows) == 0 {
		return t.err
	}
	widths, fits := t.widths()
	for !fits && len(widths) > 2 {
		t.columns = len(widths) - 1
		for i, row := range t.rows {
			t.rows[i] = row[:min(len(row), t.columns)]
		}
		widths, fits = t.widths()
	}
	room := cellWidth // of the last column
	if !fits {
		room = max(leastWidth, t.width-widths[0]-len(between))
	}
	for _, row := range t.rows {
		var b strings.Builder
		for i, cell := range row {
			if i == len(widths)-1 {
				cell = cut(cell, room)
			} else {
				cell = cut(cell, widths[i])
				cell += strings.Repeat(" ", widths[i]-uniseg.StringWidth(cell)) + between
			}
			b.WriteString(cell)
		}
		if _, err := fmt.Fprintln(t.w, strings.TrimRight(b.String(), " ")); err != nil {
			return err
		}
	}
	t.rows = t.rows[:0]
	return nil
}

// widths are those of the columns; the widest give way where the terminal is
// too narrow. It does not fit where that is not enough.
func (t *table) widths() (widths []int, fits bool) {
	total := 0
	for _, row := range t.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
				total += len(between)
			}
			if w := uniseg.StringWidth(cell); w > widths[i] {
				total += w - widths[i]
				widths[i] = w
			}
		}
	}
	total -= len(between)
	for ; t.width > 0 && total > t.width; total-- {
		widest := 0
		for i := 1; i < len(widths)-1; i++ {
			if widest == 0 || widths[i] >= widths[widest] {
				widest = i
			}
		}
		if widest == 0 || widths[widest] <= leastWidth {
			return widths, false
		}
		widths[widest]--
	}
	return widths, true
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

// cut shortens a text to a width in columns of a terminal.
func cut(s string, width int) string {
	if uniseg.StringWidth(s) <= width {
		return s
	}
	var b strings.Builder
	left := width - 1
	for g := uniseg.NewGraphemes(s); g.Next(); {
		if left -= g.Width(); left < 0 {
			break
		}
		b.WriteString(g.Str())
	}
	return b.String() + "…"
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
	*table
	zone *time.Location
}

func newRecordTable(o *output, zone *time.Location) recordTable {
	return recordTable{newTable(o, "TIME ("+zoneName(zone)+")", "TYPE", "ACTION", "ACTOR", "TARGET", "COURSE", "CLASS", "RESULT", "ID"), zone}
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

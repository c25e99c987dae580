package search

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"actionlog"
)

// Whatever stands in an action, its row has as many cells as there are columns, reads as
// it was written, and no cell is a formula.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{"Ann", "=1+1", "\t=x", " \u00a0@y", "a,b\"c\nd", "\x00", "\r\n-1", "\ufeff+1", "\uff1dx", "'"} {
		f.Add(s, s, s)
	}
	f.Fuzz(func(t *testing.T, name, title, more string) {
		if !utf8.ValidString(name + title + more) {
			return // no document has it
		}
		document, err := json.Marshal(map[string]any{"id": "a", "occurred_at": "2026-11-25T12:00:00Z", "institution": map[string]any{"id": "uni"}, "category": "course", "action": map[string]any{"code": "x", "label": more},
			"actor": map[string]any{"kind": "user", "id": "u", "name": name}, "course": map[string]any{"id": "c", "title": title}, "summary": more, "details": map[string]any{"x": more}})
		if err != nil {
			t.Fatal(err)
		}
		item, err := actionlog.Parse(document, nil)
		if err != nil {
			return
		}
		var out bytes.Buffer
		format := newCSV(time.UTC, false)
		r := view{Record: actionlog.Record{Institution: "uni", ID: "a", OccurredAt: item.OccurredAt, Document: item.Document}}
		if err := format.begin(&out); err != nil {
			t.Fatal(err)
		}
		if err := format.write(&out, r); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(&out).ReadAll()
		if err != nil || len(rows) != 2 || len(rows[0]) != len(rows[1]) {
			t.Fatalf("%d rows: %v", len(rows), err)
		}
		for i, text := range rows[1] {
			if formula := strings.TrimLeft(text, " \t\r\n\u00a0\ufeff"); formula != "" && strings.ContainsRune("=+-@＝＋－＠", firstRune(formula)) {
				t.Errorf("%s: %q is a formula", rows[0][i], text)
			}
			if strings.Contains(text, "\x00") {
				t.Errorf("%s: %q", rows[0][i], text)
			}
		}
	})
}

// Only what was sealed opens, for whom and what it was sealed; the rest is refused.
func FuzzCursor(f *testing.F) {
	seal, err := newSealer(bytes.Repeat([]byte{7}, 64))
	if err != nil {
		f.Fatal(err)
	}
	s := &server{seal: seal}
	values := url.Values{"user": {"ann"}}
	good, err := s.encodeCursor(cursor{Mark: "m", From: time.Unix(1, 0), To: time.Unix(2, 0)}, "uni", values)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, "uni", "ann")
	f.Add(good[:len(good)-1], "uni", "ann")
	f.Add("", "", "")
	f.Fuzz(func(t *testing.T, text, institution, user string) {
		c, err := s.decodeCursor(text, institution, url.Values{"user": {user}})
		if (err == nil) != (text == good && institution == "uni" && user == "ann") {
			t.Errorf("%q of %q for %q: %+v, %v", text, institution, user, c, err)
		}
	})
}

// No filter is a panic; what is refused names a parameter that was given, and what is read
// in one way means the same in its normal one.
func FuzzFilter(f *testing.F) {
	for _, name := range []string{"action", "response_code", "ip", "from", "range", "any", "response_url", "tz", "category"} {
		f.Add(name, "200,2xx", "-x")
		f.Add(name, "now-7d/d", `\-a\,b`)
	}
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, name, a, b string) {
		values := url.Values{name: {a, b}}
		if spec, ok := filters[name]; ok && spec.kind != "" {
			return // it asks the directory
		}
		read := func(v url.Values) (actionlog.Query, error) {
			r := reading{now: at}
			f, err := r.read(t.Context(), v)
			return f.query, err
		}
		q, err := read(values)
		if err != nil {
			var invalid *actionlog.InvalidError
			if !errors.As(err, &invalid) || invalid.Field != name && !slices.Contains([]string{"from", "to", "range", "query"}, invalid.Field) {
				t.Errorf("%q: %v", values, err)
			}
			return
		}
		again, err := read(normal(values))
		if err != nil || len(q.Clauses) != len(again.Clauses) || !q.From.Equal(again.From) || !q.To.Equal(again.To) {
			t.Errorf("%q: %v, %v\n%+v\n%+v", values, normal(values), err, q, again)
		}
	})
}

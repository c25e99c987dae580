package search

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"actionlog"
)

func dayAt(t *testing.T, text string) actionlog.Day {
	t.Helper()
	d, err := actionlog.ParseDay(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// spansOf reads "01-05 07-07": days of January 2025, both included.
func spansOf(t *testing.T, text string) (list []days) {
	t.Helper()
	for s := range strings.FieldsSeq(text) {
		from, to, _ := strings.Cut(s, "-")
		list = append(list, days{From: dayAt(t, "2025-01-"+from), To: dayAt(t, "2025-01-"+to)})
	}
	return list
}

func TestUncovered(t *testing.T) {
	for _, c := range []struct{ asked, there, want string }{
		{"05-10", "", "05-10"},
		{"05-10", "05-10", ""},
		{"05-10", "01-31", ""},
		{"05-10", "01-05", "06-10"},
		{"05-10", "10-20", "05-09"},
		{"05-10", "07-07", "05-06 08-10"},
		{"05-10", "08-09 06-06 05-05", "07-07 10-10"},
		{"05-10", "06-09 07-08", "05-05 10-10"},
		{"05-10", "01-03 12-20", "05-10"},
		{"05-05", "05-05 05-05", ""},
		{"05-10", "11-11 04-04", "05-10"},
	} {
		var got []string
		for _, d := range uncovered(spansOf(t, c.asked)[0], spansOf(t, c.there)) {
			got = append(got, fmt.Sprintf("%02d-%02d", d.From.Start().Day(), d.To.Start().Day()))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s without %q is %q, want %q", c.asked, c.there, got, c.want)
		}
	}
}

// A search within the filter of a restore has all that it asks for; another has not.
func TestWithin(t *testing.T) {
	for _, c := range []struct {
		search, filter string
		want           bool
	}{
		{"category=course", "", true},
		{"", "category=course", false},
		{"category=course", "category=course", true},
		{"category=course&any=x", "category=course", true},
		{"category=course", "category=course&category=api", true},
		{"category=course&category=api", "category=course", false},
		{"category=-course", "category=-course", true},
		{"category=-course", "category=-course&category=-api", false},
		{"category=-course&category=-api", "category=-course", false},
		{"category=-course&category=-course", "category=-course&category=-api", false},
		{"category=course,api", "category=api&category=course", true},
		{"category=course", "category=course,-api", false},
		{"any=a+b", "any=a+b", true},
		{"any=a", "any=a+b", false},
		{"any=", "any=", true},
		{"user=a@b.c", "user=a@b.c", false}, // whose address it was is another question there
		{"course=id:7&near=exclude", "course=id:7", false},
		{"actor=a@b.c", "actor=a@b.c", false},
		{"target=a@b.c", "", true},
	} {
		search, err := url.ParseQuery(c.search)
		if err != nil {
			t.Fatal(err)
		}
		filter, err := url.ParseQuery(c.filter)
		if err != nil {
			t.Fatal(err)
		}
		if got := within(search, filter); got != c.want {
			t.Errorf("%q within %q: %v", c.search, c.filter, got)
		}
	}
}

// A filter of a restore is read as a search's is, but for time, and its mistakes are named.
func TestReadFilterOfARestore(t *testing.T) {
	_, store := newServer(t, 0)
	for filter, field := range map[string]string{"category=course&any=x": "", "range=7d": "/filter/range", "from=now": "/filter/from", "cursor=x": "/filter/cursor",
		"colour=red": "/filter/colour", "q=type:course": "/filter/q", "actor=ann&target=lee": "", "response_code=ok": "/filter/response_code", "outcome=maybe": "/filter/outcome"} {
		values, err := url.ParseQuery(filter)
		if err != nil {
			t.Fatal(err)
		}
		q, err := ReadFilter(t.Context(), store, "uni", values, actionlog.StaffFindable, "System")
		invalid, _ := err.(*actionlog.InvalidError)
		if field == "" && (err != nil || len(q.Clauses) != 2) || field != "" && (invalid == nil || invalid.Field != field) {
			t.Errorf("%s: %+v, %v", filter, q.Clauses, err)
		}
	}
}

// A problem names the parameter, also where a store names the field of the query.
func TestProblemNamesTheParameter(t *testing.T) {
	for field, want := range map[string]string{"person": "user", "target": "target", "course": "course", "limit": "limit", "": ""} {
		if p := problemOf(actionlog.Invalidf(field, "asks for too much at once")); p.Parameter != want || p.Status != 400 || !strings.HasPrefix(p.Detail, want) {
			t.Errorf("%q: %+v", field, p)
		}
	}
}

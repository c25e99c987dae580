package search

import (
	"net/url"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/storetest"

	"github.com/google/go-cmp/cmp"
)

// Times: dates in a zone, days around daylight saving, rolling ranges, the
// default of 7 days.
func TestTimes(t *testing.T) {
	now := time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)
	end := "2026-11-24T15:00:00.001Z" // as far ahead as anything may be kept
	for query, want := range map[string][2]string{
		"":                              {"2026-11-16T15:00:00Z", end},
		"range=30d":                     {"2026-10-24T15:00:00Z", end},
		"from=now-30d&to=now-10d":       {"2026-10-24T15:00:00Z", "2026-11-13T15:00:00Z"},
		"from=2026-11-20":               {"2026-11-20T00:00:00Z", end},
		"from=2026-11-20&to=2026-11-20": {"2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"},
		"from=2026-11-20&to=2026-11-20&tz=Asia/Kolkata":            {"2026-11-19T18:30:00Z", "2026-11-20T18:30:00Z"},
		"from=2026-11-01&to=2026-11-01&tz=America/New_York":        {"2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"}, // 25 hours
		"from=2026-03-29&to=2026-03-29&tz=Europe/Berlin":           {"2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"}, // 23 hours
		"from=2026-11-20T10:00:00%2B01:00&to=2026-11-20T10:00:00Z": {"2026-11-20T09:00:00Z", "2026-11-20T10:00:00Z"},
		"from=2026-11-20T10:00:00+01:00&to=now":                    {"2026-11-20T09:00:00Z", "2026-11-23T15:00:00Z"},
		"to=now":                                                   {"2026-11-16T15:00:00Z", "2026-11-23T15:00:00Z"},
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		r := reading{directory: storetest.NewModel(), institution: "uni", now: now}
		f, err := r.read(t.Context(), values)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		got := [2]string{f.query.From.UTC().Format(time.RFC3339Nano), f.query.To.UTC().Format(time.RFC3339Nano)}
		if got != want {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
		if f.query.Institution != "uni" {
			t.Errorf("%s: the query is for %q", query, f.query.Institution)
		}
	}
}

// What a parameter becomes.
func TestClauses(t *testing.T) {
	value := func(v ...actionlog.Value) []actionlog.Value { return v }
	text := func(s string) actionlog.Value { return actionlog.Value{Text: s} }
	for query, want := range map[string][]actionlog.Clause{
		"course=":                                 nil,
		"category=portal,api":                     {{Field: actionlog.FieldCategory, Values: value(text("institution"), text("api"))}},
		"category=-course":                        {{Field: actionlog.FieldCategory, Values: value(text("course")), Not: true}},
		"channel=web&channel=-api&channel=job":    {{Field: actionlog.FieldChannel, Values: value(text("web"), text("job"))}, {Field: actionlog.FieldChannel, Values: value(text("api")), Not: true}},
		`batch=\-7`:                               {{Field: actionlog.FieldBatch, Values: value(text("-7"))}},
		"batch=a,b":                               {{Field: actionlog.FieldBatch, Values: value(text("a,b"))}},
		"response_code=2xx,404,410-499":           {{Field: actionlog.FieldCode, Values: value(actionlog.Value{Min: 200, Max: 299}, actionlog.Value{Min: 404, Max: 404}, actionlog.Value{Min: 410, Max: 499})}},
		"request_method=post":                     {{Field: actionlog.FieldMethod, Values: value(text("POST"))}},
		"request_content_type=Text/CSV;charset=x": {{Field: actionlog.FieldContentType, Values: value(text("text/csv"))}},
		"any=Caf%C3%A9+au+lait":                   {{Field: actionlog.FieldAny, Values: value(actionlog.Value{Words: []string{"cafe", "au", "lait"}})}},
		"user=Jo@X.edu&user_role=target":          {{Field: actionlog.FieldTarget, Values: value(actionlog.Value{Person: actionlog.PersonMatch{Email: "jo@x.edu"}})}},
		"user=jo@*":                               {{Field: actionlog.FieldPerson, Values: value(actionlog.Value{Person: actionlog.PersonMatch{Prefix: "jo@"}})}},
		"user=-@x.edu":                            {{Field: actionlog.FieldPerson, Values: value(actionlog.Value{Person: actionlog.PersonMatch{Domain: "x.edu"}}), Not: true}},
		"user=id:7&user_role=actor":               {{Field: actionlog.FieldActor, Values: value(actionlog.Value{Person: actionlog.PersonMatch{ID: "7"}})}},
		// Nobody has this name: the clause matches nothing, but it is there.
		"user=No+Body": {{Field: actionlog.FieldPerson, Values: value(actionlog.Value{Person: actionlog.PersonMatch{ID: "No Body"}}, actionlog.Value{Person: actionlog.PersonMatch{Words: []string{"no", "body"}}})}},
		"course=id:c1": {{Field: actionlog.FieldCourse, Values: value(actionlog.Value{Titled: actionlog.TitledMatch{ID: "c1"}})}},
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			values = url.Values{"request_content_type": {"Text/CSV;charset=x"}} // ParseQuery refuses ';'
		}
		r := reading{directory: storetest.NewModel(), institution: "uni", display: "OpenLearning System", now: time.Now()}
		f, err := r.read(t.Context(), values)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		if d := cmp.Diff(want, f.query.Clauses, cmp.Comparer(func(a, b actionlog.Value) bool {
			return cmp.Equal(a.Words, b.Words) && a.Text == b.Text && a.Min == b.Min && a.Max == b.Max && a.Prefix == b.Prefix && cmp.Equal(a.Person, b.Person) && cmp.Equal(a.Titled, b.Titled)
		})); d != "" {
			t.Errorf("%s:\n%s", query, d)
		}
	}
}

// Buckets end where the zone's hours, days, weeks and months do.
func TestEdges(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	from, to := time.Date(2026, 10, 31, 12, 0, 0, 0, zone), time.Date(2026, 11, 3, 6, 0, 0, 0, zone)
	days, err := edgesOf(from, to, "day", zone)
	if err != nil {
		t.Fatal(err)
	}
	var hours []float64
	for i := range days[1:] {
		hours = append(hours, days[i+1].Sub(days[i]).Hours())
	}
	if d := cmp.Diff([]float64{12, 25, 24, 6}, hours); d != "" {
		t.Errorf("days around the end of daylight saving: %s", d)
	}
	each, err := edgesOf(from, to, "hour", zone)
	if err != nil || len(each) != 12+25+24+6+1 {
		t.Errorf("%d edges of hours, %v", len(each), err)
	}
	weeks, err := edgesOf(from, to, "week", zone)
	if err != nil || len(weeks) != 3 || weeks[1].Weekday() != time.Monday {
		t.Errorf("weeks %v, %v", weeks, err)
	}
	months, err := edgesOf(from, to, "month", zone)
	if err != nil || len(months) != 3 || months[1].Day() != 1 {
		t.Errorf("months %v, %v", months, err)
	}
	at := time.Date(2026, 11, 1, 0, 59, 58, 1, zone) // an hour later it is this time again
	minutes, err := edgesOf(at, at.Add(2*time.Hour), "auto", zone)
	if err != nil || len(minutes) != 122 || minutes[1].Sub(at) != 2*time.Second-1 || minutes[120].Sub(minutes[1]) != 119*time.Minute {
		t.Errorf("minutes %v, %v", minutes, err)
	}
}

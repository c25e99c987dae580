package demo

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"actionlog"
)

var end = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// Every document is valid and without a warning, every action of the catalogue
// occurs, and what the documentation speaks of is there.
func TestActions(t *testing.T) {
	codes, institutions, ids := map[string]int{}, map[string]int{}, map[string]bool{}
	n, staff, failures, batches, api, melody := 0, 0, 0, 0, 0, 0
	last := time.Time{}
	for doc := range New(1, 100_000).Actions(end) {
		item, err := actionlog.Parse(doc, nil)
		if err != nil || len(item.Warnings) > 0 {
			t.Fatalf("%v, warnings %q:\n%s", err, item.Warnings, doc)
		}
		if !bytes.Equal(item.Document, doc) {
			t.Fatalf("holds what looks like a credential:\n%s", doc)
		}
		if ids[item.Institution+item.ID] || item.OccurredAt.Before(last) || item.OccurredAt.After(end) {
			t.Fatalf("id or time of %s", doc)
		}
		n, last, ids[item.Institution+item.ID] = n+1, item.OccurredAt, true
		codes[item.Action.Code]++
		institutions[item.Institution]++
		count := func(n *int, yes bool) {
			if yes {
				*n++
			}
		}
		count(&staff, item.Staff && item.Action.OnBehalfOf != nil)
		count(&failures, item.Action.Outcome == "failure")
		count(&batches, item.Action.Trace.BatchID != "")
		count(&api, item.Action.Category == actionlog.CategoryAPI && item.Action.Request.Method == "POST" && *item.Action.Response == 200)
		back := end.Sub(item.OccurredAt).Hours() / 24
		count(&melody, item.Action.Code == "course.administrator.removed" && item.Action.Course.Title == "Arts and Craft" && !item.Staff &&
			len(item.Action.Targets) == 1 && item.Action.Targets[0].Name == "Melody Wang" && back > 10 && back < 30)
	}
	if n < 90_000 || n > 110_000 {
		t.Errorf("%d actions; about 100,000 were asked for", n)
	}
	for _, at := range actionlog.Catalogue() {
		if codes[at.Code] == 0 {
			t.Errorf("%s does not occur", at.Code)
		}
	}
	if len(institutions) != 3 || staff == 0 || failures == 0 || batches == 0 || api == 0 || melody == 0 {
		t.Errorf("institutions %v, staff %d, failures %d, in batches %d, API calls %d, Melody %d", institutions, staff, failures, batches, api, melody)
	}
}

// A day is the same whenever it is asked for: what the demo of tomorrow says of
// today is word for word what the demo of today says.
func TestSameAgain(t *testing.T) {
	today := map[string]bool{}
	for doc := range New(1, 2000).Actions(end) {
		today[string(doc)] = true
	}
	known := 0
	for doc := range New(1, 2000).Actions(end.AddDate(0, 0, 1)) {
		if today[string(doc)] {
			known++
		}
	}
	if known < len(today)*95/100 {
		t.Errorf("of %d documents, tomorrow repeats %d", len(today), known)
	}
	for doc := range New(2, 2000).Actions(end) {
		if today[string(doc)] {
			t.Fatalf("another seed repeats %s", doc)
		}
	}
}

func TestLive(t *testing.T) {
	item, err := actionlog.Parse(New(1, 10).Live(end), nil)
	if err != nil || !item.OccurredAt.Equal(end) || !strings.HasPrefix(item.Institution, "demo") {
		t.Errorf("%+v, %v", item, err)
	}
}

package saved

import (
	"testing"
	"time"

	"actionlog"
)

// A clock that was ahead and was set right leaves an alert that counts, in as much memory as ever.
func TestClockThatWasAhead(t *testing.T) {
	a := &actionlog.Alert{MoreThan: 2, Minutes: 1, Quiet: 1}
	w := window{&actionlog.AlertWindow{}, a}
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for range 3 { // a year ahead, also until the alert is raised
		w.add(now.AddDate(1, 0, 0), now.AddDate(1, 0, 0))
	}
	var raised *reached
	for i := range 3 {
		if r, late := w.add(now, now.Add(time.Duration(i)*time.Second)); late {
			t.Error("late")
		} else if r != nil {
			raised = r
		}
		if len(w.Counts) > 2*slots+3600 {
			t.Fatalf("%d slots are kept", len(w.Counts))
		}
	}
	if raised == nil {
		t.Error("three in a minute are not told")
	}
}

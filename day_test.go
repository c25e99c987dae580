package actionlog

import (
	"testing"
	"time"
)

func TestDay(t *testing.T) {
	for at, want := range map[string]string{
		"2026-11-22T23:59:59.999Z":      "2026-11-22",
		"2026-11-22T23:30:00-01:00":     "2026-11-23",
		"1969-12-31T23:59:59.999Z":      "1969-12-31",
		"0001-01-01T00:00:00Z":          "0001-01-01",
		"9999-12-31T23:59:59Z":          "9999-12-31",
		"2024-02-29T12:00:00.123+14:00": "2024-02-28",
	} {
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		d := DayOf(when)
		if d.String() != want {
			t.Errorf("DayOf(%s) = %s, want %s", at, d, want)
		}
		if d.IsZero() {
			t.Errorf("%s is taken for no day", at)
		}
		if when.Before(d.Start()) || !when.Before(d.End()) {
			t.Errorf("%s is not within %s", at, d)
		}
		if back, err := ParseDay(d.String()); err != nil || back != d {
			t.Errorf("ParseDay(%s) = %s, %v", d, back, err)
		}
	}
}

func TestOldestKept(t *testing.T) {
	now := time.Date(2026, 11, 23, 0, 0, 1, 0, time.UTC)
	oldest := OldestKept(now)
	if got := oldest.String(); got != "2026-08-23" {
		t.Errorf("oldest day %s", got)
	}
	// 90 days back is whole even where the local day began 14 hours before UTC's.
	if window := now.Add(-SearchWindow - 24*time.Hour); !oldest.Before(DayOf(window)) {
		t.Errorf("%s does not cover %s", oldest, window)
	}
}

func TestPosition(t *testing.T) {
	p := Position{"abc", 42}
	if back, err := ParsePosition(p.String()); err != nil || back != p {
		t.Errorf("%v, %v", back, err)
	}
	for _, s := range []string{"", "abc", "abc.", ".1", "abc.-1", "abc.x"} {
		if _, err := ParsePosition(s); err == nil {
			t.Errorf("%q was taken for a position", s)
		}
	}
}

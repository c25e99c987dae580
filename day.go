package actionlog

import (
	"cmp"
	"fmt"
	"time"
)

// Time limits of an action, relative to the moment at which it is judged.
const (
	// SearchWindow is what users are promised: the last 90 days.
	SearchWindow = 90 * 24 * time.Hour
	// KeepDays is for how many UTC days, today included, actions are kept
	// searchable: SearchWindow, whole in every time zone, and a day that is
	// only beginning somewhere.
	KeepDays = 93
	// MaxAhead is how far in the future an action may lie: clocks differ.
	MaxAhead = 24 * time.Hour
)

// Day is a UTC calendar date, the unit in which actions are stored and
// dropped. The zero Day is "no day". Days compare with == and Before.
type Day struct{ days int32 } // epoch + days since 1970-01-01; 0 is no day

// epoch keeps every date that a time can have apart from the zero Day.
const epoch = 1 << 24

// DayOf returns the UTC date of t.
func DayOf(t time.Time) Day {
	s := t.Unix()
	d := s / 86400
	if s%86400 < 0 {
		d--
	}
	return Day{int32(d) + epoch}
}

// ParseDay reads "2006-01-02".
func ParseDay(s string) (Day, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return Day{}, fmt.Errorf("%q is not a date as 2006-01-02", s)
	}
	return DayOf(t), nil
}

// IsZero tells whether d is no day.
func (d Day) IsZero() bool { return d == Day{} }

// Start is the first instant of the day, End the first instant after it.
func (d Day) Start() time.Time { return time.Unix(int64(d.days-epoch)*86400, 0).UTC() }

// End is the first instant of the following day.
func (d Day) End() time.Time { return d.Add(1).Start() }

// Add returns the day n days later.
func (d Day) Add(n int) Day { return Day{d.days + int32(n)} }

// Compare is negative where d is earlier than e, positive where it is later.
func (d Day) Compare(e Day) int { return cmp.Compare(d.days, e.days) }

// Before tells whether d is earlier than e.
func (d Day) Before(e Day) bool { return d.days < e.days }

// String gives "2006-01-02".
func (d Day) String() string { return d.Start().Format(time.DateOnly) }

// OldestKept is the oldest day that is searchable at the instant now.
func OldestKept(now time.Time) Day { return DayOf(now).Add(1 - KeepDays) }

// MarshalText gives "2006-01-02", and nothing for the zero Day.
func (d Day) MarshalText() ([]byte, error) {
	if d.IsZero() {
		return nil, nil
	}
	return []byte(d.String()), nil
}

// UnmarshalText reads what MarshalText gives.
func (d *Day) UnmarshalText(text []byte) (err error) {
	*d = Day{}
	if len(text) > 0 {
		*d, err = ParseDay(string(text))
	}
	return err
}

package saved

import (
	"testing"
	"time"

	"actionlog"

	"pgregory.net/rapid"
)

// A window says that there are too many when a count of all that came says so, for actions
// in any order, however late; and it stays small.
func TestWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := &actionlog.Alert{Kind: actionlog.AlertCount, MoreThan: rapid.IntRange(0, 6).Draw(t, "more than"), Minutes: rapid.SampledFrom([]int{1, 3, 10, 90, 1440}).Draw(t, "minutes")}
		a.Quiet = rapid.SampledFrom([]int{1, 10, 1440}).Draw(t, "quiet")
		w := window{&actionlog.AlertWindow{}, a}
		received := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		length := int64(a.Minutes) * 60
		var counted []int64 // seconds, each a slot's beginning
		silent := int64(0)
		for range rapid.IntRange(1, 80).Draw(t, "actions") {
			received = received.Add(time.Duration(rapid.IntRange(0, a.Minutes*20).Draw(t, "then")) * time.Second)
			occurred := received.Add(-time.Duration(rapid.IntRange(-100, a.Minutes*100).Draw(t, "late")) * time.Second)
			r, late := w.add(occurred, received)
			if occurred.After(received) {
				occurred = received
			}
			if tooLate := received.Sub(occurred) > lateness(a); late != tooLate {
				t.Fatalf("occurred at %s, came at %s: late %t", occurred, received, late)
			} else if tooLate {
				continue
			}
			at := occurred.Unix() / int64(a.Minutes) * int64(a.Minutes)
			if at < silent {
				if r != nil {
					t.Fatalf("raised while it is quiet")
				}
				continue
			}
			counted = append(counted, at)
			most, from := fullest(counted, at, silent, length, int64(a.Minutes))
			if (r != nil) != (most > a.MoreThan) {
				t.Fatalf("%d of %d in %d minutes: raised %v", most, a.MoreThan, a.Minutes, r)
			}
			if r == nil {
				continue
			}
			if r.count != most || r.from.Unix() != from || r.to.Sub(r.from) != time.Duration(a.Minutes)*time.Minute {
				t.Fatalf("%+v, and not %d from %d", r, most, from)
			}
			slot, quiet := int64(a.Minutes), int64(a.Quiet)*60
			silent = r.to.Unix() + (quiet+slot-1)/slot*slot
		}
		if most := int(lateness(a)/time.Minute)*60/a.Minutes + 3*slots; len(w.Counts) > most {
			t.Errorf("%d slots are kept", len(w.Counts))
		}
	})
}

// fullest counts, the slow way, what a window holds most of that holds the slot at.
func fullest(counted []int64, at, silent, length, slot int64) (most int, from int64) {
	for first := at - length + slot; first <= at; first += slot {
		n := 0
		for _, c := range counted {
			if c >= first && c < first+length && c >= silent {
				n++
			}
		}
		if n > most {
			most, from = n, first
		}
	}
	return most, from
}

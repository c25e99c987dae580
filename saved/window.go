package saved

import (
	"slices"
	"time"

	"actionlog"
)

// slots is how many make a window: how exact "in so many minutes" is.
const slots = 60

// window counts what occurred, to tell when more than so many did in so many minutes. What
// it needs to remember does not grow with what comes.
type window struct {
	*actionlog.AlertWindow
	alert *actionlog.Alert
}

// reached is the stretch of time in which an alert's number was exceeded.
type reached struct {
	from, to time.Time // to: exclusive
	count    int
}

// slotTime is how long a slot is: a sixtieth of the alert's minutes.
func (w *window) slotTime() time.Duration { return time.Duration(w.alert.Minutes) * time.Second }

func (w *window) slot(t time.Time) int64 { return t.Unix() / int64(w.alert.Minutes) }

func (w *window) begin(slot int64) time.Time {
	return time.Unix(slot*int64(w.alert.Minutes), 0).UTC()
}

// lateness is how long after it occurred an action may come and still be counted: an hour,
// or an alert's minutes where they are more.
func lateness(a *actionlog.Alert) time.Duration {
	return max(time.Hour, time.Duration(a.Minutes)*time.Minute)
}

// add counts an action. It returns the stretch in which there were too many, if there is one
// now; from then on the alert is silent for its quiet minutes. late: the action occurred too
// long before it came, and is not counted.
func (w *window) add(occurred, received time.Time) (r *reached, late bool) {
	if occurred.After(received) { // a publisher's clock is ahead
		occurred = received
	}
	if received.Sub(occurred) > lateness(w.alert) {
		return nil, true
	}
	at := w.slot(occurred)
	if now := w.slot(received); w.First > now+slots || w.Silent > now+w.quiet()+slots {
		w.First, w.Counts, w.Silent = 0, nil, 0 // the stream's clock was ahead, and was set right
	}
	w.forget(w.slot(received.Add(-lateness(w.alert))) - slots)
	if at < w.Silent {
		return nil, false
	}
	w.count(at)
	if r = w.most(at); r != nil {
		last := w.slot(r.to) - 1
		w.Silent = last + 1 + w.quiet()
		w.forget(w.Silent)
	}
	return r, false
}

// quiet is for how many slots an alert is silent.
func (w *window) quiet() int64 {
	return int64((time.Duration(w.alert.Quiet)*time.Minute + w.slotTime() - 1) / w.slotTime())
}

// count adds one to a slot.
func (w *window) count(at int64) {
	switch {
	case len(w.Counts) == 0:
		w.First, w.Counts = at, []int{0}
	case at < w.First:
		w.Counts = append(make([]int, w.First-at, int(w.First-at)+len(w.Counts)), w.Counts...)
		w.First = at
	case at >= w.First+int64(len(w.Counts)):
		w.Counts = append(w.Counts, make([]int, at-w.First-int64(len(w.Counts))+1)...)
	}
	w.Counts[at-w.First]++
}

// forget leaves out what is before a slot, and what counts nothing.
func (w *window) forget(before int64) {
	gone := min(max(before-w.First, 0), int64(len(w.Counts)))
	for int(gone) < len(w.Counts) && w.Counts[gone] == 0 {
		gone++
	}
	if gone > 0 {
		w.First, w.Counts = w.First+gone, slices.Clone(w.Counts[gone:])
	}
}

// most returns the fullest window that a slot is in, if it holds too many.
func (w *window) most(at int64) *reached {
	best, from := 0, int64(0)
	for first := at - slots + 1; first <= at; first++ {
		sum := 0
		for s := max(first, w.First); s < min(first+slots, w.First+int64(len(w.Counts))); s++ {
			sum += w.Counts[s-w.First]
		}
		if sum > best {
			best, from = sum, first
		}
	}
	if best <= w.alert.MoreThan {
		return nil
	}
	return &reached{from: w.begin(from), to: w.begin(from + slots), count: best}
}

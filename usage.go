package actionlog

import "cmp"

// Usage is how much of the log is an institution's in a span of days.
type Usage struct {
	Institution string
	From, To    Day // both included
	// Actions that occurred on these days and that the service acknowledged, each once: what
	// was published again is not counted, nor is what became a dead letter.
	Actions int64
	// Archived is how many lines the archive has of them, and Bytes how long these are before
	// compression: what was published twice is there twice. HasBytes: the length of all of
	// them is known.
	Archived int64
	Bytes    int64
	HasBytes bool
}

// UsageSpan is for which spans usage is counted.
type UsageSpan string

// The spans: days, months, or all that was asked for as one.
const (
	UsageByDay   UsageSpan = "day"
	UsageByMonth UsageSpan = "month"
	UsageTotal   UsageSpan = "total"
)

// UsageQuery says which usage is meant.
type UsageQuery struct {
	From, To Day // both included
	By       UsageSpan
	// After is the row behind which the answer begins; zero is the beginning.
	After UsageKey
	Limit int
}

// UsageKey identifies a row.
type UsageKey struct {
	Institution string
	From        Day
}

// Compare orders rows: by institution, then by time.
func (k UsageKey) Compare(o UsageKey) int {
	return cmp.Or(cmp.Compare(k.Institution, o.Institution), k.From.Compare(o.From))
}

// UsagePage is a part of the rows, in their order. Institutions have no row for a span in
// which nothing of theirs is counted.
type UsagePage struct {
	Rows []Usage
	More bool
	// Through: all that the stream took up to this position is counted, and what it took
	// since may be. Zero: nothing was published yet.
	Through Position
	// Counted is the first day that could be counted: earlier ones are neither in the store
	// nor in an archive that this process reads. Zero: all could be.
	Counted Day
}

// Span is the span that a day is in.
func (q *UsageQuery) Span(d Day) (from, to Day) {
	switch q.By {
	case UsageByDay:
		return d, d
	case UsageByMonth:
		start := d.Start()
		from = d.Add(1 - start.Day())
		to = DayOf(start.AddDate(0, 1, 1-start.Day())).Add(-1)
		return maxDay(from, q.From), minDay(to, q.To)
	}
	return q.From, q.To
}

func maxDay(a, b Day) Day {
	if a.Before(b) {
		return b
	}
	return a
}

func minDay(a, b Day) Day {
	if b.Before(a) {
		return b
	}
	return a
}

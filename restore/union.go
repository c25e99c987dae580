package restore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"actionlog"
)

// Reader is a store as searches see it.
type Reader interface {
	actionlog.Searcher
	actionlog.Scanner
	actionlog.Directory
}

// Union is a Reader of the live store and of what was restored. Every instant of a query
// is asked of one of the two: days that are back of the restored store, all others of the
// live one. A query that does not reach back beyond what is searchable is asked of the
// live store alone.
type Union struct {
	Live, Restored Reader
	// Covered lists what is back of an institution; see Desk.
	Covered func(ctx context.Context, institution string) ([]actionlog.Restored, error)
	Now     func() time.Time // time.Now
}

var _ Reader = (*Union)(nil)

// part is a stretch of time that is asked of one store.
type part struct {
	restored bool
	from, to time.Time // as in a query
}

func (p *part) of(q actionlog.Query) actionlog.Query {
	q.From, q.To = p.from, p.to
	return q
}

func (u *Union) store(p *part) Reader {
	if p.restored {
		return u.Restored
	}
	return u.Live
}

func (u *Union) oldest() actionlog.Day {
	now := time.Now
	if u.Now != nil {
		now = u.Now
	}
	return actionlog.OldestKept(now())
}

// span is a range of days, both included.
type span struct{ From, To actionlog.Day }

// back is what is back of a query's days.
type back struct {
	Spans []span `json:"s"` // in order; they do not touch
	// Tokens of all that the query's time meets: while these are there, everything is
	// that was there when they were made.
	Tokens []string `json:"t"`
}

// back finds out what is back of a query's days.
func (u *Union) back(ctx context.Context, q *actionlog.Query) (b back, err error) {
	if q.Institution == "" || !q.From.IsZero() && !q.From.Before(u.oldest().Start()) {
		return b, nil
	}
	all, err := u.Covered(ctx, q.Institution)
	if err != nil {
		return b, err
	}
	slices.SortFunc(all, func(a, b actionlog.Restored) int {
		return cmp.Or(a.From.Compare(b.From), strings.Compare(a.Token, b.Token))
	})
	for _, r := range all {
		if !q.To.IsZero() && !r.From.Start().Before(q.To) || !q.From.IsZero() && !q.From.Before(r.To.End()) {
			continue
		}
		b.Tokens = append(b.Tokens, r.Token)
		if n := len(b.Spans); n > 0 && !b.Spans[n-1].To.Add(1).Before(r.From) {
			if b.Spans[n-1].To.Before(r.To) {
				b.Spans[n-1].To = r.To
			}
			continue
		}
		b.Spans = append(b.Spans, span{r.From, r.To})
	}
	return b, nil
}

// cut cuts a query's time at the days that are back.
func cut(q *actionlog.Query, back []span) (parts []part) {
	at := q.From
	for _, s := range back {
		from, to := s.From.Start(), s.To.End()
		if at.IsZero() || at.Before(from) {
			parts = append(parts, part{false, at, from})
		} else {
			from = at
		}
		if !q.To.IsZero() && q.To.Before(to) {
			to = q.To
		}
		parts, at = append(parts, part{true, from, to}), to
	}
	if len(back) == 0 || q.To.IsZero() || at.Before(q.To) {
		parts = append(parts, part{false, at, q.To})
	}
	return parts
}

// errEnded: what was restored has gone while it was read.
var errEnded = fmt.Errorf("a restore ended meanwhile: %w", actionlog.ErrUnavailable)

// still makes sure that all that an answer took to be back is so: then it was there all
// the time.
func (u *Union) still(ctx context.Context, q *actionlog.Query, then back) error {
	if len(then.Tokens) == 0 {
		return nil
	}
	now, err := u.back(ctx, q)
	if err != nil {
		return err
	}
	for _, token := range then.Tokens {
		if !slices.Contains(now.Tokens, token) {
			return errEnded
		}
	}
	return nil
}

// each asks the parts of a query, in the order of time, and makes sure at the end that
// nothing of it ended meanwhile.
func (u *Union) each(ctx context.Context, q *actionlog.Query, ask func(r Reader, q actionlog.Query) (goOn bool, err error)) error {
	back, err := u.back(ctx, q)
	if err != nil {
		return err
	}
	parts := cut(q, back.Spans)
	slices.Reverse(parts)
	for _, p := range parts {
		goOn, err := ask(u.store(&p), p.of(*q))
		if err != nil {
			return err
		}
		if !goOn {
			break
		}
	}
	return u.still(ctx, q, back)
}

// place is a mark in a list that has restored days: which days these are, in which part
// of the time the page ended, and where there.
type place struct {
	Back back           `json:"b"`
	Part int            `json:"p"` // counted in the order of the list
	Mark actionlog.Mark `json:"m"`
}

// placePrefix begins a mark that is a place; others are the live store's own.
const placePrefix = "r:"

func (p *place) mark() actionlog.Mark {
	text, err := json.Marshal(p)
	if err != nil {
		panic("restore: " + err.Error()) // cannot be: it has nothing that does not encode
	}
	return actionlog.Mark(placePrefix + string(text))
}

// Page implements actionlog.Searcher. All pages of a list take the same days to be back.
func (u *Union) Page(ctx context.Context, q actionlog.Query, order actionlog.Order, after actionlog.Mark, limit int) (actionlog.Page, error) {
	if limit < 1 || limit > 1000 {
		return actionlog.Page{}, actionlog.Invalidf("limit", "is not 1 to 1000")
	}
	now, err := u.back(ctx, &q)
	if err != nil {
		return actionlog.Page{}, err
	}
	at := place{Back: now}
	text, placed := strings.CutPrefix(string(after), placePrefix)
	if placed {
		at = place{}
		if json.Unmarshal([]byte(text), &at) != nil {
			return actionlog.Page{}, actionlog.Invalidf("cursor", "is malformed")
		}
	}
	if after != "" && (!placed && len(now.Tokens) > 0 || placed && !slices.Equal(now.Tokens, at.Back.Tokens)) {
		return actionlog.Page{}, errChanged
	}
	if len(at.Back.Spans) == 0 {
		return u.Live.Page(ctx, q, order, after, limit)
	}
	parts := cut(&q, at.Back.Spans)
	if order == actionlog.NewestFirst {
		slices.Reverse(parts)
	}
	if at.Part < 0 || at.Part >= len(parts) {
		return actionlog.Page{}, actionlog.Invalidf("cursor", "is not a place in this list")
	}
	page, err := u.pages(ctx, &q, order, parts, at, limit)
	if err == nil {
		err = u.still(ctx, &q, at.Back)
	}
	if errors.Is(err, errEnded) && placed {
		err = errChanged
	}
	if err != nil {
		return actionlog.Page{}, err
	}
	return page, nil
}

// errChanged: other days are back than when the list was begun.
var errChanged = actionlog.Invalidf("cursor", "is of a list that was begun when other days were restored; begin anew")

// pages fills a page from one part after the other.
func (u *Union) pages(ctx context.Context, q *actionlog.Query, order actionlog.Order, parts []part, at place, limit int) (page actionlog.Page, err error) {
	for ; at.Part < len(parts); at.Part, at.Mark = at.Part+1, "" {
		p := &parts[at.Part]
		want := max(1, limit-len(page.Records)) // 1: only to see whether there is more
		more, err := u.store(p).Page(ctx, p.of(*q), order, at.Mark, want)
		if err != nil {
			return page, err
		}
		page.MissingDays = append(page.MissingDays, more.MissingDays...)
		if len(page.Records) == limit {
			if len(more.Records) > 0 {
				page.Next = at.mark()
				break
			}
			continue
		}
		page.Records = append(page.Records, more.Records...)
		if more.Next != "" {
			at.Mark = more.Next
			page.Next = at.mark()
			break
		}
	}
	slices.SortFunc(page.MissingDays, actionlog.Day.Compare)
	page.MissingDays = slices.Compact(page.MissingDays)
	return page, nil
}

// Scan implements actionlog.Scanner.
func (u *Union) Scan(ctx context.Context, q actionlog.Query, order actionlog.Order) iter.Seq2[actionlog.Record, error] {
	return func(yield func(actionlog.Record, error) bool) {
		back, err := u.back(ctx, &q)
		parts := cut(&q, back.Spans)
		if order == actionlog.NewestFirst {
			slices.Reverse(parts)
		}
		for i := 0; i < len(parts) && err == nil; i++ {
			for r, e := range u.store(&parts[i]).Scan(ctx, parts[i].of(q), order) {
				if !yield(r, e) || e != nil {
					return
				}
			}
		}
		if err == nil {
			err = u.still(ctx, &q, back)
		}
		if err != nil {
			yield(actionlog.Record{}, err)
		}
	}
}

// Count implements actionlog.Searcher.
func (u *Union) Count(ctx context.Context, q actionlog.Query, max int64) (n int64, exact bool, err error) {
	exact = true
	err = u.each(ctx, &q, func(r Reader, q actionlog.Query) (bool, error) {
		rest := max - n
		if max > 0 && rest <= 0 { // as many as were asked for: is there one more
			rest = 1
		}
		more, all, err := r.Count(ctx, q, rest)
		if n += more; max > 0 && (n > max || !all) {
			n, exact = min(n, max), false
		}
		return exact, err
	})
	return n, exact, err
}

// Get implements actionlog.Searcher.
func (u *Union) Get(ctx context.Context, institution, id string, day actionlog.Day) ([]actionlog.Record, error) {
	q := actionlog.Query{Institution: institution}
	if !day.IsZero() {
		q.From, q.To = day.Start(), day.End()
	}
	back, err := u.back(ctx, &q)
	if err != nil {
		return nil, err
	}
	isBack := func(d actionlog.Day) bool {
		return slices.ContainsFunc(back.Spans, func(s span) bool { return !d.Before(s.From) && !s.To.Before(d) })
	}
	var found []actionlog.Record
	for _, restored := range []bool{false, true} {
		if restored && len(back.Spans) == 0 || !day.IsZero() && isBack(day) != restored {
			continue
		}
		p := part{restored: restored}
		records, err := u.store(&p).Get(ctx, institution, id, day)
		if err != nil && !errors.Is(err, actionlog.ErrNotFound) {
			return nil, err
		}
		found = append(found, slices.DeleteFunc(records, func(r actionlog.Record) bool { return isBack(r.Day()) != restored })...)
	}
	if err := u.still(ctx, &q, back); err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("action %s: %w", id, actionlog.ErrNotFound)
	}
	slices.SortStableFunc(found, func(a, b actionlog.Record) int { return b.OccurredAt.Compare(a.OccurredAt) })
	return found, nil
}

// Histogram implements actionlog.Searcher.
func (u *Union) Histogram(ctx context.Context, q actionlog.Query, edges []time.Time, by actionlog.Field) (sum []actionlog.Bucket, err error) {
	err = u.each(ctx, &q, func(r Reader, q actionlog.Query) (bool, error) {
		buckets, err := r.Histogram(ctx, q, edges, by)
		if sum == nil || err != nil {
			sum = buckets
			return true, err
		}
		for i, b := range buckets {
			sum[i].Count += b.Count
			for value, n := range b.By {
				sum[i].By[value] += n
			}
		}
		return true, nil
	})
	return sum, err
}

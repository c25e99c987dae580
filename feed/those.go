package feed

import (
	"context"
	"slices"
	"time"

	"actionlog"
	"actionlog/internal/match"
)

// identity is what makes an action one, within its institution.
type identity struct {
	day actionlog.Day
	id  string
}

// judged is a line as far as it had to be read.
type judged struct {
	identity
	record actionlog.Record // of one that the store does not keep
	item   actionlog.Item   // where the query asks for more
}

// judge reads of a document what is needed. One that is no action, a dead letter by now, has
// no id.
func judge(x *Line, q *actionlog.Query, oldest actionlog.Day) (j judged) {
	var err error
	var at time.Time
	switch {
	case !asksNothing(q):
		j.item, err = actionlog.Parse(x.Document, nil)
		j.record = j.item.Record
		j.id, at = j.record.ID, j.record.OccurredAt
	case x.Day.Before(oldest):
		j.record, err = actionlog.ParseRecord(x.Document, nil)
		j.id, at = j.record.ID, j.record.OccurredAt
	default:
		j.id, at, err = actionlog.SkimID(x.Document)
	}
	if err != nil {
		return judged{}
	}
	j.day = actionlog.DayOf(at)
	return j
}

// those adds the lines that count, and that the query means.
func (l *Log) those(ctx context.Context, q *actionlog.Query, lines []Line, page *Page) (err error) {
	all := make([]judged, len(lines))
	oldest := l.Oldest()
	ids := map[actionlog.Day][]string{} // to be asked for
	for i := range lines {
		all[i] = judge(&lines[i], q, oldest)
		if j := &all[i]; j.id != "" && !j.day.Before(oldest) {
			ids[j.day] = append(ids[j.day], j.id)
		}
	}
	stored := map[identity]actionlog.Record{}
	unknown := map[actionlog.Day]bool{}
	for day, list := range ids {
		if unknown[day], err = l.ask(ctx, q, day, list, stored); err != nil {
			return err
		}
	}
	for i := range lines {
		x, j := &lines[i], &all[i]
		if j.id == "" {
			continue
		}
		record, ok := stored[j.identity]
		switch {
		case ok && record.Position == x.Position:
		case !j.day.Before(oldest) && !unknown[j.day]:
			continue // it is another line that counts, or it is a dead letter
		default:
			if record = j.record; record.ID == "" {
				if record, err = actionlog.ParseRecord(x.Document, nil); err != nil {
					continue
				}
			}
			record.ReceivedAt, record.Position = x.ReceivedAt, x.Position
		}
		if asksNothing(q) || match.Of(&j.item).Is(q) {
			page.Records, page.Behind = append(page.Records, record), append(page.Behind, x.Next)
		}
	}
	return nil
}

func asksNothing(q *actionlog.Query) bool {
	return len(q.Clauses) == 0 && q.From.IsZero() && q.To.IsZero()
}

// askedAtOnce is how many IDs the store is asked for at a time.
const askedAtOnce = 200

// ask adds what the store has of a day's actions by their IDs. Whether the day cannot be
// asked, which the query may permit, is told.
func (l *Log) ask(ctx context.Context, q *actionlog.Query, day actionlog.Day, ids []string, into map[identity]actionlog.Record) (unknown bool, err error) {
	for part := range slices.Chunk(ids, askedAtOnce) {
		c := actionlog.Clause{Field: actionlog.FieldID}
		for _, id := range part {
			c.Values = append(c.Values, actionlog.Value{Text: id})
		}
		page, err := l.Store.Page(ctx, actionlog.Query{Institution: q.Institution, From: day.Start(), To: day.End(), Clauses: []actionlog.Clause{c}, MissingDays: q.MissingDays}, actionlog.OldestFirst, "", 2*askedAtOnce)
		if err != nil {
			return false, err
		}
		if len(page.MissingDays) > 0 {
			return true, nil
		}
		for _, r := range page.Records {
			into[identity{day, r.ID}] = r
		}
	}
	return false, nil
}

package feed

import (
	"context"
	"slices"

	"actionlog"
	"actionlog/internal/match"
)

// identity is what makes an action one, within its institution.
type identity struct {
	day actionlog.Day
	id  string
}

// those adds the lines that count, and that the query means.
func (l *Log) those(ctx context.Context, q *actionlog.Query, lines []Line, page *Page) (err error) {
	items := make([]actionlog.Item, len(lines))
	oldest := l.Oldest()
	ids := map[actionlog.Day][]string{} // to be asked for
	for i := range lines {
		if items[i], err = actionlog.Parse(lines[i].Document, nil); err != nil {
			continue // a dead letter, which the archive cannot tell: too far ahead
		}
		if day := items[i].Day(); !day.Before(oldest) {
			ids[day] = append(ids[day], items[i].ID)
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
		x, item := &lines[i], &items[i]
		if item.ID == "" {
			continue
		}
		record, ok := stored[identity{item.Day(), item.ID}]
		switch {
		case ok && record.Position == x.Position:
		case !item.Day().Before(oldest) && !unknown[item.Day()]:
			continue // it is another line that counts, or it is a dead letter
		default:
			record = item.Record
			record.ReceivedAt, record.Position = x.ReceivedAt, x.Position
		}
		if asksNothing(q) || match.Of(item).Is(q) {
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

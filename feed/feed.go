// Package feed reads the log in the order in which the stream took it: every action of an
// institution once, whenever it came, however old it is, for as long as the archive
// reaches. Programs follow it (SIEMs, webhooks, alerts) because it has a place to come back
// to; people search by time instead. It never writes, speaks no HTTP to its readers, and
// knows no engine and no archive but through ports.
package feed

import (
	"context"
	"slices"
	"time"

	"actionlog"
)

// Place is where a reader is: all that was before it is read. Its content is the
// archive's; "" is the beginning of the archive.
type Place string

// Line is a message of the stream as the archive keeps it.
type Line struct {
	Position   actionlog.Position
	ReceivedAt time.Time
	Day        actionlog.Day // on which the action occurred
	Document   []byte
	Next       Place // behind it
}

// Archive yields the lines of an institution in the order of the stream.
type Archive interface {
	// Page returns up to most lines that come at a place, the place behind all that was
	// looked at, and whether there may be more by now. A malformed place is an
	// *InvalidError.
	Page(ctx context.Context, institution string, at Place, most int) (lines []Line, next Place, more bool, err error)
	// Start is the place of what was received from an instant on.
	Start(ctx context.Context, since time.Time) (Place, error)
}

// Log is an institution's actions in the order of the stream. All fields are required.
type Log struct {
	Archive Archive
	// Store holds the actions that are searchable: it knows which of several lines of the
	// same action is the one that counts.
	Store actionlog.Searcher
	// Settled is the position up to which everything is in the store that ever will be.
	Settled func(ctx context.Context) (actionlog.Position, error)
	// Oldest is the oldest day that the store keeps.
	Oldest func() actionlog.Day
}

// Page is a part of the feed.
type Page struct {
	Records []actionlog.Record
	Behind  []Place // behind each of them
	Next    Place   // always: also of a page without records
	More    bool    // there is more already, though it need not match
}

// Start is the place of what was received from an instant on; zero: the beginning of the
// archive.
func (l *Log) Start(ctx context.Context, since time.Time) (Place, error) {
	return l.Archive.Start(ctx, since)
}

// Page returns up to most actions that the query means, from a place on. Only those that
// are settled come: a page that is read again from the same place begins with the same
// actions. A page may have fewer, or none, and yet there is more.
//
// Within the time that is searchable an action that was published several times comes
// once. Of one that is older nobody remembers, and it may come again, with the same ID.
func (l *Log) Page(ctx context.Context, q actionlog.Query, at Place, most int) (Page, error) {
	if err := q.Check(); err != nil {
		return Page{}, err
	}
	for {
		settled, err := l.Settled(ctx)
		if err != nil {
			return Page{}, err
		}
		lines, next, more, err := l.Archive.Page(ctx, q.Institution, at, most)
		if err != nil {
			return Page{}, err
		}
		other := slices.ContainsFunc(lines, func(x Line) bool { return x.Position.Stream != settled.Stream })
		if other { // lines of an earlier incarnation of the stream, unless there is a new one since
			now, err := l.Settled(ctx)
			if err != nil {
				return Page{}, err
			}
			if now.Stream != settled.Stream {
				continue
			}
		}
		page := Page{Next: next, More: more}
		if n := slices.IndexFunc(lines, func(x Line) bool {
			return x.Position.Stream == settled.Stream && x.Position.Sequence > settled.Sequence
		}); n >= 0 {
			page.Next, page.More = at, false
			if lines = lines[:n]; n > 0 {
				page.Next = lines[n-1].Next
			}
		}
		return page, l.those(ctx, &q, lines, &page)
	}
}

package actionlog

import (
	"context"
	"iter"
	"time"
)

// A store keeps actions by day and finds them. Its ports are small; an engine
// implements all of them. internal/storetest is this contract, executable.
//
// All methods may be called at the same time. A method that cannot answer
// completely returns an error that wraps ErrUnavailable, never part of an
// answer. The write path uses Writer and Keeper, the read path the others.
type Store interface {
	Writer
	Searcher
	Scanner
	Directory
	Keeper
}

// Writer takes actions.
type Writer interface {
	// Write keeps items and returns one outcome per item, in their order.
	// When it returns, items with the outcome OutcomeNew are durable (synced)
	// and visible to every later call of the read ports, and the directory
	// names whom they name. Items may belong to any institutions and days,
	// and may repeat each other: the first of the same identity counts.
	//
	// An error means that no statement about any item is made: all may be
	// written again, and nothing is doubled by it.
	Write(ctx context.Context, items []Item) ([]Outcome, error)
}

// Item is an action to be written: what is kept, and what is found by.
type Item struct {
	Record
	Action Action
	// Digest identifies the content: equal for documents that are equal as
	// JSON values. See Parse.
	Digest [32]byte
	// Text holds every string value and number of the document as lists show
	// it, for FieldAny; StaffText those that stand only in the document that
	// shows who the member of staff was.
	Text, StaffText []string
}

// Rounds yields the items' indexes in rounds, in their order: in none of them do two
// items share an identity (institution, id, day). An engine that writes a round at a
// time has the first of the same identity count.
func Rounds(items []Item) iter.Seq[[]int] {
	type identity struct {
		institution, id string
		day             Day
	}
	return func(yield func([]int) bool) {
		rest := make([]int, len(items))
		for i := range rest {
			rest[i] = i
		}
		for len(rest) > 0 {
			var round, later []int
			seen := make(map[identity]bool, len(rest))
			for _, i := range rest {
				k := identity{items[i].Institution, items[i].ID, items[i].Day()}
				if seen[k] {
					later = append(later, i)
					continue
				}
				seen[k] = true
				round = append(round, i)
			}
			if !yield(round) {
				return
			}
			rest = later
		}
	}
}

// OutcomeKind says what became of an item.
type OutcomeKind int

const (
	// OutcomeNew: it was not there and now is.
	OutcomeNew OutcomeKind = iota + 1
	// OutcomeRepeat: the same content was there already; nothing changed. The
	// directory is brought up to date all the same.
	OutcomeRepeat
	// OutcomeCollision: other content is there under the same identity.
	OutcomeCollision
	// OutcomeRetry: not now; write it again later.
	OutcomeRetry
	// OutcomeRefused: never; the reason is Outcome.Err.
	OutcomeRefused
)

// Outcome of one item. Err is set for OutcomeRetry and OutcomeRefused.
type Outcome struct {
	Kind OutcomeKind
	Err  error
}

// Searcher answers questions about one institution's actions.
type Searcher interface {
	// Page returns up to limit (1–1000) records in the given order, beginning
	// behind the mark after ("" is the beginning). Walking all pages by their
	// Next gives every match exactly once, also among equal times; actions
	// that arrive meanwhile appear if they lie behind the mark.
	// A malformed mark is an *InvalidError.
	Page(ctx context.Context, q Query, order Order, after Mark, limit int) (Page, error)
	// Count counts matches. With max > 0 it may stop there and return max with
	// exact = false: there are at least max.
	Count(ctx context.Context, q Query, max int64) (n int64, exact bool, err error)
	// Get returns the records with this id, newest first: usually one, several
	// where an id was used on several days, ErrNotFound where there is none.
	// A zero day means all days.
	Get(ctx context.Context, institution, id string, day Day) ([]Record, error)
	// Histogram counts matches between consecutive edges (ascending, at least
	// two; each interval includes its first edge and excludes the next). With
	// by (FieldCategory, FieldOutcome, FieldActorKind or FieldChannel; "" is
	// none) counts are split by that field's values; "" stands for none.
	Histogram(ctx context.Context, q Query, edges []time.Time, by Field) ([]Bucket, error)
	// Facet counts the values of a field, most frequent first, then by value,
	// at most limit of them; the rest is summed in Other. The fields:
	// category, action, outcome, actor_kind, channel, request_method,
	// response_code, request_content_type, ip, actor, course, class.
	// All counts and Other and Missing add up to the number of matches.
	Facet(ctx context.Context, q Query, field Field, limit int) (Facet, error)
}

// Mark is a place in an ordered list. Its content is the store's own; a caller
// only hands it back, with the same query and order.
type Mark string

// Page is a part of a list.
type Page struct {
	Records []Record
	Next    Mark // behind the last record; "" when there is no more
	// MissingDays that the query covers and the answer leaves out; only with
	// Query.MissingDays.
	MissingDays []Day
}

// Bucket is an interval of a histogram.
type Bucket struct {
	From, To time.Time
	Count    int64
	By       map[string]int64 // nil without by
}

// Facet counts the values of one field.
type Facet struct {
	Values  []FacetValue
	Other   int64 // matches with a value that is not listed
	Missing int64 // matches without the field
}

// FacetValue is one value of a field and how many matches have it. For
// actors, courses and classes Value is the directory key and Label the newest
// name or title (the e-mail address or ID where there is none); for actions
// Label is the label; otherwise it is empty. Unless the query says StaffShown,
// all actors of the platform's staff are one value with Staff set and Value
// and Label empty.
type FacetValue struct {
	Value, Label string
	Count        int64
	Staff        bool
}

// Scanner walks everything that matches.
type Scanner interface {
	// Scan yields every match exactly once, in order, from one consistent view
	// of each day; an action written while the scan runs may or may not be in
	// it. Memory does not grow with the result. The sequence ends with an
	// error, as its last element, when it cannot be completed; after a nil
	// error throughout it is complete. Stopping early releases everything.
	Scan(ctx context.Context, q Query, order Order) iter.Seq2[Record, error]
}

// Directory knows every person, course and class that the kept actions of an
// institution name.
type Directory interface {
	// Lookup returns entries that satisfy m, at most limit, those seen last
	// first, and whether there are more. Where there are more, which of them are
	// returned is the store's choice.
	Lookup(ctx context.Context, institution string, kind DirectoryKind, m DirectoryMatch, limit int) (entries []DirectoryEntry, more bool, err error)
	// Vocabulary returns the distinct words of names and titles (as
	// people.IndexWords cuts them) that have one of the keys (as
	// people.Neighbours makes them), at most limit, in no order, and whether
	// there are more.
	Vocabulary(ctx context.Context, institution string, kind DirectoryKind, keys []string, limit int) (words []DirectoryWord, more bool, err error)
	// Mentions counts, for each of the entries' keys, the kept actions that name
	// the entry: for a person as actor, as target or as on whose behalf; an
	// action counts once. A key that is not there has none. Where days that may name
	// them cannot be asked, the answer is ErrUnavailable unless missingDays permits one
	// without them.
	Mentions(ctx context.Context, institution string, kind DirectoryKind, keys []string, missingDays bool) ([]Mentions, error)
}

// Mentions are the actions that name an entry.
type Mentions struct {
	Actions int64
	Last    time.Time // OccurredAt of the newest; zero where there is none
}

// DirectoryKind says which directory is meant.
type DirectoryKind string

const (
	DirectoryPeople  DirectoryKind = "people"
	DirectoryCourses DirectoryKind = "courses"
	DirectoryClasses DirectoryKind = "classes"
)

// DirectoryMatch is a condition on entries; exactly one field is set.
type DirectoryMatch struct {
	Key    string   // the entry's own key
	ID     string   // ID or external ID, byte for byte
	Email  string   // an e-mail address it ever had, lower case
	Prefix string   // the beginning of such an address, lower case
	Domain string   // the domain of such an address, lower case
	Words  []string // all are words of one spelling of its name or title, folded
	// Groups of words: one spelling of its name or title has, as
	// people.IndexWords cuts it, at least one word of every group.
	Groups [][]string
}

// DirectoryWord is a word of names or titles.
type DirectoryWord struct {
	Text string
	Uses int // about how many spellings have it
}

// DirectoryEntry is a person, course or class. Entries leave with the last day
// that names them.
type DirectoryEntry struct {
	// Key identifies the entry within institution and kind. It is "id:" and
	// the ID; without one "email:" and the address in lower case; else
	// "external:" and the external ID; else "name:" and the folded name.
	Key        string
	ID         string
	ExternalID string
	// Names (titles) and Emails are all spellings seen, newest first.
	Names, Emails []string
	// Staff: a member of the platform's own staff.
	Staff bool
	// LastSeen is about when it was last named, and not later than it was: the
	// order of lookups. Mentions.Last is exact.
	LastSeen time.Time
}

// Keeper looks after days.
type Keeper interface {
	// Days lists the days that there are, oldest first.
	Days(ctx context.Context) ([]DayInfo, error)
	// Drop removes a day and the directory entries that only it names. A day
	// that is not there is not an error.
	Drop(ctx context.Context, day Day) error
	// Positions yields whose each action of a day is and where the stream took it,
	// in no order, from one view of the day; nothing for a day that is not there.
	// The sequence ends with an error, as its last element, when it cannot be
	// completed.
	Positions(ctx context.Context, day Day) iter.Seq2[Placed, error]
	// Remove removes an institution's actions of a day and the directory entries
	// that only they name. What is not there is not an error; a day that is damaged is
	// ErrUnavailable, and stays set aside.
	Remove(ctx context.Context, institution string, day Day) error
	// Rebuild makes a day anew: what fill writes takes the place of what is there,
	// at once for everybody who reads or writes. What is there and fill does not
	// write stays; where both have an identity, what fill wrote counts. A day that
	// is set aside as damaged is whole afterwards; where parts of it still take actions, they
	// take none from before fill is called. The writer takes actions of that
	// day only and refuses others; what it wrote can be found once Rebuild returned.
	// Where fill or anything else fails, the day stays as it was; one that turns out to
	// be damaged meanwhile is set aside, which is ErrUnavailable: again, it is made anew.
	Rebuild(ctx context.Context, day Day, fill func(w Writer) error) error
}

// Placed is an action's institution and position.
type Placed struct {
	Institution string
	Position    Position
}

// DayInfo describes a stored day.
type DayInfo struct {
	Day     Day
	Actions int64
	Bytes   int64
	// Damage says why the day's data was set aside, "" for a sound day.
	Damage string
}

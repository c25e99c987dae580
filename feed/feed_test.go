package feed

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/storetest"

	"github.com/google/go-cmp/cmp"
)

var now = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// tape is an archive in memory: a place is how many lines are read.
type tape struct{ lines []Line }

func (a *tape) Page(_ context.Context, institution string, at Place, most int) (lines []Line, next Place, more bool, err error) {
	n, err := strconv.Atoi(string(at))
	if at == "" {
		n, err = 0, nil
	}
	if err != nil || n > len(a.lines) {
		return nil, "", false, actionlog.Invalidf("after", "is not a cursor of this service")
	}
	for ; n < len(a.lines) && len(lines) < most; n++ {
		item, err := actionlog.Parse(a.lines[n].Document, nil)
		if err == nil && item.Institution != institution {
			continue
		}
		l := a.lines[n]
		l.Next = Place(strconv.Itoa(n + 1))
		lines = append(lines, l)
	}
	return lines, Place(strconv.Itoa(n)), n < len(a.lines), nil
}

func (a *tape) Start(context.Context, time.Time) (Place, error) { return "", nil }

// world is a stream of which the archive and the store have taken a part each.
type world struct {
	tape    tape
	store   *storetest.Model
	settled actionlog.Position
	stream  string
	next    uint64
}

func (w *world) log() *Log {
	return &Log{Archive: &w.tape, Store: w.store, Settled: func(context.Context) (actionlog.Position, error) { return w.settled, nil },
		Oldest: func() actionlog.Day { return actionlog.OldestKept(now) }}
}

func document(id string, at time.Time, institution, more string) []byte {
	return fmt.Appendf(nil, `{"id":%q,"occurred_at":%q,"institution":{"id":%q},"category":"course","action":{"code":"x"},"actor":{"kind":"user","name":"Ann Lee","email":"ann@uni.example"}%s}`, id, at.Format(time.RFC3339), institution, more)
}

// take has the archive take a document.
func (w *world) take(doc []byte) {
	w.next++
	item, _ := actionlog.Parse(doc, nil) // what is no action has no day
	w.tape.lines = append(w.tape.lines, Line{Day: item.Day(), Position: actionlog.Position{Stream: w.stream, Sequence: w.next}, ReceivedAt: now.Add(time.Duration(len(w.tape.lines)) * time.Second), Document: doc})
}

// settle has the store take all that the archive took, from a line on; what is new comes
// into want.
func (w *world) settle(t *testing.T, from int, want *[]string) {
	t.Helper()
	for _, l := range w.tape.lines[from:] {
		w.settled = l.Position
		item, err := actionlog.Parse(l.Document, nil)
		if err != nil || actionlog.CheckTime(item.OccurredAt, now) != nil {
			continue // a dead letter
		}
		if item.Day().Before(actionlog.OldestKept(now)) { // too old
			*want = append(*want, item.Institution+" "+item.ID)
			continue
		}
		item.Position, item.ReceivedAt = l.Position, l.ReceivedAt
		outcomes, err := w.store.Write(t.Context(), []actionlog.Item{item})
		if err != nil {
			t.Fatal(err)
		}
		if outcomes[0].Kind == actionlog.OutcomeNew {
			*want = append(*want, item.Institution+" "+item.ID)
		}
	}
}

// read reads from a place until there is no more.
func read(t *testing.T, l *Log, q actionlog.Query, at Place, most int) (ids []string, next Place) {
	t.Helper()
	for {
		page, err := l.Page(t.Context(), q, at, most)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Records {
			ids = append(ids, r.Institution+" "+r.ID)
		}
		if at = page.Next; !page.More {
			return ids, at
		}
	}
}

// Whatever is published, several times, late, too old, too early, colliding, and however
// far the store is: each action comes once, in the order in which it was taken, and none
// that is not settled.
func TestEachOnce(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		w := &world{store: storetest.NewModel(), stream: "s1", settled: actionlog.Position{Stream: "s1"}}
		var want, got []string
		at, done := Place(""), 0
		for range 30 {
			for range rng.IntN(12) {
				n := rng.IntN(40)
				when := now.Add(-time.Duration(n) * 24 * time.Hour)
				switch {
				case n == 39:
					when = now.AddDate(0, 0, -200-len(w.tape.lines)) // each once: nobody remembers
				case n == 38:
					when = now.Add(30 * time.Hour)
				}
				id := fmt.Sprint("a", n)
				if n == 39 {
					id = fmt.Sprint("old", len(w.tape.lines))
				}
				more := ""
				if rng.IntN(5) == 0 {
					more = `,"summary":"another"`
				}
				w.take(document(id, when, []string{"uni", "other"}[n%2], more))
			}
			if rng.IntN(8) == 0 { // the stream went back, and has another name
				w.settle(t, done, &want)
				done = len(w.tape.lines)
				w.stream, w.next = fmt.Sprint("s", rng.IntN(1000)+2), 0
				w.settled = actionlog.Position{Stream: w.stream}
			}
			if rng.IntN(3) == 0 {
				w.settle(t, done, &want)
				done = len(w.tape.lines)
			}
			ids, next := read(t, w.log(), actionlog.Query{Institution: "uni"}, at, 1+rng.IntN(7))
			at, got = next, append(got, ids...)
		}
		w.settle(t, done, &want)
		ids, _ := read(t, w.log(), actionlog.Query{Institution: "uni"}, at, 5)
		got = append(got, ids...)
		want = slices.DeleteFunc(want, func(id string) bool { return id[:4] != "uni " })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}
	}
}

// A filter finds in the feed what it finds in a search, and what is older besides.
func TestFiltered(t *testing.T) {
	w := &world{store: storetest.NewModel(), stream: "s1", settled: actionlog.Position{Stream: "s1"}}
	w.take(document("a1", now.Add(-time.Hour), "uni", `,"summary":"one two"`))
	w.take(document("a2", now.Add(-time.Hour), "uni", `,"outcome":"failure"`))
	w.take(document("old", now.AddDate(-1, 0, 0), "uni", `,"summary":"two three"`))
	var all []string
	w.settle(t, 0, &all)
	for name, x := range map[string]struct {
		q    actionlog.Query
		want []string
	}{
		"words":      {actionlog.Query{Clauses: []actionlog.Clause{{Field: actionlog.FieldAny, Values: []actionlog.Value{{Words: []string{"two"}}}}}}, []string{"uni a1", "uni old"}},
		"outcome":    {actionlog.Query{Clauses: []actionlog.Clause{{Field: actionlog.FieldOutcome, Values: []actionlog.Value{{Text: "failure"}}}}}, []string{"uni a2"}},
		"not":        {actionlog.Query{Clauses: []actionlog.Clause{{Field: actionlog.FieldOutcome, Values: []actionlog.Value{{Text: "failure"}}, Not: true}}}, []string{"uni a1", "uni old"}},
		"from":       {actionlog.Query{From: now.AddDate(0, 0, -1)}, []string{"uni a1", "uni a2"}},
		"everything": {actionlog.Query{}, []string{"uni a1", "uni a2", "uni old"}},
	} {
		x.q.Institution = "uni"
		if got, _ := read(t, w.log(), x.q, "", 2); !slices.Equal(got, x.want) {
			t.Errorf("%s: %q, and not %q", name, got, x.want)
		}
	}
}

// A store that cannot answer is an error, not a feed with a hole; unless the query does
// without the day: then what the archive has counts.
func TestUnavailable(t *testing.T) {
	w := &world{store: storetest.NewModel(), stream: "s1", settled: actionlog.Position{Stream: "s1"}}
	w.take(document("a1", now.Add(-time.Hour), "uni", ""))
	var all []string
	w.settle(t, 0, &all)
	w.store.Damage(actionlog.DayOf(now), "a test")
	q := actionlog.Query{Institution: "uni"}
	if _, err := w.log().Page(t.Context(), q, "", 10); !errors.Is(err, actionlog.ErrUnavailable) {
		t.Errorf("with a damaged day: %v", err)
	}
	q.MissingDays = true
	if got, _ := read(t, w.log(), q, "", 10); !slices.Equal(got, []string{"uni a1"}) {
		t.Errorf("without a damaged day: %q", got)
	}
	if _, err := w.log().Page(t.Context(), q, "x", 10); err == nil {
		t.Error("a place that is none is taken")
	}
	if _, err := w.log().Page(t.Context(), actionlog.Query{}, "", 10); err == nil {
		t.Error("a query without an institution is taken")
	}
}

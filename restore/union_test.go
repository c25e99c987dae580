package restore

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/storetest"
)

var ctx = context.Background()

// divided is a store of two: some days are back, the others are live. Reading goes
// through a Union, so that the contract of a store is the Union's.
type divided struct {
	*Union
	live, restored *storetest.Model
	isBack         func(actionlog.Day) bool
}

var firstDay, lastDay = actionlog.DayOf(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)), actionlog.DayOf(time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC))

func dividedStore(back func(actionlog.Day) bool) *divided {
	d := &divided{live: storetest.NewModel(), restored: storetest.NewModel(), isBack: func(d actionlog.Day) bool {
		return !d.Before(firstDay) && d.Before(lastDay) && back(d)
	}}
	d.Union = &Union{Live: d.live, Restored: d.restored, Now: func() time.Time { return time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC) },
		Covered: func(context.Context, string) (all []actionlog.Restored, err error) {
			for day := firstDay; day.Before(lastDay); day = day.Add(1) {
				if d.isBack(day) {
					all = append(all, actionlog.Restored{From: day, To: day, Token: day.String()})
				}
			}
			return all, nil
		}}
	return d
}

func everySecond(d actionlog.Day) bool { return d.Start().Unix()/86400%2 == 0 }

func (d *divided) of(day actionlog.Day) *storetest.Model {
	if d.isBack(day) {
		return d.restored
	}
	return d.live
}

func (d *divided) Write(ctx context.Context, items []actionlog.Item) ([]actionlog.Outcome, error) {
	outcomes := make([]actionlog.Outcome, len(items))
	for i := range items {
		o, err := d.of(items[i].Day()).Write(ctx, items[i:i+1])
		if err != nil {
			return nil, err
		}
		outcomes[i] = o[0]
	}
	return outcomes, nil
}

func (d *divided) Days(ctx context.Context) ([]actionlog.DayInfo, error) {
	a, err := d.live.Days(ctx)
	b, err2 := d.restored.Days(ctx)
	all := append(a, b...)
	slices.SortFunc(all, func(a, b actionlog.DayInfo) int { return a.Day.Start().Compare(b.Day.Start()) })
	return all, cmp.Or(err, err2)
}

func (d *divided) Drop(ctx context.Context, day actionlog.Day) error { return d.of(day).Drop(ctx, day) }

func (d *divided) Remove(ctx context.Context, institution string, day actionlog.Day) error {
	return d.of(day).Remove(ctx, institution, day)
}

func (d *divided) Rebuild(ctx context.Context, day actionlog.Day, fill func(actionlog.Writer) error) error {
	return d.of(day).Rebuild(ctx, day, fill)
}

func (d *divided) Positions(ctx context.Context, day actionlog.Day) iter.Seq2[actionlog.Placed, error] {
	return d.of(day).Positions(ctx, day)
}

// The contract of a store holds for what is live and what is back together.
func TestUnion(t *testing.T) {
	boundary := actionlog.DayOf(time.Date(2026, 11, 10, 0, 0, 0, 0, time.UTC)) // around which the cases are
	storetest.Run(t, func(*testing.T) actionlog.Store {
		return dividedStore(func(d actionlog.Day) bool { return d.Before(boundary) })
	})
}

// scattered is divided, with every second day back, and with a directory of its own: in
// which order two directories have names can be known only if one is of older days.
type scattered struct {
	*divided
	everything *storetest.Model
}

func (s *scattered) Write(ctx context.Context, items []actionlog.Item) ([]actionlog.Outcome, error) {
	if _, err := s.everything.Write(ctx, items); err != nil {
		return nil, err
	}
	return s.divided.Write(ctx, items)
}

func (s *scattered) Drop(ctx context.Context, day actionlog.Day) error {
	return cmp.Or(s.everything.Drop(ctx, day), s.divided.Drop(ctx, day))
}

func (s *scattered) Lookup(ctx context.Context, institution string, kind actionlog.DirectoryKind, m actionlog.DirectoryMatch, limit int) ([]actionlog.DirectoryEntry, bool, error) {
	return s.everything.Lookup(ctx, institution, kind, m, limit)
}

func (s *scattered) Vocabulary(ctx context.Context, institution string, kind actionlog.DirectoryKind, keys []string, limit int) ([]actionlog.DirectoryWord, bool, error) {
	return s.everything.Vocabulary(ctx, institution, kind, keys, limit)
}

func (s *scattered) Mentions(ctx context.Context, institution string, kind actionlog.DirectoryKind, keys []string, missingDays bool) ([]actionlog.Mentions, error) {
	return s.everything.Mentions(ctx, institution, kind, keys, missingDays)
}

// Random programs, where live days and days that are back take turns.
func TestUnionOfScatteredDays(t *testing.T) {
	storetest.Programs(t, "100-160", func(*testing.T) actionlog.Store {
		return &scattered{divided: dividedStore(everySecond), everything: storetest.NewModel()}
	})
}

// What is not back is not asked of the restored store, and what is back not of the live
// one, whatever the two hold.
func TestUnionAsksOneStoreForEachDay(t *testing.T) {
	d := dividedStore(everySecond)
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i := range 6 {
		item := itemAt(t, "a", "uni", noon.AddDate(0, 0, i))
		for _, m := range []*storetest.Model{d.live, d.restored} {
			if _, err := m.Write(ctx, []actionlog.Item{item}); err != nil {
				t.Fatal(err)
			}
		}
	}
	q := actionlog.Query{Institution: "uni"}
	page, err := d.Page(ctx, q, actionlog.NewestFirst, "", 100)
	if err != nil || len(page.Records) != 6 {
		t.Errorf("%d of 6, %v", len(page.Records), err)
	}
	if n, exact, err := d.Count(ctx, q, 0); n != 6 || !exact || err != nil {
		t.Errorf("counted %d of 6, %v", n, err)
	}
	if got, err := d.Get(ctx, "uni", "a", actionlog.Day{}); err != nil || len(got) != 6 {
		t.Errorf("Get returns %d of 6, %v", len(got), err)
	}
}

// An answer is an error where what it took to be back ended while it was read, and a list
// does not go on.
func TestUnionNoticesTheEnd(t *testing.T) {
	d := dividedStore(everySecond)
	day := actionlog.DayOf(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	calls, until := 0, 1
	d.Covered = func(context.Context, string) ([]actionlog.Restored, error) {
		token := "a"
		if calls++; calls > until { // it went, and came back
			token = "b"
		}
		return []actionlog.Restored{{From: day, To: day.Add(3), Token: token}}, nil
	}
	var items []actionlog.Item
	for i := range 4 {
		items = append(items, itemAt(t, string(rune('a'+i)), "uni", day.Add(i).Start()))
	}
	if _, err := d.restored.Write(ctx, items); err != nil {
		t.Fatal(err)
	}
	q := actionlog.Query{Institution: "uni"}
	ends := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, actionlog.ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
		calls = 0
	}
	_, err := d.Page(ctx, q, actionlog.NewestFirst, "", 10)
	ends("Page", err)
	_, _, err = d.Count(ctx, q, 0)
	ends("Count", err)
	_, err = d.Facet(ctx, q, actionlog.FieldAction, 10)
	ends("Facet", err)
	_, err = d.Get(ctx, "uni", "a", actionlog.Day{})
	ends("Get", err)
	_, _, err = d.Lookup(ctx, "uni", actionlog.DirectoryPeople, actionlog.DirectoryMatch{ID: "u1"}, 5)
	ends("Lookup", err)
	for _, err = range d.Scan(ctx, q, actionlog.OldestFirst) {
	}
	ends("Scan", err)
	until = 2
	page, err := d.Page(ctx, q, actionlog.NewestFirst, "", 2)
	if err != nil || page.Next == "" {
		t.Fatalf("%+v, %v", page, err)
	}
	var invalid *actionlog.InvalidError
	if _, err = d.Page(ctx, q, actionlog.NewestFirst, page.Next, 2); !errors.As(err, &invalid) || invalid.Field != "cursor" {
		t.Errorf("the next page: %v", err)
	}
}

func itemAt(t *testing.T, id, institution string, at time.Time) actionlog.Item {
	t.Helper()
	item, err := actionlog.Parse([]byte(`{"id":"`+id+`","occurred_at":"`+at.UTC().Format(time.RFC3339)+`","institution":{"id":"`+institution+
		`"},"category":"course","action":{"code":"x.y"},"actor":{"kind":"user","id":"u1","name":"Ann Lee"}}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	return item
}

package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"actionlog"

	"github.com/google/go-cmp/cmp"
)

func modelWith(t *testing.T, documents ...string) (*Model, *check) {
	m := NewModel()
	c := newCheck(t, "", m)
	c.write(documents...)
	return m, c
}

func TestModelFaults(t *testing.T) {
	m, _ := modelWith(t, action("a", noon), action("b", noon))
	ctx, broken := context.Background(), errors.New("broken")
	records := 0
	m.Fault = func(call string) error {
		if call == "record" {
			if records++; records == 1 {
				return nil
			}
		}
		if call == "Scan" {
			return nil
		}
		return broken
	}
	n, last := 0, error(nil)
	for _, err := range m.Scan(ctx, where(), actionlog.NewestFirst) {
		if last = err; err == nil {
			n++
		}
	}
	if n != 1 || !errors.Is(last, broken) {
		t.Errorf("Scan that breaks: %d records, %v", n, last)
	}
	for call, f := range map[string]func() error{
		"Write":     func() error { _, err := m.Write(ctx, nil); return err },
		"Page":      func() error { _, err := m.Page(ctx, where(), actionlog.NewestFirst, "", 1); return err },
		"Count":     func() error { _, _, err := m.Count(ctx, where(), 0); return err },
		"Get":       func() error { _, err := m.Get(ctx, home, "a", today); return err },
		"Histogram": func() error { _, err := m.Histogram(ctx, where(), timesAround(), ""); return err },
		"Facet":     func() error { _, err := m.Facet(ctx, where(), actionlog.FieldOutcome, 1); return err },
		"Lookup": func() error {
			_, _, err := m.Lookup(ctx, home, actionlog.DirectoryPeople, actionlog.DirectoryMatch{ID: "x"}, 1)
			return err
		},
		"Days":         func() error { _, err := m.Days(ctx); return err },
		"Drop":         func() error { return m.Drop(ctx, today) },
		"Institutions": func() error { _, err := m.Institutions(ctx); return err },
	} {
		if err := f(); !errors.Is(err, broken) {
			t.Errorf("%s: %v", call, err)
		}
	}
}

func TestModelDamage(t *testing.T) {
	yesterday := today.Add(-1)
	m, c := modelWith(t, action("a", noon), action("b", noon.AddDate(0, 0, -1)), action("c", noon.AddDate(0, 0, -2)))
	m.Damage(yesterday, "bad sector")
	ctx := context.Background()
	for name, q := range map[string]actionlog.Query{"all": where(), "from": between(where(),
		noon.AddDate(0, 0, -1), time.Time{}), "to": between(where(), time.Time{}, noon)} {
		if _, err := m.Page(ctx, q, actionlog.NewestFirst, "", 5); !errors.Is(err, actionlog.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c.finds(between(where(), today.Start(), time.Time{}), "a")
	c.finds(between(where(), time.Time{}, yesterday.Start()), "c")
	q := where()
	q.MissingDays = true
	p, err := m.Page(ctx, q, actionlog.NewestFirst, "", 5)
	if err != nil || !slices.Equal(idsOf(p.Records), []string{"a", "c"}) || !slices.Equal(p.MissingDays, []actionlog.Day{yesterday}) {
		t.Errorf("with missing days: %v, %v", p, err)
	}
	days, err := m.Days(ctx)
	if err != nil || len(days) != 3 || days[1].Damage != "bad sector" || days[1].Actions != 0 {
		t.Errorf("Days: %v, %v", days, err)
	}
	if _, err := m.Get(ctx, home, "b", yesterday); !errors.Is(err, actionlog.ErrUnavailable) {
		t.Errorf("Get of a damaged day: %v", err)
	}
	if _, err := m.Get(ctx, home, "b", actionlog.Day{}); !errors.Is(err, actionlog.ErrUnavailable) {
		t.Errorf("Get of what may be in a damaged day: %v", err)
	}
	if r, err := m.Get(ctx, home, "a", actionlog.Day{}); err != nil || len(r) != 1 {
		t.Errorf("Get beside a damaged day: %v, %v", r, err)
	}
}

func TestModelInstitutions(t *testing.T) {
	m, _ := modelWith(t,
		action("a", noon, `"institution":{"id":"b","name":"New"}`),
		action("a", noon.Add(-time.Hour), `"id":"o"`, `"institution":{"id":"b","name":"Old"}`),
		action("c", noon.Add(time.Hour), `"institution":{"id":"b"}`), action("d", noon, `"institution":{"id":"a"}`))
	got, err := m.Institutions(context.Background())
	want := []actionlog.Institution{{ID: "a"}, {ID: "b", Name: "New"}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}

// A caller may change what it got.
func TestModelKeepsItsOwn(t *testing.T) {
	m, c := modelWith(t, action("a", noon))
	p, err := m.Page(context.Background(), where(), actionlog.NewestFirst, "", 1)
	if err != nil {
		t.Fatal(err)
	}
	p.Records[0].Document[0] = 'X'
	c.holds(c.sent[0])
}

package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"actionlog"
)

type writeStep struct {
	name  string
	items []actionlog.Item
}

func (s writeStep) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d", s.name, len(s.items))
	for _, item := range s.items {
		b.WriteString("\n       " + string(item.Document))
	}
	return b.String()
}

func (s writeStep) run(model *Model, store actionlog.Store) error {
	want, _ := model.Write(context.Background(), s.items)
	got, err := store.Write(context.Background(), s.items)
	if err != nil || len(got) != len(want) {
		return fmt.Errorf("%d outcomes for %d items, %w", len(got), len(want), err)
	}
	for i := range want {
		if got[i] != want[i] {
			return fmt.Errorf("item %d (%s): %s %v, want %s", i, s.items[i].ID, kindName(got[i].Kind), got[i].Err, kindName(want[i].Kind))
		}
	}
	return nil
}

// sameRecords compares answers but for the order among equal times.
func sameRecords(want, got []actionlog.Record) error {
	want, got = sortRecords(want), sortRecords(got)
	if missing, extra := difference(idsOf(want), idsOf(got)); len(missing)+len(extra) > 0 {
		return fmt.Errorf("leaves out %s, finds besides %s", brief(missing), brief(extra))
	}
	for i := range want {
		if d := diffRecord(want[i], got[i]); d != "" {
			return fmt.Errorf("%s is not as it was written (-want +got):\n%s", want[i].ID, d)
		}
	}
	return nil
}

type walkStep struct {
	query actionlog.Query
	order actionlog.Order
	size  int
}

func (s walkStep) String() string {
	return fmt.Sprintf("walk %s, %s, pages of %d", describe(s.query), describeOrder(s.order), s.size)
}

func (s walkStep) run(model *Model, store actionlog.Store) error {
	want, err := walk(model, s.query, s.order, s.size)
	if err != nil {
		return err
	}
	got, err := walk(store, s.query, s.order, s.size)
	if err != nil {
		return err
	}
	back, err := walk(store, s.query, 1-s.order, 1000)
	if err != nil {
		return err
	}
	if !slices.Equal(idsOf(got), reversed(idsOf(back))) {
		return fmt.Errorf("%s is not the reverse of %s", brief(idsOf(got)), brief(idsOf(back)))
	}
	return sameRecords(want, got)
}

// scanStep stops after so many records; 0 is at the end.
type scanStep struct {
	query actionlog.Query
	order actionlog.Order
	stop  int
}

func (s scanStep) String() string {
	if s.stop == 0 {
		return fmt.Sprintf("scan %s, %s", describe(s.query), describeOrder(s.order))
	}
	return fmt.Sprintf("scan %s, %s, stop after %d", describe(s.query), describeOrder(s.order), s.stop)
}

func (s scanStep) run(model *Model, store actionlog.Store) error {
	want, err := scan(model, s.query, s.order)
	if err != nil {
		return err
	}
	pages, err := walk(store, s.query, s.order, 1000)
	if err != nil {
		return err
	}
	var got []actionlog.Record
	for r, err := range store.Scan(context.Background(), s.query, s.order) {
		if err != nil {
			return err
		}
		if got = append(got, r); len(got) == s.stop {
			break
		}
	}
	if s.stop > 0 {
		pages = pages[:min(s.stop, len(pages))]
	} else if err := sameRecords(want, got); err != nil {
		return err
	}
	if !slices.Equal(idsOf(pages), idsOf(got)) {
		return fmt.Errorf("%s; the pages have %s", brief(idsOf(got)), brief(idsOf(pages)))
	}
	return nil
}

type countStep struct {
	query actionlog.Query
	max   int64
}

func (s countStep) String() string { return fmt.Sprintf("count %s, max %d", describe(s.query), s.max) }

func (s countStep) run(model *Model, store actionlog.Store) error {
	total, _, err := model.Count(context.Background(), s.query, 0)
	if err != nil {
		return err
	}
	n, exact, err := store.Count(context.Background(), s.query, s.max)
	if err != nil || exact && n != total || !exact && (s.max == 0 || n != s.max || total < s.max) {
		return fmt.Errorf("%d, exact %v, %v; there are %d", n, exact, err, total)
	}
	return nil
}

type getStep struct {
	institution, id string
	day             actionlog.Day
}

func (s getStep) String() string {
	if s.day.IsZero() {
		return fmt.Sprintf("get %s %s", s.institution, s.id)
	}
	return fmt.Sprintf("get %s %s of %s", s.institution, s.id, s.day)
}

func (s getStep) run(model *Model, store actionlog.Store) error {
	want, wantErr := model.Get(context.Background(), s.institution, s.id, s.day)
	got, err := store.Get(context.Background(), s.institution, s.id, s.day)
	if errors.Is(wantErr, actionlog.ErrNotFound) != errors.Is(err, actionlog.ErrNotFound) || err != nil && wantErr == nil {
		return fmt.Errorf("%d records, %v; want %d, %v", len(got), err, len(want), wantErr)
	}
	if d := diffAll(want, got); d != "" {
		return fmt.Errorf("(-want +got):\n%s", d)
	}
	return nil
}

// diffAll compares records of one id, which are of different days.
func diffAll(want, got []actionlog.Record) string {
	if len(want) != len(got) {
		return fmt.Sprintf("%d records, want %d", len(got), len(want))
	}
	for i := range want {
		if d := diffRecord(want[i], got[i]); d != "" {
			return d
		}
	}
	return ""
}

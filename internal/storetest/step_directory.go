package storetest

import (
	"context"
	"fmt"
	"slices"

	"actionlog"
)

type lookupStep struct {
	institution string
	kind        actionlog.DirectoryKind
	match       actionlog.DirectoryMatch
	limit       int
}

func (s lookupStep) String() string {
	return fmt.Sprintf("lookup %s in %s of %q, limit %d", describeLookup(s.match), s.kind, s.institution, s.limit)
}

func (s lookupStep) run(model *Model, store actionlog.Store) error {
	all, _, err := model.Lookup(context.Background(), s.institution, s.kind, s.match, 1000)
	if err != nil {
		return err
	}
	got, more, err := store.Lookup(context.Background(), s.institution, s.kind, s.match, s.limit)
	if err != nil {
		return err
	}
	if len(got) != min(len(all), s.limit) || more != (len(all) > s.limit) {
		return fmt.Errorf("%d entries, more %v; there are %d", len(got), more, len(all))
	}
	byKey := map[string]actionlog.DirectoryEntry{}
	for _, e := range all {
		byKey[e.Key] = e
	}
	for i, e := range got {
		if i > 0 && e.LastSeen.After(got[i-1].LastSeen) {
			return fmt.Errorf("entry %d is %q, last seen %s, after one seen earlier", i, e.Key, stamp(e.LastSeen))
		}
		want, ok := byKey[e.Key]
		if !ok {
			return fmt.Errorf("finds %q besides, or twice", e.Key)
		}
		delete(byKey, e.Key)
		if err := s.compareMentions(model, store, want, e); err != nil {
			return err
		}
		e.LastSeen = want.LastSeen
		if d := diffEntry(want, e); d != "" {
			return fmt.Errorf("entry %q (-want +got):\n%s", e.Key, d)
		}
	}
	return nil
}

// compareMentions asks how often and when the entry was named.
func (s lookupStep) compareMentions(model *Model, store actionlog.Store, want, got actionlog.DirectoryEntry) error {
	if got.LastSeen.After(want.LastSeen) {
		return fmt.Errorf("entry %q: last seen %s, which is later than %s", got.Key, stamp(got.LastSeen), stamp(want.LastSeen))
	}
	mentions, err := model.Mentions(context.Background(), s.institution, s.kind, []string{got.Key}, false)
	if err != nil {
		return err
	}
	found, err := store.Mentions(context.Background(), s.institution, s.kind, []string{got.Key}, false)
	if err != nil || !slices.Equal(mentions, found) {
		return fmt.Errorf("mentions of %q: %v, %w; want %v", got.Key, found, err, mentions)
	}
	return nil
}

type dropStep struct{ day actionlog.Day }

func (s dropStep) String() string { return "drop " + s.day.String() }

func (s dropStep) run(model *Model, store actionlog.Store) error {
	_ = model.Drop(context.Background(), s.day)
	if err := store.Drop(context.Background(), s.day); err != nil {
		return err
	}
	want, _ := model.Days(context.Background())
	got, err := store.Days(context.Background())
	if err != nil {
		return err
	}
	for _, days := range [][]actionlog.DayInfo{want, got} {
		for i := range days {
			days[i].Bytes = 0 // the engine's own
		}
	}
	if !slices.Equal(want, got) {
		return fmt.Errorf("days %v, want %v", got, want)
	}
	return nil
}

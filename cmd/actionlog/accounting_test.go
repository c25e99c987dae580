package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"actionlog"
	"actionlog/indexer"
	"actionlog/internal/archive"
	"actionlog/internal/storetest"
)

// TestAccounting: each position that the stream took is one thing, whatever was sent.
func TestAccounting(t *testing.T) {
	s := startService(t, "--archive-seal-age", "400ms")
	lines := inventedLines(300, time.Now())
	s.publish(t, lines)
	now := time.Now().UTC().Format(time.RFC3339)
	action := func(id, at, label string) []byte {
		return fmt.Appendf(nil, `{"id":%q,"occurred_at":%q,"institution":{"id":"invented"},"category":"course","action":{"code":"a.b","label":%q},"actor":{"kind":"user"}}`, id, at, label)
	}
	s.publish(t, [][]byte{action("twice", now, "x"), action("collides", now, "x")})
	s.publish(t, [][]byte{append(action("twice", now, "x"), ' '), action("collides", now, "y"), action("old", "2019-01-01T00:00:00Z", "x")})
	s.publishInvalid(t)
	s.settle(t)
	s.archived(t)
	var a archive.Accounts
	if err := json.Unmarshal([]byte(s.send1(t, "/v1/accounting")), &a); err != nil {
		t.Fatal(err)
	}
	want := archive.Accounts{Archived: 306, Indexed: 302, Repeats: 1, Dead: 2, TooOld: 1}
	if fmt.Sprint(a.Archived, a.Indexed, a.Repeats, a.Dead, a.TooOld, a.Missing, a.Unarchived, len(a.Differences)) !=
		fmt.Sprint(want.Archived, want.Indexed, want.Repeats, want.Dead, want.TooOld, 0, 0, 0) {
		t.Errorf("accounts: %+v", a)
	}
	if got := s.metric(t, `actionlog_accounted{what="indexed"}`); got != "302" {
		t.Errorf("the metric says %q", got)
	}
	var out, errs strings.Builder
	if code := run(t.Context(), []string{"check", "--data", s.dir}, strings.NewReader(""), &out, &errs); code != 0 || !strings.Contains(out.String(), "archived 306 = indexed 302 + repeats 1 + dead letters 2 + too old 1") {
		t.Errorf("check: %d\n%s%s", code, out.String(), errs.String())
	}
}

// publishInvalid puts a message on the stream that is no action.
func (s *service) publishInvalid(t *testing.T) {
	t.Helper()
	if r := s.publisher.Publish(t.Context(), []actionlog.Submission{{Institution: "invented", Category: "course", ID: "invalid", Document: []byte("{")}}); r[0].Err != nil {
		t.Fatal(r[0].Err)
	}
}

// TestAccountNamesWhatDiffers: what is lost from the store, and what never came into the
// archive, is counted and named; and a day goes only when all of it is archived.
func TestAccountNamesWhatDiffers(t *testing.T) {
	today := actionlog.DayOf(time.Now())
	old := actionlog.OldestKept(time.Now()).Add(-3)
	store := storetest.NewModel()
	dir := t.TempDir()
	folder, err := archive.NewFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	w, err := archive.OpenWriter(t.Context(), archive.Options{Storage: folder, Dir: dir, KeyFile: filepath.Join(t.TempDir(), "key")})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	put := func(n uint64, day actionlog.Day, archived, indexed bool) {
		bookAction(t, w, store, n, day, archived, indexed)
	}
	for n := uint64(1); n <= 30; n++ {
		put(n, today.Add(-int(n%3)), n != 14, n != 7) // 14 is not archived, 7 is not indexed
		if n == 20 {
			if err := w.Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for n := uint64(31); n <= 34; n++ {
		put(n, old.Add(int(n%2)), true, true)
	}
	put(35, today, false, true) // not archived, though 36 is
	put(36, old, true, false)   // came too late
	l := &archive.Ledger{Storage: folder, Keeper: store, Searcher: store, Dead: noLetters{}, Oldest: func() actionlog.Day { return actionlog.OldestKept(time.Now()) },
		Settled: func(context.Context) (actionlog.Position, error) {
			return actionlog.Position{Stream: "s1", Sequence: 36}, nil
		}}
	a, err := l.Account(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var differences []string
	for _, d := range a.Differences {
		differences = append(differences, fmt.Sprintf("%s %s: %d missing %v, %d unarchived", d.Institution, d.Day, d.Missing, d.Positions, d.Unarchived))
	}
	slices.Sort(differences)
	want := []string{"x0 " + today.Add(-2).String() + ": 0 missing [], 1 unarchived", "x1 " + today.Add(-1).String() + ": 1 missing [s1.7], 0 unarchived", "x1 " + today.String() + ": 0 missing [], 1 unarchived"}
	if !slices.Equal(differences, want) || a.Missing != 1 || a.Unarchived != 2 || a.TooOld != 1 || a.Indexed != 32 || a.Archived != 34 {
		t.Errorf("accounts: %+v", a)
	}
	put(60, old.Add(-1), false, true) // never archived
	dropped, err := indexer.Sweep(t.Context(), store, time.Now(), l.Proven, slog.New(slog.DiscardHandler))
	if err != nil || len(dropped) != 2 || dropped[0] != old || dropped[1] != old.Add(1) {
		t.Errorf("dropped: %v, %v", dropped, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "manifests", "000000000001.ndjson"), []byte("{}\n{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Proven(t.Context(), old.Add(-1)); err == nil {
		t.Error("a damaged archive proves a day")
	}
}

// noLetters has no dead letter.
type noLetters struct{}

func (noLetters) Has(context.Context, actionlog.Position) (bool, error) { return false, nil }

// bookAction puts an action at a position into an archive, a store, or both.
func bookAction(t *testing.T, w *archive.Writer, store actionlog.Store, n uint64, day actionlog.Day, archived, indexed bool) {
	t.Helper()
	doc := fmt.Appendf(nil, `{"id":"a%d","occurred_at":%q,"institution":{"id":"x%d"},"category":"course","action":{"code":"a.b"},"actor":{"kind":"user"}}`, n, day.Start().Add(time.Hour).Format(time.RFC3339), n%2)
	item, err := actionlog.Parse(doc, nil)
	if err != nil {
		t.Fatal(err)
	}
	item.Position, item.ReceivedAt = actionlog.Position{Stream: "s1", Sequence: n}, time.Now()
	if archived {
		err = w.Append(t.Context(), []archive.Line{{Position: item.Position, ReceivedAt: item.ReceivedAt, Institution: item.Institution, Day: day, Document: doc}})
	}
	if indexed && err == nil {
		_, err = store.Write(t.Context(), []actionlog.Item{item})
	}
	if err != nil {
		t.Fatal(err)
	}
}

package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/storetest"

	gocmp "github.com/google/go-cmp/cmp"
)

// metered is a log of some institutions as it may be after months: days that the store has
// and older ones; actions that were published again, with the same content or another; dead
// letters; sealed segments and an open one.
type metered struct {
	meter   *Meter
	oldest  actionlog.Day
	newest  actionlog.Day
	settled actionlog.Position
	want    map[actionlog.UsageKey]*actionlog.Usage // by day
}

func newMetered(t *testing.T, rng *rand.Rand, archived bool) *metered {
	dir := t.TempDir()
	w := newWriter(t, dir)
	store := storetest.NewModel()
	oldest := mustDay("2026-11-10")
	x := &metered{oldest: oldest, newest: oldest.Add(10), want: map[actionlog.UsageKey]*actionlog.Usage{}}
	seen := map[string]bool{}
	n := 300 + rng.IntN(300)
	var lines []Line
	for i := 1; i <= n; i++ {
		l := Line{Position: actionlog.Position{Stream: "s1", Sequence: uint64(i)}, ReceivedAt: x.newest.Start().Add(time.Hour), Institution: fmt.Sprintf("uni-%02d", rng.IntN(9))}
		day := oldest.Add(rng.IntN(71) - 60)
		l.Document = fmt.Appendf(nil, `{"id":"a%d","occurred_at":%q,"institution":{"id":%q},"category":"course","action":{"code":"x"},"actor":{"kind":"user"},"details":{"n":%d}}`,
			rng.IntN(6), day.Start().Add(time.Hour).Format(time.RFC3339), l.Institution, rng.IntN(3))
		if l.Day = day; rng.IntN(15) == 0 {
			l.Day, l.Dead = actionlog.Day{}, actionlog.DeadInvalid
		}
		lines = append(lines, l)
		x.count(l, seen, archived)
		if l.Dead != "" || day.Before(oldest) {
			continue
		}
		item, err := actionlog.Parse(l.Document, nil)
		if err != nil {
			t.Fatal(err)
		}
		item.Position = l.Position
		if _, err := store.Write(t.Context(), []actionlog.Item{item}); err != nil {
			t.Fatal(err)
		}
	}
	x.settled = lines[n-1].Position
	for len(lines) > 0 {
		part := min(len(lines), 1+rng.IntN(n))
		if err := w.Append(t.Context(), lines[:part]); err != nil {
			t.Fatal(err)
		}
		if lines = lines[part:]; len(lines) > 0 || rng.IntN(2) == 0 {
			if err := w.Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	folder, err := OpenFolder(filepath.Join(dir, "archive"))
	if err != nil {
		t.Fatal(err)
	}
	x.meter = &Meter{Storage: folder, Searcher: store, Institutions: institutionsOf(9), Oldest: func() actionlog.Day { return x.oldest }, Newest: func() actionlog.Day { return x.newest },
		Settled: func(context.Context) (actionlog.Position, error) { return x.settled, nil }, distinct: 40 + rng.IntN(200)}
	if !archived {
		x.meter.Storage = nil
	}
	return x
}

func institutionsOf(n int) func(context.Context) ([]actionlog.Institution, error) {
	return func(context.Context) (all []actionlog.Institution, err error) {
		for i := range n {
			all = append(all, actionlog.Institution{ID: fmt.Sprintf("uni-%02d", n-1-i)})
		}
		return all, nil
	}
}

// count is the oracle: what a line adds.
func (x *metered) count(l Line, seen map[string]bool, archived bool) {
	if l.Dead != "" || !archived && l.Day.Before(x.oldest) {
		return
	}
	key := actionlog.UsageKey{Institution: l.Institution, From: l.Day}
	u := x.want[key]
	if u == nil {
		u = &actionlog.Usage{}
		x.want[key] = u
	}
	if archived {
		u.Archived++
		u.Bytes += int64(len(appendLine(nil, &l)))
	}
	if item, err := actionlog.Parse(l.Document, nil); err == nil && !seen[l.Institution+" "+item.ID+" "+l.Day.String()] {
		seen[l.Institution+" "+item.ID+" "+l.Day.String()] = true
		u.Actions++
	}
}

// expected sums the oracle's days as a query asks.
func (x *metered) expected(q *actionlog.UsageQuery, archived bool) (rows []actionlog.Usage) {
	sums := map[actionlog.UsageKey]*actionlog.Usage{}
	for _, key := range slices.SortedFunc(maps.Keys(x.want), actionlog.UsageKey.Compare) {
		if key.From.Before(q.From) || q.To.Before(key.From) {
			continue
		}
		from, to := key.From, key.From
		switch q.By {
		case actionlog.UsageTotal:
			from, to = q.From, q.To
		case actionlog.UsageByMonth:
			month := key.From.String()[:7]
			for from.Add(-1).String()[:7] == month && q.From.Before(from) {
				from = from.Add(-1)
			}
			for to.Add(1).String()[:7] == month && to.Before(q.To) {
				to = to.Add(1)
			}
		}
		k := actionlog.UsageKey{Institution: key.Institution, From: from}
		if sums[k] == nil {
			sums[k] = &actionlog.Usage{Institution: key.Institution, From: from, To: to, HasBytes: archived}
		}
		sums[k].Actions += x.want[key].Actions
		sums[k].Archived += x.want[key].Archived
		sums[k].Bytes += x.want[key].Bytes
	}
	for _, k := range slices.SortedFunc(maps.Keys(sums), actionlog.UsageKey.Compare) {
		rows = append(rows, *sums[k])
	}
	return rows
}

// walk reads all pages.
func (x *metered) walk(t *testing.T, q actionlog.UsageQuery) (rows []actionlog.Usage, last actionlog.UsagePage) {
	t.Helper()
	for {
		page, err := x.meter.Usage(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Rows) > q.Limit || page.More && len(page.Rows) < q.Limit {
			t.Fatalf("%d rows of %d, and more: %t", len(page.Rows), q.Limit, page.More)
		}
		if rows = append(rows, page.Rows...); !page.More {
			return rows, page
		}
		end := page.Rows[len(page.Rows)-1]
		q.After = actionlog.UsageKey{Institution: end.Institution, From: end.From}
	}
}

// Usage is what an independent count says: each acknowledged action once, by day, month or
// as one, whatever the size of the pages and however little is remembered at once; with and
// without an archive.
func TestUsageIsWhatWasAcknowledged(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 5 {
		archived := rng.IntN(4) > 0
		x := newMetered(t, rng, archived)
		for range 8 {
			from := x.oldest.Add(rng.IntN(80) - 70)
			q := actionlog.UsageQuery{From: from, To: from.Add(rng.IntN(90)), By: []actionlog.UsageSpan{actionlog.UsageByDay, actionlog.UsageByMonth, actionlog.UsageTotal}[rng.IntN(3)], Limit: 3 + rng.IntN(60)}
			rows, last := x.walk(t, q)
			if diff := gocmp.Diff(x.expected(&q, archived), rows, gocmp.Comparer(func(a, b actionlog.Day) bool { return a == b })); diff != "" {
				t.Fatalf("%s to %s by %s, %d at a time (archive: %t): %s", q.From, q.To, q.By, q.Limit, archived, diff)
			}
			if last.Through != x.settled || last.Counted.IsZero() != (archived || !q.From.Before(x.oldest)) {
				t.Fatalf("through %s of %s, counted from %s", last.Through, x.settled, last.Counted)
			}
		}
	}
}

// What is said to be counted is what both the store and the archive have; an archive that
// cannot be read is an error.
func TestUsageThrough(t *testing.T) {
	x := newMetered(t, rand.New(rand.NewPCG(1, 0)), true)
	q := actionlog.UsageQuery{From: x.oldest, To: x.newest, By: actionlog.UsageTotal, Limit: 100}
	archived := x.settled
	for _, c := range []struct{ settled, want actionlog.Position }{
		{actionlog.Position{Stream: "s1", Sequence: 7}, actionlog.Position{Stream: "s1", Sequence: 7}},
		{actionlog.Position{Stream: "s1", Sequence: archived.Sequence + 9}, archived},
		{actionlog.Position{Stream: "s2", Sequence: 3}, archived},
	} {
		x.settled = c.settled
		if page, err := x.meter.Usage(t.Context(), q); err != nil || page.Through != c.want {
			t.Errorf("settled up to %s: through %s, and not %s: %v", c.settled, page.Through, c.want, err)
		}
	}
	x.meter.Storage = brokenList{x.meter.Storage}
	if _, err := x.meter.Usage(t.Context(), q); err == nil {
		t.Error("an archive that cannot be listed is counted")
	}
}

// brokenList is a storage of which manifests cannot be read.
type brokenList struct{ Storage }

func (b brokenList) Read(ctx context.Context, name string) ([]byte, error) {
	if name == manifestName(1) {
		return nil, actionlog.ErrUnavailable
	}
	return b.Storage.Read(ctx, name)
}

// However many rows there are, not many more than a page has are held, and they are the
// first ones.
func TestUsageRowsAreBounded(t *testing.T) {
	q := &actionlog.UsageQuery{From: mustDay("2026-01-01"), To: mustDay("2026-12-31"), By: actionlog.UsageByDay, Limit: 10}
	u := &usageRows{q: q, rows: map[actionlog.UsageKey]*usageRow{}}
	most := 0
	for i := range 20_000 {
		institution, day := fmt.Sprintf("u%04d", i*7919%997), q.From.Add(i*31%300)
		if r := u.of(institution, day); r != nil {
			r.Archived++
		}
		most = max(most, len(u.rows))
	}
	if most > 2*q.Limit+2 {
		t.Errorf("%d rows were held for a page of %d", most, q.Limit)
	}
	want := map[actionlog.UsageKey]int64{}
	for i := range 20_000 {
		want[actionlog.UsageKey{Institution: fmt.Sprintf("u%04d", i*7919%997), From: q.From.Add(i * 31 % 300)}]++
	}
	first := slices.SortedFunc(maps.Keys(want), actionlog.UsageKey.Compare)[:q.Limit]
	for i, key := range u.sorted()[:q.Limit] {
		if key != first[i] || u.rows[key].Archived != want[key] {
			t.Errorf("row %d is %v with %d, and not %v with %d", i, key, u.rows[key].Archived, first[i], want[key])
		}
	}
}

// A manifest of an earlier version does not say how long lines are: it is as good as before,
// and usage says that it does not know.
func TestUsageOfEarlierManifests(t *testing.T) {
	dir := t.TempDir()
	w := newWriter(t, dir)
	if err := w.Append(t.Context(), lines(1, 200)); err != nil {
		t.Fatal(err)
	}
	sealAsBefore(t, w)
	if err := w.Append(t.Context(), lines(201, 200)); err != nil {
		t.Fatal(err)
	}
	if err := w.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, dir, w.PublicKey()); len(r.Findings) > 0 || r.Segments != 2 || r.Actions != 400 {
		t.Errorf("%+v", r)
	}
	folder, err := OpenFolder(filepath.Join(dir, "archive"))
	if err != nil {
		t.Fatal(err)
	}
	m := &Meter{Storage: folder, Searcher: storetest.NewModel(), Institutions: institutionsOf(0), Oldest: func() actionlog.Day { return mustDay("2026-12-01") },
		Newest: func() actionlog.Day { return mustDay("2026-12-02") }, Settled: func(context.Context) (actionlog.Position, error) { return actionlog.Position{}, nil }}
	page, err := m.Usage(t.Context(), actionlog.UsageQuery{From: mustDay("2026-11-01"), To: mustDay("2026-11-30"), By: actionlog.UsageTotal, Limit: 10})
	if err != nil || len(page.Rows) == 0 {
		t.Fatal(page, err)
	}
	for _, r := range page.Rows {
		if r.HasBytes || r.Bytes != 0 || r.Actions == 0 || cmp.Compare(r.Archived, r.Actions) < 0 {
			t.Errorf("%+v", r)
		}
	}
}

// sealAsBefore is Seal by a program that did not count the length of lines.
func sealAsBefore(t *testing.T, w *Writer) {
	t.Helper()
	head, details, file, err := w.writeSegment(w.number() + 1)
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(file)
	for i := range details.Institutions {
		for j := range details.Institutions[i].Days {
			details.Institutions[i].Days[j].Bytes = 0
		}
	}
	err = errors.Join(w.Storage.Create(t.Context(), head.Segment.Name, Content{file, head.Segment.Bytes}), w.putManifest(t.Context(), head, details))
	w.ends[head.Stream] = head.Last
	if err = errors.Join(err, w.open.empty(), w.putCheckpoint(t.Context())); err != nil {
		t.Fatal(err)
	}
}

package sqlite

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/segment"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// written writes a list in batches of n, each of which becomes a segment.
func written(t *testing.T, s *Store, list []actionlog.Item, n int) {
	t.Helper()
	for batch := range slices.Chunk(list, n) {
		mustWrite(t, s, batch)
	}
}

// ids are the IDs that a scan yields, in its order.
func ids(t *testing.T, s *Store, order actionlog.Order) (all []string) {
	t.Helper()
	for r, err := range s.Scan(t.Context(), actionlog.Query{Institution: "uni"}, order) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r.ID)
	}
	return all
}

// Many small segments become few, nothing is lost, doubled or put in another order by it, and what was merged leaves the file.
func TestSegmentsAreMerged(t *testing.T) {
	dir := t.TempDir()
	s := reopen(t, dir)
	list := items(t, 2000, 0)
	backwards := slices.Clone(list)
	slices.Reverse(backwards)
	written(t, s, backwards, 7)
	d := s.day(actionlog.DayOf(noon), false)
	for range 3 { // who reads keeps what it reads
		if got := ids(t, s, actionlog.OldestFirst); len(got) != len(list) || got[0] != "d0-0" || got[1999] != "d0-1999" {
			t.Fatalf("%d actions, from %s to %s", len(got), got[0], got[len(got)-1])
		}
	}
	before := ids(t, s, actionlog.NewestFirst)
	if err := s.compactor.compact(t.Context(), d, true); err != nil {
		t.Fatal(err)
	}
	if n := len(d.current()); n >= fanOut { // a few small ones are left alone for a while: see quietShare
		t.Errorf("%d segments are left of 286 of a quiet day", n)
	}
	if after := ids(t, s, actionlog.NewestFirst); !slices.Equal(before, after) {
		t.Error("another order after merging")
	}
	if n := strayPieces(t, d); n != 0 {
		t.Errorf("%d pieces of merged segments are left", n)
	}
	outcomes, err := s.Write(t.Context(), list)
	for i, o := range outcomes {
		if err != nil || o.Kind != actionlog.OutcomeRepeat {
			t.Fatalf("written again, %d: %v, %v", i, o, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := ids(t, reopen(t, dir), actionlog.NewestFirst); !slices.Equal(before, got) {
		t.Error("another order after a restart")
	}
}

// strayPieces counts the pieces of segments that do not count.
func strayPieces(t *testing.T, d *day) int64 {
	t.Helper()
	c, err := sqlite.OpenConn(d.path, sqlite.OpenReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	n, err := number(c, fmt.Sprintf("SELECT count(*) FROM piece WHERE no >> %d NOT IN (SELECT no FROM segment)", pieceBits))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A merge while somebody reads takes nothing away from them; its pieces go when they have ended.
func TestMergeWhileReading(t *testing.T) {
	s := reopen(t, t.TempDir())
	written(t, s, items(t, 600, 0), 150)
	d := s.day(actionlog.DayOf(noon), false)
	n := 0
	for _, err := range s.Scan(t.Context(), actionlog.Query{Institution: "uni"}, actionlog.OldestFirst) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 10 {
			if err := s.compactor.compact(t.Context(), d, true); err != nil {
				t.Fatal(err)
			}
			if len(d.current()) != 1 || strayPieces(t, d) == 0 {
				t.Fatalf("%d segments, %d pieces of others: nothing was merged, or what is read is gone", len(d.current()), strayPieces(t, d))
			}
			s.pieces.Purge() // what is read now comes from the file
		}
	}
	if n != 600 {
		t.Errorf("who read meanwhile got %d of 600", n)
	}
	for deadline := time.Now().Add(time.Minute); strayPieces(t, d) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the pieces stay")
		}
	}
}

// Pieces of a merge that did not end are removed by who writes next, and were never read.
func TestMergeThatDidNotEnd(t *testing.T) {
	dir := t.TempDir()
	s := reopen(t, dir)
	written(t, s, items(t, 100, 0), 50)
	d := s.day(actionlog.DayOf(noon), false)
	d.write.Lock()
	err := insertPieces(d.writer, d.nextNumber(), []byte("half of something"), 0, 1)
	d.write.Unlock()
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, dir)
	d = s.day(actionlog.DayOf(noon), false)
	if n := strayPieces(t, d); n != 1 {
		t.Fatalf("%d stray pieces", n)
	}
	counts(t, s, 100)
	mustWrite(t, s, items(t, 101, 0)[100:])
	if n := strayPieces(t, d); n != 0 {
		t.Errorf("%d stray pieces after writing", n)
	}
	counts(t, s, 101)
}

// Who writes many small batches into one day waits for merges, so that reading does not become slow.
func TestSegmentsStayFew(t *testing.T) {
	s := reopen(t, t.TempDir())
	d := s.day(actionlog.DayOf(noon), true)
	most := 0
	for _, item := range items(t, 1500, 0) {
		mustWrite(t, s, []actionlog.Item{item})
		most = max(most, len(d.current()))
	}
	if most > maxSegments+1 {
		t.Errorf("a day had %d segments", most)
	}
	counts(t, s, 1500)
}

// What is picked is of about the same size, and fits.
func TestPick(t *testing.T) {
	seg := func(rows ...int) (all []*held) {
		for i, n := range rows {
			all = append(all, &held{no: int64(i), Segment: &segment.Segment{Rows: n}})
		}
		return all
	}
	for name, c := range map[string]struct {
		all   []*held
		quiet bool
		want  int
	}{
		"few":                         {seg(1, 2, 3, 4, 5, 6, 7), false, 0},
		"eight small ones":            {seg(1, 2, 3, 4, 5, 6, 7, 4, 3, 5, 6, 7, 5000), false, 12},
		"eight large ones":            {seg(5000, 5100, 5200, 5300, 5400, 5500, 5600, 5700, 100000), false, 8},
		"too large to be merged":      {seg(100000, 100000, 100000, 100000, 100000, 100000, 100000, 100000), false, 0},
		"quiet":                       {seg(1000, 100, 3), true, 3},
		"quiet, and little besides":   {seg(100000, 3), true, 0},
		"quiet, and many little ones": {seg(100000, 1, 1, 1, 1, 1, 1, 1), true, 8},
		"quiet, and only some fit":    {seg(200000, 50000, 100000), true, 2},
		"one":                         {seg(10), true, 0},
	} {
		if got := len(pick(c.all, c.quiet)); got != c.want && !(c.want == 0 && got < 2) {
			t.Errorf("%s: %d are picked, not %d", name, got, c.want)
		}
	}
}

// A segment that is not listed any more, or one too many, is damage, although SQLite sees none.
func TestSegmentMissing(t *testing.T) {
	for name, sql := range map[string]string{
		"one is missing":       "DELETE FROM segment WHERE no = 2",
		"all are missing":      "DELETE FROM segment",
		"one too many":         "INSERT INTO segment SELECT 77, head FROM segment WHERE no = 1",
		"the list is missing":  "DELETE FROM setting WHERE name = 'segments'",
		"the key is missing":   "DELETE FROM setting WHERE name = 'key'",
		"the key is another":   "UPDATE setting SET value = zeroblob(16) WHERE name = 'key'",
		"a piece is missing":   "DELETE FROM piece WHERE no = 1 << 20",
		"pieces are exchanged": "UPDATE piece SET no = CASE no WHEN 1 << 20 THEN -1 WHEN 2 << 20 THEN -2 END; UPDATE piece SET no = CASE no WHEN -1 THEN 2 << 20 WHEN -2 THEN 1 << 20 END",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := reopen(t, dir)
			written(t, s, items(t, 30, 0), 15)
			path := s.dayPath(actionlog.DayOf(noon), 0)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			c, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(sqlitex.ExecuteScript(c, sql, nil), c.Close()); err != nil {
				t.Fatal(err)
			}
			s = reopen(t, dir)
			if n, _, err := s.Count(t.Context(), actionlog.Query{Institution: "uni"}, 0); !errors.Is(err, actionlog.ErrUnavailable) || len(s.Missing()) != 1 {
				t.Errorf("%d, %v; missing %q", n, err, s.Missing())
			}
		})
	}
}

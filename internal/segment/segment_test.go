package segment

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/demo"
	"actionlog/internal/people"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// entriesOf makes entries of n actions that the demo invents, as if all were of the day of noon.
func entriesOf(t testing.TB, n int) []Entry {
	t.Helper()
	var all []Entry
	day := actionlog.DayOf(noon)
	for doc := range demo.New(3, 2*n+200).Actions(noon) {
		item, err := actionlog.Parse(doc, nil)
		if err != nil {
			t.Fatal(err)
		}
		item.OccurredAt = day.Start().Add(item.OccurredAt.Sub(item.Day().Start()))
		item.ReceivedAt, item.Position = item.OccurredAt.Add(1234567), actionlog.Position{Stream: "ACTIONS", Sequence: uint64(len(all) + 7)}
		if len(all)%5 == 0 {
			item.Warnings = []string{"x: not a y"}
		}
		all = append(all, Entry{Item: &item, Milli: uint32(item.OccurredAt.Sub(day.Start()).Milliseconds()), Identity: IdentityOf(item.Institution, item.ID)})
		if len(all) == n {
			break
		}
	}
	if len(all) < n {
		t.Fatalf("only %d actions", len(all))
	}
	return all
}

func codecOf(t testing.TB) *Codec {
	t.Helper()
	c, err := NewCodec()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// opened is a segment as it is read from its head and pieces. That reading changed nothing of these is looked at in the end:
// they are everybody's.
func opened(t testing.TB, c *Codec, image []byte, s *Segment, err error) *Reader {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	before := slices.Clone(image)
	t.Cleanup(func() {
		if !bytes.Equal(before, image) {
			t.Error("reading has changed what is read")
		}
	})
	again, err := ParseHead(s.Head())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(*s, *again, cmp.AllowUnexported(Segment{}, column{})); d != "" {
		t.Fatalf("the head says (-written +read):\n%s", d)
	}
	return again.NewReader(c, InMemory(image))
}

// What is built of all actions at once is, byte for byte, what is merged of segments of some of them each, however they are
// dealt out, and merged again.
func TestMergeIsBuild(t *testing.T) {
	c, key := codecOf(t), NewKey()
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 63, 64, 65, 700, 5000} {
		all := entriesOf(t, n)
		whole, s, err := NewBuilder(c, key).Build(slices.Clone(all))
		opened(t, c, whole, s, err)
		for range 3 {
			parts := make([][]Entry, 1+rng.IntN(min(n, 9)))
			for i, e := range all {
				p := rng.IntN(len(parts))
				if i < len(parts) {
					p = i
				}
				parts[p] = append(parts[p], e)
			}
			b := NewBuilder(c, key)
			var readers []*Reader
			for _, p := range parts {
				image, s, err := b.Build(p)
				readers = append(readers, opened(t, c, image, s, err))
			}
			if k := len(readers); k > 3 { // some of them twice
				image, s, err := Merge(c, readers[:k/2])
				readers = append(readers[k/2:], opened(t, c, image, s, err))
			}
			merged, of, err := Merge(c, readers)
			opened(t, c, merged, of, err)
			if s.Rows != of.Rows || s.MinMilli != of.MinMilli || s.MaxMilli != of.MaxMilli {
				t.Fatalf("%d of %d parts: %+v; built at once %+v", n, len(parts), of, s)
			}
			sameParts(t, c, whole, s, merged, of)
		}
	}
}

// sameParts compares two segments part by part; where words are only dealt to another number of buckets, word by word.
func sameParts(t *testing.T, c *Codec, one []byte, a *Segment, other []byte, b *Segment) {
	t.Helper()
	for part := range numParts {
		if part == partTerms && a.termBits != b.termBits {
			continue
		}
		if !bytes.Equal(one[a.begins[part]:a.begins[part+1]], other[b.begins[part]:b.begins[part+1]]) {
			t.Errorf("part %d is another: %d bytes, %d bytes", part, a.begins[part+1]-a.begins[part], b.begins[part+1]-b.begins[part])
		}
	}
	x, y := a.NewReader(c, InMemory(one)).termsFrom(0), b.NewReader(c, InMemory(other)).termsFrom(0)
	rows := func(p posting) (rows []uint32) {
		if !p.each(nil, func(row uint32) { rows = append(rows, row) }) {
			t.Fatal("a posting cannot be read")
		}
		return rows
	}
	n := 0
	for {
		x.next()
		y.next()
		if x.beyond || y.beyond {
			break
		}
		n++
		if x.hash != y.hash || !slices.Equal(rows(x.posting()), rows(y.posting())) {
			t.Fatalf("word %d: %x %v, %x %v", n, x.hash, rows(x.posting()), y.hash, rows(y.posting()))
		}
	}
	if x.beyond != y.beyond || n != a.terms || n != b.terms {
		t.Errorf("%d words are the same of %d and %d", n, a.terms, b.terms)
	}
}

// Everything that was put in comes out.
func TestRecords(t *testing.T) {
	c := codecOf(t)
	all := entriesOf(t, 3000)
	all[17].Item.ID = "not in the document"
	all[17].Identity = IdentityOf(all[17].Item.Institution, all[17].Item.ID)
	image, s, err := NewBuilder(c, NewKey()).Build(all)
	r := opened(t, c, image, s, err)
	day := actionlog.DayOf(noon)
	rows := 0
	for i := range r.All() {
		for row := i.Low; row < i.High; row++ {
			want := all[row].Item
			if d := cmp.Diff(want.Record, r.Record(row, i.ID, day), cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })); d != "" {
				t.Fatalf("row %d (-put +got):\n%s", row, d)
			}
			if found, ok := r.Find(all[row].Identity); !ok || found != row {
				t.Errorf("row %d is found by its identity at %d, %v", row, found, ok)
			}
			if !r.Has(want.Institution, want.ID) || r.Has(want.Institution, want.ID+"x") {
				t.Errorf("row %d: %s is not there, or is twice", row, want.ID)
			}
			rows++
		}
	}
	if err := r.Err(); err != nil || rows != len(all) {
		t.Errorf("%d rows of %d, %v", rows, len(all), err)
	}
	for range 1000 {
		ms := rand.Uint32N(1 << 27)
		for i := range r.All() {
			want := i.Low
			for want < i.High && all[want].Milli < ms {
				want++
			}
			if got := r.LowerBound(ms, i.Low, i.High); got != want {
				t.Fatalf("the first row not before %d is %d, not %d", ms, got, want)
			}
		}
	}
}

// questions are conditions and what they mean.
func questions(e *Entry) map[*actionlog.Clause]func(*actionlog.Item) bool {
	a := &e.Item.Action
	clause := func(f actionlog.Field, v actionlog.Value) *actionlog.Clause {
		return &actionlog.Clause{Field: f, Values: []actionlog.Value{v}}
	}
	anyPerson := func(i *actionlog.Item, f func(p *actionlog.Person) bool) bool {
		return f(&i.Action.Actor) || i.Action.OnBehalfOf != nil && f(i.Action.OnBehalfOf) || slices.ContainsFunc(i.Action.Targets, func(p actionlog.Person) bool { return f(&p) })
	}
	q := map[*actionlog.Clause]func(*actionlog.Item) bool{
		clause(actionlog.FieldAction, actionlog.Value{Text: a.Code}):        func(i *actionlog.Item) bool { return i.Action.Code == a.Code },
		clause(actionlog.FieldOutcome, actionlog.Value{Text: "success"}):    func(i *actionlog.Item) bool { return i.Action.Outcome == "success" },
		clause(actionlog.FieldID, actionlog.Value{Text: a.ID}):              func(i *actionlog.Item) bool { return i.ID == a.ID },
		clause(actionlog.FieldCode, actionlog.Value{Min: 200, Max: 299}):    func(i *actionlog.Item) bool { r := i.Action.Response; return r != nil && *r >= 200 && *r < 300 },
		clause(actionlog.FieldURL, actionlog.Value{Text: "/v2.2/courses"}):  func(i *actionlog.Item) bool { return actionlog.URLMatches(i.Action.Request, "/v2.2/courses") },
		clause(actionlog.FieldURL, actionlog.Value{Text: "/v2.2/courses/"}): func(i *actionlog.Item) bool { return actionlog.URLMatches(i.Action.Request, "/v2.2/courses/") },
		clause(actionlog.FieldRequestID, actionlog.Value{Text: a.Trace.RequestID}): func(i *actionlog.Item) bool {
			return a.Trace.RequestID != "" && i.Action.Trace.RequestID == a.Trace.RequestID
		},
		clause(actionlog.FieldActor, actionlog.Value{Person: actionlog.PersonMatch{ID: a.Actor.ID}}): func(i *actionlog.Item) bool {
			return a.Actor.ID != "" && (i.Action.Actor.ID == a.Actor.ID || i.Action.Actor.ExternalID == a.Actor.ID)
		},
		clause(actionlog.FieldPerson, actionlog.Value{Person: actionlog.PersonMatch{Prefix: "m"}}): func(i *actionlog.Item) bool {
			return anyPerson(i, func(p *actionlog.Person) bool { return strings.HasPrefix(people.FoldEmail(p.Email), "m") })
		},
	}
	for _, network := range []string{"192.0.0.0/9", "192.0.2.77/32", "0.0.0.0/0", "2001:db8::/33"} {
		p := netip.MustParsePrefix(network)
		q[clause(actionlog.FieldIP, actionlog.Value{Prefix: p})] = func(i *actionlog.Item) bool {
			return i.Action.Origin.IP.IsValid() && p.Contains(i.Action.Origin.IP)
		}
	}
	return q
}

// What is found is what satisfies the conditions, alone and together, negated and not.
func TestMatch(t *testing.T) {
	c, key := codecOf(t), NewKey()
	all := entriesOf(t, 9000)
	image, s, err := NewBuilder(c, key).Build(all)
	r := opened(t, c, image, s, err)
	rng := rand.New(rand.NewPCG(5, 5))
	some := 0
	for range 60 {
		of := questions(&all[rng.IntN(len(all))])
		for i := range r.All() {
			q := actionlog.Query{Institution: i.ID}
			var meant []func(*actionlog.Item) bool
			for clause, means := range of {
				if rng.IntN(4) == 0 || len(q.Clauses) == 0 {
					x := *clause
					x.Not = rng.IntN(3) == 0
					q.Clauses = append(q.Clauses, x)
					meant = append(meant, func(item *actionlog.Item) bool { return means(item) != x.Not })
				}
			}
			low := i.Low + rng.IntN(i.High-i.Low)
			high := low + rng.IntN(i.High-low+1)
			var want, got []int
			for row := low; row < high; row++ {
				if !slices.ContainsFunc(meant, func(f func(*actionlog.Item) bool) bool { return !f(all[row].Item) }) {
					want = append(want, row)
				}
			}
			if set := r.Match(Compile(&q), key, i.Place, low, high); set != nil {
				got = slices.Collect(set.Rows(low, high))
				if set.Count(low, high) != len(got) || len(got) > 0 && (set.First(low, high) != got[0] || set.Last(low, high) != got[len(got)-1]) {
					t.Errorf("a set counts %d, from %d to %d; it has %d", set.Count(low, high), set.First(low, high), set.Last(low, high), len(got))
				}
				Release(set)
			}
			if err := r.Err(); err != nil || !slices.Equal(got, want) {
				t.Fatalf("%+v finds %d rows, not %d (%v)", q, len(got), len(want), err)
			}
			some += len(got)
		}
	}
	if some < 1000 {
		t.Errorf("only %d rows were found in all", some)
	}
}

// Counts of values are those of the rows.
func TestCountValues(t *testing.T) {
	c := codecOf(t)
	all := entriesOf(t, 9000)
	image, s, err := NewBuilder(c, NewKey()).Build(all)
	r := opened(t, c, image, s, err)
	for i := range r.All() {
		for column := range numColumns {
			low, high := i.Low+3, i.High-5
			want, got := map[string]int64{}, map[string]int64{}
			for row := low; row < high; row++ {
				key := appendColumnKey(nil, all[row].Item, column)
				if scoped(column) && len(key) > 0 {
					key = append([]byte("once"), key...)
				}
				value, staff := valueOf(column, key)
				want[fmt.Sprint(value, staff)]++
			}
			set := &Set{Low: low, High: high, all: true}
			err := r.CountValues(column, set, i.Place, low, high, func(c Counted) error {
				got[fmt.Sprint(c.Value, c.Staff)] += c.Count
				if column == columnCourse && c.Value != "" && c.Label.Text == "" {
					return fmt.Errorf("%s has no title", c.Value)
				}
				return nil
			})
			if d := cmp.Diff(want, got); d != "" || err != nil {
				t.Errorf("column %d of %s (-want +got): %v\n%s", column, i.ID, err, d)
			}
		}
	}
}

// Postings of any rows are read as they were written, and where spans are skipped, all others.
func TestPostings(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	var scratch []byte
	for range 2000 {
		n := 1 + rng.IntN(1<<rng.IntN(16))
		density := []float64{0.001, 0.02, 0.3, 0.7, 0.95, 1}[rng.IntN(6)]
		var rows []uint32
		for row := uint32(rng.IntN(100_000)); len(rows) < n && row < MaxRows; row++ {
			if rng.Float64() < density {
				rows = append(rows, row)
			}
		}
		if len(rows) == 0 {
			continue
		}
		p := posting{row: -1, text: appendPosting(nil, rows, &scratch)}
		var got []uint32
		if !p.each(nil, func(row uint32) { got = append(got, row) }) || !slices.Equal(got, rows) {
			t.Fatalf("%d rows of density %v: %d come back", len(rows), density, len(got))
		}
		from, to := int(rows[rng.IntN(len(rows))]), int(rows[rng.IntN(len(rows))])
		within := func(row uint32) bool { return int(row) >= from && int(row) < to }
		got = nil
		p.each(func(a, b int) bool { return b <= from || a >= to }, func(row uint32) {
			if within(row) {
				got = append(got, row)
			}
		})
		want := slices.DeleteFunc(slices.Clone(rows), func(row uint32) bool { return !within(row) })
		if !slices.Equal(got, want) {
			t.Fatalf("of rows %d to %d: %d, not %d", from, to, len(got), len(want))
		}
	}
}

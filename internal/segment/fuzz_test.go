package segment

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"actionlog"
)

// A segment in which bytes are changed gives errors or other answers, and never a panic: checksums are for whoever stores it.
func FuzzReader(f *testing.F) {
	c, err := NewCodec()
	if err != nil {
		f.Fatal(err)
	}
	key := Key{1}
	all := entriesOf(f, 300)
	image, s, err := NewBuilder(c, key).Build(all)
	if err != nil {
		f.Fatal(err)
	}
	head := s.Head()
	f.Add(uint32(0), []byte{0})
	f.Add(uint32(s.begins[partTerms]), []byte{0xff, 0xff, 0xff, 0xff})
	f.Add(uint32(s.begins[partIdentity]), bytes.Repeat([]byte{1}, s.begins[partIdentity+1]-s.begins[partIdentity]))
	f.Fuzz(func(t *testing.T, at uint32, change []byte) {
		if _, err := ParseHead(change); err == nil && !bytes.Equal(change, head) {
			t.Fatal("a head of anything is read")
		}
		damaged := slices.Clone(image)
		for i, b := range change {
			if len(damaged) > 0 {
				damaged[(int(at)+i)%len(damaged)] ^= b
			}
		}
		again, err := ParseHead(head)
		if err != nil {
			t.Fatal(err)
		}
		r := again.NewReader(c, InMemory(damaged))
		readAll(r, key, all)
		r = again.NewReader(c, InMemory(damaged))
		if _, _, err := Merge(c, []*Reader{r}); err == nil && r.Err() != nil {
			t.Fatalf("a merge of what cannot be read: %v", r.Err())
		}
		if err := r.Err(); err != nil && !errors.Is(err, errMalformed) {
			t.Fatal(err)
		}
	})
}

func readAll(r *Reader, key Key, all []Entry) {
	for i := range r.All() {
		for row := i.Low; row < min(i.High, r.Rows) && r.Err() == nil; row++ {
			r.Record(row, i.ID, actionlog.DayOf(noon))
		}
		for clause := range questions(&all[0]) {
			q := actionlog.Query{Institution: i.ID, Clauses: []actionlog.Clause{*clause}}
			low, high := max(0, i.Low), min(i.High, r.Rows)
			set := r.Match(Compile(&q), key, i.Place, low, high)
			if set != nil {
				for column := range numColumns {
					_ = r.CountValues(column, set, i.Place, low, high, func(Counted) error { return nil })
				}
				Release(set)
			}
		}
	}
	r.Has("x", "y")
}

package segment

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"slices"
	"strings"

	"actionlog"
)

// Merge makes one segment of several of the same day and key, no two of whose rows have the same identity.
func Merge(c *Codec, sources []*Reader) (image []byte, s *Segment, err error) {
	m := merger{sources: sources, writer: newWriter(c)}
	size := 0
	for _, r := range sources {
		size += r.Bytes
	}
	m.writer.image = make([]byte, 0, size)
	m.institutions()
	if err := m.rows(); err != nil {
		return nil, nil, err
	}
	w := m.writer
	w.rowsDone()
	w.institutions(m.all)
	terms := 0
	for _, r := range sources {
		terms += r.terms
		w.seg.targets = max(w.seg.targets, r.targets)
	}
	w.indexes(terms, m.terms, m.begins)
	w.columns(m.codes, m.values)
	if err := m.failed(); err != nil {
		return nil, nil, err
	}
	return w.done()
}

// merger merges.
type merger struct {
	sources []*Reader
	writer  *writer
	all     []Institution
	places  [][]uint32 // by source and place there: the institution's place here
	parts   [][]part   // by place: whose rows
	row     [][]uint32 // by source and row there: the row here
	merged  []uint32
	key     []byte
}

// part is rows of an institution in a source.
type part struct{ source, low, high int }

func (m *merger) failed() error {
	for _, r := range m.sources {
		if r.err != nil {
			return r.err
		}
	}
	return nil
}

// institutions merges the institutions.
func (m *merger) institutions() {
	type of struct {
		Institution
		source int
	}
	var found []of
	for i, r := range m.sources {
		m.places = append(m.places, make([]uint32, r.Institutions))
		for x := range r.All() {
			found = append(found, of{x, i})
		}
	}
	slices.SortStableFunc(found, func(a, b of) int { return strings.Compare(a.ID, b.ID) })
	for _, f := range found {
		if n := len(m.all); n == 0 || m.all[n-1].ID != f.ID {
			m.all, m.parts = append(m.all, Institution{ID: f.ID, Place: n}), append(m.parts, nil)
		}
		last := len(m.all) - 1
		m.all[last].Label = Later(m.all[last].Label, f.Label)
		m.parts[last] = append(m.parts[last], part{f.source, f.Low, f.High})
		if f.Place < len(m.places[f.source]) {
			m.places[f.source][f.Place] = uint32(last)
		}
	}
}

// rows writes all rows, institution by institution, in the order of time.
func (m *merger) rows() error {
	m.row = make([][]uint32, len(m.sources))
	for i, r := range m.sources {
		m.row[i] = make([]uint32, r.Rows)
	}
	for i, parts := range m.parts {
		m.all[i].Low = m.writer.seg.Rows
		places := make([]Place, len(parts))
		for k, p := range parts {
			places[k] = m.sources[p.source].Place(p.low)
		}
		first := true
		for len(parts) > 0 {
			k := 0
			for j := 1; j < len(parts); j++ {
				if places[j].Before(places[k]) {
					k = j
				}
			}
			p := &parts[k]
			r := m.sources[p.source]
			document := r.Document(p.low)
			meta := *r.metaOf(p.low)
			if r.err != nil {
				return r.err
			}
			m.row[p.source][p.low] = uint32(m.writer.seg.Rows)
			m.writer.row(meta, document, first)
			first = false
			actionlog.Yield(m.writer.seg.Rows)
			if p.low++; p.low == p.high {
				parts, places = slices.Delete(parts, k, k+1), slices.Delete(places, k, k+1)
			} else {
				places[k] = r.Place(p.low)
			}
		}
	}
	return m.failed()
}

// terms merges the words.
func (m *merger) terms(add func(hash uint64, rows []uint32)) {
	cursors := make([]*termCursor, len(m.sources))
	for i, r := range m.sources {
		cursors[i] = r.termsFrom(0)
		cursors[i].next()
	}
	for {
		least, some := uint64(0), false
		for _, c := range cursors {
			if !c.beyond && (!some || c.hash < least) {
				least, some = c.hash, true
			}
		}
		if !some {
			return
		}
		m.merged = m.merged[:0]
		for i, c := range cursors {
			if !c.beyond && c.hash == least {
				m.take(i, c.posting())
				c.next()
			}
		}
		add(least, sorted(m.merged))
		if least%64 == 0 { // it is a hash
			runtime.Gosched()
		}
	}
}

// take adds the rows of a posting of a source.
func (m *merger) take(source int, p posting) {
	to := m.row[source]
	ok := p.each(nil, func(row uint32) {
		if int(row) < len(to) {
			m.merged = append(m.merged, to[row])
		}
	})
	if !ok {
		m.sources[source].malformed("a posting")
	}
}

// scopedCursor goes through a table whose keys begin with an institution's place, as they are here.
type scopedCursor struct {
	*tableCursor
	places []uint32
	scoped bool
	own    []byte // the key
}

func (m *merger) cursors(part int, scoped bool) []*scopedCursor {
	all := make([]*scopedCursor, len(m.sources))
	for i, r := range m.sources {
		all[i] = &scopedCursor{tableCursor: r.table(part).open(0), places: m.places[i], scoped: scoped}
		all[i].translate()
	}
	return all
}

func (c *scopedCursor) forward() {
	c.next()
	c.translate()
}

func (c *scopedCursor) translate() {
	if c.beyond {
		return
	}
	c.own = append(c.own[:0], c.key...)
	if !c.scoped {
		return
	}
	if len(c.key) < 4 || int(binary.BigEndian.Uint32(c.key)) >= len(c.places) {
		c.malformed("a scoped key")
		c.beyond = true
		return
	}
	binary.BigEndian.PutUint32(c.own, c.places[binary.BigEndian.Uint32(c.key)])
}

// each calls f with every key of some cursors, in their order, and which of them stand on it.
func (m *merger) each(cursors []*scopedCursor, f func(key []byte, on func(yield func(source int, value []byte)))) {
	for {
		var least []byte
		for _, c := range cursors {
			if !c.beyond && (least == nil || bytes.Compare(c.own, least) < 0) {
				least = c.own
			}
		}
		if least == nil {
			return
		}
		m.key = append(m.key[:0], least...)
		f(m.key, func(yield func(source int, value []byte)) {
			for i, c := range cursors {
				if !c.beyond && bytes.Equal(c.own, m.key) {
					yield(i, c.value)
					c.forward()
				}
			}
		})
	}
}

// begins merges the beginnings.
func (m *merger) begins(add func(key []byte, rows []uint32)) {
	m.each(m.cursors(partBeginnings, true), func(key []byte, on func(func(int, []byte))) {
		m.merged = m.merged[:0]
		on(func(source int, value []byte) { m.take(source, m.sources[source].valuePosting(value)) })
		if len(m.merged) > 0 {
			add(key, sorted(m.merged))
		}
	})
}

// codes merges the codes of a column.
func (m *merger) codes(column int) ([]uint32, int) {
	codes := make([][]uint32, len(m.sources)) // by source and code there
	for i, r := range m.sources {
		codes[i] = make([]uint32, 1, r.columns[column].values+1)
	}
	n := uint32(0)
	m.each(m.cursors(partValues+column, scoped(column)), func(_ []byte, on func(func(int, []byte))) {
		n++
		on(func(source int, _ []byte) { codes[source] = append(codes[source], n) })
	})
	all := make([]uint32, m.writer.seg.Rows)
	for i, r := range m.sources {
		for row, to := range m.row[i] {
			if code := r.code(column, row); int(code) < len(codes[i]) {
				all[to] = codes[i][code]
			} else {
				r.malformed("a code that stands for nothing")
			}
		}
	}
	return all, int(n)
}

// values merges the values of a column.
func (m *merger) values(column int, add func(key, value []byte)) {
	var text []byte
	m.each(m.cursors(partValues+column, scoped(column)), func(key []byte, on func(func(int, []byte))) {
		label := Label{}
		on(func(_ int, value []byte) { label = Later(label, parseLabel(value)) })
		text = label.append(text[:0])
		add(key, text)
	})
}

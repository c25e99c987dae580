package segment

import (
	"bytes"
	"encoding/binary"
	"iter"
	"slices"
)

// plan is a condition on one segment: what must be read to know which rows satisfy it. nil: none does.
type plan struct {
	op        op
	all       []*plan
	weight    int     // about how much there is to read
	posting   posting // of a word
	beginning []byte
	column    int
	low, high uint32 // codes: low ≤ code ≤ high
	row       int
}

// matching is one query on one segment.
type matching struct {
	*Reader
	key         Key
	query       *Query
	institution int
	low, high   int // rows of the institution that are asked for
}

// Match returns the rows in [low, high), rows of the institution, that satisfy a query; nil: none does. The
// caller hands it to Release. key is that of the words.
func (r *Reader) Match(q *Query, key Key, institution, low, high int) *Set {
	m := matching{Reader: r, key: key, query: q, institution: institution, low: low, high: high}
	if low >= high {
		return nil
	}
	var all, not []*plan
	for _, c := range q.all {
		p := m.plan(c)
		if p == nil || r.err != nil {
			return nil
		}
		all = append(all, p)
	}
	for _, c := range q.not {
		if p := m.plan(c); p != nil {
			not = append(not, p)
		}
	}
	if r.err != nil { // what was not found may be there
		return nil
	}
	if len(all)+len(not) == 0 {
		return &Set{Low: low, High: high, all: true}
	}
	set := newSet(low, high)
	some := true
	if len(all) == 0 {
		set.fill()
	} else {
		some = m.and(all, set, nil)
	}
	for _, p := range not {
		if some {
			m.drop(p, set)
		}
	}
	if !some || r.err != nil || set.First(low, high) < 0 {
		set.release()
		return nil
	}
	return set
}

// Release gives the memory of a set back that Match returned.
func Release(s *Set) { s.release() }

func (m *matching) plan(c *condition) *plan {
	switch c.op {
	case opAnd:
		p := &plan{op: opAnd}
		for _, x := range c.all {
			child := m.plan(x)
			if child == nil {
				return nil
			}
			p.all, p.weight = append(p.all, child), p.weight+child.weight
		}
		return p
	case opOr:
		return m.or(slices.Values(c.all))
	case opButNot:
		first := m.plan(c.all[0])
		if first == nil {
			return nil
		}
		p := &plan{op: opButNot, all: []*plan{first}, weight: first.weight}
		for _, x := range c.all[1:] {
			if child := m.plan(x); child != nil {
				p.all, p.weight = append(p.all, child), p.weight+child.weight
			}
		}
		return p
	case opName:
		return m.or(func(yield func(*condition) bool) { // one after the other: there may be thousands of targets
			for slot := range c.slots(m.targets) {
				if !yield(c.name(slot)) {
					return
				}
			}
		})
	}
	return m.leaf(c)
}

func (m *matching) or(all iter.Seq[*condition]) *plan {
	p := &plan{op: opOr}
	for x := range all {
		if child := m.plan(x); child != nil {
			p.all, p.weight = append(p.all, child), p.weight+child.weight
		}
	}
	switch len(p.all) {
	case 0:
		return nil
	case 1:
		return p.all[0]
	}
	return p
}

func (m *matching) leaf(c *condition) *plan {
	switch c.op {
	case opWord:
		if found, ok := m.term(m.key.hash([]byte(c.text))); ok {
			return &plan{op: opWord, posting: found, weight: found.weight()}
		}
	case opBegins:
		begins := m.key.beginning(ordinal(m.institution), c.tag, c.text)
		if at := m.table(partBeginnings).seek(begins); !at.beyond && bytes.HasPrefix(at.key, begins) {
			return &plan{op: opBegins, beginning: begins, weight: 4096}
		}
	case opValues:
		return m.values(c)
	case opID:
		for identity := range Identities(m.query.institution, c.text) {
			if row, ok := m.Find(identity); ok && row >= m.low && row < m.high && m.isOf(row, c.text) {
				return &plan{op: opID, row: row}
			}
		}
	}
	return nil
}

// isOf tells whether a row has an ID.
func (r *Reader) isOf(row int, id string) bool {
	m := r.metaOf(row)
	if m.idAt >= 0 && m.idLen != len(id) {
		return false
	}
	if m.idAt < 0 {
		return string(m.id) == id
	}
	return string(m.idIn(r.Document(row))) == id
}

func ordinal(institution int) []byte {
	return binary.BigEndian.AppendUint32(make([]byte, 0, 64), uint32(institution))
}

func (m *matching) values(c *condition) *plan {
	low, high := c.low, c.high
	if scoped(c.column) {
		low, high = append(ordinal(m.institution), low...), append(ordinal(m.institution), high...)
	}
	t := m.table(partValues + c.column)
	first, end := t.placeOf(low), t.placeOf(high)
	if first >= end || m.err != nil {
		return nil
	}
	p := &plan{op: opValues, column: c.column, low: uint32(first + 1), high: uint32(end)}
	if col := m.columns[c.column]; col.width == 0 && (col.constant < p.low || col.constant > p.high) {
		return nil
	}
	p.weight = (m.high - m.low) / 4
	return p
}

// fill adds the rows that satisfy a plan to a set. Where mask is given, rows that are not in it may be left out.
func (m *matching) fill(p *plan, to, mask *Set) {
	switch p.op {
	case opWord:
		m.fillPosting(p.posting, to, mask)
	case opBegins:
		for at := m.table(partBeginnings).seek(p.beginning); !at.beyond && bytes.HasPrefix(at.key, p.beginning); at.next() {
			m.fillPosting(m.valuePosting(at.value), to, mask)
		}
	case opValues:
		m.fillValues(p, to, mask)
	case opID:
		to.add(p.row)
	case opOr:
		for _, child := range p.all {
			m.fill(child, to, mask)
		}
	case opAnd:
		set := newSet(m.low, m.high)
		if m.and(p.all, set, mask) {
			to.or(set)
		}
		set.release()
	case opButNot:
		set := newSet(m.low, m.high)
		m.fill(p.all[0], set, mask)
		for _, child := range p.all[1:] {
			m.drop(child, set)
		}
		to.or(set)
		set.release()
	}
}

// and fills an empty set with the rows that satisfy all plans.
func (m *matching) and(all []*plan, set, mask *Set) (some bool) {
	slices.SortStableFunc(all, func(a, b *plan) int { return a.weight - b.weight })
	m.fill(all[0], set, mask)
	some = true
	for _, p := range all[1:] {
		next := newSet(m.low, m.high)
		m.fill(p, next, set)
		some = set.and(next)
		next.release()
		if !some {
			return false
		}
	}
	return some
}

// drop takes the rows that satisfy a plan from a set.
func (m *matching) drop(p *plan, set *Set) {
	next := newSet(m.low, m.high)
	m.fill(p, next, set)
	set.without(next)
	next.release()
}

func (m *matching) fillPosting(p posting, to, mask *Set) {
	skip := func(from, end int) bool { return end <= m.low || from >= m.high || mask != nil && mask.none(from, end) }
	if !p.each(skip, func(row uint32) { to.add(int(row)) }) {
		m.malformed("a posting")
	}
}

func (m *matching) fillValues(p *plan, to, mask *Set) {
	col := m.columns[p.column]
	if col.width == 0 {
		to.fill()
		return
	}
	for no := m.low / chunkRows; no <= (m.high-1)/chunkRows; no++ {
		from, end := max(m.low, no*chunkRows), min(m.high, (no+1)*chunkRows)
		if mask != nil && mask.none(from, end) {
			continue
		}
		codes := m.chunkOf(p.column, no)
		if len(codes) < (end-no*chunkRows)*col.width {
			m.malformed("a column")
			return
		}
		codes = codes[(from-no*chunkRows)*col.width:]
		if col.width == 1 {
			low, span := byte(p.low), byte(p.high-p.low)
			for i, code := range codes[:end-from] {
				if code-low <= span {
					to.add(from + i)
				}
			}
			continue
		}
		for row := from; row < end; row++ {
			if code := codeAt(codes[(row-from)*col.width:], col.width); code >= p.low && code <= p.high {
				to.add(row)
			}
		}
	}
}

// Is tells whether a row is the action of an institution with an ID.
func (r *Reader) Is(row int, institution, id string) bool {
	i, ok := r.Institution(institution)
	return ok && row >= i.Low && row < i.High && r.isOf(row, id)
}

// Has tells whether there is an action of an institution with an ID.
func (r *Reader) Has(institution, id string) bool {
	for identity := range Identities(institution, id) {
		if row, ok := r.Find(identity); ok && r.Is(row, institution, id) {
			return true
		}
	}
	return false
}

package segment

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

	"actionlog"
)

// Entry is an action that a segment is made of.
type Entry struct {
	Item     *actionlog.Item
	Milli    uint32 // of its day
	Identity uint64 // one of Identities, which no other action of the day has
}

// Builder makes segments of actions. It is for one goroutine, and remembers texts between calls.
type Builder struct {
	writer *writer
	words  *words
	values [numColumns]valueSet
	codes  [numColumns][]uint32
	terms  termSet
	begins []begin
	arena  []byte // of begins
	buf    []byte
	rows   []uint32
}

// begin is a beginning of a row.
type begin struct {
	from, to int // in the arena
	row      uint32
}

// NewBuilder makes a builder of segments whose words have a key.
func NewBuilder(c *Codec, key Key) *Builder {
	return &Builder{writer: newWriter(c), words: newWords(key)}
}

// Key is the key of the words.
func (b *Builder) Key() Key { return b.words.key }

// Build makes a segment of actions of one day, which it sorts. The image is the caller's.
func (b *Builder) Build(entries []Entry) (image []byte, s *Segment, err error) {
	slices.SortFunc(entries, func(x, y Entry) int {
		if c := strings.Compare(x.Item.Institution, y.Item.Institution); c != 0 {
			return c
		}
		return cmp.Or(cmp.Compare(x.Milli, y.Milli), cmp.Compare(x.Identity, y.Identity))
	})
	b.reset()
	w := b.writer
	var institutions []Institution
	for i := range entries {
		e := &entries[i]
		first := i == 0 || entries[i-1].Item.Institution != e.Item.Institution
		if first {
			institutions = append(institutions, Institution{ID: e.Item.Institution, Place: len(institutions), Low: i})
		}
		of := &institutions[len(institutions)-1]
		if name := e.Item.Action.Institution.Name; name != "" {
			of.Label = Later(of.Label, Label{name, true, e.Item.OccurredAt.UnixMilli()})
		}
		m, err := metaOfItem(e)
		if err != nil {
			return nil, nil, err
		}
		w.row(m, e.Item.Document, first)
		w.seg.targets = max(w.seg.targets, len(e.Item.Action.Targets))
		b.columns(e.Item, of.Place)
		b.index(e.Item, of.Place, uint32(i))
		actionlog.Yield(i)
	}
	w.rowsDone()
	w.institutions(institutions)
	w.indexes(len(b.terms.hashes), b.addTerms, b.addBegins)
	w.columns(func(column int) ([]uint32, int) { return b.sortedCodes(column) }, b.addValues)
	return w.done()
}

func (b *Builder) reset() {
	b.writer.reset()
	b.terms.reset()
	b.begins, b.arena = b.begins[:0], b.arena[:0]
	for i := range numColumns {
		b.values[i].reset()
		b.codes[i] = b.codes[i][:0]
	}
}

// columns notes an item's values.
func (b *Builder) columns(item *actionlog.Item, institution int) {
	for i := range numColumns {
		b.buf = b.buf[:0]
		if scoped(i) {
			b.buf = binary.BigEndian.AppendUint32(b.buf, uint32(institution))
		}
		n := len(b.buf)
		if b.buf = appendColumnKey(b.buf, item, i); len(b.buf) == n {
			b.codes[i] = append(b.codes[i], 0)
			continue
		}
		b.codes[i] = append(b.codes[i], b.values[i].code(b.buf, labelOf(item, i)))
	}
}

// valueSet is the values of a column, in the order in which they came.
type valueSet struct {
	places map[string]uint32 // from 0 on
	all    []value
}

type value struct {
	key   string
	label Label
	place uint32 // in the order in which they came
}

func (v *valueSet) reset() {
	if v.places == nil {
		v.places = map[string]uint32{}
	}
	clear(v.places)
	clear(v.all)
	v.all = v.all[:0]
}

// code is 1 + the place of a value.
func (v *valueSet) code(key []byte, label Label) uint32 {
	place, ok := v.places[string(key)]
	if !ok {
		place = uint32(len(v.all))
		v.all = append(v.all, value{key: string(key), label: label, place: place})
		v.places[v.all[place].key] = place
	} else if label.Text != "" {
		v.all[place].label = Later(v.all[place].label, label)
	}
	return place + 1
}

// sortedCodes returns the codes of a column by the order of the values, which it sorts.
func (b *Builder) sortedCodes(column int) ([]uint32, int) {
	v := &b.values[column]
	slices.SortFunc(v.all, func(x, y value) int { return strings.Compare(x.key, y.key) })
	code := make([]uint32, len(v.all)+1)
	for i, x := range v.all {
		code[x.place+1] = uint32(i + 1)
	}
	codes := b.codes[column]
	for i, c := range codes {
		codes[i] = code[c]
	}
	return codes, len(v.all)
}

func (b *Builder) addValues(column int, add func(key, value []byte)) {
	for i := range b.values[column].all {
		v := &b.values[column].all[i]
		b.buf = v.label.append(b.buf[:0])
		add([]byte(v.key), b.buf)
	}
}

// index notes an item's words.
func (b *Builder) index(item *actionlog.Item, institution int, row uint32) {
	b.words.of(item)
	for _, h := range b.words.hashes {
		b.terms.add(h, row)
	}
	for _, text := range b.words.begins {
		from := len(b.arena)
		b.arena = binary.BigEndian.AppendUint32(b.arena, uint32(institution))
		b.arena = append(b.arena, text...)
		b.begins = append(b.begins, begin{from, len(b.arena), row})
	}
}

func (b *Builder) addTerms(add func(hash uint64, rows []uint32)) { b.terms.each(add) }

func (b *Builder) addBegins(add func(key []byte, rows []uint32)) {
	key := func(x begin) []byte { return b.arena[x.from:x.to] }
	slices.SortFunc(b.begins, func(x, y begin) int {
		return cmp.Or(bytes.Compare(key(x), key(y)), cmp.Compare(x.row, y.row))
	})
	for i := 0; i < len(b.begins); {
		b.rows = append(b.rows[:0], b.begins[i].row)
		of := key(b.begins[i])
		for i++; i < len(b.begins) && bytes.Equal(key(b.begins[i]), of); i++ {
			if row := b.begins[i].row; row != b.rows[len(b.rows)-1] {
				b.rows = append(b.rows, row)
			}
		}
		add(of, b.rows)
	}
}

// termSet collects the words of rows, which come in their order.
type termSet struct {
	slots  []uint32 // 1 + the number of a word, by its hash; 0: none
	hashes []uint64 // by number
	last   []uint32 // 1 + the last row, by number
	counts []uint32 // rows, by number
	ofRows []uint64 // number<<32 | row
	order  []uint32
	starts []uint32
	rows   []uint32
}

func (t *termSet) reset() {
	clear(t.slots)
	t.hashes, t.last, t.counts, t.ofRows = t.hashes[:0], t.last[:0], t.counts[:0], t.ofRows[:0]
}

func (t *termSet) add(hash uint64, row uint32) {
	if 2*len(t.hashes) >= len(t.slots) {
		t.grow()
	}
	mask := uint64(len(t.slots) - 1)
	slot := hash & mask
	for ; t.slots[slot] != 0; slot = (slot + 1) & mask {
		if no := t.slots[slot] - 1; t.hashes[no] == hash {
			if t.last[no] != row+1 {
				t.last[no] = row + 1
				t.counts[no]++
				t.ofRows = append(t.ofRows, uint64(no)<<32|uint64(row))
			}
			return
		}
	}
	no := uint32(len(t.hashes))
	t.slots[slot] = no + 1
	t.hashes, t.last, t.counts = append(t.hashes, hash), append(t.last, row+1), append(t.counts, 1)
	t.ofRows = append(t.ofRows, uint64(no)<<32|uint64(row))
}

func (t *termSet) grow() {
	t.slots = make([]uint32, max(1024, 2*len(t.slots)))
	mask := uint64(len(t.slots) - 1)
	for no, hash := range t.hashes {
		slot := hash & mask
		for t.slots[slot] != 0 {
			slot = (slot + 1) & mask
		}
		t.slots[slot] = uint32(no) + 1
	}
}

// each calls add with the words in the order of their hashes.
func (t *termSet) each(add func(hash uint64, rows []uint32)) {
	t.starts = append(t.starts[:0], 0)
	for _, n := range t.counts {
		t.starts = append(t.starts, t.starts[len(t.starts)-1]+n)
	}
	t.rows = slices.Grow(t.rows[:0], len(t.ofRows))[:len(t.ofRows)]
	for _, x := range t.ofRows {
		no := x >> 32
		t.rows[t.starts[no]] = uint32(x)
		t.starts[no]++ // it ends as where the next one begins
	}
	t.order = t.order[:0]
	for no := range t.hashes {
		t.order = append(t.order, uint32(no))
	}
	slices.SortFunc(t.order, func(a, b uint32) int { return cmp.Compare(t.hashes[a], t.hashes[b]) })
	for _, no := range t.order {
		add(t.hashes[no], t.rows[t.starts[no]-t.counts[no]:t.starts[no]])
	}
}

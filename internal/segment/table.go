package segment

import (
	"bytes"
	"encoding/binary"
	"sort"
)

// A table maps keys, in the order of their bytes, to values. It is written as
//
//	the number of blocks, n, in 4 bytes
//	n+1 times 12 bytes: where the block's first key begins among the keys, how many entries come before the block, and where
//	  the block begins among the blocks; the last says where all end, and how many entries there are
//	the first keys of all blocks
//	the blocks, packed; an entry is: how many bytes of its key are those of the key before, the length of the others, they,
//	  the value's length, the value; lengths are varints
type tableWriter struct {
	codec                    *Codec
	index, keys, data        []byte
	block, last              []byte
	entries, ofBlock, blocks int
}

const tableBlockBytes = 2 << 10

func (w *tableWriter) add(key, value []byte) {
	if w.ofBlock == 0 {
		w.mark()
		w.keys = append(w.keys, key...)
		w.last = w.last[:0]
	}
	shared := 0
	for shared < len(key) && shared < len(w.last) && key[shared] == w.last[shared] {
		shared++
	}
	w.block = binary.AppendUvarint(w.block, uint64(shared))
	w.block = appendText(w.block, key[shared:])
	w.block = appendText(w.block, value)
	w.last = append(w.last[:0], key...)
	w.entries++
	w.ofBlock++
	if len(w.block) >= tableBlockBytes {
		w.flush()
	}
}

func (w *tableWriter) mark() {
	for _, n := range []int{len(w.keys), w.entries, len(w.data)} {
		w.index = binary.LittleEndian.AppendUint32(w.index, uint32(n))
	}
}

func (w *tableWriter) flush() {
	if w.ofBlock > 0 {
		w.data = w.codec.pack(w.data, w.block)
		w.block, w.ofBlock = w.block[:0], 0
		w.blocks++
	}
}

// appendTo appends the table, and begins another.
func (w *tableWriter) appendTo(image []byte) []byte {
	w.flush()
	w.mark()
	image = binary.LittleEndian.AppendUint32(image, uint32(w.blocks))
	image = append(append(append(image, w.index...), w.keys...), w.data...)
	w.index, w.keys, w.data, w.entries, w.blocks = w.index[:0], w.keys[:0], w.data[:0], 0, 0
	return image
}

// table reads what a tableWriter wrote.
type table struct {
	*Reader
	part, blocks, keys, data, entries int
}

func (r *Reader) table(part int) table {
	t := table{Reader: r, part: part, blocks: r.uint32(part, 0)}
	t.keys = 4 + 12*(t.blocks+1)
	end, entries, _ := t.indexed(t.blocks)
	t.data, t.entries = t.keys+end, entries
	return t
}

func (t table) indexed(block int) (key, entry, data int) {
	b := t.read(t.part, 4+12*block, 12)
	return int(binary.LittleEndian.Uint32(b)), int(binary.LittleEndian.Uint32(b[4:])), int(binary.LittleEndian.Uint32(b[8:]))
}

func (t table) firstKey(block int) []byte {
	from, _, _ := t.indexed(block)
	to, _, _ := t.indexed(block + 1)
	return t.read(t.part, t.keys+from, to-from)
}

// tableCursor stands on an entry, or behind the last one.
type tableCursor struct {
	table
	block  int
	rest   varints // of the block
	key    []byte
	value  []byte
	place  int // of the entry, from 0 on
	beyond bool
}

// seek returns a cursor on the first entry whose key is not before key.
func (t table) seek(key []byte) *tableCursor {
	behind := sort.Search(t.blocks, func(i int) bool { return bytes.Compare(t.firstKey(i), key) > 0 })
	c := t.open(max(behind-1, 0))
	for !c.beyond && bytes.Compare(c.key, key) < 0 {
		c.next()
	}
	return c
}

// at returns a cursor on an entry.
func (t table) at(place int) *tableCursor {
	behind := sort.Search(t.blocks, func(i int) bool {
		_, entry, _ := t.indexed(i)
		return entry > place
	})
	c := t.open(max(behind-1, 0))
	for !c.beyond && c.place < place {
		c.next()
	}
	return c
}

// open returns a cursor on the first entry of a block.
func (t table) open(block int) *tableCursor {
	c := &tableCursor{table: t, block: block - 1}
	c.next()
	return c
}

// next goes to the next entry.
func (c *tableCursor) next() {
	if len(c.rest.b) == 0 && !c.load() {
		c.beyond = true
		return
	}
	shared := c.rest.int()
	suffix := c.rest.text()
	c.value = c.rest.text()
	if c.rest.bad || shared > len(c.key) {
		c.malformed("a table")
		c.beyond = true
		return
	}
	c.key = append(c.key[:shared], suffix...)
	c.place++
}

func (c *tableCursor) load() bool {
	c.block++
	if c.block >= c.blocks || c.err != nil {
		return false
	}
	_, entry, from := c.indexed(c.block)
	_, _, to := c.indexed(c.block + 1)
	text, err := c.codec.unpack(c.read(c.part, c.data+from, to-from), nil)
	if err != nil {
		c.fail(err)
	}
	if c.err != nil || len(text) == 0 {
		c.malformed("a table's block")
		return false
	}
	c.rest, c.key, c.place = varints{b: text}, c.key[:0], entry-1
	return true
}

// placeOf is how many keys are before key.
func (t table) placeOf(key []byte) int {
	if c := t.seek(key); !c.beyond {
		return c.place
	}
	return t.entries
}

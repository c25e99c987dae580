package segment

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// writer writes a segment: at first all rows, then what belongs to all of them.
type writer struct {
	codec *Codec
	image []byte
	seg   Segment

	pending    []meta // rows of the block that is not full yet
	documents  [][]byte
	size       int
	metas      []byte
	index      []byte
	identities []uint64
	text, buf  []byte

	terms  termWriter
	tables tableWriter
}

func newWriter(c *Codec) *writer {
	return &writer{codec: c, tables: tableWriter{codec: c}, seg: Segment{MinMilli: 1<<32 - 1}}
}

// reset begins another segment.
func (w *writer) reset() {
	*w = writer{codec: w.codec, tables: w.tables, terms: w.terms, metas: w.metas[:0], index: w.index[:0], identities: w.identities[:0],
		pending: w.pending[:0], documents: w.documents[:0], text: w.text, buf: w.buf, seg: Segment{MinMilli: 1<<32 - 1}}
}

// row adds a row; first says that it is the first of an institution.
func (w *writer) row(m meta, document []byte, first bool) {
	if len(w.pending) > 0 && (first || len(w.pending) == blockRows || w.size+len(document) > blockBytes) {
		w.flush()
	}
	w.pending, w.documents, w.size = append(w.pending, m), append(w.documents, document), w.size+len(document)
	w.identities = append(w.identities, m.identity)
	w.seg.MinMilli, w.seg.MaxMilli = min(w.seg.MinMilli, m.milli), max(w.seg.MaxMilli, m.milli)
	w.seg.Rows++
}

// flush writes a block.
func (w *writer) flush() {
	if len(w.pending) == 0 {
		return
	}
	w.index = blockIndex{w.seg.Rows - len(w.pending), w.pending[0].milli, len(w.image), len(w.metas)}.append(w.index)
	for i := range w.pending {
		w.metas = binary.LittleEndian.AppendUint64(w.metas, w.pending[i].identity)
	}
	w.text = appendMeta(w.text[:0], w.pending)
	w.metas = w.codec.pack(w.metas, w.text)
	w.image, w.buf = appendDocuments(w.image, w.codec, w.buf, w.documents)
	clear(w.documents)
	w.pending, w.documents, w.size = w.pending[:0], w.documents[:0], 0
	w.seg.blocks++
}

// end notes that a part ends here.
func (w *writer) end(part int) { w.seg.begins[part+1] = len(w.image) }

// rowsDone writes the parts up to the identities.
func (w *writer) rowsDone() {
	w.flush()
	w.index = blockIndex{w.seg.Rows, 0, len(w.image), len(w.metas)}.append(w.index)
	w.end(partBlocks)
	w.image = append(w.image, w.metas...)
	w.end(partMeta)
	w.image = append(w.image, w.index...)
	w.end(partIndex)
	w.image = appendIdentities(w.image, func(row int) uint64 { return w.identities[row] }, w.seg.Rows)
	w.end(partIdentity)
}

// institutions writes the institutions, in the order of their IDs.
func (w *writer) institutions(all []Institution) {
	for _, i := range all {
		w.buf = i.append(w.buf[:0])
		w.tables.add([]byte(i.ID), w.buf)
	}
	w.image = w.tables.appendTo(w.image)
	w.seg.Institutions = len(all)
	w.end(partInstitutions)
}

// index writes the parts of words. terms calls add in the order of the hashes, of which there are not many more than
// about; begins in the order of the keys.
func (w *writer) indexes(about int, terms func(add func(hash uint64, rows []uint32)), begins func(add func(key []byte, rows []uint32))) {
	w.terms.begin(about)
	terms(w.terms.add)
	w.seg.termBits, w.seg.terms = w.terms.bits, w.terms.terms
	w.image = w.terms.appendTo(w.image)
	w.end(partTerms)
	begins(func(key []byte, rows []uint32) {
		w.buf = w.terms.value(w.buf[:0], rows)
		w.tables.add(key, w.buf)
	})
	w.image = append(w.image, w.terms.postings...)
	w.end(partPostings)
	w.image = w.tables.appendTo(w.image)
	w.end(partBeginnings)
}

// columns writes the codes of all columns and then their values: codes returns the codes of all rows and how many values
// there are, values adds these in their order.
func (w *writer) columns(codes func(column int) ([]uint32, int), values func(column int, add func(key, value []byte))) {
	for i := range numColumns {
		c, n := codes(i)
		w.image = w.seg.appendColumn(w.image, w.codec, i, c, n)
		w.end(partColumns + i)
	}
	for i := range numColumns {
		values(i, w.tables.add)
		w.image = w.tables.appendTo(w.image)
		w.end(partValues + i)
	}
}

// done returns the segment.
func (w *writer) done() ([]byte, *Segment, error) {
	if w.seg.Rows < 1 || w.seg.Rows > MaxRows {
		return nil, nil, fmt.Errorf("a segment of %d rows: there must be 1 to %d", w.seg.Rows, MaxRows)
	}
	if len(w.image) > 1<<31 {
		return nil, nil, fmt.Errorf("a segment of %d bytes", len(w.image))
	}
	w.seg.Bytes = len(w.image)
	s := w.seg
	return w.image, &s, nil
}

// sorted sorts rows that may not be in order.
func sorted(rows []uint32) []uint32 {
	if !slices.IsSorted(rows) {
		slices.Sort(rows)
	}
	return rows
}

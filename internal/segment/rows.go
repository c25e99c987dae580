package segment

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"time"

	"actionlog"
)

// meta is what is kept of a row beside its document and its columns. Of a block's rows it is written as the identities, of
// 8 bytes each, and then packed, as varints, of all rows one after the other: the zigzag differences of the milliseconds; those
// of the times of receipt (Unix nanoseconds), each less its millisecond; those of the sequences; the flags; 1 + where the ID stands in
// the document, or 0; the ID's length, and where that was 0 the ID; of rows with hasWarnings the warnings, as JSON.
type meta struct {
	milli    uint32
	flags    byte
	identity uint64
	received int64
	sequence uint64
	idAt     int // in the document; -1: it is id
	idLen    int
	id       []byte
	warnings []byte
}

const (
	ofStaff     = 1
	hasWarnings = 2
)

// blockOf is the block that was read last.
type blockOf struct {
	no, first, rows int
	meta            []meta
	documents       [][]byte // nil: not read yet
}

// blockIndex is what the index says of a block.
type blockIndex struct {
	first int
	milli uint32
	text  int
	meta  int
}

const indexBytes = 16

func (r *Reader) indexed(block int) blockIndex {
	b := r.read(partIndex, block*indexBytes, indexBytes)
	return blockIndex{int(binary.LittleEndian.Uint32(b)), binary.LittleEndian.Uint32(b[4:]), int(binary.LittleEndian.Uint32(b[8:])), int(binary.LittleEndian.Uint32(b[12:]))}
}

func (x blockIndex) append(b []byte) []byte {
	for _, n := range []uint32{uint32(x.first), x.milli, uint32(x.text), uint32(x.meta)} {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return b
}

// blockAt is the block of a row.
func (r *Reader) blockAt(row int) int {
	return max(sort.Search(r.blocks, func(i int) bool { return r.indexed(i).first > row })-1, 0)
}

// load reads what is kept of the rows of a block.
func (r *Reader) load(no int) {
	b := &r.block
	if b.no == no {
		return
	}
	from, to := r.indexed(no), r.indexed(no+1)
	b.no, b.first, b.rows, b.documents, b.meta = no, from.first, to.first-from.first, nil, b.meta[:0]
	data := r.read(partMeta, from.meta, to.meta-from.meta)
	if r.err == nil && (b.rows < 1 || b.rows > chunkRows || len(data) < 8*b.rows) {
		r.malformed("the index of blocks")
	}
	if r.err != nil {
		b.no, b.rows, b.first = -1, 0, 0
		return
	}
	text, err := r.codec.unpack(data[8*b.rows:], nil)
	if err != nil {
		r.fail(err)
	}
	v := varints{b: text}
	b.meta = slices.Grow(b.meta, b.rows)[:b.rows]
	for i := range b.meta {
		b.meta[i] = meta{identity: binary.LittleEndian.Uint64(data[8*i:])}
	}
	v.meta(b.meta)
	if v.bad {
		r.malformed("the meta data of a block")
	}
}

// milliNanos is a millisecond in nanoseconds.
const milliNanos = 1_000_000

// meta reads what appendMeta wrote.
func (v *varints) meta(rows []meta) {
	milli, late, sequence := int64(0), int64(0), int64(0)
	for i := range rows {
		milli += unzigzag(v.next())
		rows[i].milli = uint32(milli)
	}
	for i := range rows {
		late += unzigzag(v.next())
		rows[i].received = late + int64(rows[i].milli)*milliNanos
	}
	for i := range rows {
		sequence += unzigzag(v.next())
		rows[i].sequence = uint64(sequence)
	}
	for i := range rows {
		rows[i].flags = byte(v.next())
	}
	for i := range rows {
		rows[i].idAt = v.int() - 1
	}
	for i := range rows {
		if rows[i].idLen = v.int(); rows[i].idAt < 0 {
			rows[i].id = v.bytes(rows[i].idLen)
		}
	}
	for i := range rows {
		if rows[i].flags&hasWarnings != 0 {
			rows[i].warnings = v.text()
		}
	}
}

func appendMeta(b []byte, rows []meta) []byte {
	milli, late, sequence := int64(0), int64(0), int64(0)
	difference := func(last *int64, to int64) {
		b = binary.AppendUvarint(b, zigzag(to-*last))
		*last = to
	}
	for i := range rows {
		difference(&milli, int64(rows[i].milli))
	}
	for i := range rows {
		difference(&late, rows[i].received-int64(rows[i].milli)*milliNanos)
	}
	for i := range rows {
		difference(&sequence, int64(rows[i].sequence))
	}
	for i := range rows {
		b = binary.AppendUvarint(b, uint64(rows[i].flags))
	}
	for i := range rows {
		b = binary.AppendUvarint(b, uint64(rows[i].idAt+1))
	}
	for i := range rows {
		b = binary.AppendUvarint(b, uint64(rows[i].idLen))
		if rows[i].idAt < 0 {
			b = append(b, rows[i].id...)
		}
	}
	for i := range rows {
		if rows[i].flags&hasWarnings != 0 {
			b = appendText(b, rows[i].warnings)
		}
	}
	return b
}

// metaOf returns what is kept of a row; the zero meta after an error.
func (r *Reader) metaOf(row int) *meta {
	if b := &r.block; b.no < 0 || row < b.first || row >= b.first+b.rows {
		r.load(r.blockAt(row))
	}
	if i := row - r.block.first; r.err == nil && i >= 0 && i < len(r.block.meta) {
		return &r.block.meta[i]
	}
	r.malformed("a row without a block")
	return &meta{}
}

// Place is where a row stands in the order of time: no two rows of a day have the same.
func (r *Reader) Place(row int) Place {
	m := r.metaOf(row)
	return Place{m.milli, m.identity}
}

// Place orders the actions of an institution on a day.
type Place struct {
	Milli    uint32
	Identity uint64
}

// Before tells whether p comes before other.
func (p Place) Before(other Place) bool {
	return p.Milli < other.Milli || p.Milli == other.Milli && p.Identity < other.Identity
}

// Document returns a row's document, which stays valid.
func (r *Reader) Document(row int) []byte {
	r.metaOf(row)
	b := &r.block
	if b.documents == nil && r.err == nil {
		from, to := r.indexed(b.no), r.indexed(b.no+1)
		b.documents = r.documents(r.read(partBlocks, from.text, to.text-from.text), b.rows)
	}
	if r.err != nil {
		return nil
	}
	return b.documents[row-b.first]
}

func (r *Reader) documents(frame []byte, rows int) [][]byte {
	if r.err != nil {
		return nil
	}
	text, err := r.codec.decoder.DecodeAll(frame, nil)
	if err != nil {
		r.fail(fmt.Errorf("%w: %w", errMalformed, err))
	}
	v := varints{b: text}
	lengths := make([]int, rows)
	for i := range lengths {
		lengths[i] = v.int()
	}
	documents := make([][]byte, rows)
	for i, n := range lengths {
		documents[i] = v.bytes(n)
	}
	if v.bad || len(v.b) > 0 {
		r.malformed("a block of documents")
	}
	return documents
}

// appendDocuments writes documents as one frame.
func appendDocuments(dst []byte, c *Codec, buf []byte, documents [][]byte) (image, used []byte) {
	buf = buf[:0]
	for _, d := range documents {
		buf = binary.AppendUvarint(buf, uint64(len(d)))
	}
	for _, d := range documents {
		buf = append(buf, d...)
	}
	return c.encoder.EncodeAll(buf, dst), buf
}

// Record returns a row, of an institution and day that the caller knows.
func (r *Reader) Record(row int, institution string, day actionlog.Day) actionlog.Record {
	document, m := r.Document(row), r.metaOf(row)
	record := actionlog.Record{
		Institution: institution, ID: string(m.idIn(document)), Document: document,
		OccurredAt: day.Start().Add(time.Duration(m.milli) * time.Millisecond), ReceivedAt: time.Unix(0, m.received).UTC(),
		Position: actionlog.Position{Stream: r.Stream(row), Sequence: m.sequence}, Staff: m.flags&ofStaff != 0,
	}
	if m.flags&hasWarnings != 0 {
		if err := json.Unmarshal(m.warnings, &record.Warnings); err != nil {
			r.malformed("warnings")
		}
	}
	return record
}

func (m *meta) idIn(document []byte) []byte {
	switch {
	case m.idAt < 0:
		return m.id
	case m.idAt+m.idLen > len(document):
		return nil
	}
	return document[m.idAt : m.idAt+m.idLen]
}

// Position is where the stream took a row.
func (r *Reader) Position(row int) actionlog.Position {
	return actionlog.Position{Sequence: r.metaOf(row).sequence, Stream: r.Stream(row)}
}

// Stream is the stream that took a row.
func (r *Reader) Stream(row int) string {
	code := r.code(columnStream, row)
	if code == 0 || r.err != nil {
		return ""
	}
	if r.streams == nil {
		r.streams = map[uint32]string{}
	}
	name, ok := r.streams[code]
	if !ok {
		c := r.table(partValues + columnStream).at(int(code) - 1)
		if name = string(c.key); len(r.streams) < 64 {
			r.streams[code] = name
		}
	}
	return name
}

// metaOfItem makes the meta data of an item.
func metaOfItem(e *Entry) (meta, error) {
	item := e.Item
	m := meta{milli: e.Milli, identity: e.Identity, received: item.ReceivedAt.UnixNano(), sequence: item.Position.Sequence,
		idAt: bytes.Index(item.Document, []byte(item.ID)), idLen: len(item.ID)}
	if m.idAt < 0 {
		m.id = []byte(item.ID)
	}
	if item.Staff {
		m.flags |= ofStaff
	}
	if len(item.Warnings) > 0 {
		text, err := json.Marshal(item.Warnings)
		if err != nil {
			return m, err
		}
		m.flags, m.warnings = m.flags|hasWarnings, text
	}
	return m, nil
}

package segment

import (
	"encoding/binary"
	"fmt"
	"sort"
)

// Reader reads a segment. It is for one goroutine. Its methods return nothing sensible after an error, which Err returns:
// whoever uses what they returned asks for it first.
type Reader struct {
	*Segment
	codec *Codec
	piece func(no int) ([]byte, error)
	err   error

	at   int // the piece that was read last
	last []byte
	buf  []byte // of chunks
	kept Chunks

	block   blockOf
	streams map[uint32]string // names by code
	chunk   struct {
		column, no int // -1: none
		text       []byte
	}
}

// NewReader reads a segment by its pieces, whose bytes are not changed any more. Pieces are numbered from 0 on; all but the
// last have PieceBytes.
func (s *Segment) NewReader(codec *Codec, piece func(no int) ([]byte, error)) *Reader {
	r := &Reader{Segment: s, codec: codec, piece: piece, at: -1, block: blockOf{no: -1}}
	r.chunk.column = -1
	return r
}

// Chunks keeps chunks of columns, unpacked, for whoever reads the segment next. What was added is not changed any more.
type Chunks interface {
	Get(column, no int) (text []byte, ok bool)
	Add(column, no int, text []byte)
}

// Keep has the reader look for chunks there, and add what it unpacks.
func (r *Reader) Keep(in Chunks) { r.kept = in }

// InMemory is the pieces of a whole segment.
func InMemory(image []byte) func(no int) ([]byte, error) {
	return func(no int) ([]byte, error) {
		if no < 0 || no*PieceBytes >= len(image) {
			return nil, errMalformed
		}
		return image[no*PieceBytes : min(len(image), (no+1)*PieceBytes)], nil
	}
}

// Err is the first error of reading.
func (r *Reader) Err() error { return r.err }

func (r *Reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *Reader) malformed(what string) { r.fail(fmt.Errorf("%w: %s", errMalformed, what)) }

// read returns n bytes of a part from a place on; at most 64 zeros where that cannot be. They must not be changed, and hold until the
// next read at least.
func (r *Reader) read(part, from, n int) []byte {
	begin, end := r.begins[part], r.begins[part+1]
	if r.err == nil && (from < 0 || n < 0 || n > end-begin || from > end-begin-n) {
		r.malformed("a place outside of its part")
	}
	if r.err != nil {
		return make([]byte, min(max(n, 0), 64))
	}
	from += begin
	no, offset := from/PieceBytes, from%PieceBytes
	if piece := r.pieceNo(no); offset+n <= len(piece) {
		return piece[offset : offset+n : offset+n]
	}
	whole := make([]byte, 0, n)
	for len(whole) < n && r.err == nil {
		piece := r.pieceNo(no)
		if offset > len(piece) {
			r.malformed("a piece that is too short")
			break
		}
		whole = append(whole, piece[offset:min(len(piece), offset+n-len(whole))]...)
		no, offset = no+1, 0
	}
	return whole[:n:n]
}

func (r *Reader) pieceNo(no int) []byte {
	if no == r.at {
		return r.last
	}
	piece, err := r.piece(no)
	if err != nil {
		r.fail(err)
		return nil
	}
	if want := min(PieceBytes, r.Bytes-no*PieceBytes); len(piece) != want {
		r.malformed("a piece of another size")
		return nil
	}
	r.at, r.last = no, piece
	return piece
}

func (r *Reader) size(part int) int { return r.begins[part+1] - r.begins[part] }

func (r *Reader) uint32(part, from int) int {
	return int(binary.LittleEndian.Uint32(r.read(part, from, 4)))
}

// Chunks: a part of them begins with n+1 places of 4 bytes each, counted from behind these, and then has the chunks, packed.

// chunkOf returns a chunk of a column, unpacked; it holds until the next one is asked for.
func (r *Reader) chunkOf(column, no int) []byte {
	if r.chunk.column == column && r.chunk.no == no {
		return r.chunk.text
	}
	if r.kept != nil && r.err == nil {
		if text, ok := r.kept.Get(column, no); ok {
			r.chunk.column, r.chunk.no, r.chunk.text = column, no, text
			return text
		}
	}
	part := partColumns + column
	head := 4 * ((r.Rows+chunkRows-1)/chunkRows + 1)
	ends := r.read(part, 4*no, 8)
	from, to := int(binary.LittleEndian.Uint32(ends)), int(binary.LittleEndian.Uint32(ends[4:]))
	packed := r.read(part, head+from, to-from)
	into := r.buf
	if r.kept != nil {
		into = make([]byte, 0, min(chunkRows, r.Rows-no*chunkRows)*r.columns[column].width)
	}
	text, err := r.codec.unpack(packed, into)
	if err != nil {
		r.fail(err)
	}
	switch {
	case r.err != nil:
		return nil
	case packed[0] != compressed: // a plain one is the piece itself, which others read
	case len(text) > chunkRows*5: // it is not what was written, which will show
	case r.kept != nil:
		r.kept.Add(column, no, text)
	default:
		r.buf = text
	}
	r.chunk.column, r.chunk.no, r.chunk.text = column, no, text
	return text
}

// appendChunks writes a part of chunks: write appends the text of the rows from, to.
func appendChunks(image []byte, c *Codec, rows int, write func(dst []byte, from, to int) []byte) []byte {
	n := (rows + chunkRows - 1) / chunkRows
	head := len(image)
	image = append(image, make([]byte, 4*(n+1))...)
	begin := len(image)
	var text []byte
	for i := range n {
		text = write(text[:0], i*chunkRows, min(rows, (i+1)*chunkRows))
		image = c.pack(image, text)
		binary.LittleEndian.PutUint32(image[head+4*(i+1):], uint32(len(image)-begin))
	}
	return image
}

// LowerBound is the first row in [low, high), rows of one institution, whose millisecond is not before ms; high: none.
func (r *Reader) LowerBound(ms uint32, low, high int) int {
	switch {
	case low >= high || ms <= r.MinMilli:
		return low
	case ms > r.MaxMilli:
		return high
	}
	first, last := r.blockAt(low), r.blockAt(high-1)
	first += sort.Search(last-first, func(i int) bool { return r.indexed(first+1+i).milli >= ms }) // the last block that begins before ms
	r.load(first)
	for i := max(low, r.block.first); i < min(high, r.block.first+r.block.rows); i++ {
		if r.block.meta[i-r.block.first].milli >= ms {
			return i
		}
	}
	return min(high, r.block.first+r.block.rows)
}

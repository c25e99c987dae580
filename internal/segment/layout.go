package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Version of the layout. A segment of another version is not read.
const Version = 1

// Limits of a segment. A row's number has 18 bits, so that what is held in memory for one segment is bounded.
const (
	MaxRows = 1 << 18
	// PieceBytes is how much of a segment is stored and read at once: with a checksum and SQLite's head of a row it fills
	// four overflow pages of 4 KiB and the least that stays on a leaf (sqlite.org/fileformat2.html, 1.6).
	PieceBytes = 489 + 4*4092 - 9
	chunkRows  = 4096      // rows of a column that are compressed together
	blockRows  = 64        // documents of one institution that are compressed together,
	blockBytes = 256 << 10 // or as many as have so many bytes
)

// A segment is its parts, one behind the other, in this order:
//
//	blocks        the documents, a block after another, each a zstd frame
//	meta          what else is kept of the rows of a block (see meta)
//	index         for each block, and the end, 16 bytes: its first row, that one's millisecond of the day, and where it begins
//	              in blocks and in meta
//	identity      a hash table of identities (see identity.go)
//	institutions  a table (see table.go): ID to the first row, and the name
//	terms         the hashed words, and where their postings are (see terms.go)
//	postings      the rows of frequent words (see posting.go)
//	beginnings    a table: institution, tag and text to postings, for what is looked for by its beginning
//	columns       for each column its codes, in chunks; a code is 1 + the place in the column's table, 0 for none
//	values        for each column a table: value to label
//
// Numbers of fixed size are little-endian, those that are compared as bytes big-endian; varint is that of encoding/binary.
const (
	partBlocks = iota
	partMeta
	partIndex
	partIdentity
	partInstitutions
	partTerms
	partPostings
	partBeginnings
	partColumns
	partValues = partColumns + numColumns
	numParts   = partValues + numColumns
)

// errMalformed is damage that no checksum shows, or a segment of a program with a fault.
var errMalformed = errors.New("a segment is malformed")

// Segment is what its head says: how many rows there are, and where each part begins.
type Segment struct {
	Rows               int
	MinMilli, MaxMilli uint32 // of the day
	Institutions       int
	Bytes              int // of all parts
	targets            int // the largest number of targets of an action
	termBits           int // of a hash, which choose its bucket
	terms              int
	columns            [numColumns]column
	begins             [numParts + 1]int
	blocks             int // of documents
}

// column is how the codes of a column are written.
type column struct {
	width    int    // bytes of a code; 0: all rows have the same
	constant uint32 // which, then
	values   int
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Head writes what ParseHead reads: varints, and their CRC-32C.
func (s *Segment) Head() []byte {
	var b []byte
	for _, v := range []int{Version, s.Rows, int(s.MinMilli), int(s.MaxMilli), s.Institutions, s.targets, s.termBits, s.terms, s.blocks} {
		b = binary.AppendUvarint(b, uint64(v))
	}
	for _, c := range s.columns {
		b = binary.AppendUvarint(b, uint64(c.width))
		b = binary.AppendUvarint(b, uint64(c.constant))
		b = binary.AppendUvarint(b, uint64(c.values))
	}
	for part := range numParts {
		b = binary.AppendUvarint(b, uint64(s.begins[part+1]-s.begins[part]))
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// ParseHead reads a segment's head.
func ParseHead(b []byte) (*Segment, error) {
	if len(b) < 4 || crc32.Checksum(b[:len(b)-4], castagnoli) != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		return nil, fmt.Errorf("%w: its head's checksum is wrong", errMalformed)
	}
	v := varints{b: b[:len(b)-4]}
	if n := v.next(); n != Version {
		return nil, fmt.Errorf("%w: its version is %d; this program knows %d", errMalformed, n, Version)
	}
	s := &Segment{Rows: v.int(), MinMilli: uint32(v.int()), MaxMilli: uint32(v.int()), Institutions: v.int(),
		targets: v.int(), termBits: v.int(), terms: v.int(), blocks: v.int()}
	for i := range s.columns {
		s.columns[i] = column{width: v.int(), constant: uint32(v.int()), values: v.int()}
	}
	for part := range numParts {
		s.begins[part+1] = s.begins[part] + v.int()
	}
	s.Bytes = s.begins[numParts]
	if v.bad || len(v.b) > 0 || s.Rows < 1 || s.Rows > MaxRows || s.termBits > 40 {
		return nil, fmt.Errorf("%w: its head", errMalformed)
	}
	for _, c := range s.columns {
		if c.width > 4 {
			return nil, fmt.Errorf("%w: its head", errMalformed)
		}
	}
	return s, nil
}

// Pieces is in how many pieces a segment is stored.
func (s *Segment) Pieces() int { return (s.Bytes + PieceBytes - 1) / PieceBytes }

// varints reads varints one after another; bad says that one was not there.
type varints struct {
	b   []byte
	bad bool
}

func (v *varints) next() uint64 {
	x, n := binary.Uvarint(v.b)
	if n <= 0 {
		v.bad, v.b = true, nil
		return 0
	}
	v.b = v.b[n:]
	return x
}

// int is a number that is a size or a place.
func (v *varints) int() int {
	x := v.next()
	if x > 1<<40 {
		v.bad = true
		return 0
	}
	return int(x)
}

// bytes are the next n.
func (v *varints) bytes(n int) []byte {
	if n > len(v.b) {
		v.bad, v.b = true, nil
		return nil
	}
	b := v.b[:n:n]
	v.b = v.b[n:]
	return b
}

// text is a length and so many bytes.
func (v *varints) text() []byte { return v.bytes(v.int()) }

func appendText(b, text []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

func zigzag(d int64) uint64   { return uint64(d<<1) ^ uint64(d>>63) }
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// IsDamage tells whether an error of reading means that a segment is not what was written.
func IsDamage(err error) bool { return errors.Is(err, errMalformed) }

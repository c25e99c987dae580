package segment

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/dchest/siphash"
)

// Words are known by 56 bits of a hash that has a key (see Key), so that nobody can choose two that are taken for each
// other. The part terms has 2^termBits buckets by the first bits of the hash, about termsOfBucket in each: 2^termBits+1
// places of 4 bytes, counted from behind these, and then the buckets. A bucket is where its first posting stands in the part
// postings, and then, in the order of the hashes, of each the difference to the hash before and a code, all as varints. A code is
//
//	row<<2 | 1     one row
//	length<<2 | 2  a posting of so many bytes, which follows
//	length<<2      a posting of so many bytes, behind the last such one in postings
//	length<<2 | 3  a posting of so many bytes that stands in postings already, and then where: words that are always
//	               together, as those of a title, share one
const (
	hashBits      = 56
	termsOfBucket = 48
	inlineBytes   = 4

	codePosting, codeRow, codeInline, codeShared = 0, 1, 2, 3
)

func termBitsFor(terms int) int {
	if terms <= termsOfBucket {
		return 0
	}
	return bits.Len(uint((terms - 1) / termsOfBucket))
}

// termWriter writes terms and postings.
type termWriter struct {
	bits     int
	ends     []byte
	buckets  []byte
	postings []byte
	bucket   int
	begun    bool
	last     uint64
	terms    int

	shared        map[uint64]int // where a posting is, by a hash of it
	text, scratch []byte
}

// begin begins anew, for about so many terms.
func (w *termWriter) begin(terms int) {
	clear(w.shared)
	if w.shared == nil {
		w.shared = map[uint64]int{}
	}
	*w = termWriter{shared: w.shared, bits: termBitsFor(terms), ends: append(w.ends[:0], 0, 0, 0, 0), buckets: w.buckets[:0], postings: w.postings[:0], text: w.text, scratch: w.scratch}
}

// add adds a word, whose hash is larger than that of the one before.
func (w *termWriter) add(hash uint64, rows []uint32) {
	w.close(int(hash >> (hashBits - w.bits)))
	rest := hash & (1<<(hashBits-w.bits) - 1)
	if !w.begun {
		w.buckets = binary.AppendUvarint(w.buckets, uint64(len(w.postings)))
		w.begun, w.last = true, 0
	}
	w.buckets = binary.AppendUvarint(w.buckets, rest-w.last)
	w.last = rest
	w.terms++
	if len(rows) == 1 {
		w.buckets = binary.AppendUvarint(w.buckets, uint64(rows[0])<<2|codeRow)
		return
	}
	w.text = appendPosting(w.text[:0], rows, &w.scratch)
	if len(w.text) <= inlineBytes {
		w.buckets = binary.AppendUvarint(w.buckets, uint64(len(w.text))<<2|codeInline)
		w.buckets = append(w.buckets, w.text...)
		return
	}
	if at, ok := w.share(); ok {
		w.buckets = binary.AppendUvarint(w.buckets, uint64(len(w.text))<<2|codeShared)
		w.buckets = binary.AppendUvarint(w.buckets, uint64(at))
		return
	}
	w.buckets = binary.AppendUvarint(w.buckets, uint64(len(w.text))<<2|codePosting)
}

// share returns where text is in postings. There says that it was there already.
func (w *termWriter) share() (at int, there bool) {
	sum := siphash.Hash(0, 0, w.text)
	at, there = w.shared[sum]
	if there && at+len(w.text) <= len(w.postings) && bytes.Equal(w.postings[at:at+len(w.text)], w.text) {
		return at, true
	}
	at = len(w.postings)
	w.shared[sum] = at
	w.postings = append(w.postings, w.text...)
	return at, false
}

// close ends the buckets before one.
func (w *termWriter) close(bucket int) {
	for ; w.bucket < bucket; w.bucket++ {
		w.ends = binary.LittleEndian.AppendUint32(w.ends, uint32(len(w.buckets)))
		w.begun = false
	}
}

// appendTo appends the part terms.
func (w *termWriter) appendTo(image []byte) []byte {
	w.close(1 << w.bits)
	return append(append(image, w.ends...), w.buckets...)
}

// value is a beginning's value: a code as above, but not of a posting behind the last.
func (w *termWriter) value(dst []byte, rows []uint32) []byte {
	if len(rows) == 1 {
		return binary.AppendUvarint(dst, uint64(rows[0])<<2|codeRow)
	}
	w.text = appendPosting(w.text[:0], rows, &w.scratch)
	if len(w.text) <= inlineBytes {
		dst = binary.AppendUvarint(dst, uint64(len(w.text))<<2|codeInline)
		return append(dst, w.text...)
	}
	at, _ := w.share()
	dst = binary.AppendUvarint(dst, uint64(len(w.text))<<2|codeShared)
	return binary.AppendUvarint(dst, uint64(at))
}

// termCursor goes through the terms in the order of their hashes.
type termCursor struct {
	*Reader
	bucket int
	rest   varints
	base   int // in postings, of the next posting of the bucket
	hash   uint64
	code   uint64
	inline []byte
	from   int // in postings
	beyond bool
}

func (r *Reader) termsFrom(bucket int) *termCursor {
	return &termCursor{Reader: r, bucket: bucket - 1}
}

func (r *Reader) bucketText(bucket int) []byte {
	head := 4 * (1<<r.termBits + 1)
	ends := r.read(partTerms, 4*bucket, 8)
	from, to := int(binary.LittleEndian.Uint32(ends)), int(binary.LittleEndian.Uint32(ends[4:]))
	return r.read(partTerms, head+from, to-from)
}

// next goes to the next term, at first to the first one of the bucket.
func (c *termCursor) next() {
	for len(c.rest.b) == 0 {
		c.bucket++
		if c.bucket >= 1<<c.termBits || c.err != nil {
			c.beyond = true
			return
		}
		c.rest = varints{b: c.bucketText(c.bucket)}
		if len(c.rest.b) > 0 {
			c.base = c.rest.int()
			c.hash = uint64(c.bucket) << (hashBits - c.termBits)
		}
	}
	c.hash += c.rest.next()
	c.code = c.rest.next()
	switch n := int(c.code >> 2); c.code & 3 {
	case codeInline:
		c.inline = c.rest.bytes(n)
	case codePosting:
		c.from, c.base = c.base, c.base+n
	case codeShared:
		c.from = c.rest.int()
	}
	if c.rest.bad {
		c.malformed("terms")
		c.beyond = true
	}
}

// posting is that of the term on which the cursor stands; it holds until the next read.
func (c *termCursor) posting() posting {
	switch n := int(c.code >> 2); c.code & 3 {
	case codeRow:
		return posting{row: n}
	case codeInline:
		return posting{row: -1, text: c.inline}
	default:
		return posting{row: -1, text: c.read(partPostings, c.from, n)}
	}
}

// term finds a word by its hash.
func (r *Reader) term(hash uint64) (posting, bool) {
	c := r.termsFrom(int(hash >> (hashBits - r.termBits)))
	first := c.bucket + 1
	for c.next(); !c.beyond && c.bucket == first && c.hash <= hash; c.next() {
		if c.hash == hash {
			return c.posting(), r.err == nil
		}
	}
	return posting{}, false
}

// valuePosting reads what termWriter.value wrote.
func (r *Reader) valuePosting(value []byte) posting {
	v := varints{b: value}
	code := v.next()
	n := int(code >> 2)
	switch {
	case code&3 == codeRow:
		return posting{row: n}
	case code&3 == codeInline:
		return posting{row: -1, text: v.bytes(n)}
	}
	from := v.int()
	return posting{row: -1, text: r.read(partPostings, from, n)}
}

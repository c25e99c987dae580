package segment

import (
	"encoding/binary"
	"math/bits"
)

// A posting is the ascending rows that have a word. It is written as
//
//	0 and the rows as varints: the first, and the differences; or, for more than denseRows rows,
//	1 and containers, each of containerRows rows: how many there are; of each, its number (the difference to the one
//	  before), how it is written and its length; and then their texts.
//
// A container's text is differences as above, from its first row on (0); a bitmap, without the zeros at its end (1); or how many
// rows it is about, and the differences of those of them that are not there (2).
const (
	denseRows     = 96
	containerRows = 1 << 13

	asDifferences = 0
	asBitmap      = 1
	asAbsent      = 2
)

// appendPosting writes rows, of which there is at least one.
func appendPosting(dst []byte, rows []uint32, scratch *[]byte) []byte {
	if len(rows) <= denseRows {
		return appendDifferences(append(dst, 0), rows, 0)
	}
	dst = append(dst, 1)
	n := 0
	for i, row := range rows {
		if i == 0 || row/containerRows != rows[i-1]/containerRows {
			n++
		}
	}
	dst = binary.AppendUvarint(dst, uint64(n))
	texts := (*scratch)[:0]
	last := uint32(0)
	for len(rows) > 0 {
		no, of := rows[0]/containerRows, 1
		for of < len(rows) && rows[of]/containerRows == no {
			of++
		}
		start, how := len(texts), 0
		texts, how = appendContainer(texts, rows[:of], no*containerRows)
		dst = binary.AppendUvarint(dst, uint64(no-last))
		dst = binary.AppendUvarint(dst, uint64(how))
		dst = binary.AppendUvarint(dst, uint64(len(texts)-start))
		last, rows = no, rows[of:]
	}
	*scratch = texts
	return append(dst, texts...)
}

// appendContainer writes the rows of a container in the shortest way.
func appendContainer(dst []byte, rows []uint32, first uint32) ([]byte, int) {
	about := int(rows[len(rows)-1]-first) + 1
	switch start := len(dst); {
	case len(rows) >= about-about/8: // few are absent
		dst = binary.AppendUvarint(dst, uint64(about))
		next, last := first, first
		for _, row := range rows {
			for ; next < row; next++ {
				dst = binary.AppendUvarint(dst, uint64(next-last))
				last = next
			}
			next = row + 1
		}
		return dst, asAbsent
	case len(rows) > about/8:
		dst = append(dst, make([]byte, (about+7)/8)...)
		for _, row := range rows {
			dst[start+int((row-first)/8)] |= 1 << ((row - first) % 8)
		}
		return dst, asBitmap
	default:
		dst = appendDifferences(dst, rows, first)
		return dst, asDifferences
	}
}

func appendDifferences(dst []byte, rows []uint32, last uint32) []byte {
	for _, row := range rows {
		d := row - last
		if d < 0x80 {
			dst = append(dst, byte(d))
		} else {
			dst = binary.AppendUvarint(dst, uint64(d))
		}
		last = row
	}
	return dst
}

// posting is what terms and beginnings say of a word: its one row, or what appendPosting wrote.
type posting struct {
	row  int // -1: see text
	text []byte
}

// weight is about how much there is to read.
func (p posting) weight() int { return len(p.text) }

// each calls f with the rows, ascending. skip tells of a span of rows that none of them is wanted.
func (p posting) each(skip func(from, to int) bool, f func(row uint32)) (ok bool) {
	if p.row >= 0 {
		f(uint32(p.row))
		return true
	}
	if len(p.text) == 0 {
		return false
	}
	if p.text[0] == 0 {
		return eachDifference(p.text[1:], 0, f)
	}
	v := varints{b: p.text[1:]}
	n := v.int()
	if n > MaxRows/containerRows {
		return false
	}
	var heads [MaxRows / containerRows]struct {
		no       uint32
		how, len int
	}
	last := uint32(0)
	for i := range n {
		last += uint32(v.int())
		heads[i].no, heads[i].how, heads[i].len = last, v.int(), v.int()
	}
	for _, h := range heads[:n] {
		text := v.bytes(h.len)
		first := h.no * containerRows
		switch {
		case v.bad:
			return false
		case skip != nil && skip(int(first), int(first)+containerRows):
		case h.how == asDifferences:
			if !eachDifference(text, first, f) {
				return false
			}
		case h.how == asBitmap && len(text) <= containerRows/8:
			for i, b := range text {
				for ; b != 0; b &= b - 1 {
					f(first + uint32(i*8+bits.TrailingZeros8(b)))
				}
			}
		case h.how == asAbsent:
			if !eachPresent(text, first, f) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// eachPresent calls f with the rows that are not said to be absent.
func eachPresent(text []byte, first uint32, f func(row uint32)) bool {
	about, n := binary.Uvarint(text)
	if n <= 0 || about > containerRows {
		return false
	}
	next, end := first, first+uint32(about)
	ok := eachDifference(text[n:], first, func(absent uint32) {
		for ; next < min(absent, end); next++ {
			f(next)
		}
		next = absent + 1
	})
	for ; next < end; next++ {
		f(next)
	}
	return ok
}

func eachDifference(text []byte, last uint32, f func(row uint32)) bool {
	for i := 0; i < len(text); {
		d := uint32(text[i])
		if d < 0x80 {
			i++
		} else {
			x, n := binary.Uvarint(text[i:])
			if n <= 0 {
				return false
			}
			d, i = uint32(x), i+n
		}
		last += d
		f(last)
	}
	return true
}

package segment

import (
	"iter"
	"math/bits"
	"sync"
)

// Set is rows of a segment in [Low, High): all of them, or those whose bit is set.
type Set struct {
	Low, High int
	all       bool
	base      int // of the first bit
	bits      []uint64
}

var setBits = sync.Pool{New: func() any { return new([]uint64) }}

// newSet returns an empty set of rows in [low, high).
func newSet(low, high int) *Set {
	s := &Set{Low: low, High: high, base: low &^ 63}
	n := 0
	if high > low {
		n = (high - s.base + 63) / 64
	}
	b := *setBits.Get().(*[]uint64)
	if cap(b) < n {
		b = make([]uint64, n)
	}
	s.bits = b[:n]
	clear(s.bits)
	return s
}

// release gives a set's memory back; it is not used any more.
func (s *Set) release() {
	if s != nil && s.bits != nil {
		b := s.bits
		setBits.Put(&b)
		s.bits = nil
	}
}

func (s *Set) add(row int) {
	if row >= s.Low && row < s.High {
		s.bits[(row-s.base)>>6] |= 1 << (row & 63)
	}
}

// none tells whether no row in [from, to) is in the set.
func (s *Set) none(from, to int) bool {
	from, to = max(from, s.Low), min(to, s.High)
	if from >= to {
		return true
	}
	if s.all {
		return false
	}
	for i := (from - s.base) >> 6; i <= (to-1-s.base)>>6; i++ {
		if s.bits[i]&mask(i*64+s.base, from, to) != 0 {
			return false
		}
	}
	return true
}

// mask has the bits of a word that begins at row base which are in [from, to).
func mask(base, from, to int) uint64 {
	m := ^uint64(0)
	if from > base {
		m <<= from - base
	}
	if to < base+64 {
		m &= 1<<(to-base) - 1
	}
	return m
}

// Count is how many rows in [from, to) are in the set.
func (s *Set) Count(from, to int) (n int) {
	from, to = max(from, s.Low), min(to, s.High)
	switch {
	case from >= to:
		return 0
	case s.all:
		return to - from
	}
	for i := (from - s.base) >> 6; i <= (to-1-s.base)>>6; i++ {
		n += bits.OnesCount64(s.bits[i] & mask(i*64+s.base, from, to))
	}
	return n
}

// Last is the last row of the set in [from, to), -1 where there is none.
func (s *Set) Last(from, to int) int {
	from, to = max(from, s.Low), min(to, s.High)
	switch {
	case from >= to:
		return -1
	case s.all:
		return to - 1
	}
	for i := (to - 1 - s.base) >> 6; i >= (from-s.base)>>6; i-- {
		if w := s.bits[i] & mask(i*64+s.base, from, to); w != 0 {
			return s.base + i*64 + 63 - bits.LeadingZeros64(w)
		}
	}
	return -1
}

// First is the first row of the set in [from, to), -1 where there is none.
func (s *Set) First(from, to int) int {
	from, to = max(from, s.Low), min(to, s.High)
	switch {
	case from >= to:
		return -1
	case s.all:
		return from
	}
	for i := (from - s.base) >> 6; i <= (to-1-s.base)>>6; i++ {
		if w := s.bits[i] & mask(i*64+s.base, from, to); w != 0 {
			return s.base + i*64 + bits.TrailingZeros64(w)
		}
	}
	return -1
}

// Rows yields the rows of the set in [from, to), ascending.
func (s *Set) Rows(from, to int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for row := s.First(from, to); row >= 0; row = s.First(row+1, to) {
			if !yield(row) {
				return
			}
		}
	}
}

func (s *Set) and(o *Set) (any bool) {
	var or uint64
	for i := range s.bits {
		s.bits[i] &= o.bits[i]
		or |= s.bits[i]
	}
	return or != 0
}

func (s *Set) or(o *Set) {
	for i := range s.bits {
		s.bits[i] |= o.bits[i]
	}
}

func (s *Set) without(o *Set) {
	for i := range s.bits {
		s.bits[i] &^= o.bits[i]
	}
}

// fill makes it all of its rows.
func (s *Set) fill() {
	for i := range s.bits {
		s.bits[i] = mask(i*64+s.base, s.Low, s.High)
	}
}

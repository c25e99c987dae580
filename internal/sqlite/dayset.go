package sqlite

import (
	"encoding/binary"
	"iter"
	"math/bits"
	"slices"
	"time"

	"actionlog"
)

// daySet is a set of days as it stands in the file: a bit per day (the lowest
// first), behind the number of the first byte's first day since 1970, divided by
// eight: 4 bytes, big-endian, signed. The empty set is nil. A set is never
// changed in place.
type daySet []byte

const daySetHead = 4

func dayNumber(d actionlog.Day) int { return int(d.Start().Unix() / 86400) }

// place returns the byte in which a day stands, counted from the first, and its bit.
func (s daySet) place(d actionlog.Day) (at int, bit byte) {
	n := dayNumber(d)
	return n>>3 - int(int32(binary.BigEndian.Uint32(s))), 1 << (n & 7)
}

func (s daySet) has(d actionlog.Day) bool {
	if len(s) <= daySetHead {
		return false
	}
	at, bit := s.place(d)
	return at >= 0 && at < len(s)-daySetHead && s[daySetHead+at]&bit != 0
}

// with returns the set with a day.
func (s daySet) with(d actionlog.Day) daySet {
	if len(s) <= daySetHead {
		s = binary.BigEndian.AppendUint32(nil, uint32(int32(dayNumber(d)>>3)))
	}
	at, bit := s.place(d)
	switch size := len(s) - daySetHead; {
	case at < 0:
		head := binary.BigEndian.AppendUint32(nil, uint32(int32(dayNumber(d)>>3)))
		s = slices.Concat(head, make([]byte, -at), s[daySetHead:])
		at = 0
	case at >= size:
		s = slices.Concat(s, make([]byte, at-size+1))
	default:
		s = slices.Clone(s)
	}
	s[daySetHead+at] |= bit
	return s
}

// without returns the set without a day; nil if it was the last.
func (s daySet) without(d actionlog.Day) daySet {
	if !s.has(d) {
		return s
	}
	at, bit := s.place(d)
	s = slices.Clone(s)
	s[daySetHead+at] &^= bit
	end := len(s)
	for end > daySetHead && s[end-1] == 0 {
		end--
	}
	start := daySetHead
	for start < end && s[start] == 0 {
		start++
	}
	if start == end {
		return nil
	}
	head := binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(s)+uint32(start-daySetHead))
	return append(head, s[start:end]...)
}

// last is the newest day; zero of the empty set.
func (s daySet) last() (newest actionlog.Day) {
	for d := range s.all() {
		newest = d
	}
	return newest
}

// all yields the days, oldest first.
func (s daySet) all() iter.Seq[actionlog.Day] {
	return func(yield func(actionlog.Day) bool) {
		for i := daySetHead; i < len(s); i++ {
			for b := s[i]; b != 0; b &= b - 1 {
				n := (int64(int32(binary.BigEndian.Uint32(s)))+int64(i-daySetHead))*8 + int64(bits.TrailingZeros8(b))
				if !yield(actionlog.DayOf(time.Unix(n*86400, 0))) {
					return
				}
			}
		}
	}
}

package segment

import (
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"math/bits"
)

// Identities are numbers of 64 bits, which no two rows of a day share: IdentityOf, or the next that is free. Which row has
// one is found in a hash table with linear probing: slots of 5 bytes, the lowest 16 bits of the identity and the row in 24,
// noRow in those that are empty. One in five is.
const slotBytes, noRow = 5, 1<<24 - 1

// IdentityOf is the hash of an institution and an action's ID: the first 8 bytes of SHA-256.
func IdentityOf(institution, id string) uint64 {
	buf := make([]byte, 0, 128)
	sum := sha256.Sum256(append(append(append(buf, institution...), 0), id...))
	return binary.BigEndian.Uint64(sum[:])
}

func slotsFor(rows int) int { return rows + rows/4 + 1 }

func slotOf(identity uint64, slots int) int {
	high, _ := bits.Mul64(identity, uint64(slots))
	return int(high)
}

// appendIdentities writes the table.
func appendIdentities(image []byte, identities func(row int) uint64, rows int) []byte {
	slots := slotsFor(rows)
	begin := len(image)
	for range slots {
		image = append(image, 0, 0, 0xff, 0xff, 0xff)
	}
	table := image[begin:]
	for row := range rows {
		id := identities(row)
		slot := slotOf(id, slots)
		for {
			s := table[slot*slotBytes:]
			if s[2]&s[3]&s[4] == 0xff {
				binary.LittleEndian.PutUint16(s, uint16(id))
				s[2], s[3], s[4] = byte(row), byte(row>>8), byte(row>>16)
				break
			}
			if slot++; slot == slots {
				slot = 0
			}
		}
	}
	return image
}

// Find yields the row that has an identity, if there is one.
func (r *Reader) Find(identity uint64) (row int, ok bool) {
	for row := range r.candidates(identity) {
		if r.metaOf(row).identity == identity && r.err == nil {
			return row, true
		}
	}
	return 0, false
}

// candidates yields the rows whose identity looks like it.
func (r *Reader) candidates(identity uint64) iter.Seq[int] {
	return func(yield func(int) bool) {
		slots := r.size(partIdentity) / slotBytes
		if slots <= r.Rows {
			r.malformed("the table of identities")
			return
		}
		slot := slotOf(identity, slots)
		for range slots {
			s := r.read(partIdentity, slot*slotBytes, slotBytes)
			row := int(s[2]) | int(s[3])<<8 | int(s[4])<<16
			if row == noRow || r.err != nil {
				return
			}
			if binary.LittleEndian.Uint16(s) == uint16(identity) && (row >= r.Rows || !yield(row)) {
				return
			}
			if slot++; slot == slots {
				slot = 0
			}
		}
	}
}

// maxProbes is how many identities an action may have: more than two of these would need IDs that somebody searched for
// with more work than can be done.
const maxProbes = 8

// Identities yields the identities that an action may have, in the order in which they are taken.
func Identities(institution, id string) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		first := IdentityOf(institution, id)
		for i := range uint64(maxProbes) {
			if !yield(first + i) {
				return
			}
		}
	}
}

package sqlite

import (
	"encoding/binary"
	"hash/crc32"
	"slices"

	"actionlog/internal/segment"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// current is the segments that there are; they are not removed while day.write is held.
func (d *day) current() []*held {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.segments
}

// nextNumber takes the next number of a segment.
func (d *day) nextNumber() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.nextSegment++
	return d.nextSegment - 1
}

// insert makes a segment one of the day's, in one synced transaction; day.write is held.
func (d *day) insert(image []byte, s *segment.Segment) error {
	h := &held{Segment: s, no: d.nextNumber()}
	err := transaction(d.writer, func() error {
		if err := insertPieces(d.writer, h.no, image, 0, s.Pieces()); err != nil {
			return err
		}
		return d.enter(h, nil)
	})
	return d.inserted(err, h, nil)
}

// enter has a segment count and others not any more, in a transaction of the writer.
func (d *day) enter(h *held, others []*held) error {
	for _, o := range others {
		if err := run(d.writer, "DELETE FROM segment WHERE no = ?", o.no); err != nil {
			return err
		}
	}
	if err := run(d.writer, "UPDATE setting SET value = ? WHERE name = 'segments'", listOf(exchanged(d.current(), h, others))); err != nil {
		return err
	}
	return run(d.writer, "INSERT INTO segment VALUES (?, ?)", h.no, h.Head())
}

// exchanged is the segments after h took the place of others.
func exchanged(all []*held, h *held, others []*held) []*held {
	return append(slices.DeleteFunc(slices.Clone(all), func(x *held) bool { return slices.Contains(others, x) }), h)
}

// listOf is the setting that says which segments there are, so that none is missed where SQLite sees no damage: how many, and the
// CRC-32C of their numbers in their order.
func listOf(all []*held) []byte {
	var numbers []int64
	for _, h := range all {
		numbers = append(numbers, h.no)
	}
	slices.Sort(numbers)
	var text []byte
	for _, n := range numbers {
		text = binary.LittleEndian.AppendUint64(text, uint64(n))
	}
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, uint32(len(all))), crc32.Checksum(text, castagnoli))
}

// inserted has readers know of a segment. After an error what there is is read from the file again.
func (d *day) inserted(err error, h *held, others []*held) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		d.loaded = false
		_ = d.closeWriter()
		return err
	}
	d.segments = exchanged(d.segments, h, others)
	for _, o := range others {
		if o.dead = true; o.refs == 0 {
			d.trash = append(d.trash, o.no)
		}
	}
	return nil
}

func transaction(c *sqlite.Conn, f func() error) (err error) {
	end, err := sqlitex.ImmediateTransaction(c)
	if err != nil {
		return err
	}
	defer end(&err)
	return f()
}

// insertPieces writes the pieces [from, to) of a segment.
func insertPieces(c *sqlite.Conn, no int64, image []byte, from, to int) error {
	buf := make([]byte, 0, 4+segment.PieceBytes)
	for i := from; i < to; i++ {
		data := image[i*segment.PieceBytes : min(len(image), (i+1)*segment.PieceBytes)]
		piece := no<<pieceBits | int64(i)
		buf = append(binary.LittleEndian.AppendUint32(buf[:0], sum(piece, data)), data...)
		if err := run(c, "INSERT INTO piece VALUES (?, ?)", piece, buf); err != nil {
			return err
		}
	}
	return nil
}

// sweep removes the pieces of segments that do not count: those of a merge that did not end, or whose segments somebody
// still read when the store was closed. day.write is held, and nothing is merged.
func (d *day) sweep(c *sqlite.Conn) error {
	known := map[int64]bool{}
	for _, h := range d.current() {
		known[h.no] = true
	}
	for no := int64(0); ; {
		next, err := number(c, "SELECT coalesce((SELECT no FROM piece WHERE no >= ? ORDER BY no LIMIT 1), -1)", no<<pieceBits)
		if err != nil || next < 0 {
			d.swept = err == nil
			return err
		}
		no = next >> pieceBits
		for more := !known[no]; more; {
			if more, err = removeSome(c, no); err != nil {
				return err
			}
		}
		no++
	}
}

// removeStep is how many pieces are removed in one transaction.
const removeStep = 256

// removeSome removes pieces of a segment; more says that there may be others.
func removeSome(c *sqlite.Conn, no int64) (more bool, err error) {
	err = run(c, "DELETE FROM piece WHERE no IN (SELECT no FROM piece WHERE no >= ? AND no < ? LIMIT ?)", no<<pieceBits, (no+1)<<pieceBits, removeStep)
	return err == nil && c.Changes() == removeStep, err
}

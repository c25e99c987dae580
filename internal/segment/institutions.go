package segment

import (
	"encoding/binary"
	"iter"
)

// Institution is an institution of a segment, and where its rows begin and end.
type Institution struct {
	ID        string
	Label     Label // its name; no text where no action says it
	Place     int   // in the order of the IDs, from 0 on
	Low, High int
}

func (i Institution) append(dst []byte) []byte {
	return i.Label.append(binary.AppendUvarint(dst, uint64(i.Low)))
}

// Institution finds an institution by its ID.
func (r *Reader) Institution(id string) (Institution, bool) {
	c := r.table(partInstitutions).seek([]byte(id))
	if c.beyond || string(c.key) != id || r.err != nil {
		return Institution{}, false
	}
	i := c.institution()
	c.next()
	if i.High = r.Rows; !c.beyond {
		i.High = c.institution().Low
	}
	if r.err == nil && (i.Low >= i.High || i.High > r.Rows) {
		r.malformed("institutions")
	}
	return i, r.err == nil
}

func (c *tableCursor) institution() Institution {
	v := varints{b: c.value}
	return Institution{ID: string(c.key), Place: c.place, Low: v.int(), Label: parseLabel(v.b)}
}

// All yields the institutions in the order of their IDs.
func (r *Reader) All() iter.Seq[Institution] {
	return func(yield func(Institution) bool) {
		c := r.table(partInstitutions).open(0)
		for !c.beyond {
			i := c.institution()
			c.next()
			if i.High = r.Rows; !c.beyond {
				i.High = c.institution().Low
			}
			if r.err != nil || !yield(i) {
				return
			}
		}
	}
}

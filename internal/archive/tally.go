package archive

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"slices"

	"actionlog"
)

// counter makes the tallies of lines that come institution by institution.
type counter struct {
	tallies []Tally
	id      string
	started bool
	count   uint64
	dead    uint64
	tree    tree
	days    map[string]*dayCount
}

// dayCount is what is counted of an institution's day.
type dayCount struct {
	account
	bytes int64
}

// account is a number of positions and which.
type account struct {
	count uint64
	sum   PositionSum
}

func (a *account) add(p actionlog.Position) {
	a.count++
	a.sum.Add(p)
}

// add counts a line; text is without its break.
func (c *counter) add(h *header, text []byte) {
	if !c.started || c.id != h.institution {
		c.end()
		*c = counter{tallies: c.tallies, id: h.institution, started: true, tree: newTree(), days: map[string]*dayCount{}}
	}
	statement := statementHash(text)
	c.tree.add(statement[:])
	c.count++
	if h.dead != "" {
		c.dead++
		return
	}
	d := c.days[h.day]
	if d == nil {
		d = &dayCount{}
		c.days[h.day] = d
	}
	d.add(h.position())
	d.bytes += int64(len(text)) + 1
}

// asOf leaves out of tallies what a manifest of an earlier version does not say.
func asOf(m *manifest, tallies []Tally) []Tally {
	for i := range m.Institutions {
		for _, d := range m.Institutions[i].Days {
			if d.Bytes != 0 {
				return tallies
			}
		}
	}
	for i := range tallies {
		for j := range tallies[i].Days {
			tallies[i].Days[j].Bytes = 0
		}
	}
	return tallies
}

// end ends an institution.
func (c *counter) end() {
	if !c.started {
		return
	}
	t := Tally{ID: c.id, Count: c.count, Dead: c.dead, Root: c.tree.root()}
	for day, d := range c.days {
		t.Days = append(t.Days, Day{day, d.count, d.sum.String(), d.bytes})
	}
	slices.SortFunc(t.Days, func(a, b Day) int { return cmp.Compare(a.Day, b.Day) })
	c.tallies, c.started = append(c.tallies, t), false
}

// leafHash is the hash of a leaf of an RFC 6962 tree: SHA-256(0x00 || text).
func leafHash(text []byte) [sha256.Size]byte {
	var short [2048]byte
	return sha256.Sum256(append(append(short[:0], 0), text...))
}

// statementHash is that of a line without its position: of "{" and what stands behind.
func statementHash(line []byte) [sha256.Size]byte {
	_, rest, _ := bytes.Cut(line, []byte("},"))
	var short [2048]byte
	return sha256.Sum256(append(append(short[:0], 0, '{'), rest...))
}

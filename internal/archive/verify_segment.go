package archive

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"

	"actionlog"
)

// segment holds a segment against its manifest. An error means that it could not be
// read.
func (v *verification) segment(ctx context.Context, m *manifest) error {
	c := &segmentCheck{v: v, m: m, name: m.Segment.Name}
	sum := sha256.New()
	var text []byte
	at := int64(0)
	for i := range m.Frames {
		f := &m.Frames[i]
		packed, err := v.storage.ReadRange(ctx, c.name, f.Offset, f.Bytes)
		if errors.Is(err, actionlog.ErrUnavailable) {
			return err
		}
		if err != nil {
			v.find(c.name, "is missing or too short: %v", err)
			return nil
		}
		v.progress(f.Bytes)
		if f.Offset != at {
			v.find(c.name, "its frames do not follow each other at byte %d", at)
		}
		at = f.Offset + f.Bytes
		sum.Write(packed)
		if text, err = unpack(packed, text); err != nil {
			v.find(c.name, "is damaged in the frame at byte %d: %v", f.Offset, err)
			continue
		}
		c.frame(f, text)
	}
	c.end(ctx, at, hex.EncodeToString(sum.Sum(nil)))
	return nil
}

// segmentCheck collects what a segment holds.
type segmentCheck struct {
	v        *verification
	m        *manifest
	name     string
	leaves   []leaf
	counter  counter
	raw      int64
	previous header
	said     bool // that a line is out of order
}

// leaf is the hash of a line.
type leaf struct {
	sequence uint64
	hash     [sha256.Size]byte
}

// frame takes the lines of a frame.
func (c *segmentCheck) frame(f *Frame, text []byte) {
	lines, first, last := 0, "", ""
	for line := range bytes.Lines(text) {
		h, err := readHeader(line)
		if err != nil || line[len(line)-1] != '\n' || h.stream != c.m.Stream {
			c.v.find(c.name, "line %d of the frame at byte %d is not one of this segment", lines+1, f.Offset)
			continue
		}
		if p := &c.previous; !c.said && len(c.leaves) > 0 && (h.institution < p.institution || h.institution == p.institution && h.sequence <= p.sequence) {
			c.said = true
			c.v.find(c.name, "position %d is out of order", h.sequence)
		}
		c.previous, last = h, h.institution
		if lines == 0 {
			first = h.institution
		}
		lines++
		body := line[:len(line)-1]
		c.counter.add(&h, body)
		c.leaves = append(c.leaves, leaf{h.sequence, leafHash(body)})
	}
	c.raw += int64(len(text))
	if lines != f.Count || first != f.From || last != f.To {
		c.v.find(c.name, "the frame at byte %d has %d lines of %q to %q, and not %d of %q to %q", f.Offset, lines, first, last, f.Count, f.From, f.To)
	}
}

// end holds what was collected against the manifest.
func (c *segmentCheck) end(ctx context.Context, bytesRead int64, sum string) {
	m, v := c.m, c.v
	switch {
	case sum != m.Segment.SHA256:
		v.find(c.name, "hashes to %s, not to %s", sum, m.Segment.SHA256)
	case bytesRead != m.Segment.Bytes || c.raw != m.Segment.RawBytes:
		v.find(c.name, "has %d bytes (%d raw), not %d (%d raw)", bytesRead, c.raw, m.Segment.Bytes, m.Segment.RawBytes)
	}
	if _, err := v.storage.ReadRange(ctx, c.name, m.Segment.Bytes, 1); err == nil {
		v.find(c.name, "is longer than %d bytes", m.Segment.Bytes)
	}
	slices.SortFunc(c.leaves, func(a, b leaf) int { return cmp.Compare(a.sequence, b.sequence) })
	all, next, missing := newTree(), m.First, m.Gaps
	for i := range c.leaves {
		at := c.leaves[i].sequence
		if len(missing) > 0 && missing[0].First == next && at > missing[0].Last {
			next, missing = missing[0].Last+1, missing[1:]
		}
		if at != next {
			v.find(c.name, "has position %d where %d is to be", at, next)
		}
		next = at + 1
		all.add(c.leaves[i].hash[:])
	}
	if next != m.Last+1 || uint64(len(c.leaves)) != m.Count {
		v.find(c.name, "has %d lines, the last at position %d, and not %d, the last at %d", len(c.leaves), next-1, m.Count, m.Last)
	}
	if !bytes.Equal(all.root(), m.Root) {
		v.find(c.name, "its lines have another root")
	}
	c.counter.end()
	counted, err := json.Marshal(asOf(m, c.counter.tallies))
	said, err2 := json.Marshal(m.Institutions)
	if err != nil || err2 != nil || !bytes.Equal(counted, said) {
		v.find(c.name, "does not hold what its manifest says of its institutions")
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report.Actions += uint64(len(c.leaves))
	for i := range c.counter.tallies {
		v.report.Dead += c.counter.tallies[i].Dead
	}
	v.report.Bytes += bytesRead
	v.report.RawBytes += c.raw
}

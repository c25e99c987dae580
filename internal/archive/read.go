package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"actionlog"

	"github.com/klauspost/compress/zstd"
)

// Reader reads what is sealed in an archive.
type Reader struct{ Storage Storage }

// decoders decompress frames; each is used by one goroutine at a time.
var decoders = sync.Pool{New: func() any {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1<<30))
	if err != nil {
		panic("archive: " + err.Error()) // cannot be: the options are right
	}
	return d
}}

// unpack decompresses frames.
func unpack(packed, into []byte) ([]byte, error) {
	d := decoders.Get().(*zstd.Decoder)
	defer decoders.Put(d)
	return d.DecodeAll(packed, into[:0])
}

// manifests yields all manifests, in their order.
func (r *Reader) manifests(ctx context.Context) iter.Seq2[*manifest, error] {
	return func(yield func(*manifest, error) bool) {
		next := uint64(1)
		for f, err := range r.Storage.List(ctx, "manifests/") {
			if err != nil {
				yield(nil, err)
				return
			}
			n, ok := manifestNumber(f.Name)
			if !ok {
				continue
			}
			if n != next {
				yield(nil, fmt.Errorf("archive: %s is missing", manifestName(next)))
				return
			}
			m, err := readManifest(ctx, r.Storage, n)
			if !yield(m, err) || err != nil {
				return
			}
			next++
		}
	}
}

// Selection says which lines are meant.
type Selection struct {
	Institution string        // "" is all
	From, To    actionlog.Day // on which the actions occurred, both included; zero is no limit
	// After leaves out the segments up to this one.
	After uint64
}

// day tells whether a day (as Day.Day) is meant.
func (s *Selection) day(day string) bool {
	return (s.From.IsZero() || day >= s.From.String()) && (s.To.IsZero() || day <= s.To.String())
}

// count is how many actions of a segment are meant.
func (s *Selection) count(d *Details) (n uint64) {
	for i := range d.Institutions {
		t := &d.Institutions[i]
		if s.Institution != "" && t.ID != s.Institution {
			continue
		}
		for _, day := range t.Days {
			if s.day(day.Day) {
				n += day.Count
			}
		}
	}
	return n
}

// Actions yields the actions that are meant, segment by segment, and of each segment
// only the frames that can hold them are read. Of an institution they come in the order
// of the stream. The sequence ends with an error, as its last element, when it cannot
// be completed: damage is one.
func (r *Reader) Actions(ctx context.Context, s Selection) iter.Seq2[*Line, error] {
	return func(yield func(*Line, error) bool) {
		for m, err := range r.manifests(ctx) {
			if err != nil {
				yield(nil, err)
				return
			}
			if m.Number <= s.After || s.count(&m.Details) == 0 {
				continue
			}
			if !r.segment(ctx, m, &s, yield) {
				return
			}
		}
	}
}

// Estimate is what Actions will yield, and read for it.
type Estimate struct {
	Actions uint64
	Bytes   int64 // compressed
}

// Estimate looks at the manifests alone.
func (r *Reader) Estimate(ctx context.Context, s Selection) (e Estimate, err error) {
	for m, err := range r.manifests(ctx) {
		if err != nil {
			return e, err
		}
		n := s.count(&m.Details)
		if n == 0 {
			continue
		}
		e.Actions += n
		for _, f := range m.Frames {
			if s.frame(&f) {
				e.Bytes += f.Bytes
			}
		}
	}
	return e, nil
}

// frame tells whether a frame may hold lines of the institution.
func (s *Selection) frame(f *Frame) bool {
	return s.Institution == "" || f.From <= s.Institution && s.Institution <= f.To
}

// segment yields what is meant of a segment and holds its number against the manifest.
func (r *Reader) segment(ctx context.Context, m *manifest, s *Selection, yield func(*Line, error) bool) bool {
	found, want := uint64(0), s.count(&m.Details)
	for line, err := range r.lines(ctx, m, s.Institution) {
		var l *Line
		if err == nil {
			var h header
			h, err = readHeader(line)
			if err == nil && (h.dead != "" || !s.day(h.day)) {
				continue
			}
		}
		if err == nil {
			l, err = parseLine(line)
		}
		if err != nil {
			yield(nil, fmt.Errorf("archive: %s: %w", m.Segment.Name, err))
			return false
		}
		l.Document, l.Segment = bytes.Clone(l.Document), m.Number
		found++
		if !yield(l, nil) {
			return false
		}
	}
	if found != want {
		yield(nil, fmt.Errorf("archive: %s has %d of the %d actions that its manifest says: %w", m.Segment.Name, found, want, ErrDamaged))
		return false
	}
	return true
}

// lines yields the lines of an institution ("": of all) in a segment, dead ones included.
// A line is valid until the next.
func (r *Reader) lines(ctx context.Context, m *manifest, institution string) iter.Seq2[[]byte, error] {
	s := Selection{Institution: institution}
	return func(yield func([]byte, error) bool) {
		var text []byte
		for i := range m.Frames {
			f := &m.Frames[i]
			if !s.frame(f) {
				continue
			}
			packed, err := r.Storage.ReadRange(ctx, m.Segment.Name, f.Offset, f.Bytes)
			if err == nil {
				if text, err = unpack(packed, text); err != nil {
					err = fmt.Errorf("the frame at byte %d: %w: %w", f.Offset, ErrDamaged, err)
				}
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for line := range bytes.Lines(text) {
				if h, err := readHeader(line); err == nil && institution != "" && h.institution != institution {
					continue
				}
				if !yield(line, nil) {
					return
				}
			}
		}
	}
}

// Status is what an archive holds, as its manifests say.
type Status struct {
	Archive  string    `json:"archive"`
	Segments uint64    `json:"segments"`
	Actions  uint64    `json:"actions"` // lines that are sealed, dead ones included
	Bytes    int64     `json:"bytes"`
	RawBytes int64     `json:"raw_bytes"`
	Unsealed uint64    `json:"unsealed"`
	Streams  []Span    `json:"streams"`
	SealedAt time.Time `json:"sealed_at,omitzero"` // the newest
}

// Status reads the manifests.
func (r *Reader) Status(ctx context.Context) (*Status, error) {
	s := &Status{Streams: []Span{}}
	for m, err := range r.manifests(ctx) {
		if err != nil {
			return nil, err
		}
		s.Archive, s.SealedAt = m.Archive, m.SealedAt
		s.Segments++
		s.Actions += m.Count
		s.Bytes += m.Segment.Bytes
		s.RawBytes += m.Segment.RawBytes
		i := slices.IndexFunc(s.Streams, func(x Span) bool { return x.Stream == m.Stream })
		if i < 0 {
			i = len(s.Streams)
			s.Streams = append(s.Streams, Span{Stream: m.Stream, First: m.First})
		}
		s.Streams[i].Last = m.Last
	}
	for _, err := range fileLines(ctx, r.Storage, openName) {
		if err != nil {
			return nil, err
		}
		s.Unsealed++
	}
	return s, nil
}

// ErrDamaged wraps what Verify found.
var ErrDamaged = errors.New("the archive is not as it was written")

// linesPage is how much fileLines reads at once.
const linesPage = 1 << 20

// fileLines yields the lines of a file with their breaks; the last may have none. A file
// that is not there has no lines. A line is valid until the next.
func fileLines(ctx context.Context, s Storage, name string) iter.Seq2[[]byte, error] {
	return fileLinesFrom(ctx, s, name, 0)
}

// fileLinesFrom is fileLines from an offset on, where a line begins.
func fileLinesFrom(ctx context.Context, s Storage, name string, offset int64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		size := int64(0)
		for f, err := range s.List(ctx, name) {
			if err != nil {
				yield(nil, err)
				return
			}
			if f.Name == name {
				size = f.Bytes
			}
		}
		var rest []byte
		for at := offset; at < size; {
			page, err := s.ReadRange(ctx, name, at, min(linesPage, size-at))
			if errors.Is(err, ErrShort) { // emptied meanwhile: its lines are sealed
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
			at += int64(len(page))
			rest = append(rest, page...)
			for {
				n := bytes.IndexByte(rest, '\n')
				if n < 0 {
					break
				}
				if !yield(rest[:n+1], nil) {
					return
				}
				rest = rest[n+1:]
			}
		}
		if len(rest) > 0 {
			yield(rest, nil)
		}
	}
}

// openLine is a line of the open segment.
type openLine struct {
	header header
	text   []byte
}

// openLines yields the lines of the open segment, but for a last one without its break: that
// is being written. Any other that cannot be read is damage, or two open segments were read
// as one: then a manifest has come meanwhile.
func openLines(ctx context.Context, s Storage) iter.Seq2[openLine, error] {
	return func(yield func(openLine, error) bool) {
		n := 0
		for line, err := range fileLines(ctx, s, openName) {
			if err == nil && line[len(line)-1] != '\n' {
				return
			}
			n++
			o := openLine{text: line}
			if err == nil {
				if o.header, err = readHeader(line); err != nil {
					err = fmt.Errorf("archive: line %d of %s %w: %w", n, openName, err, ErrDamaged)
				}
			}
			if !yield(o, err) || err != nil {
				return
			}
		}
	}
}

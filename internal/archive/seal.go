package archive

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"
)

const (
	// frameBytes is about how much text a frame holds, and minFrame how little one that
	// ends with an institution: an institution's lines are to be read without many
	// others'.
	frameBytes = 512 << 10
	minFrame   = 64 << 10
)

// seal makes a segment of the open one, then its manifest; then the open segment is
// emptied, and the checkpoint written. Killed between any two of these, the next start
// goes on; after a failure the archive is opened anew, because what came of the step that
// failed is not known.
func (w *Writer) seal(ctx context.Context) error {
	err := w.sealOnce(ctx)
	if err != nil && w.open != nil {
		w.open.broken = err
	}
	return err
}

func (w *Writer) sealOnce(ctx context.Context) error {
	number := w.number() + 1
	head, details, file, err := w.writeSegment(number)
	if file != "" {
		defer os.Remove(file)
	}
	if err != nil {
		return fmt.Errorf("archive: sealing: %w", err)
	}
	err = w.Storage.Create(ctx, head.Segment.Name, Content{file, head.Segment.Bytes})
	if err != nil && !errors.Is(err, ErrExists) { // one of that name holds the same
		return err
	}
	if err := w.putManifest(ctx, head, details); err != nil {
		if w.failed != nil && !w.named(ctx, head) {
			_ = w.Storage.Remove(ctx, head.Segment.Name) // nobody will name it
		}
		return err
	}
	w.ends[head.Stream] = head.Last
	if err := w.open.empty(); err != nil {
		return err
	}
	w.Log.Info("archive: a segment was sealed", "segment", head.Segment.Name, "actions", head.Count, "bytes", head.Segment.Bytes)
	if err := w.sweep(ctx); err != nil {
		return err
	}
	return w.putCheckpoint(ctx)
}

// named tells whether the manifest that somebody else wrote names the same segment, or may do so: who had the same lines.
func (w *Writer) named(ctx context.Context, head *Head) bool {
	m, err := readManifest(ctx, w.Storage, head.Number)
	return err != nil || m.Segment.Name == head.Segment.Name
}

// putManifest writes a manifest, which may not be there yet.
func (w *Writer) putManifest(ctx context.Context, head *Head, details *Details) error {
	text, err := encodeManifest(head, details)
	if err != nil {
		return err
	}
	m, err := decodeManifest(text)
	if err != nil {
		return err
	}
	path := filepath.Join(w.Dir, ".manifest")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	defer os.Remove(path)
	err = w.Storage.Create(ctx, manifestName(head.Number), Content{path, int64(len(text))})
	if errors.Is(err, ErrExists) {
		if there, e := w.Storage.Read(ctx, manifestName(head.Number)); e == nil && bytes.Equal(there, text) {
			err = nil // ours: the answer to an earlier request was lost
		}
	}
	if errors.Is(err, ErrExists) {
		w.failed = fmt.Errorf("archive: %s: somebody else writes this archive: %w", w.Storage, err)
		return w.failed
	}
	if err != nil {
		return err
	}
	w.last = m
	w.log.add(hasher.HashLeaf(m.head))
	return nil
}

// sealing is a segment while it is written.
type sealing struct {
	open    *openSegment
	out     *os.File
	sum     hash.Hash
	encoder *zstd.Encoder
	leaves  [][sha256.Size]byte // by the order of the stream
	frame   []byte              // text
	lines   int                 // of the frame
	from    int32               // institution of its first line
	packed  []byte
	at      int64
	raw     int64
	details Details
	counter counter
}

// writeSegment writes the lines of the open segment in their order in a segment to a
// file beside it.
func (w *Writer) writeSegment(number uint64) (*Head, *Details, string, error) {
	o := w.open
	out, err := os.CreateTemp(w.Dir, ".segment-*")
	if err != nil {
		return nil, nil, "", err
	}
	defer out.Close()
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true))
	if err != nil {
		return nil, nil, out.Name(), err
	}
	defer encoder.Close()
	s := &sealing{open: o, out: out, sum: sha256.New(), encoder: encoder, leaves: make([][sha256.Size]byte, len(o.lines))}
	if err := s.all(); err != nil {
		return nil, nil, out.Name(), err
	}
	if err := out.Sync(); err != nil {
		return nil, nil, out.Name(), err
	}
	all := newTree()
	for i := range s.leaves {
		all.add(s.leaves[i][:])
	}
	first, last := o.lines[0].position, o.lines[len(o.lines)-1].position
	head := &Head{Version: formatVersion, Archive: w.id, Number: number, Stream: first.Stream, First: w.ends[first.Stream] + 1, Last: last.Sequence,
		Count: uint64(len(o.lines)), Root: all.root(), SealedAt: w.Now().UTC().Truncate(time.Second),
		Segment: Segment{Bytes: s.at, RawBytes: s.raw, SHA256: hex.EncodeToString(s.sum.Sum(nil))}}
	head.Segment.Name = segmentName(head)
	head.Gaps = gaps(o.lines, head.First)
	if w.last != nil {
		head.Previous = w.last.hash()
	}
	s.details.ReceivedFrom, s.details.ReceivedTo, err = o.span()
	s.details.Ends = maps.Clone(w.ends)
	s.details.Ends[head.Stream] = head.Last
	s.details.Log = w.log.Hashes()
	return head, &s.details, out.Name(), err
}

func (o *openSegment) span() (from, to time.Time, err error) {
	if from, err = time.Parse(time.RFC3339Nano, o.received[0]); err == nil {
		to, err = time.Parse(time.RFC3339Nano, o.received[1])
	}
	return from, to, err
}

// gaps are the positions from first that no line has.
func gaps(lines []place, first uint64) (gaps []Gap) {
	for i := range lines {
		if at := lines[i].position.Sequence; at > first {
			gaps = append(gaps, Gap{first, at - 1})
		}
		first = lines[i].position.Sequence + 1
	}
	return gaps
}

// all writes all lines.
func (s *sealing) all() error {
	o := s.open
	order := make([]int32, len(o.lines))
	for i := range order {
		order[i] = int32(i)
	}
	institution := func(i int32) string { return o.institutions.list[o.lines[i].institution] }
	slices.SortFunc(order, func(a, b int32) int {
		if o.lines[a].institution == o.lines[b].institution {
			return cmp.Compare(a, b)
		}
		return cmp.Compare(institution(a), institution(b))
	})
	var line []byte
	var err error
	for k, i := range order {
		p := &o.lines[i]
		if line, err = o.line(p, line); err != nil {
			return err
		}
		if k > 0 && o.lines[order[k-1]].institution != p.institution && len(s.frame) >= minFrame {
			if err := s.flush(o.lines[order[k-1]].institution); err != nil {
				return err
			}
		}
		if s.lines == 0 {
			s.from = p.institution
		}
		s.frame = append(s.frame, line...)
		s.lines++
		text := line[:len(line)-1]
		s.leaves[i] = leafHash(text)
		s.counter.add(&header{stream: p.position.Stream, sequence: p.position.Sequence, institution: institution(i), day: o.days.list[p.day], dead: o.dead.list[p.dead]}, text)
		if len(s.frame) >= frameBytes {
			if err := s.flush(p.institution); err != nil {
				return err
			}
		}
	}
	s.counter.end()
	s.details.Institutions = s.counter.tallies
	return s.flush(o.lines[order[len(order)-1]].institution)
}

// flush ends a frame whose last line is of an institution.
func (s *sealing) flush(to int32) error {
	if s.lines == 0 {
		return nil
	}
	s.packed = s.encoder.EncodeAll(s.frame, s.packed[:0])
	if _, err := io.MultiWriter(s.out, s.sum).Write(s.packed); err != nil {
		return err
	}
	names := s.open.institutions.list
	s.details.Frames = append(s.details.Frames, Frame{Offset: s.at, Bytes: int64(len(s.packed)), Count: s.lines, From: names[s.from], To: names[to]})
	s.at += int64(len(s.packed))
	s.raw += int64(len(s.frame))
	s.frame, s.lines = s.frame[:0], 0
	return nil
}

package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
)

const (
	// sealBytes and sealLines are how large an open segment becomes before it is
	// sealed; SealAge in Options how old.
	sealBytes = 128 << 20
	sealLines = 200_000
)

// Options of an archive that is written.
type Options struct {
	Storage Storage
	// Dir holds the open segment. Where it is the folder that is the storage, what is in
	// the open segment counts as archived; otherwise only what is sealed does.
	Dir string
	// KeyFile is the private key of the checkpoints, made on first use.
	KeyFile string
	// SealAge is after what time an open segment is sealed; 15 minutes.
	SealAge time.Duration
	Now     func() time.Time // time.Now
	Log     *slog.Logger     // slog.Default
	Release func() error     // called by Close, last; nil: nothing
	// Held is asked for what the open segment lost, where it is damaged; nil: nothing is held.
	Held Held
}

// Writer writes an archive. There may be one of an archive at a time; a second one
// notices that a manifest with its number exists, writes none, and fails from then on.
type Writer struct {
	Options
	id     string
	signer note.Signer
	public string

	mu     sync.Mutex
	open   *openSegment
	since  time.Time         // when the first line came into the open segment
	text   []byte            // of the lines of one Append
	last   *manifest         // the newest; nil where there is none
	ends   map[string]uint64 // the last sealed position of each incarnation
	log    tree              // over all manifests
	failed error             // set: somebody else writes this archive
}

// OpenWriter opens an archive for writing, and makes it where it is not there.
func OpenWriter(ctx context.Context, o Options) (*Writer, error) {
	if o.SealAge == 0 {
		o.SealAge = 15 * time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	w := &Writer{Options: o}
	var err error
	if w.id, w.signer, w.public, err = signingKey(o.KeyFile); err != nil {
		return nil, err
	}
	if err := publishKey(ctx, o.Storage, w.public); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	if err := w.reopen(ctx); err != nil {
		if w.open != nil {
			w.open.file.Close()
		}
		return nil, err
	}
	return w, nil
}

// Close closes the open segment; it is found again by the next OpenWriter.
func (w *Writer) Close() error {
	w.mu.Lock()
	var err error
	if w.open != nil {
		err = w.open.file.Close()
		w.open = nil
	}
	release := w.Release
	w.Release, w.failed = nil, errClosed
	w.mu.Unlock()
	if release != nil { // without the lock: who keeps the lease may be about to call Fail
		err = errors.Join(err, release())
	}
	return err
}

// Fail has the writer write nothing any more: somebody else may be about to.
func (w *Writer) Fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed = err
}

var errClosed = errors.New("archive: it is closed")

// ID names the archive.
func (w *Writer) ID() string { return w.id }

// PublicKey is the verifier key of the checkpoints.
func (w *Writer) PublicKey() string { return w.public }

// reopen reads what is archived, and mends what a crash has left undone.
func (w *Writer) reopen(ctx context.Context) error {
	if w.open != nil {
		w.open.file.Close()
		w.open = nil
	}
	left, err := filepath.Glob(filepath.Join(w.Dir, ".segment-*"))
	for _, path := range left { // of a process that was killed
		err = errors.Join(err, os.Remove(path))
	}
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	if err := w.readLog(ctx); err != nil {
		return err
	}
	open, err := openOpen(w.Dir)
	if errors.Is(err, errDamagedOpen) {
		if err = w.mend(ctx); err == nil {
			open, err = openOpen(w.Dir)
		}
	}
	if err != nil {
		return err
	}
	w.open, w.since = open, w.Now()
	if n := len(open.lines); n > 0 && w.last != nil {
		// Sealed already, but for the emptying of the open segment.
		if p := open.lines[n-1].position; p.Stream == w.last.Stream && p.Sequence <= w.last.Last {
			if err := open.empty(); err != nil {
				return err
			}
		} else if first := open.lines[0].position; first.Stream == w.last.Stream && first.Sequence <= w.last.Last {
			return fmt.Errorf("archive: the open segment begins at %s, which is archived already: another service writes this archive", first)
		}
	}
	return w.sweep(ctx)
}

// readLog reads the newest manifest and the tree over all, and brings the checkpoint up
// to date.
func (w *Writer) readLog(ctx context.Context) error {
	w.last, w.log, w.ends = nil, newTree(), map[string]uint64{}
	number, err := newest(ctx, w.Storage)
	if err != nil {
		return err
	}
	if number == 0 { // signed from the beginning: a missing checkpoint is never right
		return w.putCheckpoint(ctx)
	}
	if w.last, err = readManifest(ctx, w.Storage, number); err != nil {
		return err
	}
	if w.last.Archive != w.id {
		return fmt.Errorf("archive: %s is the archive %s, not %s", w.Storage, w.last.Archive, w.id)
	}
	maps.Copy(w.ends, w.last.Ends)
	if w.log, err = resumeTree(number-1, w.last.Log); err != nil {
		return err
	}
	w.log.add(hasher.HashLeaf(w.last.head))
	return w.putCheckpoint(ctx)
}

// putCheckpoint signs the tree over the manifests.
func (w *Writer) putCheckpoint(ctx context.Context) error {
	text, err := (&checkpoint{origin(w.id), w.log.End(), w.log.root()}).sign(w.signer)
	if err != nil {
		return err
	}
	return w.Storage.Put(ctx, checkpointName, text)
}

// sweep removes segments that were written for the newest manifest by tries that were
// interrupted. (One for the next manifest may be somebody's who is about to write it.)
func (w *Writer) sweep(ctx context.Context) error {
	if w.last == nil {
		return nil
	}
	for f, err := range w.Storage.List(ctx, segmentPrefix(w.last.Number)) {
		if err != nil {
			return err
		}
		if f.Name == w.last.Segment.Name {
			continue
		}
		w.Log.Info("archive: what was left of an interrupted sealing is removed", "segment", f.Name)
		if err := w.Storage.Remove(ctx, f.Name); err != nil {
			return err
		}
	}
	return nil
}

// number is that of the newest manifest.
func (w *Writer) number() uint64 {
	if w.last == nil {
		return 0
	}
	return w.last.Number
}

// durableOpen tells whether what is in the open segment counts as archived.
func (w *Writer) durableOpen() bool {
	f, ok := w.Storage.(*Folder)
	return ok && filepath.Clean(f.dir) == filepath.Clean(w.Dir)
}

// Next is the first position of an incarnation that Append has not seen.
func (w *Writer) Next(stream string) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open == nil {
		return w.ends[stream] + 1
	}
	if n := len(w.open.lines); n > 0 && w.open.lines[n-1].position.Stream == stream {
		return w.open.lines[n-1].position.Sequence + 1
	}
	return w.ends[stream] + 1
}

// newest is the incarnation of the last line, and when the stream took what it holds;
// zero where there is no line.
func (w *Writer) newest() (stream string, taken time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.open != nil && len(w.open.lines) > 0:
		taken, _ = time.Parse(time.RFC3339Nano, w.open.received[1]) // it wrote that itself
		return w.open.lines[0].position.Stream, taken
	case w.last != nil:
		return w.last.Stream, w.last.ReceivedTo
	}
	return "", time.Time{}
}

// Archived is the last position of an incarnation up to which everything is archived;
// 0 where nothing is.
func (w *Writer) Archived(stream string) uint64 {
	if w.durableOpen() {
		return w.Next(stream) - 1
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ends[stream]
}

// Append adds lines of one incarnation in ascending order of their positions, behind
// those that are there. They are durable on this machine when it returns; whether they
// are archived, Archived says.
func (w *Writer) Append(ctx context.Context, lines []Line) error {
	if len(lines) == 0 {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.usable(ctx); err != nil {
		return err
	}
	if n := len(w.open.lines); n > 0 && w.open.lines[n-1].position.Stream != lines[0].Position.Stream {
		if err := w.seal(ctx); err != nil {
			return err
		}
	}
	if len(w.open.lines) == 0 {
		w.since = w.Now()
	}
	w.text = w.text[:0]
	for i := range lines {
		w.text = appendLine(w.text, &lines[i])
	}
	if err := w.open.append(w.text); err != nil {
		return err
	}
	if cap(w.text) > 32<<20 {
		w.text = nil
	}
	if w.open.bytes >= sealBytes || len(w.open.lines) >= sealLines {
		return w.seal(ctx)
	}
	return nil
}

// usable opens the archive again after a failure.
func (w *Writer) usable(ctx context.Context) error {
	if w.failed != nil {
		return w.failed
	}
	if w.open != nil && w.open.broken == nil {
		return nil
	}
	return w.reopen(ctx)
}

// SealIfDue seals the open segment if it is old enough.
func (w *Writer) SealIfDue(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.usable(ctx); err != nil {
		return err
	}
	if len(w.open.lines) == 0 || w.Now().Sub(w.since) < w.SealAge {
		return nil
	}
	return w.seal(ctx)
}

// Seal seals the open segment, unless it is empty.
func (w *Writer) Seal(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.usable(ctx); err != nil || len(w.open.lines) == 0 {
		return err
	}
	return w.seal(ctx)
}

// newest returns the number of the newest manifest, 0 where there is none.
func newest(ctx context.Context, s Storage) (number uint64, err error) {
	for f, err := range s.List(ctx, "manifests/") {
		if err != nil {
			return 0, err
		}
		if n, ok := manifestNumber(f.Name); ok {
			number = max(number, n)
		}
	}
	return number, nil
}

// manifestNumber reads what manifestName wrote.
func manifestNumber(name string) (uint64, bool) {
	text, found := strings.CutPrefix(strings.TrimSuffix(name, ".ndjson"), "manifests/")
	n, err := strconv.ParseUint(text, 10, 64)
	return n, found && err == nil && manifestName(n) == name
}

// readManifest reads a manifest.
func readManifest(ctx context.Context, s Storage, number uint64) (*manifest, error) {
	file, err := s.Read(ctx, manifestName(number))
	if err != nil {
		return nil, err
	}
	m, err := decodeManifest(file)
	if err != nil {
		return nil, fmt.Errorf("archive: %s %w", manifestName(number), err)
	}
	if m.Number != number {
		return nil, fmt.Errorf("archive: %s %w of that number but of %d", manifestName(number), errManifest, m.Number)
	}
	return m, nil
}

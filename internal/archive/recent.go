package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sort"
	"sync"

	"actionlog"
)

// Tail is the stream, as who reads what is not sealed sees it.
type Tail interface {
	// After returns lines of the stream behind a position, in its order: at most max of
	// them, none where there are none yet. What the stream does not hold any more is sealed.
	After(ctx context.Context, p actionlog.Position, max int) ([]Line, error)
	// At returns the line of a position, or ErrNotFound.
	At(ctx context.Context, p actionlog.Position) (*Line, error)
}

// recent knows which lines of which institutions are not sealed, so that a reader who
// comes back looks at what is new only. It is small: a segment is sealed before it is large.
type recent struct {
	mu       sync.Mutex
	manifest uint64 // of the segment that they will be
	read     int64  // of the open segment
	first    []byte // how the open segment begins
	last     actionlog.Position
	of       map[string][]unsealed
}

// unsealed is where a line stands.
type unsealed struct {
	position actionlog.Position
	offset   int64
	length   int
}

// tailMessages is how much of the stream is looked at in one go.
const tailMessages = 1000

// unsealed adds what is not sealed. Where it was sealed meanwhile, it is to be read from
// there again.
func (f *Feed) unsealed(ctx context.Context, institution string, page *FeedPage, most int, size *int) (again bool, err error) {
	before, number := *page, page.Next.Manifest
	lines, more, err := f.behind(ctx, institution, page.Next, most-len(page.Lines))
	for _, u := range lines {
		if err != nil || len(page.Lines) == most || *size > feedBytes {
			more = true
			break
		}
		var n int
		n, err = f.addUnsealed(ctx, institution, page, u)
		*size += n
	}
	if gone := errors.Is(err, ErrShort) || errors.Is(err, actionlog.ErrNotFound); err != nil && !gone {
		return false, err
	}
	_, err2 := readManifest(ctx, f.Storage, number)
	if err2 == nil { // what was read may not have been all
		*page = before
		return true, nil
	}
	if !errors.Is(err2, actionlog.ErrNotFound) {
		return false, err2
	}
	if errors.Is(err, actionlog.ErrNotFound) {
		return f.putBack(ctx, page, &before.Next)
	}
	page.More = more
	return false, err
}

// putBack moves a place that is behind all that there is: an older archive was put in the
// place of the one that the place is of. What comes behind its end comes; the last line that
// was read says what was read already.
func (f *Feed) putBack(ctx context.Context, page *FeedPage, at *Place) (again bool, err error) {
	last, err := newest(ctx, f.Storage)
	if err != nil {
		return false, err
	}
	if last+1 >= at.Manifest {
		return false, fmt.Errorf("archive: %s: %w", manifestName(at.Manifest-1), actionlog.ErrNotFound)
	}
	page.Next = Place{Manifest: last + 1, After: at.After}
	return true, nil
}

func (f *Feed) addUnsealed(ctx context.Context, institution string, page *FeedPage, u unsealed) (int, error) {
	if f.Tail == nil {
		line, err := f.Storage.ReadRange(ctx, openName, u.offset, int64(u.length))
		if err != nil {
			return 0, err
		}
		if !bytes.HasSuffix(line, []byte("\n")) || bytes.Count(line, []byte("\n")) != 1 {
			return 0, fmt.Errorf("archive: open segment: %w", ErrShort) // it is another one by now
		}
		return page.add(line, institution, 0)
	}
	l, err := f.Tail.At(ctx, u.position)
	if err != nil {
		return 0, err
	}
	return page.add(appendLine(nil, l), institution, 0)
}

// behind returns up to so many lines of an institution behind a place that are not sealed,
// once what came since is known too, and whether there may be more.
func (f *Feed) behind(ctx context.Context, institution string, at Place, most int) (lines []unsealed, more bool, err error) {
	r := &f.recent
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.manifest != at.Manifest {
		start, err := f.sealedUntil(ctx, at.Manifest)
		if err != nil {
			return nil, false, err
		}
		r.manifest, r.read, r.first, r.last, r.of = at.Manifest, 0, nil, start, map[string][]unsealed{}
	}
	if f.Tail == nil {
		err = f.look(ctx)
	} else {
		more, err = f.lookAtStream(ctx)
	}
	if err != nil {
		return nil, false, err
	}
	all := r.of[institution]
	first := 0
	if len(all) > 0 && at.After.Stream == all[0].position.Stream {
		first = sort.Search(len(all), func(i int) bool { return all[i].position.Sequence > at.After.Sequence })
	}
	if all = all[first:]; len(all) > most {
		all, more = all[:most], true
	}
	return append([]unsealed(nil), all...), more, nil
}

// sealedUntil is the last position of the segment before a manifest.
func (f *Feed) sealedUntil(ctx context.Context, number uint64) (p actionlog.Position, err error) {
	if number <= 1 {
		return p, nil
	}
	m, err := readManifest(ctx, f.Storage, number-1)
	if err != nil {
		return p, err
	}
	return actionlog.Position{Stream: m.Stream, Sequence: m.Last}, nil
}

// look enters what was added to the open segment.
func (f *Feed) look(ctx context.Context) error {
	r := &f.recent
	if r.read > 0 { // it may have been emptied, and filled again
		begin, err := f.Storage.ReadRange(ctx, openName, 0, int64(len(r.first)))
		if err != nil && !errors.Is(err, ErrShort) && !errors.Is(err, actionlog.ErrNotFound) {
			return err
		}
		if err != nil || !bytes.Equal(begin, r.first) {
			r.read = 0
		}
	}
	for line, err := range fileLinesFrom(ctx, f.Storage, openName, r.read) {
		if err != nil {
			return err
		}
		h, err := readHeader(line)
		if err != nil || line[len(line)-1] != '\n' { // it is being written
			return nil
		}
		if r.read == 0 {
			r.first = bytes.Clone(line[:h.rest])
		}
		r.enter(&h, r.read, len(line))
		r.read += int64(len(line))
	}
	return nil
}

func (r *recent) enter(h *header, offset int64, length int) {
	p := h.position()
	if r.last.Stream == p.Stream {
		if p.Sequence <= r.last.Sequence { // sealed already: the open segment is emptied behind its manifest
			return
		}
		p.Stream = r.last.Stream // one string for all
	}
	r.last = p
	if h.dead != "" {
		return
	}
	r.of[h.institution] = append(r.of[h.institution], unsealed{p, offset, length})
}

// lookAtStream enters what the stream has behind what is known, as much as is looked at in
// one go.
func (f *Feed) lookAtStream(ctx context.Context) (more bool, err error) {
	r := &f.recent
	lines, err := f.Tail.After(ctx, r.last, tailMessages)
	if err != nil {
		return false, err
	}
	for i := range lines {
		h := header{stream: lines[i].Position.Stream, sequence: lines[i].Position.Sequence, institution: lines[i].Institution, dead: lines[i].Dead}
		r.enter(&h, 0, 0)
	}
	return len(lines) == tailMessages, nil
}

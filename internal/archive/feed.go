package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"actionlog"
)

// Feed reads the actions of an institution in the order of the stream, a page at a time:
// what is sealed, and what is not yet. The zero value but for Storage is ready; it is for
// any number of goroutines.
type Feed struct {
	Storage Storage
	// Tail is the stream, for what is not sealed; nil: that stands in the storage's open
	// segment. Where the storage is no folder it must be set.
	Tail Tail

	recent recent
}

// Place is where a reader of a feed is: all that was before it is read. The zero Place is
// the beginning of the archive.
type Place struct {
	Manifest uint64             // whose lines come next; it may not be there yet
	Frame    int                // of its segment, that comes next
	After    actionlog.Position // the last line that was read
	Since    time.Time          // lines of this manifest that were received earlier are left out
}

// String is a Place as ParsePlace reads it.
func (p Place) String() string {
	since := int64(0)
	if !p.Since.IsZero() {
		since = p.Since.UnixNano()
	}
	return fmt.Sprintf("%d %d %s %d", p.Manifest, p.Frame, p.After, since)
}

// ParsePlace reads what String wrote.
func ParsePlace(text string) (p Place, err error) {
	parts := strings.Split(text, " ")
	if len(parts) != 4 {
		return p, errPlace
	}
	var since int64
	p.Manifest, err = strconv.ParseUint(parts[0], 10, 64)
	if err == nil {
		p.Frame, err = strconv.Atoi(parts[1])
	}
	if err == nil && parts[2] != "" {
		p.After, err = actionlog.ParsePosition(parts[2])
	}
	if err == nil {
		since, err = strconv.ParseInt(parts[3], 10, 64)
	}
	if err != nil || p.Frame < 0 {
		return p, errPlace
	}
	if since != 0 {
		p.Since = time.Unix(0, since).UTC()
	}
	return p, nil
}

var errPlace = errors.New("is not a place in a feed")

// FeedPage is a part of a feed.
type FeedPage struct {
	Lines  []*Line // without dead ones
	Behind []Place // behind each of them
	Next   Place   // behind what was looked at
	More   bool    // there may be more by now
}

const (
	// feedBytes is about how much text a page holds at most.
	feedBytes = 8 << 20
	// feedManifests is how many segments without a line of the institution a page passes.
	feedManifests = 200
)

// Page returns up to most actions that come at a place. An action that was published twice
// may be there twice.
func (f *Feed) Page(ctx context.Context, institution string, at Place, most int) (page FeedPage, err error) {
	page.Next = at
	page.Next.Manifest = max(at.Manifest, 1)
	for size, passed := 0, 0; ; passed++ {
		m, err := readManifest(ctx, f.Storage, page.Next.Manifest)
		if errors.Is(err, actionlog.ErrNotFound) {
			if again, err := f.unsealed(ctx, institution, &page, most, &size); err != nil || !again {
				return page, err
			}
			continue // it was sealed meanwhile
		}
		if err != nil {
			return page, err
		}
		whole, err := f.sealed(ctx, m, institution, &page, most, &size)
		if err != nil || !whole || passed == feedManifests {
			page.More = true
			return page, err
		}
	}
}

// sealed adds the lines of a segment, and tells whether that was all of it: then the place
// is the next manifest's.
func (f *Feed) sealed(ctx context.Context, m *manifest, institution string, page *FeedPage, most int, size *int) (whole bool, err error) {
	if m.has(institution) && !(page.Next.After.Stream == m.Stream && page.Next.After.Sequence >= m.Last) {
		for i := page.Next.Frame; i < len(m.Frames); i++ {
			page.Next.Frame = i
			if whole, err = f.frame(ctx, m, i, institution, page, most, size); err != nil || !whole {
				return false, err
			}
		}
	}
	page.Next = Place{Manifest: m.Number + 1, After: page.Next.After}
	return true, nil
}

// has tells whether a segment holds actions of an institution.
func (m *manifest) has(institution string) bool {
	for i := range m.Institutions {
		if t := &m.Institutions[i]; t.ID == institution {
			return t.Count > t.Dead
		}
	}
	return false
}

// frame adds the lines of a frame that come at the place.
func (f *Feed) frame(ctx context.Context, m *manifest, i int, institution string, page *FeedPage, most int, size *int) (whole bool, err error) {
	frame := &m.Frames[i]
	if s := (Selection{Institution: institution}); !s.frame(frame) {
		return true, nil
	}
	packed, err := f.Storage.ReadRange(ctx, m.Segment.Name, frame.Offset, frame.Bytes)
	var text []byte
	if err == nil {
		text, err = unpack(packed, nil)
	}
	if err == nil && bytes.Count(text, []byte("\n")) != frame.Count {
		err = ErrDamaged
	}
	if err != nil {
		return false, fmt.Errorf("archive: %s, the frame at byte %d: %w", m.Segment.Name, frame.Offset, err)
	}
	for line := range bytes.Lines(text) {
		if len(page.Lines) == most || *size > feedBytes {
			return false, nil
		}
		n, err := page.add(line, institution, m.Number)
		if err != nil {
			return false, fmt.Errorf("archive: %s: %w", m.Segment.Name, err)
		}
		*size += n
	}
	return true, nil
}

// add adds a line if it is one of the institution's actions and comes at the place. The
// line is not kept. It returns how much was added.
func (page *FeedPage) add(line []byte, institution string, segment uint64) (int, error) {
	h, err := readHeader(line)
	if err != nil {
		return 0, err
	}
	if h.institution != institution || page.Next.After.Stream == h.stream && h.sequence <= page.Next.After.Sequence {
		return 0, nil
	}
	page.Next.After = h.position()
	if h.dead != "" {
		return 0, nil
	}
	l, err := parseLine(bytes.Clone(line))
	if err != nil || l.ReceivedAt.Before(page.Next.Since) {
		return 0, err
	}
	l.Segment = segment
	page.Lines, page.Behind = append(page.Lines, l), append(page.Behind, page.Next)
	return len(line), nil
}

// Start is the place of what was received from an instant on.
func (f *Feed) Start(ctx context.Context, since time.Time) (Place, error) {
	if since.IsZero() {
		return Place{Manifest: 1}, nil
	}
	last, err := f.last(ctx)
	if err != nil {
		return Place{}, err
	}
	// The first segment that holds anything received then or later. (Clocks are set now and
	// then: the segments around are in order all the same, but for minutes.)
	low, high := uint64(1), last+1
	for low < high {
		middle := (low + high) / 2
		m, err := readManifest(ctx, f.Storage, middle)
		if err != nil {
			return Place{}, err
		}
		if m.ReceivedTo.Before(since) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return Place{Manifest: low, Since: since}, nil
}

// last is the number of the newest manifest; 0: there is none.
func (f *Feed) last(ctx context.Context) (n uint64, err error) {
	note, err := f.Storage.Read(ctx, checkpointName)
	switch {
	case err == nil:
		if lines := strings.Split(string(note), "\n"); len(lines) > 1 { // where to begin; what is there counts
			n, _ = strconv.ParseUint(lines[1], 10, 64)
		}
	case !errors.Is(err, actionlog.ErrNotFound):
		return 0, err
	}
	for {
		if _, err = readManifest(ctx, f.Storage, n+1); errors.Is(err, actionlog.ErrNotFound) {
			return n, nil
		} else if err != nil {
			return 0, err
		}
		n++
	}
}

package archive

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"sort"

	"actionlog"
)

// errDamagedOpen: the open segment has whole lines that cannot be read. Those of a crash are
// at the end and not whole, or have parts that never came to the disk.
var errDamagedOpen = errors.New("is damaged")

// Held yields the lines that the stream of an incarnation still holds from one sequence to
// another, both included, in its order. It ends with an error where the stream cannot be asked.
type Held func(ctx context.Context, stream string, first, last uint64) iter.Seq2[*Line, error]

// damagedPrefix is how the names of copies of damaged open segments begin.
const damagedPrefix = "open.damaged-"

// whole is a line that can be read, and where it stands.
type whole struct {
	offset, length int64
	stream         string
	sequence       uint64
}

func (l *whole) end() int64 { return l.offset + l.length }

// mend writes the open segment anew, of the lines that can be read and, in the place of
// those between them that cannot, what the stream still holds. The damaged file is kept
// beside it. Ended between any two of its steps, it begins anew.
func (w *Writer) mend(ctx context.Context) error {
	path := filepath.Join(w.Dir, openName)
	damaged, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	defer damaged.Close()
	kept, err := wholeLines(damaged)
	if err != nil {
		return fmt.Errorf("archive: %s: %w", path, err)
	}
	kept = ascending(kept)
	mended, err := os.CreateTemp(w.Dir, ".segment-*")
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	defer os.Remove(mended.Name())
	defer mended.Close()
	m := mending{writer: w, from: damaged, to: bufio.NewWriterSize(mended, 1<<20)}
	if err := m.all(ctx, kept); err != nil {
		return fmt.Errorf("archive: mending %s: %w", path, err)
	}
	if err := errors.Join(m.to.Flush(), mended.Sync()); err != nil {
		return fmt.Errorf("archive: mending %s: %w", path, err)
	}
	aside := filepath.Join(w.Dir, damagedPrefix+w.Now().UTC().Format("20060102T150405.000Z")+".ndjson")
	if err := setAside(path, aside); err != nil {
		return err
	}
	if err := os.Rename(mended.Name(), path); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	w.Log.Error("archive: the open segment was damaged: the lines that can be read are kept, and a copy of the file as it was", "copy", aside, "kept", len(kept), "from_the_stream", m.again, "missing", m.lost)
	return syncFolder(w.Dir)
}

// setAside gives a file a second name.
func setAside(path, aside string) error {
	if os.Link(path, aside) == nil {
		return syncFolder(filepath.Dir(aside))
	}
	return copyNew(path, aside) // a file system without links
}

// wholeLines are the lines of a file that can be read, in the order of the file.
func wholeLines(f io.Reader) (list []whole, err error) {
	lines, offset := bufio.NewReaderSize(f, 1<<20), int64(0)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		for i, at := range beginnings(line) {
			if h, ok := isWhole(line[at:]); ok {
				list = append(list, whole{offset + int64(at), int64(len(line) - at), h.stream, h.sequence})
				break
			}
			if i == 16 { // of a document that is full of them
				break
			}
		}
		offset += int64(len(line))
		if err != nil {
			return list, nil
		}
	}
}

// beginnings are the places where a line may begin: at its beginning, and, where the break
// before it was lost, within what is read as one line.
func beginnings(line []byte) []int {
	list, mark := []int{0}, []byte(lineBegins)
	for at := 1; at < len(line); {
		n := bytes.Index(line[at:], mark)
		if n < 0 {
			break
		}
		list, at = append(list, at+n), at+n+1
	}
	return list
}

// isWhole tells whether a line can be read, and its document is of the institution and day
// that stand before it.
func isWhole(line []byte) (h header, ok bool) {
	h, err := readWhole(line)
	if err != nil {
		return h, false
	}
	l, err := parseLine(line)
	if err != nil {
		return h, false
	}
	item, err := actionlog.Parse(l.Document, nil)
	return h, l.Dead != "" || err != nil || item.Institution == l.Institution && item.Day() == l.Day
}

// ascending are the most lines of one incarnation whose positions ascend: one whose position is
// damaged takes no other with it.
func ascending(all []whole) (list []whole) {
	counts := map[string]int{}
	stream := ""
	for i := range all {
		if counts[all[i].stream]++; counts[all[i].stream] > counts[stream] {
			stream = all[i].stream
		}
	}
	var ends []int // of the shortest last position of each length: its line
	before := make([]int, len(all))
	for i := range all {
		if all[i].stream != stream {
			continue
		}
		n := sort.Search(len(ends), func(k int) bool { return all[ends[k]].sequence >= all[i].sequence })
		before[i] = -1
		if n > 0 {
			before[i] = ends[n-1]
		}
		switch {
		case n == len(ends):
			ends = append(ends, i)
		case all[ends[n]].sequence > all[i].sequence: // of two with one position the first counts
			ends[n] = i
		}
	}
	list = make([]whole, len(ends))
	if len(ends) == 0 {
		return nil
	}
	for k, i := len(ends)-1, ends[len(ends)-1]; k >= 0; k, i = k-1, before[i] {
		list[k] = all[i]
	}
	return list
}

// mending is an open segment while it is written anew.
type mending struct {
	writer      *Writer
	from        io.ReaderAt
	to          *bufio.Writer
	text        []byte
	again, lost uint64 // positions that came from the stream, and that did not
}

// all writes the lines that are kept, and what came between those. Where they follow each other
// and their positions do not, there was a gap before, or one position is not what it was.
func (m *mending) all(ctx context.Context, kept []whole) error {
	if len(kept) == 0 {
		return nil
	}
	end, sequence := int64(0), m.writer.ends[kept[0].stream]
	for i := range kept {
		l := &kept[i]
		if l.sequence > sequence+1 {
			if err := m.fill(ctx, l.stream, sequence+1, l.sequence-1, l.offset > end); err != nil {
				return err
			}
		}
		if _, err := io.Copy(m.to, io.NewSectionReader(m.from, l.offset, l.length)); err != nil {
			return err
		}
		end, sequence = l.end(), l.sequence
	}
	return nil
}

// fill writes what the stream holds of positions. lost: they were in the file.
func (m *mending) fill(ctx context.Context, stream string, first, last uint64, lost bool) error {
	n := uint64(0)
	if m.writer.Held != nil {
		for line, err := range m.writer.Held(ctx, stream, first, last) {
			if err != nil {
				return err
			}
			m.text = appendLine(m.text[:0], line)
			if _, err := m.to.Write(m.text); err != nil {
				return err
			}
			n++
		}
	}
	m.again += n
	if missing := last - first + 1 - n; missing > 0 && lost {
		m.lost += missing
		m.writer.Log.Error("archive: positions of the open segment cannot be read, and the stream does not hold them any more; the archive has a gap", "stream", stream, "first", first, "last", last, "missing", missing)
	}
	return nil
}

// still is Held of the stream as it is.
func (a *Archiver) still(ctx context.Context, stream string, first, last uint64) iter.Seq2[*Line, error] {
	return func(yield func(*Line, error) bool) {
		is, from, to, err := a.Source.Held(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		if is != stream {
			return
		}
		for at := max(first, from); at <= min(last, to); at++ {
			m, err := a.Source.At(ctx, at)
			if errors.Is(err, actionlog.ErrNotFound) {
				continue
			}
			if err != nil {
				yield(nil, err)
				return
			}
			line := LineOf(stream, &m, a.Scrubber)
			if !yield(&line, nil) {
				return
			}
		}
	}
}

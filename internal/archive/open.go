package archive

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"actionlog"
)

// openSegment is the segment that is being written: plain NDJSON in the order of the
// stream, synced after each batch, and an index of it in memory.
type openSegment struct {
	file  *os.File
	bytes int64
	lines []place
	// institutions, days and reasons of the lines.
	institutions names
	days         names
	dead         names
	received     [2]string // of the first line and of the last
	broken       error     // set: what the file holds is not known
}

// place is where a line stands and what it is about.
type place struct {
	position    actionlog.Position
	offset      int64
	length      int32
	institution int32
	day         int32
	dead        int32
}

// names gives numbers to texts.
type names struct {
	list  []string
	index map[string]int32
}

func (n *names) number(text string) int32 {
	if i, ok := n.index[text]; ok {
		return i
	}
	if n.index == nil {
		n.index = map[string]int32{}
	}
	i := int32(len(n.list))
	n.list, n.index[text] = append(n.list, text), i
	return i
}

// openOpen opens dir's open segment, or makes it, and finds what it holds. What a crash left
// behind the last whole line was never acknowledged and is cut off: part of a line, or one of
// which parts never came to the disk and read as zeros. Anything else that is no line is
// damage; then the file stays as it is, and the error is errDamagedOpen.
func openOpen(dir string) (*openSegment, error) {
	path := filepath.Join(dir, openName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	o := &openSegment{file: f}
	if err := o.recover(); err != nil {
		f.Close()
		return nil, fmt.Errorf("archive: %s: %w", path, err)
	}
	if err := syncFolder(dir); err != nil {
		f.Close()
		return nil, err
	}
	return o, nil
}

func (o *openSegment) recover() error {
	lines := bufio.NewReaderSize(o.file, 1<<20)
	torn := false
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if err != nil { // nothing, or part of a line
			break
		}
		if wrong := o.note(line); torn && wrong == nil || wrong != nil && bytes.IndexByte(line, 0) < 0 {
			return errDamagedOpen
		} else if wrong != nil {
			torn = true
		}
	}
	if err := o.file.Truncate(o.bytes); err != nil {
		return err
	}
	if _, err := o.file.Seek(o.bytes, io.SeekStart); err != nil {
		return err
	}
	return o.file.Sync()
}

// readWhole reads a line of which all can be read.
func readWhole(line []byte) (header, error) {
	h, err := readHeader(line)
	if err != nil {
		return h, err
	}
	l, err := parseLine(line)
	if err != nil {
		return h, err
	}
	// What is around the document is judged without it: one that is as deep as a reader takes would make that too deep.
	around := append(line[:h.rest:h.rest], `"document":0}`...)
	if plain := bytes.HasPrefix(line[h.rest:], []byte(`"document":`)); plain && !json.Valid(l.Document) || !json.Valid(around) || !bytes.HasSuffix(line, []byte("}\n")) {
		return h, errLine
	}
	return h, nil
}

// note enters a line that stands behind those that are there.
func (o *openSegment) note(line []byte) error {
	h, err := readWhole(line)
	if err != nil {
		return err
	}
	if n := len(o.lines); n > 0 {
		if last := o.lines[n-1].position; last.Stream != h.stream || last.Sequence >= h.sequence {
			return errLine
		}
	}
	o.enter(&h, len(line))
	return nil
}

func (o *openSegment) enter(h *header, length int) {
	stream := h.stream
	if len(o.lines) > 0 {
		stream = o.lines[0].position.Stream // one string for all
	}
	o.lines = append(o.lines, place{position: actionlog.Position{Stream: stream, Sequence: h.sequence}, offset: o.bytes, length: int32(length),
		institution: o.institutions.number(h.institution), day: o.days.number(h.day), dead: o.dead.number(h.dead)})
	if o.received[0] == "" {
		o.received[0] = h.receivedAt
	}
	o.received[1] = h.receivedAt
	o.bytes += int64(length)
}

// append writes lines and syncs them. After an error nothing more can be written
// before the segment is opened anew.
func (o *openSegment) append(text []byte) error {
	if o.broken != nil {
		return o.broken
	}
	_, err := o.file.Write(text)
	if err == nil {
		err = o.file.Sync()
	}
	if err != nil {
		// A failed sync is told once: what it left in memory only would count as written when it is read again.
		err = errors.Join(err, o.file.Truncate(o.bytes))
		o.broken = fmt.Errorf("archive: open segment: %w: %w", actionlog.ErrUnavailable, err)
		return o.broken
	}
	for rest := text; len(rest) > 0; {
		n := bytes.IndexByte(rest, '\n') + 1
		h, err := readHeader(rest[:n])
		if err != nil {
			o.broken = fmt.Errorf("archive: open segment: %w", err)
			return o.broken
		}
		o.enter(&h, n)
		rest = rest[n:]
	}
	return nil
}

// line returns the text of a line.
func (o *openSegment) line(p *place, buffer []byte) ([]byte, error) {
	buffer = append(buffer[:0], make([]byte, p.length)...)
	if _, err := o.file.ReadAt(buffer, p.offset); err != nil {
		return nil, fmt.Errorf("archive: open segment: %w: %w", actionlog.ErrUnavailable, err)
	}
	return buffer, nil
}

// empty forgets all lines, which are in a segment of their own now.
func (o *openSegment) empty() error {
	if err := o.file.Truncate(0); err != nil {
		o.broken = fmt.Errorf("archive: open segment: %w: %w", actionlog.ErrUnavailable, err)
		return o.broken
	}
	if _, err := o.file.Seek(0, io.SeekStart); err != nil {
		o.broken = fmt.Errorf("archive: open segment: %w: %w", actionlog.ErrUnavailable, err)
		return o.broken
	}
	*o = openSegment{file: o.file}
	return nil
}

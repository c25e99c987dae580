package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"
	"github.com/olivere/ndjson"
)

// source is an input: a file, which may be compressed, or standard input.
type source struct {
	io.Reader
	name   string
	size   int64        // bytes of the file, -1 where that is not known
	read   atomic.Int64 // bytes of the file read since taken was called
	closes []func()
}

// openSource opens a file; the ending of its name says how it is compressed.
func openSource(name string, stdin io.Reader) (*source, error) {
	s := &source{name: name, size: -1}
	if name == "-" {
		s.name = "standard input"
		s.Reader = counting{stdin, &s.read}
		return s, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	s.closes = append(s.closes, func() { _ = f.Close() })
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		s.size = info.Size()
	}
	s.Reader = counting{f, &s.read}
	switch {
	case strings.HasSuffix(name, ".gz"):
		z, err := gzip.NewReader(s.Reader)
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		s.Reader = z
	case strings.HasSuffix(name, ".zst"):
		z, err := zstd.NewReader(s.Reader, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(64<<20))
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		s.closes = append(s.closes, z.Close)
		s.Reader = z
	}
	return s, nil
}

// Close releases the input.
func (s *source) Close() {
	for i := len(s.closes) - 1; i >= 0; i-- {
		s.closes[i]()
	}
}

// taken returns how many bytes were read since the last call, for a bar.
func (s *source) taken() int { return int(s.read.Swap(0)) }

type counting struct {
	r io.Reader
	n *atomic.Int64
}

func (c counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// lines reads the lines of an input that are not blank, by way of
// olivere/ndjson. Its Reader ends at the first line that is too long for it, so
// such lines are taken out before it sees them.
type lines struct {
	reader *ndjson.Reader
	filter *lineFilter
	line   int64
	skip   func(line int64) // called for each line that is too long
}

func newLines(r io.Reader, maxLine int) *lines {
	l := &lines{}
	l.filter = &lineFilter{r: bufio.NewReaderSize(r, maxLine+2), max: maxLine, skip: func(line int64) {
		if l.skip != nil {
			l.skip(line)
		}
	}}
	l.reader = ndjson.NewReaderSize(l.filter, max(maxLine+2, bufio.MaxScanTokenSize))
	return l
}

// next goes on to the next line that is not blank.
func (l *lines) next() bool {
	for l.reader.Next() {
		l.line++
		if len(bytes.TrimSpace(l.reader.Bytes())) > 0 {
			return true
		}
	}
	return false
}

// bytes is the line, valid until next is called; number is its number, from 1.
func (l *lines) bytes() []byte { return l.reader.Bytes() }

func (l *lines) number() int64 { return l.line }

func (l *lines) err() error { return l.reader.Err() }

// lineFilter replaces lines longer than max bytes by empty ones, so that lines
// keep their numbers. A byte order mark at the beginning is dropped. When
// reading fails, the line that it fails in is not handed on.
type lineFilter struct {
	r    *bufio.Reader // its buffer holds more than max bytes and a line's end
	max  int
	skip func(line int64)
	line int64
	rest []byte
	err  error
}

// Read implements io.Reader.
func (f *lineFilter) Read(p []byte) (int, error) {
	for len(f.rest) == 0 {
		if f.err != nil {
			return 0, f.err
		}
		f.rest, f.err = f.nextLine()
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

func (f *lineFilter) nextLine() ([]byte, error) {
	f.line++
	line, err := f.r.ReadSlice('\n')
	long := errors.Is(err, bufio.ErrBufferFull)
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = f.r.ReadSlice('\n')
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if f.line == 1 && !long {
		line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
	}
	if long || len(bytes.TrimRight(line, "\r\n")) > f.max {
		f.skip(f.line)
		return []byte("\n"), err
	}
	return line, err
}

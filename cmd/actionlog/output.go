package main

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// output is where a result goes: standard output, or a file that appears under
// its name only when it is whole.
type output struct {
	*bufio.Writer
	file *os.File // nil for standard output
	path string
	// width of the terminal that it is, in columns; 0: it is none.
	width int
}

// open begins an output. "" and "-" are standard output. A file is written to
// path.part, readable by its owner only, and renamed by commit; a device or a
// pipe is written directly.
func (c *console) open(path string) (*output, error) {
	if path == "" || path == "-" {
		return &output{Writer: bufio.NewWriterSize(c.out, 64<<10), width: terminalWidth(c.out)}, nil
	}
	o := &output{path: path}
	name := path + ".part"
	flags := os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		if info.IsDir() {
			return nil, usagef("--output: %s is a folder", path)
		}
		name, flags, o.path = path, os.O_WRONLY, ""
	}
	f, err := os.OpenFile(name, flags, 0o600)
	if err != nil {
		return nil, fmt.Errorf("--output: %w", err)
	}
	o.file = f
	o.Writer = bufio.NewWriterSize(f, 64<<10)
	return o, nil
}

// commit ends an output that is whole.
func (o *output) commit() error {
	if err := o.Flush(); err != nil {
		return err
	}
	if o.file == nil {
		return nil
	}
	if o.path == "" {
		return o.file.Close()
	}
	if err := o.file.Sync(); err != nil {
		return err
	}
	if err := o.file.Close(); err != nil {
		return err
	}
	return os.Rename(o.path+".part", o.path)
}

// abandon ends an output that is not whole: what came stays in path.part.
// After commit it does nothing that matters.
func (o *output) abandon() {
	_ = o.Flush() // the error that led here is the one to report
	if o.file != nil {
		_ = o.file.Close()
	}
}

// isTerminal tells whether a stream of the console is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// terminalWidth is in columns; 0: the stream is no terminal.
func terminalWidth(stream any) int {
	if !isTerminal(stream) {
		return 0
	}
	width, _, err := term.GetSize(int(stream.(*os.File).Fd()))
	if err != nil {
		return 0
	}
	return width
}

// formatFor chooses between a table for people and lines for programs.
func (c *console) formatFor(format, path string) string {
	if format != "auto" {
		return format
	}
	if (path == "" || path == "-") && isTerminal(c.out) {
		return "table"
	}
	return "ndjson"
}

// array writes JSON values as one array or as lines; the first call decides
// nothing, end completes the array.
type array struct {
	w     io.Writer
	lines bool
	count int
}

func (a *array) add(value []byte) error {
	before, after := ",\n", ""
	if a.count == 0 {
		before = "["
	}
	if a.lines {
		before, after = "", "\n"
	}
	a.count++
	_, err := fmt.Fprintf(a.w, "%s%s%s", before, value, after)
	return err
}

func (a *array) end() error {
	switch {
	case a.lines:
		return nil
	case a.count == 0:
		_, err := io.WriteString(a.w, "[]\n")
		return err
	}
	_, err := io.WriteString(a.w, "]\n")
	return err
}

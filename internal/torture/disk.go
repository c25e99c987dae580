//go:build linux

package main

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A call is a system call that changes a file, as strace tells it.
type call struct {
	name       string
	begin, end time.Time
	args       string
	result     int64
}

// traced are the calls that are recorded; straceArgs how strace is to tell them: with all
// bytes, times and results.
const traced = "?open,openat,?creat,write,pwrite64,writev,pwritev,pwritev2,lseek,ftruncate,fallocate,fsync,fdatasync,?rename,renameat,renameat2,?link,linkat,?unlink,unlinkat,?mkdir,mkdirat,close,dup,?dup2,dup3"

func straceArgs(out string) []string {
	return []string{"-f", "--seccomp-bpf", "-qq", "-xx", "-s", "100000000", "-ttt", "-T", "-e", "trace=" + traced, "-e", "signal=none", "-o", out}
}

var (
	callLine    = regexp.MustCompile(`^(\d+) +(\d+)\.(\d{6}) (\w+)\((.*)\) += (-?\d+)[^<]*<(\d+)\.(\d{6})>$`)
	beginLine   = regexp.MustCompile(`^(\d+) +(\d+)\.(\d{6}) (\w+)\((.*) <unfinished \.\.\.>$`)
	resumedLine = regexp.MustCompile(`^(\d+) +(\d+)\.(\d{6}) <\.\.\. (\w+) resumed>(.*)\) += (-?\d+)[^<]*<(\d+)\.(\d{6})>$`)
)

func stamp(seconds, micros string) time.Time {
	s, _ := strconv.ParseInt(seconds, 10, 64) // digits, by the expression
	m, _ := strconv.ParseInt(micros, 10, 64)
	return time.Unix(s, m*1000)
}

// calls reads what strace wrote, in the order in which the calls ended.
func calls(r io.Reader) (list []call, err error) {
	begun := map[string]call{} // by thread
	lines := bufio.NewReaderSize(r, 1<<20)
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		line = strings.TrimSuffix(line, "\n")
		var c call
		var result, seconds, micros string
		if m := callLine.FindStringSubmatch(line); m != nil {
			c = call{name: m[4], begin: stamp(m[2], m[3]), args: m[5]}
			result, seconds, micros = m[6], m[7], m[8]
		} else if m := beginLine.FindStringSubmatch(line); m != nil {
			begun[m[1]] = call{name: m[4], begin: stamp(m[2], m[3]), args: m[5]}
			continue
		} else if m := resumedLine.FindStringSubmatch(line); m != nil {
			c = begun[m[1]]
			if c.name != m[4] {
				continue // it began before the trace
			}
			c.args += m[5]
			result, seconds, micros = m[6], m[7], m[8]
		} else {
			continue // an exit, or a call that never ended
		}
		c.result, _ = strconv.ParseInt(result, 10, 64)
		c.end = c.begin.Add(stamp(seconds, micros).Sub(time.Unix(0, 0)))
		if c.result >= 0 {
			list = append(list, c)
		}
	}
	slices.SortStableFunc(list, func(a, b call) int { return a.end.Compare(b.end) })
	return list, nil
}

// disk is what a disk holds that forgets, when the power fails, what was not synced. It
// is a journalling file system that keeps no more of its promise than it gave (ext4 with
// data=ordered and delayed allocation): what was written to a file is there once that file
// was synced, and names are there, in their order, once anything was synced.
type disk struct {
	names, durable map[string]*inode
	folders        []string
	files          map[int64]*file // by descriptor
}

type inode struct {
	content []byte   // that is durable
	size    int64    // with what is not
	pending []change // not synced, in the order of their ends
}

// change is a write, or, without data, a new size.
type change struct {
	end    time.Time
	at     int64
	data   []byte
	resize bool
}

type file struct {
	*inode
	at           int64
	append, sync bool
}

// fields splits arguments at commas outside of quotes and brackets.
func fields(args string) (list []string) {
	depth, quoted, from := 0, false, 0
	for i, c := range args {
		switch {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
		case c == ',' && depth == 0:
			list, from = append(list, strings.TrimSpace(args[from:i])), i+1
		}
	}
	return append(list, strings.TrimSpace(args[from:]))
}

// text is what strace printed as "\x..".
func text(field string) []byte {
	quoted := strings.Trim(field, `"`)
	raw, err := hex.DecodeString(strings.ReplaceAll(quoted, `\x`, ""))
	if err != nil {
		return []byte(quoted)
	}
	return raw
}

// pieces are the buffers of a writev.
func pieces(field string) (all []byte) {
	for rest := field; ; {
		_, after, found := strings.Cut(rest, "iov_base=")
		if !found {
			return all
		}
		quoted, next, _ := strings.Cut(after, ", iov_len")
		all, rest = append(all, text(quoted)...), next
	}
}

func number(field string) int64 {
	n, err := strconv.ParseInt(field, 0, 64)
	if err != nil {
		return -1
	}
	return n
}

// powerFails is the disk at an instant: calls that had ended by then.
func powerFails(list []call, at time.Time) *disk {
	d := &disk{names: map[string]*inode{}, durable: map[string]*inode{}, files: map[int64]*file{}}
	for i := range list {
		if list[i].end.After(at) {
			break
		}
		d.do(&list[i])
	}
	return d
}

func (d *disk) do(c *call) {
	a := fields(c.args)
	switch c.name {
	case "open":
		d.open(c, string(text(a[0])), a[1])
	case "openat":
		d.open(c, string(text(a[1])), a[2])
	case "close":
		delete(d.files, number(a[0]))
	case "dup", "dup2", "dup3":
		if f := d.files[number(a[0])]; f != nil {
			d.files[c.result] = f
		}
	case "mkdir":
		d.folders = append(d.folders, string(text(a[0])))
	case "mkdirat":
		d.folders = append(d.folders, string(text(a[1])))
	case "rename":
		d.rename(string(text(a[0])), string(text(a[1])))
	case "renameat", "renameat2":
		d.rename(string(text(a[1])), string(text(a[3])))
	case "link":
		d.link(string(text(a[0])), string(text(a[1])))
	case "linkat":
		d.link(string(text(a[1])), string(text(a[3])))
	case "unlink":
		delete(d.names, string(text(a[0])))
	case "unlinkat":
		delete(d.names, string(text(a[1])))
	default:
		if f := d.files[number(a[0])]; f != nil {
			if f.do(c, a) {
				d.durable = map[string]*inode{}
				for name, node := range d.names {
					d.durable[name] = node
				}
			}
		}
	}
}

func (d *disk) link(from, to string) {
	if node := d.names[from]; node != nil {
		d.names[to] = node
	}
}

func (d *disk) rename(from, to string) {
	if node := d.names[from]; node != nil {
		delete(d.names, from)
		d.names[to] = node
		return
	}
	for name, node := range d.names { // a folder
		if rest, ok := strings.CutPrefix(name, from+"/"); ok {
			delete(d.names, name)
			d.names[to+"/"+rest] = node
		}
	}
	d.folders = append(d.folders, to)
}

func (d *disk) open(c *call, path, flags string) {
	node := d.names[path]
	switch {
	case node != nil:
	case strings.Contains(flags, "O_CREAT"):
		node = &inode{}
		d.names[path] = node
	default: // a folder, or no file of ours: its sync counts
		node = &inode{}
	}
	f := &file{inode: node, append: strings.Contains(flags, "O_APPEND"), sync: strings.Contains(flags, "SYNC")}
	if strings.Contains(flags, "O_TRUNC") {
		f.resize(c, 0)
	}
	d.files[c.result] = f
}

func (f *file) resize(c *call, size int64) {
	f.size = size
	f.pending = append(f.pending, change{end: c.end, at: size, resize: true})
}

func (f *file) write(c *call, at int64, data []byte) {
	data = data[:min(int64(len(data)), c.result)]
	f.size = max(f.size, at+int64(len(data)))
	f.pending = append(f.pending, change{end: c.end, at: at, data: data})
}

// do tells whether something was synced.
func (f *file) do(c *call, a []string) (synced bool) {
	switch c.name {
	case "write", "writev":
		data := text(a[1])
		if c.name == "writev" {
			data = pieces(a[1])
		}
		if f.append {
			f.at = f.size
		}
		f.write(c, f.at, data)
		f.at += c.result
	case "pwrite64":
		f.write(c, number(a[3]), text(a[1]))
	case "pwritev", "pwritev2":
		f.write(c, number(a[3]), pieces(a[1]))
	case "lseek":
		f.at = c.result
	case "ftruncate":
		f.resize(c, number(a[1]))
	case "fallocate":
		f.resize(c, max(f.size, number(a[2])+number(a[3])))
	case "fsync", "fdatasync":
		f.settle(c.begin)
		return true
	}
	if f.sync && c.name != "lseek" { // O_SYNC: with the call itself
		f.settle(c.end)
	}
	return f.sync
}

// settle makes durable what had ended when a sync began.
func (f *file) settle(begun time.Time) {
	rest := f.pending[:0:0]
	for _, p := range f.pending {
		switch {
		case p.end.After(begun):
			rest = append(rest, p)
		case p.resize:
			f.grow(p.at)
			f.content = f.content[:p.at]
		default:
			f.grow(p.at + int64(len(p.data)))
			copy(f.content[p.at:], p.data)
		}
	}
	f.pending = rest
}

func (n *inode) grow(size int64) {
	if missing := size - int64(len(n.content)); missing > 0 {
		n.content = append(n.content, make([]byte, missing)...)
	}
}

// restore writes what is durable of a folder into another.
func (d *disk) restore(from, to string) error {
	for _, folder := range append(slices.Clone(d.folders), from) {
		if rest, ok := strings.CutPrefix(folder, from); ok {
			if err := os.MkdirAll(filepath.Join(to, rest), 0o700); err != nil {
				return err
			}
		}
	}
	for name, node := range d.durable {
		rest, ok := strings.CutPrefix(name, from+"/")
		if !ok {
			continue
		}
		path := filepath.Join(to, rest)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, node.content, 0o600); err != nil {
			return fmt.Errorf("what was left of %s: %w", name, err)
		}
	}
	return nil
}

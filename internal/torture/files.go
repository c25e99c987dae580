//go:build linux

package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
)

func lines(r io.Reader, each func(line []byte) error) error {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 8<<20)
	for scanner.Scan() {
		if err := each(scanner.Bytes()); err != nil {
			return fmt.Errorf("%w: %.200s", err, scanner.Bytes())
		}
	}
	return scanner.Err()
}

// archived counts how often each document is in the archive's files.
func (o *oracle) archived() (map[int]int, error) {
	found := map[int]int{}
	each := func(line []byte) error {
		var l struct {
			Document        json.RawMessage
			Raw, Raw_base64 string
		}
		if err := json.Unmarshal(line, &l); err != nil {
			return err
		}
		text := string(l.Document)
		if l.Raw != "" {
			text = l.Raw
		}
		if raw, err := base64.StdEncoding.DecodeString(l.Raw_base64); err == nil && len(raw) > 0 {
			text = string(raw)
		}
		if n, ok := o.idIn(text); ok {
			found[n]++
			if d := o.run.document(n); d.fate != dead && text != string(d.text) {
				o.note("altered", "%s in the archive:\n    %.300s\n    %.300s", d.id, text, d.text)
			}
		}
		return nil
	}
	folder := filepath.Join(o.service.dir, "archive")
	segments, err := filepath.Glob(filepath.Join(folder, "segments", "*.zst"))
	if err != nil {
		return nil, err
	}
	for _, path := range append(segments, filepath.Join(folder, "open.ndjson")) {
		if err := linesOf(path, each); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return found, nil
}

func linesOf(path string, each func(line []byte) error) error {
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if !strings.HasSuffix(path, ".zst") {
		return lines(f, each)
	}
	z, err := zstd.NewReader(f)
	if err != nil {
		return err
	}
	defer z.Close()
	return lines(z, each)
}

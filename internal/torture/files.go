//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

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

// restless is how long the archive may go on being sealed after nothing more is published.
const restless = time.Minute

// archived counts how often each document is in the archive's files. Those are read until
// they are the same before and after: what is sealed meanwhile moves from one to another.
func (o *oracle) archived(ctx context.Context) (map[int]int, error) {
	folder := filepath.Join(o.service.dir, "archive")
	for end := time.Now().Add(restless); ; sleep(ctx, 200*time.Millisecond) {
		before, files, err := archiveFiles(folder)
		if err != nil {
			return nil, err
		}
		found, altered, err := o.inFiles(files)
		after, _, err2 := archiveFiles(folder)
		if err2 != nil {
			return nil, err2
		}
		switch {
		case before == after:
			for _, text := range altered {
				o.note("altered", "%s", text)
			}
			return found, err
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case time.Now().After(end):
			return nil, fmt.Errorf("the archive is not at rest after %v: it was\n%s\nand is\n%s", restless, before, after)
		}
	}
}

// archiveFiles lists the files of an archive that have lines, and says what they are like.
func archiveFiles(folder string) (state string, files []string, err error) {
	files, err = filepath.Glob(filepath.Join(folder, "segments", "*.zst"))
	if err != nil {
		return "", nil, err
	}
	files = append(files, filepath.Join(folder, "open.ndjson"))
	var text strings.Builder
	for _, path := range files {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", nil, err
		}
		fmt.Fprintf(&text, "%s: %d bytes of %s\n", filepath.Base(path), info.Size(), info.ModTime().Format(time.RFC3339Nano))
	}
	return text.String(), files, nil
}

// inFiles counts how often each document is in files, and says which are not as they were
// published.
func (o *oracle) inFiles(files []string) (found map[int]int, altered []string, err error) {
	found = map[int]int{}
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
			if d := o.run.document(n); text != string(d.text) {
				altered = append(altered, fmt.Sprintf("%s in the archive:\n    %.300s\n    %.300s", d.id, text, d.text))
			}
		}
		return nil
	}
	for _, path := range files {
		if err := linesOf(path, each); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return found, altered, nil
}

func linesOf(path string, each func(line []byte) error) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
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

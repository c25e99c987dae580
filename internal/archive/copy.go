package archive

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"actionlog"

	"golang.org/x/mod/sumdb/note"
)

// Copied is what a copy of an archive holds.
type Copied struct {
	Segments uint64 `json:"segments"`
	New      uint64 `json:"new_segments"` // that it had not before
	Bytes    int64  `json:"new_bytes"`    // of these
	Unsealed uint64 `json:"unsealed"`     // actions
	// Through is when the stream took the newest action of it; zero where there is none.
	Through time.Time          `json:"through,omitzero"`
	Last    actionlog.Position `json:"-"` // of that action
}

// copyTries is how often a copy begins again because a segment was sealed meanwhile.
const copyTries = 20

// Copy brings a copy in a folder up to date, while the archive is written. It adds what the
// copy has not, and changes nothing of what it has; a segment whose hash is not that of its
// manifest is refused. A copy that does not go on as the archive does is another archive's,
// or the archive went back: nothing is written.
func Copy(ctx context.Context, from Storage, to *Folder) (c Copied, err error) {
	if err := sameBeginning(ctx, from, to); err != nil {
		return c, err
	}
	for range copyTries {
		again, err := c.once(ctx, from, to)
		if err != nil || !again {
			return c, err
		}
	}
	return c, fmt.Errorf("archive: segments are sealed all the time: %w", actionlog.ErrUnavailable)
}

// sameBeginning fails unless the copy's newest manifest is the archive's too: each names the
// one before by its hash.
func sameBeginning(ctx context.Context, from, to Storage) error {
	n, err := newest(ctx, to)
	if err != nil || n == 0 {
		return err
	}
	copied, err := to.Read(ctx, manifestName(n))
	if err != nil {
		return err
	}
	there, err := from.Read(ctx, manifestName(n))
	if errors.Is(err, actionlog.ErrNotFound) {
		return fmt.Errorf("archive: the copy in %s holds %d segments, and %s has not so many: it went back, or is another archive", to, n, from)
	}
	if err == nil && !bytes.Equal(copied, there) {
		err = fmt.Errorf("archive: segment %d of the copy in %s is another one than that of %s: it is another archive's", n, to, from)
	}
	return err
}

// once copies; again tells that a segment was sealed meanwhile, so that what was copied does
// not fit together. The order is what makes it fit: the open segment is emptied only when
// its manifest is there, and the checkpoint that signs that comes last. The copy's open
// segment stays until what was in it has come as a segment.
func (c *Copied) once(ctx context.Context, from Storage, to *Folder) (again bool, err error) {
	n, err := newest(ctx, from)
	if err != nil {
		return false, err
	}
	fresh := to.path(".new-open")
	defer os.Remove(fresh)
	damage := c.copyOpen(ctx, from, fresh)
	if damage != nil && !errors.Is(damage, ErrDamaged) {
		return false, damage
	}
	if after, err := newest(ctx, from); err != nil || after != n {
		return true, err
	}
	if damage != nil {
		return false, damage
	}
	have, err := newest(ctx, to)
	if err != nil {
		return false, err
	}
	for number := have + 1; number <= n; number++ {
		if err := c.copySegment(ctx, from, to, number); err != nil {
			return false, err
		}
	}
	if err := os.Rename(fresh, to.path(openName)); err != nil {
		return false, fmt.Errorf("archive: %w", err)
	}
	c.Segments = n
	if n > 0 && c.Unsealed == 0 {
		m, err := readManifest(ctx, to, n)
		if err != nil {
			return false, err
		}
		c.Through, c.Last = m.ReceivedTo, actionlog.Position{Stream: m.Stream, Sequence: m.Last}
	}
	return copySigned(ctx, from, to, n)
}

// copyOpen copies the lines of the open segment to a file.
func (c *Copied) copyOpen(ctx context.Context, from Storage, path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	w := bufio.NewWriterSize(file, 1<<20)
	c.Unsealed = 0
	for o, e := range openLines(ctx, from) {
		if err = e; err != nil {
			break
		}
		c.Unsealed++
		c.Last = o.header.position()
		if at, e := time.Parse(time.RFC3339Nano, o.header.receivedAt); e == nil {
			c.Through = at
		}
		if _, err = w.Write(o.text); err != nil {
			break
		}
	}
	if err = errors.Join(err, w.Flush(), file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	return nil
}

// copySegment copies a segment, compares its hash, and then copies its manifest.
func (c *Copied) copySegment(ctx context.Context, from Storage, to *Folder, number uint64) error {
	m, err := readManifest(ctx, from, number)
	if err != nil {
		return err
	}
	path := to.path(m.Segment.Name)
	temp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	defer os.Remove(temp.Name())
	sum := sha256.New()
	for at := int64(0); err == nil && at < m.Segment.Bytes; {
		var part []byte
		if part, err = from.ReadRange(ctx, m.Segment.Name, at, min(linesPage, m.Segment.Bytes-at)); err == nil {
			_, err = io.MultiWriter(temp, sum).Write(part)
			at += int64(len(part))
		}
	}
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return fmt.Errorf("archive: %s: %w", m.Segment.Name, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != m.Segment.SHA256 {
		return fmt.Errorf("archive: %s hashes to %s, not to %s: %w", m.Segment.Name, got, m.Segment.SHA256, ErrDamaged)
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return err
	}
	text, err := from.Read(ctx, manifestName(number))
	if err != nil {
		return err
	}
	c.New++
	c.Bytes += m.Segment.Bytes
	return to.Put(ctx, manifestName(number), text)
}

// checkpointWait is how long the checkpoint of a segment may take that was just sealed.
const checkpointWait = 5 * time.Second

// copySigned copies the public key and the checkpoint over so many manifests; again tells
// that it is over more by now.
func copySigned(ctx context.Context, from Storage, to *Folder, n uint64) (again bool, err error) {
	key, err := from.Read(ctx, keyName)
	if err == nil {
		err = to.Put(ctx, keyName, key)
	}
	if err != nil || n == 0 {
		return false, err
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(string(key)))
	if err != nil {
		return false, fmt.Errorf("archive: %s: %w", keyName, err)
	}
	for end := time.Now().Add(checkpointWait); ; {
		text, err := from.Read(ctx, checkpointName)
		if err != nil && !errors.Is(err, actionlog.ErrNotFound) {
			return false, err
		}
		if err == nil {
			signed, err := openCheckpoint(text, verifier)
			if err != nil {
				return false, fmt.Errorf("archive: %w", err)
			}
			if signed.size > n {
				return true, nil
			}
			if signed.size == n {
				return false, to.Put(ctx, checkpointName, text)
			}
		}
		if time.Now().After(end) {
			return false, fmt.Errorf("archive: the checkpoint of segment %d does not come: %w", n, actionlog.ErrUnavailable)
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

package archive

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestCopyWhileItIsWritten: whenever a copy is taken, it proves itself, and has all that was
// archived before.
func TestCopyWhileItIsWritten(t *testing.T) {
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "archive")
	w := newWriter(t, dir)
	ctx, stop := context.WithCancel(t.Context())
	var mu sync.Mutex
	written := 0
	var writing sync.WaitGroup
	writing.Go(func() {
		for n := 1; ctx.Err() == nil && n < 4000; n += 10 {
			if err := w.Append(context.Background(), lines(n, 10)); err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			written = n + 9
			mu.Unlock()
			if n%50 == 1 {
				if err := w.Seal(context.Background()); err != nil {
					t.Error(err)
					return
				}
			}
			time.Sleep(time.Millisecond)
		}
	})
	target, err := NewFolder(to)
	if err != nil {
		t.Fatal(err)
	}
	for range 8 {
		mu.Lock()
		least := written
		mu.Unlock()
		c, err := Copy(t.Context(), FolderAt(filepath.Join(dir, "archive")), target)
		if err != nil {
			t.Fatal(err)
		}
		report := verify(t, filepath.Dir(to), w.public)
		if len(report.Findings) > 0 || report.Segments != c.Segments {
			t.Fatalf("%+v: %+v", c, report)
		}
		if have := report.Actions + report.Unsealed; have < uint64(least) {
			t.Fatalf("%d of %d actions are in the copy: %+v", have, least, c)
		}
	}
	stop()
	writing.Wait()
}

// TestCopyRefuses: another archive, one that went back, and a damaged segment.
func TestCopyRefuses(t *testing.T) {
	sealed := func(n int) (string, *Writer) {
		dir := t.TempDir()
		w := newWriter(t, dir)
		for i := range n {
			if err := errors.Join(w.Append(t.Context(), lines(1+10*i, 10)), w.Seal(t.Context())); err != nil {
				t.Fatal(err)
			}
		}
		return filepath.Join(dir, "archive"), w
	}
	one, _ := sealed(3)
	to, err := NewFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if c, err := Copy(t.Context(), FolderAt(one), to); err != nil || c.New != 3 {
		t.Fatal(c, err)
	}
	if c, err := Copy(t.Context(), FolderAt(one), to); err != nil || c.New != 0 || c.Segments != 3 || c.Through.IsZero() || c.Last.Sequence != 30 {
		t.Errorf("again: %+v %v", c, err)
	}
	shorter, _ := sealed(2)
	longer, _ := sealed(4)
	for dir, why := range map[string]string{shorter: "it went back", longer: "another archive"} {
		if _, err := Copy(t.Context(), FolderAt(dir), to); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", why, err)
		}
	}
	segments, err := filepath.Glob(filepath.Join(longer, "segments", "*.zst"))
	if err != nil || len(segments) != 4 {
		t.Fatal(segments, err)
	}
	text, err := os.ReadFile(segments[1])
	if err == nil {
		text[len(text)/2] ^= 1
		err = os.WriteFile(segments[1], text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := NewFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Copy(t.Context(), FolderAt(longer), fresh); !errors.Is(err, ErrDamaged) {
		t.Errorf("a damaged segment: %v", err)
	}
}

// TestCopyThatFails: what a copy held before it still holds.
func TestCopyThatFails(t *testing.T) {
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "archive")
	w := newWriter(t, dir)
	from := FolderAt(filepath.Join(dir, "archive"))
	target, err := NewFolder(to)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Append(t.Context(), lines(1, 10)), w.Seal(t.Context()), w.Append(t.Context(), lines(11, 10))); err != nil {
		t.Fatal(err)
	}
	if c, err := Copy(t.Context(), from, target); err != nil || c.Unsealed != 10 || c.Last.Sequence != 20 {
		t.Fatal(c, err)
	}
	if err := errors.Join(w.Seal(t.Context()), w.Append(t.Context(), lines(21, 5))); err != nil {
		t.Fatal(err)
	}
	m, err := readManifest(t.Context(), from, 2)
	if err != nil {
		t.Fatal(err)
	}
	path := from.path(m.Segment.Name)
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.Truncate(path, 10)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Copy(t.Context(), from, target); err == nil {
		t.Fatal("half a segment was copied")
	}
	if report := verify(t, filepath.Dir(to), w.public); report.Actions != 10 || report.Unsealed != 10 || len(report.Findings) > 0 {
		t.Errorf("a copy that failed leaves %+v", report)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := Copy(t.Context(), from, target); err != nil || c.Segments != 2 || c.Unsealed != 5 {
		t.Errorf("afterwards: %+v %v", c, err)
	}
}

// TestDamageIsNoEnd: a line of the open segment that cannot be read is damage, for copies and
// accounts; a last one without its break is being written.
func TestDamageIsNoEnd(t *testing.T) {
	dir := t.TempDir()
	w := newWriter(t, dir)
	if err := w.Append(t.Context(), lines(1, 10)); err != nil {
		t.Fatal(err)
	}
	from := FolderAt(filepath.Join(dir, "archive"))
	text, err := os.ReadFile(from.path(openName))
	if err != nil {
		t.Fatal(err)
	}
	read := func(text []byte) (copied, accounted uint64, err, err2 error) {
		t.Helper()
		if err := os.WriteFile(from.path(openName), text, 0o600); err != nil {
			t.Fatal(err)
		}
		to, err := NewFolder(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		c, err := Copy(t.Context(), from, to)
		for _, err2 = range (&Reader{from}).open(t.Context(), nil) {
			accounted++
		}
		return c.Unsealed, accounted, err, err2
	}
	if copied, accounted, err, err2 := read(append(bytes.Clone(text), text[:50]...)); copied != 10 || accounted != 10 || err != nil || err2 != nil {
		t.Errorf("a line that is being written: %d %d %v %v", copied, accounted, err, err2)
	}
	third := bytes.Clone(text)
	copy(third[bytes.IndexByte(text, '\n')+1:], "xx")
	if _, _, err, err2 := read(third); !errors.Is(err, ErrDamaged) || !errors.Is(err2, ErrDamaged) {
		t.Errorf("a damaged line: %v, %v", err, err2)
	}
	if again, err := (&Copied{}).once(t.Context(), sealedSince{from, new(int)}, from); !again || err != nil {
		t.Errorf("a damaged line, and a segment was sealed meanwhile: %v %v", again, err)
	}
	tries := 0
	err = (&Ledger{Storage: sealedSince{from, new(int)}}).steady(t.Context(), func() error {
		if tries++; tries == 1 {
			return ErrDamaged
		}
		return nil
	})
	if err != nil || tries < 2 {
		t.Errorf("accounts, and a segment was sealed meanwhile: %d tries, %v", tries, err)
	}
}

// sealedSince is an archive of which a segment is sealed after the first look.
type sealedSince struct {
	Storage
	looks *int
}

func (s sealedSince) List(ctx context.Context, prefix string) iter.Seq2[File, error] {
	if !strings.HasPrefix(prefix, "manifests/") {
		return s.Storage.List(ctx, prefix)
	}
	return func(yield func(File, error) bool) {
		if *s.looks++; *s.looks > 1 {
			yield(File{Name: manifestName(1), Bytes: 1}, nil)
		}
	}
}

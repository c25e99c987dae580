package archive

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"actionlog"
)

// holding is a Held of lines of s1.
func holding(list []Line) Held {
	return func(_ context.Context, stream string, first, last uint64) iter.Seq2[*Line, error] {
		return func(yield func(*Line, error) bool) {
			for i := range list {
				if p := list[i].Position; p.Stream == stream && first <= p.Sequence && p.Sequence <= last && !yield(&list[i], nil) {
					return
				}
			}
		}
	}
}

// openHolding opens the archive in dir where the stream holds some lines still.
func openHolding(t *testing.T, dir string, held Held, log *strings.Builder) *Writer {
	t.Helper()
	s, err := NewFolder(filepath.Join(dir, "archive"))
	if err != nil {
		t.Fatal(err)
	}
	w, err := OpenWriter(t.Context(), Options{Storage: s, Dir: s.dir, KeyFile: filepath.Join(dir, "key"), Held: held, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// harm damages a text somewhere, in one of the ways in which a disk does.
func harm(rng *rand.Rand, text []byte) []byte {
	at := rng.IntN(len(text))
	n := min(1+rng.IntN(2000), len(text)-at)
	switch rng.IntN(7) {
	case 0: // one bit
		text[at] ^= 1 << rng.IntN(8)
	case 1: // one byte
		text[at] = byte(rng.IntN(256))
	case 2: // noise
		for i := range n {
			text[at+i] = byte(rng.IntN(256))
		}
	case 3: // never written
		clear(text[at : at+n])
	case 4: // gone
		text = slices.Delete(text, at, at+n)
	case 5: // two lines become one
		if i := bytes.IndexByte(text[at:], '\n'); i >= 0 {
			text[at+i] = 'x'
		}
	case 6: // part of another line
		n = min(n, 100)
		copy(text[at:at+n], text[rng.IntN(len(text)-n+1):])
	}
	return text
}

// TestDamagedOpenSegment: whatever is damaged, every line that is as it was is archived, every
// other position that the stream still holds is, and the rest are gaps that the
// manifest and the verification name. The damaged file is kept. Thirty times, in the long
// form (make test-long) a thousand.
func TestDamagedOpenSegment(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	rounds := 30
	if os.Getenv("ACTIONLOG_LONG") != "" {
		rounds = 1000
	}
	checked := 0
	for round := range rounds {
		dir := t.TempDir()
		w := newWriter(t, dir)
		sealed := rng.IntN(2) * (1 + rng.IntN(30))
		all := lines(sealed+1, 2+rng.IntN(60)) // of the open segment
		if sealed > 0 {
			if err := w.Append(t.Context(), lines(1, sealed)); err != nil {
				t.Fatal(err)
			}
			if err := w.Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Append(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		w.Close()
		path := filepath.Join(dir, "archive", openName)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for range 1 + rng.IntN(3) {
			if len(text) > 0 {
				text = harm(rng, text)
			}
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		held := all[rng.IntN(len(all)+1):] // the stream was trimmed up to somewhere
		name := fmt.Sprintf("seed %d, round %d", seed, round)
		got, report := mended(t, name, dir, text, held)
		if !lies(text, all) {
			checked++
			checkMended(t, name, text, all, held, got, report)
		}
		if t.Failed() {
			return
		}
	}
	if checked < rounds/2 {
		t.Errorf("of %d rounds only %d could be checked", rounds, checked)
	}
}

// mended opens, fills and seals a damaged archive, and returns the lines that are in it by
// their positions.
func mended(t *testing.T, name, dir string, text []byte, held []Line) (map[uint64]string, *Report) {
	t.Helper()
	var log strings.Builder
	w := openHolding(t, dir, holding(held), &log)
	next := w.Next("s1")
	for i := range held { // as the archiver goes on
		if held[i].Position.Sequence >= next {
			if err := w.Append(t.Context(), held[i:]); err != nil {
				t.Fatal(name, err)
			}
			break
		}
	}
	if err := w.Seal(t.Context()); err != nil {
		t.Fatal(name, err)
	}
	w.Close()
	got := map[uint64]string{}
	for line := range sealedLines(t, dir) {
		h, err := readHeader(line)
		if err != nil {
			t.Fatal(name, err)
		}
		got[h.sequence] = string(line)
	}
	r := verify(t, dir, w.PublicKey())
	checkCopy(t, name, dir, text, &log, r)
	return got, r
}

// checkMended holds an archive that was mended against what was written, what was in the
// damaged file and what the stream held.
func checkMended(t *testing.T, name string, text []byte, all, held []Line, got map[uint64]string, r *Report) {
	t.Helper()
	missing := map[uint64]bool{}
	for i := range all {
		want, sequence := string(appendLine(nil, &all[i])), all[i].Position.Sequence
		if got[sequence] != "" && got[sequence] != want {
			t.Errorf("%s: position %d is archived as %q", name, sequence, got[sequence])
		}
		if got[sequence] != "" {
			continue
		}
		missing[sequence] = true
		if bytes.Contains(text, []byte(want)) {
			t.Errorf("%s: position %d can be read in the damaged file, and is not archived", name, sequence)
		}
		if len(held) > 0 && sequence >= held[0].Position.Sequence {
			t.Errorf("%s: the stream holds position %d, and it is not archived", name, sequence)
		}
	}
	last := slices.Max(append(slices.Collect(maps.Keys(got)), 0))
	for _, what := range append(slices.Clone(r.Notes), findings(r)...) { // the gap at 1 is a note
		var first, to uint64
		if n, _ := fmt.Sscanf(what[max(0, strings.Index(what, "positions s1.")):], "positions s1.%d to %d were not", &first, &to); n == 2 {
			for ; first <= to; first++ {
				delete(missing, first)
			}
		}
	}
	for sequence := range missing {
		if sequence < last {
			t.Errorf("%s: position %d is missing, and the verification does not say so: %+v", name, sequence, r)
		}
	}
}

// findings are what a report found.
func findings(r *Report) (list []string) {
	for _, f := range r.Findings {
		list = append(list, f.What)
	}
	return list
}

// lies tells whether a text has a line that can be read and is none of those that were written:
// nothing but a signature tells that from a good one, and the open segment has none.
func lies(text []byte, all []Line) bool {
	written := map[string]bool{}
	for i := range all {
		written[string(appendLine(nil, &all[i]))] = true
	}
	for line := range bytes.Lines(text) {
		for _, at := range beginnings(line) {
			if _, err := readWhole(line[at:]); err == nil && !written[string(line[at:])] {
				return true
			}
		}
	}
	return false
}

// sealedLines are all sealed lines.
func sealedLines(t *testing.T, dir string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		r := &Reader{FolderAt(filepath.Join(dir, "archive"))}
		for m, err := range r.manifests(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			for line, err := range r.lines(t.Context(), m, "") {
				if err != nil {
					t.Fatal(err)
				}
				if !yield(line) {
					return
				}
			}
		}
	}
}

// checkCopy holds that what was damaged is kept as it was, and named by the log and the
// verification.
func checkCopy(t *testing.T, name, dir string, text []byte, log *strings.Builder, r *Report) {
	t.Helper()
	copies, err := filepath.Glob(filepath.Join(dir, "archive", damagedPrefix+"*"))
	if err != nil || len(copies) > 1 {
		t.Fatal(name, copies, err)
	}
	noted := slices.ContainsFunc(r.Notes, func(n string) bool { return strings.HasPrefix(n, damagedPrefix) })
	if len(copies) == 0 {
		if noted || strings.Contains(log.String(), "damaged") {
			t.Errorf("%s: a copy is named that is not there", name)
		}
		return
	}
	kept, err := os.ReadFile(copies[0])
	if err != nil || !bytes.Equal(kept, text) {
		t.Errorf("%s: the copy is not what was there: %v", name, err)
	}
	if !noted || !strings.Contains(log.String(), copies[0]) {
		t.Errorf("%s: the copy is not named: notes %q, log %s", name, r.Notes, log)
	}
}

// TestArchiverMends: a running archiver mends what it finds at its start from the stream, and
// while the stream cannot be asked it leaves the damaged file as it is.
func TestArchiverMends(t *testing.T) {
	dir := t.TempDir()
	s := &tape{name: "s1", names: 1}
	var away atomic.Bool
	var log lockedLog
	start := func() (*Archiver, func()) {
		a := &Archiver{Source: s, Scrubber: actionlog.NewScrubber(), Log: slog.New(slog.NewTextHandler(&log, nil))}
		a.Open = func(ctx context.Context, held Held) (*Writer, error) {
			folder, err := NewFolder(filepath.Join(dir, "archive"))
			if err != nil {
				return nil, err
			}
			asked := func(ctx context.Context, stream string, first, last uint64) iter.Seq2[*Line, error] {
				if away.Load() {
					return func(yield func(*Line, error) bool) { yield(nil, actionlog.ErrUnavailable) }
				}
				return held(ctx, stream, first, last)
			}
			return OpenWriter(ctx, Options{Storage: folder, Dir: folder.dir, KeyFile: filepath.Join(dir, "key"), Held: asked, Log: a.Log})
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = a.Run(ctx) })
		return a, sync.OnceFunc(func() { cancel(); running.Wait() })
	}
	a, stop := start()
	s.take(50, "a")
	until(t, func() bool { return a.Archived().Sequence == 50 })
	stop()
	path := filepath.Join(dir, "archive", openName)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copy(text[len(text)/2:], bytes.Repeat([]byte("~"), len(text)/10))
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, dir, keyOf(t, dir)); len(r.Findings) != 1 || !strings.Contains(r.Findings[0].What, "is damaged behind") {
		t.Errorf("verified while it is damaged: %+v", r)
	}
	away.Store(true)
	a, stop = start()
	defer func() { stop() }()
	until(t, func() bool { return a.Trouble() != nil })
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, text) {
		t.Errorf("it was changed although the stream could not be asked: %v", err)
	}
	away.Store(false)
	s.take(5, "b")
	archivedAll(t, a)
	stop()
	holdsTaken(t, dir, map[string]int{"a": 50, "b": 5})
	if r := verify(t, dir, keyOf(t, dir)); len(r.Findings) != 0 || r.Actions != 55 {
		t.Errorf("%+v", r)
	}
	if s.name != "s1" || !strings.Contains(log.String(), "missing=0") {
		t.Errorf("incarnation %s, log %s", s.name, log.String())
	}
}

// lockedLog is a log that is read while it is written.
type lockedLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func until(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not come about")
		}
	}
}

// keyOf is the public key of the archive in dir.
func keyOf(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "archive", keyName))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"actionlog"
)

// document is an action document of an institution.
func document(institution string, n int) []byte {
	at := time.Date(2026, 11, 1+n%20, 8, 0, n%60, 0, time.UTC)
	return fmt.Appendf(nil, `{"id":"a%d","occurred_at":%q,"institution":{"id":%q},"category":"course","action":{"code":"course.opened"},"actor":{"kind":"user","name":"Melody Wang %d"},"details":{"n":%d}}`,
		n, at.Format(time.RFC3339), institution, n%7, n)
}

// lines makes n lines of the incarnation s1 from a position.
func lines(first, n int) (list []Line) {
	for i := first; i < first+n; i++ {
		institution := []string{"alpha", "beta", "gamma"}[i*i%3]
		d := document(institution, i)
		l := Line{Position: actionlog.Position{Stream: "s1", Sequence: uint64(i)}, ReceivedAt: time.Date(2026, 11, 25, 1, 2, i%60, i, time.UTC), Institution: institution, Document: d}
		if i%11 == 0 {
			l.Dead, l.Document = actionlog.DeadInvalid, []byte("no\njson \xff"[:4+i%6])
		} else {
			l.Day = actionlog.DayOf(time.Date(2026, 11, 1+i%20, 0, 0, 0, 0, time.UTC))
		}
		list = append(list, l)
	}
	return list
}

func newWriter(t testing.TB, dir string) *Writer {
	t.Helper()
	w, err := openIn(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func openIn(ctx context.Context, dir string) (*Writer, error) {
	s, err := NewFolder(filepath.Join(dir, "archive"))
	if err != nil {
		return nil, err
	}
	return OpenWriter(ctx, Options{Storage: s, Dir: s.dir, KeyFile: filepath.Join(dir, "key"), Log: slog.New(slog.DiscardHandler)})
}

func verify(t testing.TB, dir, key string) *Report {
	t.Helper()
	s, err := OpenFolder(filepath.Join(dir, "archive"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Verify(t.Context(), s, VerifyOptions{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestLineComesBack(t *testing.T) {
	at := time.Date(2026, 11, 25, 1, 2, 3, 4000, time.UTC)
	for _, l := range []Line{
		{Institution: "x", Day: actionlog.DayOf(at), Document: []byte(`{"id":"1"}`)},
		{Institution: "x", Day: actionlog.DayOf(at), Document: []byte("{\r\n \"id\":\n\"1\" }")},
		{Institution: "x", Day: actionlog.DayOf(at), Document: []byte(`{"a":"},{\"document\":","raw":"y"}`)},
		{Dead: "invalid", Document: []byte(`"text"`)},
		{Dead: "invalid", Document: []byte("")},
		{Dead: "invalid", Document: []byte("null")},
		{Dead: "invalid", Document: []byte("\xff\x00{\n")},
		{Dead: "invalid", Document: []byte("\"\xff\"")},
		{Dead: "subject", Institution: "y", Document: []byte("{\"a\":1,\n\"b\":\"<&>\"}")},
	} {
		l.Position, l.ReceivedAt = actionlog.Position{Stream: "s1", Sequence: 7}, at
		text := appendLine(nil, &l)
		if n := bytes.Count(text, []byte("\n")); n != 1 {
			t.Errorf("%q has %d line breaks", text, n)
		}
		got, err := parseLine(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if !bytes.Equal(got.Document, l.Document) || got.Position != l.Position || !got.ReceivedAt.Equal(at) || got.Dead != l.Dead || got.Day != l.Day || got.Institution != l.Institution {
			t.Errorf("%q\ncame back as %+v (%q)", text, got, got.Document)
		}
	}
}

// everything is what the reader yields of an institution.
func everything(t testing.TB, dir string, s Selection) (list []Line) {
	t.Helper()
	folder, err := OpenFolder(filepath.Join(dir, "archive"))
	if err != nil {
		t.Fatal(err)
	}
	for l, err := range (&Reader{folder}).Actions(t.Context(), s) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, *l)
	}
	return list
}

func TestWriteAndRead(t *testing.T) {
	dir := t.TempDir()
	w := newWriter(t, dir)
	all := lines(1, 5000)
	for start := 0; start < len(all); start += 700 {
		if err := w.Append(t.Context(), all[start:min(start+700, len(all))]); err != nil {
			t.Fatal(err)
		}
		if start%2100 == 1400 {
			if err := w.Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := w.Next("s1"); got != 5001 {
		t.Errorf("the next position is %d", got)
	}
	if got := w.Archived("s1"); got != 5000 {
		t.Errorf("up to %d is archived", got)
	}
	if err := w.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := verify(t, dir, w.PublicKey())
	if len(r.Findings) > 0 || r.Actions != 5000 || r.Unsealed != 0 || r.Segments != 3 || r.Dead != 454 || r.Streams[0] != (Span{"s1", 1, 5000}) {
		t.Errorf("verified: %+v", r)
	}
	for _, s := range []Selection{{}, {Institution: "beta"}, {Institution: "nobody"}, {Institution: "alpha", From: mustDay("2026-11-03"), To: mustDay("2026-11-04")}} {
		got := map[string]string{}
		for _, l := range everything(t, dir, s) {
			got[l.Position.String()] = string(l.Document)
		}
		want := 0
		for _, l := range all {
			if l.Dead != "" || s.Institution != "" && l.Institution != s.Institution || !s.day(l.Day.String()) {
				continue
			}
			want++
			if got[l.Position.String()] != string(l.Document) {
				t.Errorf("%+v: %s is %q", s, l.Position, got[l.Position.String()])
			}
		}
		if len(got) != want {
			t.Errorf("%+v: %d actions instead of %d", s, len(got), want)
		}
	}
}

func mustDay(s string) actionlog.Day {
	d, err := actionlog.ParseDay(s)
	if err != nil {
		panic(err)
	}
	return d
}

func TestGoesOnAfterRestart(t *testing.T) {
	dir := t.TempDir()
	key := ""
	for i := range 6 {
		w := newWriter(t, dir)
		key = w.PublicKey()
		if got := w.Next("s1"); got != uint64(1+100*i) {
			t.Fatalf("start %d: the next position is %d", i, got)
		}
		if err := w.Append(t.Context(), lines(1+100*i, 100)); err != nil {
			t.Fatal(err)
		}
		if i%2 == 1 {
			if err := w.Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		w.Close()
		// What a crash leaves behind the last sync.
		f, err := os.OpenFile(filepath.Join(dir, "archive", openName), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		whole := appendLine(nil, &lines(101+100*i, 1)[0])
		torn := bytes.Clone(whole) // its beginning and its end came to the disk
		copy(torn[len(torn)*2/3:], make([]byte, 20))
		for _, tail := range [][]byte{whole[:len(whole)/2], make([]byte, 300), torn}[i%3 : i%3+1] {
			f.Write(tail)
		}
		f.Close()
	}
	w := newWriter(t, dir)
	for _, n := range []uint64{3, 6} {
		if err := w.Append(t.Context(), []Line{{Position: actionlog.Position{Stream: "s2", Sequence: n}, ReceivedAt: time.Now(), Institution: "x", Dead: "invalid"}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := verify(t, dir, key)
	if r.Actions != 602 || r.Segments != 4 || len(r.Findings) != 1 || !strings.Contains(r.Findings[0].What, "positions s2.4 to 5 were not on the stream") ||
		len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "positions s2.1 to 2 were not on the stream") {
		t.Errorf("%+v", r)
	}
}

// failing is a storage whose calls fail from one on, or all but one.
type failing struct {
	*Folder
	at, calls int
	after     bool // the call does its work and fails then
}

var errBroken = errors.New("broken")

func (f *failing) fails(do func() error) error {
	f.calls++
	if f.calls < f.at || f.at == 0 {
		return do()
	}
	if f.after && f.calls == f.at {
		_ = do()
	}
	return fmt.Errorf("%w: %w", actionlog.ErrUnavailable, errBroken)
}

func (f *failing) Create(ctx context.Context, name string, c Content) error {
	return f.fails(func() error { return f.Folder.Create(ctx, name, c) })
}

func (f *failing) Put(ctx context.Context, name string, text []byte) error {
	return f.fails(func() error { return f.Folder.Put(ctx, name, text) })
}

func (f *failing) Remove(ctx context.Context, name string) error {
	return f.fails(func() error { return f.Folder.Remove(ctx, name) })
}

// TestStoppedAtEachStep breaks off a sealing at each of its steps, for the process that
// goes on and for one that starts anew.
func TestStoppedAtEachStep(t *testing.T) {
	for at := 1; at < 6; at++ {
		for _, after := range []bool{false, true} {
			for _, restart := range []bool{false, true} {
				dir := t.TempDir()
				folder, err := NewFolder(filepath.Join(dir, "archive"))
				if err != nil {
					t.Fatal(err)
				}
				s := &failing{Folder: folder, after: after}
				o := Options{Storage: s, Dir: filepath.Join(dir, "open"), KeyFile: filepath.Join(dir, "key"), Log: slog.New(slog.DiscardHandler)}
				w, err := OpenWriter(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				if err := w.Append(t.Context(), lines(1, 300)); err != nil {
					t.Fatal(err)
				}
				s.at, s.calls = at, 0
				if err := w.Seal(t.Context()); err == nil && at <= 3 {
					t.Fatalf("step %d does not fail", at)
				}
				s.at = 0
				if restart {
					w.Close()
					if w, err = OpenWriter(t.Context(), o); err != nil {
						t.Fatal(err)
					}
				}
				if next := w.Next("s1"); next != 301 {
					t.Errorf("step %d: the next position is %d", at, next)
				}
				if err := errors.Join(w.Append(t.Context(), lines(301, 100)), w.Seal(t.Context())); err != nil {
					t.Errorf("step %d: %v", at, err)
				}
				w.Close()
				if r := verify(t, dir, w.PublicKey()); len(r.Findings) > 0 || r.Actions != 400 {
					t.Errorf("step %d (done: %v, restart: %v): %+v", at, after, restart, r)
				}
			}
		}
	}
}

// TestSecondWriter: of two writers of one archive one notices, and neither harms it.
func TestSecondWriter(t *testing.T) {
	dir := t.TempDir()
	folder, err := NewFolder(filepath.Join(dir, "archive"))
	if err != nil {
		t.Fatal(err)
	}
	var writers []*Writer
	for i := range 2 {
		w, err := OpenWriter(t.Context(), Options{Storage: folder, Dir: filepath.Join(dir, fmt.Sprint(i)), KeyFile: filepath.Join(dir, "key"), Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		if err := w.Append(t.Context(), lines(1, 100+i)); err != nil {
			t.Fatal(err)
		}
		writers = append(writers, w)
	}
	if got := writers[0].Archived("s1"); got != 0 {
		t.Errorf("what is on this machine only counts as archived up to %d", got)
	}
	if err := writers[0].Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := writers[1].Seal(t.Context()); !errors.Is(err, ErrExists) {
		t.Errorf("the second writer: %v", err)
	}
	if err := writers[1].Append(t.Context(), lines(200, 1)); !errors.Is(err, ErrExists) {
		t.Errorf("the second writer goes on: %v", err)
	}
	if r := verify(t, dir, writers[0].PublicKey()); len(r.Findings) > 0 || r.Actions != 100 {
		t.Errorf("%+v", r)
	}
}

// TestDamagedSegmentAmongGood: who asks for what a damaged frame holds gets an error, and
// nobody else.
func TestDamagedSegmentAmongGood(t *testing.T) {
	dir := t.TempDir()
	w := newWriter(t, dir)
	day := mustDay("2026-11-03")
	for i, institution := range []string{"early", "hurt", "late"} {
		var list []Line
		for n := range 40 {
			list = append(list, Line{Position: actionlog.Position{Stream: "s1", Sequence: uint64(1 + 40*i + n)}, ReceivedAt: time.Now(), Institution: institution, Day: day, Document: document(institution, n)})
		}
		if err := errors.Join(w.Append(t.Context(), list), w.Seal(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	paths, _ := filepath.Glob(filepath.Join(dir, "archive", "segments", "000000000002-*"))
	text, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 0xff
	if err := os.WriteFile(paths[0], text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, institution := range []string{"early", "late"} {
		if n := len(everything(t, dir, Selection{Institution: institution})); n != 40 {
			t.Errorf("%s has %d of 40 actions", institution, n)
		}
	}
	last := error(nil)
	for _, err := range (&Reader{w.Storage}).Actions(t.Context(), Selection{Institution: "hurt"}) {
		last = err
	}
	if !errors.Is(last, ErrDamaged) {
		t.Errorf("reading damage ends with %v", last)
	}
	if e, err := (&Reader{w.Storage}).Estimate(t.Context(), Selection{From: day, To: day}); err != nil || e.Actions != 120 {
		t.Errorf("estimate: %+v, %v", e, err)
	}
}

package archive

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"actionlog"
)

// wanted are the positions of the actions of an institution among lines.
func wanted(all []Line, institution string, since time.Time) (list []actionlog.Position) {
	for _, l := range all {
		if l.Institution == institution && l.Dead == "" && !l.ReceivedAt.Before(since) {
			list = append(list, l.Position)
		}
	}
	return list
}

// follow reads a feed from a place until it says that there is no more.
func follow(t *testing.T, f *Feed, institution string, at Place, most int) (list []actionlog.Position, next Place) {
	t.Helper()
	for {
		page, err := f.Page(t.Context(), institution, at, most)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Lines) > most {
			t.Fatalf("a page of %d has %d lines", most, len(page.Lines))
		}
		for _, l := range page.Lines {
			if l.Institution != institution || l.Dead != "" || len(l.Document) == 0 {
				t.Fatalf("%+v", l)
			}
			list = append(list, l.Position)
		}
		again, err := ParsePlace(page.Next.String())
		if err != nil || again != page.Next {
			t.Fatalf("the place %q came back as %q: %v", page.Next, again, err)
		}
		if at = again; !page.More {
			return list, at
		}
	}
}

// tailOf is a stream in memory that lets go of what is sealed.
type tailOf struct {
	mu    sync.Mutex
	lines []Line
}

func (s *tailOf) After(_ context.Context, p actionlog.Position, most int) (list []Line, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lines {
		if (p.Stream != l.Position.Stream || l.Position.Sequence > p.Sequence) && len(list) < most {
			list = append(list, l)
		}
	}
	return list, nil
}

func (s *tailOf) At(_ context.Context, p actionlog.Position) (*Line, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.lines {
		if s.lines[i].Position == p {
			l := s.lines[i]
			return &l, nil
		}
	}
	return nil, actionlog.ErrNotFound
}

func (s *tailOf) add(list []Line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, list...)
}

func (s *tailOf) letGo(until actionlog.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = slices.DeleteFunc(s.lines, func(l Line) bool { return l.Position.Stream == until.Stream && l.Position.Sequence <= until.Sequence })
}

// feedOf is a feed of a folder, or of a folder whose open segment it may not see.
func feedOf(t *testing.T, dir string, tail Tail) *Feed {
	t.Helper()
	s, err := OpenFolder(filepath.Join(dir, "archive"))
	if err != nil {
		t.Fatal(err)
	}
	return &Feed{Storage: s, Tail: tail}
}

// Every action of an institution comes once and in the order of the stream, whatever is
// sealed while it is read, whatever the size of the pages; and what comes later comes
// behind it.
func TestFeed(t *testing.T) {
	for _, remote := range []bool{false, true} {
		rng := rand.New(rand.NewPCG(7, 7))
		dir := t.TempDir()
		w := newWriter(t, dir)
		tail := &tailOf{}
		f := feedOf(t, dir, nil)
		if remote {
			f.Tail = tail
		}
		all := lines(1, 6000)
		places, got := map[string]Place{}, map[string][]actionlog.Position{}
		for start := 0; start < len(all); {
			end := min(start+1+rng.IntN(400), len(all))
			tail.add(all[start:end])
			if err := w.Append(t.Context(), all[start:end]); err != nil {
				t.Fatal(err)
			}
			start = end
			if rng.IntN(4) == 0 {
				if err := w.Seal(t.Context()); err != nil {
					t.Fatal(err)
				}
				if rng.IntN(2) == 0 {
					tail.letGo(all[end-1].Position)
				}
			}
			institution := []string{"alpha", "beta", "gamma", "nobody"}[rng.IntN(4)]
			list, next := follow(t, f, institution, places[institution], 1+rng.IntN(300))
			places[institution], got[institution] = next, append(got[institution], list...)
		}
		for _, institution := range []string{"alpha", "beta", "gamma", "nobody"} {
			list, next := follow(t, f, institution, places[institution], 1000)
			list = append(got[institution], list...)
			if want := wanted(all, institution, time.Time{}); !slices.Equal(list, want) {
				t.Errorf("remote %v, %s: %d lines, and not %d", remote, institution, len(list), len(want))
			}
			if more, _ := follow(t, f, institution, next, 10); len(more) > 0 {
				t.Errorf("%s: %d lines behind the end", institution, len(more))
			}
			whole, _ := follow(t, feedOf(t, dir, f.Tail), institution, Place{}, 77)
			if !slices.Equal(whole, list) {
				t.Errorf("remote %v, %s: another reader finds %d lines, and not %d", remote, institution, len(whole), len(list))
			}
		}
	}
}

// A reader who reads all the while misses nothing while segments are sealed beside it.
func TestFeedWhileSealing(t *testing.T) {
	dir := t.TempDir()
	w := newWriter(t, dir)
	all := lines(1, 4000)
	done := make(chan error, 1)
	go func() {
		for start := 0; start < len(all); start += 100 {
			err := w.Append(t.Context(), all[start:start+100])
			if err == nil && start%300 == 0 {
				err = w.Seal(t.Context())
			}
			if err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	f := feedOf(t, dir, nil)
	var list []actionlog.Position
	var at Place
	for ended := false; ; {
		more, next := follow(t, f, "alpha", at, 50)
		list, at = append(list, more...), next
		if ended {
			break
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			ended = true
		default:
		}
	}
	if want := wanted(all, "alpha", time.Time{}); !slices.Equal(list, want) {
		t.Errorf("%d lines, and not %d", len(list), len(want))
	}
}

// A feed begins where what was received from an instant on begins.
func TestFeedSince(t *testing.T) {
	dir := t.TempDir()
	w := newWriter(t, dir)
	var all []Line
	for i, l := range lines(1, 3000) {
		l.ReceivedAt = time.Date(2026, 11, 25, 0, 0, i, 0, time.UTC)
		all = append(all, l)
	}
	for start := 0; start < len(all); start += 250 {
		if err := w.Append(t.Context(), all[start:start+250]); err != nil {
			t.Fatal(err)
		}
		if start < 2500 {
			if err := w.Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	f := feedOf(t, dir, nil)
	for _, i := range []int{0, 1, 249, 250, 251, 1000, 2499, 2500, 2750, 2999} {
		since := all[i].ReceivedAt
		at, err := f.Start(t.Context(), since)
		if err != nil {
			t.Fatal(err)
		}
		if list, _ := follow(t, f, "alpha", at, 100); !slices.Equal(list, wanted(all, "alpha", since)) {
			t.Errorf("from %d on: %d lines, and not %d", i, len(list), len(wanted(all, "alpha", since)))
		}
	}
	for _, wrong := range []string{"", "1", "1 2 3 4", "x 0  0", "1 -1  0", "1 0 s1.x 0", "1 0 s1.1"} {
		if _, err := ParsePlace(wrong); err == nil {
			t.Errorf("%q is taken for a place", wrong)
		}
	}
}

// A reader whose place is behind the end of an archive that was put back goes on with what
// comes behind that end, and has nothing twice that it had.
func TestFeedOfAnArchiveThatWasPutBack(t *testing.T) {
	dir, back := t.TempDir(), t.TempDir()
	w := newWriter(t, dir)
	all := lines(1, 900)
	put := func(w *Writer, from, to int) {
		t.Helper()
		for ; from < to; from += 100 {
			err := w.Append(t.Context(), all[from:from+100])
			if err == nil {
				err = w.Seal(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	put(w, 0, 300)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(back, "archive"), os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	w = newWriter(t, dir)
	put(w, 300, 600)
	f := feedOf(t, dir, nil)
	list, place := follow(t, f, "alpha", Place{}, 50)

	older := filepath.Join(back, "archive")
	f = feedOf(t, older, nil)
	more, place := follow(t, f, "alpha", place, 50)
	if len(more) > 0 {
		t.Errorf("%d lines come of an older archive", len(more))
	}
	put(newWriter(t, older), 300, 900) // of the stream, which has them still
	more, _ = follow(t, f, "alpha", place, 50)
	if got, want := append(list, more...), wanted(all, "alpha", time.Time{}); !slices.Equal(got, want) {
		t.Errorf("%d lines, and not %d", len(got), len(want))
	}
}

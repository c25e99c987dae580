package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"actionlog"
	"actionlog/internal/tracing"
)

// Message is what the stream took.
type Message struct {
	Sequence   uint64
	ReceivedAt time.Time
	Subject    string
	Data       []byte
	Trace      string // tracing.Header of it; "": nobody wants to know
}

// Source is the stream as the archiver reads it: a consumer of its own, which remembers
// up to where it was acknowledged.
type Source interface {
	// Fetch returns the next messages: those that come within wait, at most max and about
	// as many bytes. After a restart it may go on behind messages that were
	// delivered and not acknowledged, or begin with some that were.
	Fetch(ctx context.Context, max, bytes int, wait time.Duration) ([]Message, error)
	// At returns a message, or ErrNotFound where the stream does not hold it.
	At(ctx context.Context, sequence uint64) (Message, error)
	// Held is the incarnation of the stream, which is the stream part of its positions, and
	// the first and the last sequence that it holds or held; an empty stream has first =
	// last+1.
	Held(ctx context.Context) (stream string, first, last uint64, err error)
	// StartAnew gives the stream another incarnation, unless it is not was any more.
	StartAnew(ctx context.Context, was string) error
	// Acknowledge says that all messages up to a sequence are archived.
	Acknowledge(ctx context.Context, sequence uint64) error
}

const (
	fetchMessages = 4096
	fetchBytes    = 8 << 20
	// fetchWait is how long a batch that is small waits for more: a sync for each of few
	// actions would take the disk from the stream and the store.
	fetchWait = 500 * time.Millisecond
	maxPause  = 5 * time.Second // less than the indexer waits for it, after a connection
	// lookAgain is after what time a stream that seems to have gone back is looked at again.
	lookAgain = time.Second
)

// Archiver takes the stream into an archive. All fields but Log and Tracer are required.
type Archiver struct {
	Open     func(ctx context.Context, held Held) (*Writer, error) // opens the archive, again after a failure
	Source   Source
	Scrubber *actionlog.Scrubber
	Log      *slog.Logger    // slog.Default
	Tracer   *tracing.Tracer // nil: nothing is traced

	trouble  atomic.Pointer[error]
	writing  atomic.Bool // the archive is open
	looked   atomic.Int64
	gap      actionlog.Position // where the last gap ends that was told; of Run
	mu       sync.Mutex
	archived actionlog.Position
	sealing  []sealWait // who waits
}

// sealWait is somebody who waits until what the stream held is sealed.
type sealWait struct {
	last uint64 // sequence
	done chan struct{}
}

// Run archives until ctx is done. It always returns nil: what goes wrong meanwhile is
// logged and tried again.
func (a *Archiver) Run(ctx context.Context) error {
	if a.Log == nil {
		a.Log = slog.Default()
	}
	pause := time.Second
	for ctx.Err() == nil {
		err := a.run(ctx, func() { pause = time.Second })
		if ctx.Err() != nil {
			break
		}
		a.trouble.Store(&err)
		a.Log.Error("archive: nothing is archived for the time being; the stream keeps what comes", "error", err, "again_in", pause)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
			pause = min(2*pause, maxPause)
		}
	}
	return nil
}

// Trouble is why nothing is archived now, nil where all is well.
func (a *Archiver) Trouble() error {
	if p := a.trouble.Load(); p != nil {
		return *p
	}
	return nil
}

// Archived is the position up to which everything is archived; zero where that is not
// known.
func (a *Archiver) Archived() actionlog.Position {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.archived
}

// Looked is when what the stream holds was last found to go on behind what is archived:
// until then it had not gone back. Zero: never.
func (a *Archiver) Looked() time.Time {
	if at := a.looked.Load(); at != 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}

// Writing tells whether this archiver is the one that writes the archive.
func (a *Archiver) Writing() bool { return a.writing.Load() }

// Seal returns when all that the stream took before the call is sealed.
func (a *Archiver) Seal(ctx context.Context) error {
	_, _, last, err := a.Source.Held(ctx)
	if err != nil {
		return err
	}
	s := sealWait{last, make(chan struct{})}
	a.mu.Lock()
	a.sealing = append(a.sealing, s)
	a.mu.Unlock()
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		a.mu.Lock()
		a.sealing = slices.DeleteFunc(a.sealing, func(other sealWait) bool { return other == s })
		a.mu.Unlock()
		return fmt.Errorf("archive: %w: %w", ctx.Err(), cmp.Or(a.Trouble(), actionlog.ErrUnavailable))
	}
}

// sealAsked seals for those for whom enough is archived.
func (a *Archiver) sealAsked(ctx context.Context, w *Writer, stream string) error {
	next := a.behindGap(stream, w.Next(stream))
	a.mu.Lock()
	due := slices.ContainsFunc(a.sealing, func(s sealWait) bool { return s.last < next })
	a.mu.Unlock()
	if !due {
		return nil
	}
	if err := w.Seal(ctx); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sealing = slices.DeleteFunc(a.sealing, func(s sealWait) bool {
		if s.last < next {
			close(s.done)
			return true
		}
		return false
	})
	return nil
}

// run archives until something goes wrong. well is called after each success.
func (a *Archiver) run(ctx context.Context, well func()) error {
	w, err := a.Open(ctx, a.still)
	if err != nil {
		return err
	}
	defer func() {
		if err := w.Close(); err != nil {
			a.Log.Warn("archive: closing", "error", err)
		}
	}()
	stream, _, _, err := a.Source.Held(ctx)
	if err != nil {
		return err
	}
	a.writing.Store(true)
	defer a.writing.Store(false)
	for {
		if err := a.batch(ctx, w, stream); err != nil {
			return err
		}
		if err := w.SealIfDue(ctx); err != nil {
			return err
		}
		if err := a.sealAsked(ctx, w, stream); err != nil {
			return err
		}
		if err := a.acknowledge(ctx, w, stream); err != nil {
			return err
		}
		a.trouble.Store(nil)
		well()
	}
}

func (a *Archiver) acknowledge(ctx context.Context, w *Writer, stream string) error {
	at := w.Archived(stream)
	if at+1 == w.Next(stream) {
		at = a.behindGap(stream, at+1) - 1
	}
	a.mu.Lock()
	a.archived = actionlog.Position{Stream: stream, Sequence: at}
	a.mu.Unlock()
	return a.Source.Acknowledge(ctx, at)
}

// held is what the stream holds, as long as it is the one that it was.
func (a *Archiver) held(ctx context.Context, w *Writer, was string) (first, last uint64, err error) {
	now := time.Now().UnixNano()
	for again := false; ; again = true {
		stream, first, last, err := a.Source.Held(ctx)
		switch {
		case err != nil:
			return 0, 0, err
		case stream != was:
			return 0, 0, fmt.Errorf("archive: the stream is another one now (%s, it was %s)", stream, was)
		case last+1 >= w.Next(stream):
			if err = a.known(ctx, w, stream); err == nil {
				a.looked.Store(now)
			}
			return first, last, err
		case again:
			return 0, 0, a.wentBack(ctx, w, stream, fmt.Sprintf("it ends at %d", last))
		}
		select {
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		case <-time.After(lookAgain):
		}
	}
}

// known looks whether what the stream holds at the last archived position is what was
// archived.
func (a *Archiver) known(ctx context.Context, w *Writer, stream string) error {
	last := w.Next(stream) - 1
	newest, at := w.newest()
	if last == 0 {
		return nil
	}
	if newest != stream {
		return a.wentBack(ctx, w, stream, "it was "+newest+" since")
	}
	m, err := a.Source.At(ctx, last)
	switch {
	case errors.Is(err, actionlog.ErrNotFound): // trimmed
		return nil
	case err != nil || m.ReceivedAt.Equal(at):
		return err
	}
	return a.wentBack(ctx, w, stream, fmt.Sprintf("it took %d at %s, and before at %s", last, m.ReceivedAt.UTC().Format(time.RFC3339Nano), at.Format(time.RFC3339Nano)))
}

// wentBack has the stream get another incarnation: its sequences come a second time, and
// are not those that are archived. All that it holds is archived under the new one.
func (a *Archiver) wentBack(ctx context.Context, w *Writer, stream, why string) error {
	err := fmt.Errorf("archive: the stream %s went back: %s, and it is archived up to %d", stream, why, w.Next(stream)-1)
	return errors.Join(err, a.Source.StartAnew(ctx, stream))
}

// batch archives the next messages.
func (a *Archiver) batch(ctx context.Context, w *Writer, stream string) error {
	messages, err := a.Source.Fetch(ctx, fetchMessages, fetchBytes, fetchWait)
	if err != nil || len(messages) == 0 {
		if err == nil {
			err = a.fill(ctx, w, stream, 0)
		}
		return err
	}
	if _, _, err := a.held(ctx, w, stream); err != nil {
		return err
	}
	ctx, traced := a.Tracer.Begin(ctx, "ACTIONS", "archive", len(messages), func(i int) (string, time.Time) { return messages[i].Trace, messages[i].ReceivedAt })
	err = a.append(ctx, w, stream, messages)
	for i := range messages {
		if err == nil {
			traced.Done(messages[i].Trace)
		}
	}
	traced.End("archived", err)
	return err
}

// append archives messages, and those before them that are not archived.
func (a *Archiver) append(ctx context.Context, w *Writer, stream string, messages []Message) error {
	next := w.Next(stream)
	lines := make([]Line, 0, len(messages))
	for i := range messages {
		m := &messages[i]
		if m.Sequence < next { // archived already
			continue
		}
		if m.Sequence > next {
			if err := w.Append(ctx, lines); err != nil {
				return err
			}
			if err := a.fill(ctx, w, stream, m.Sequence); err != nil {
				return err
			}
			lines = lines[:0]
		}
		lines = append(lines, LineOf(stream, m, a.Scrubber))
		next = m.Sequence + 1
		actionlog.Yield(i)
	}
	return w.Append(ctx, lines)
}

// fill archives what was delivered before and not acknowledged: all that the stream
// holds before a position, or, where that is 0, all that it holds and nobody delivers.
func (a *Archiver) fill(ctx context.Context, w *Writer, stream string, before uint64) error {
	next := w.Next(stream)
	first, last, err := a.held(ctx, w, stream)
	if err != nil {
		return err
	}
	if before == 0 {
		before = last + 1
	}
	if next >= before {
		return nil
	}
	if next < first {
		a.tellGap(stream, next, min(first, before)-1)
	}
	if first > last { // it is empty: what comes goes on behind the gap
		return nil
	}
	next = max(next, first)
	var lines []Line
	size := 0
	for ; next < before; next++ {
		m, err := a.Source.At(ctx, next)
		switch {
		case errors.Is(err, actionlog.ErrNotFound):
			a.Log.Error("archive: the stream does not hold this position; the archive has a gap", "stream", stream, "position", next)
			continue
		case err != nil:
			return err
		}
		lines, size = append(lines, LineOf(stream, &m, a.Scrubber)), size+len(m.Data)
		if len(lines) == fetchMessages || size >= fetchBytes {
			if err := w.Append(ctx, lines); err != nil {
				return err
			}
			lines, size = lines[:0], 0
		}
	}
	return w.Append(ctx, lines)
}

// LineOf judges a message of an incarnation of the stream.
func LineOf(stream string, m *Message, s *actionlog.Scrubber) Line {
	l := Line{Position: actionlog.Position{Stream: stream, Sequence: m.Sequence}, ReceivedAt: m.ReceivedAt.UTC()}
	item, reason, err := actionlog.Skim(m.Subject, m.Data, s)
	if err != nil {
		l.Dead, l.Document = reason, s.Bytes(m.Data)
		if institution, _, _ := actionlog.ParseSubject(m.Subject); actionlog.IsInstitutionID(institution) {
			l.Institution = institution
		}
		return l
	}
	l.Institution, l.Day, l.Document = item.Institution, item.Day(), item.Document
	return l
}

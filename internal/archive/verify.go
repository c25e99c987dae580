package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"actionlog"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/sync/errgroup"
)

// Report is what Verify found.
type Report struct {
	Archive    string    `json:"archive"`
	Checked    time.Time `json:"checked"`
	Segments   uint64    `json:"segments"`
	Actions    uint64    `json:"actions"` // lines, dead ones included
	Dead       uint64    `json:"dead"`    // of these, lines that are no action
	Bytes      int64     `json:"bytes"`   // of segments
	RawBytes   int64     `json:"raw_bytes"`
	Streams    []Span    `json:"streams"`
	Checkpoint string    `json:"checkpoint"` // as it is signed
	Unsealed   uint64    `json:"unsealed"`   // lines of the open segment, which nothing proves yet
	Findings   []Finding `json:"findings"`
	Notes      []string  `json:"notes,omitempty"`
}

// Span is what is archived of an incarnation.
type Span struct {
	Stream string `json:"stream"`
	First  uint64 `json:"first"`
	Last   uint64 `json:"last"`
}

// Finding is something that is not as it was written.
type Finding struct {
	File string `json:"file"`
	What string `json:"what"`
}

func (f Finding) String() string { return f.File + ": " + f.What }

// VerifyOptions say what Verify holds an archive against.
type VerifyOptions struct {
	Key string // verifier key; not taken from the archive
	// Checkpoint is one that was kept elsewhere: the archive must hold all that it
	// signs. nil: none is known.
	Checkpoint []byte
	Progress   func(done, all int64) // bytes of segments; nil: nobody asks
	Now        func() time.Time      // time.Now
}

// verification is Verify at work.
type verification struct {
	storage Storage
	options VerifyOptions
	key     note.Verifier
	report  Report
	mu      sync.Mutex // of report, done
	done    int64
	all     int64
	there   []string        // segments
	known   map[string]bool // those that manifests name
	log     tree
	old     *checkpoint
	signed  *checkpoint // the archive's own, as it was before the manifests were listed
	matches bool        // the manifests have the root that it signs
	ends    map[string]uint64
}

// Verify reads an archive whole, once, and finds every byte that is not as it was
// written, and every position that is missing or stands twice. It needs the public key
// and nothing else. An error means that the archive could not be read; what is wrong
// with it is in the report.
//
// The newest manifests may have been taken away together with the checkpoint that
// counted them, if an older checkpoint was put in its place: only a checkpoint that was
// kept elsewhere tells.
func Verify(ctx context.Context, s Storage, o VerifyOptions) (*Report, error) {
	v := &verification{storage: s, options: o, known: map[string]bool{}, log: newTree(), ends: map[string]uint64{}}
	if v.options.Now == nil {
		v.options.Now = time.Now
	}
	var err error
	if v.key, err = note.NewVerifier(strings.TrimSpace(o.Key)); err != nil {
		return nil, actionlog.Invalidf("key", "is not a verifier key: %v", err)
	}
	v.report = Report{Archive: strings.TrimPrefix(v.key.Name(), "actionlog/"), Checked: v.options.Now().UTC().Truncate(time.Second), Findings: []Finding{}, Streams: []Span{}}
	if o.Checkpoint != nil {
		if v.old, err = openCheckpoint(o.Checkpoint, v.key); err != nil {
			return nil, err
		}
	}
	for _, step := range []func(context.Context) error{v.measure, v.readCheckpoint, v.manifests, v.checkpoint, v.others} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(v.report.Findings, func(a, b Finding) int { return strings.Compare(a.File, b.File) })
	for _, stream := range slices.Sorted(maps.Keys(v.ends)) {
		i := slices.IndexFunc(v.report.Streams, func(s Span) bool { return s.Stream == stream })
		v.report.Streams[i].Last = v.ends[stream]
	}
	return &v.report, nil
}

func (v *verification) find(file, format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report.Findings = append(v.report.Findings, Finding{file, fmt.Sprintf(format, args...)})
}

// measure lists the segments, before the manifests are: what is sealed meanwhile is not
// this verification's.
func (v *verification) measure(ctx context.Context) error {
	for f, err := range v.storage.List(ctx, "segments/") {
		if err != nil {
			return err
		}
		v.all += f.Bytes
		v.there = append(v.there, f.Name)
	}
	return nil
}

func (v *verification) progress(bytes int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.done += bytes
	if v.options.Progress != nil {
		v.options.Progress(v.done, v.all)
	}
}

// manifests reads the chain of manifests, and the segment of each beside it.
func (v *verification) manifests(ctx context.Context) error {
	group, segments := errgroup.Group{}, make(chan *manifest)
	for range max(1, runtime.GOMAXPROCS(0)) {
		group.Go(func() error {
			for m := range segments {
				if err := v.segment(ctx, m); err != nil {
					for range segments { // nobody else waits for somebody to take one
					}
					return err
				}
			}
			return nil
		})
	}
	err := v.chain(ctx, segments)
	close(segments)
	return errors.Join(group.Wait(), err)
}

func (v *verification) chain(ctx context.Context, segments chan<- *manifest) error {
	next, previous := uint64(1), ""
	for f, err := range v.storage.List(ctx, "manifests/") {
		if err != nil {
			return err
		}
		n, ok := manifestNumber(f.Name)
		if !ok {
			v.find(f.Name, "is no file of an archive")
			continue
		}
		for ; next < n; next++ {
			v.find(manifestName(next), "is missing")
			previous = ""
		}
		file, err := v.storage.Read(ctx, f.Name)
		if err != nil {
			return err
		}
		m, err := decodeManifest(file)
		if m != nil {
			v.link(f.Name, m, n, previous)
			previous = m.hash()
		}
		next = n + 1
		if err != nil {
			v.find(f.Name, "%v", err)
			continue
		}
		v.positions(f.Name, m)
		segments <- m
	}
	v.report.Segments = next - 1
	return nil
}

// link holds the first line of a manifest against the one before, and adds it to the log.
func (v *verification) link(name string, m *manifest, number uint64, previous string) {
	if m.Number != number {
		v.find(name, "calls itself number %d", m.Number)
	}
	if m.Archive != v.report.Archive {
		v.find(name, "is of the archive %q", m.Archive)
	}
	if number > 1 && previous != "" && m.Previous != previous {
		v.find(name, "is not the successor of %s", manifestName(number-1))
	}
	v.log.add(hasher.HashLeaf(m.head))
	if v.signed != nil && v.signed.size == v.log.End() {
		v.matches = bytes.Equal(v.signed.root, v.log.root())
	}
	if v.old != nil && v.old.size == v.log.End() && !bytes.Equal(v.old.root, v.log.root()) {
		v.find(name, "is not what the checkpoint that was kept elsewhere signs, or one before it is not")
	}
}

// positions holds that every position of an incarnation is archived once.
func (v *verification) positions(name string, m *manifest) {
	last, known := v.ends[m.Stream]
	switch {
	case m.First > last+1:
		v.find(name, "begins at position %s.%d: positions from %d are in no segment", m.Stream, m.First, last+1)
	case m.First <= last:
		v.find(name, "begins at position %s.%d: positions up to %d are in a segment before", m.Stream, m.First, last)
	}
	for _, g := range m.Gaps {
		what := fmt.Sprintf("positions %s.%d to %d were not on the stream any more when they were to be archived", m.Stream, g.First, g.Last)
		if g.First == 1 {
			v.report.Notes = append(v.report.Notes, what+": the archive began behind them")
		} else {
			v.find(name, "%s", what)
		}
	}
	if !known {
		v.report.Streams = append(v.report.Streams, Span{Stream: m.Stream, First: m.First})
	}
	v.ends[m.Stream] = max(last, m.Last)
	v.known[m.Segment.Name] = true
}

// readCheckpoint reads what is signed, before the manifests are listed: a service that
// seals meanwhile adds to both.
func (v *verification) readCheckpoint(ctx context.Context) error {
	text, err := v.storage.Read(ctx, checkpointName)
	if errors.Is(err, actionlog.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if v.signed, err = openCheckpoint(text, v.key); err != nil {
		v.find(checkpointName, "%v", err)
		return nil
	}
	v.report.Checkpoint = string(text)
	if v.signed.origin != v.key.Name() {
		v.find(checkpointName, "is of %s", v.signed.origin)
	}
	v.matches = v.signed.size == 0 && bytes.Equal(v.signed.root, v.log.root())
	return nil
}

// checkpoint holds the log against what is signed.
func (v *verification) checkpoint(ctx context.Context) error {
	n := v.report.Segments
	if v.old != nil && v.old.size > n {
		v.find(manifestName(n+1), "is missing: the checkpoint that was kept elsewhere signs %d manifests", v.old.size)
	}
	switch {
	case v.signed == nil:
		if n > 0 && !v.found(checkpointName) {
			v.find(checkpointName, "is missing")
		}
		return nil
	case v.signed.size > n:
		v.find(manifestName(n+1), "is missing: the checkpoint signs %d manifests", v.signed.size)
		return nil
	case !v.matches:
		v.find(checkpointName, "does not sign these manifests: one of them is not as it was")
		return nil
	case v.signed.size == n:
		return nil
	}
	// Newer ones were sealed since the checkpoint was read, or one was not signed yet.
	text, err := v.storage.Read(ctx, checkpointName)
	if err != nil {
		return err
	}
	now, err := openCheckpoint(text, v.key)
	switch {
	case err == nil && now.size >= n:
		v.report.Notes = append(v.report.Notes, fmt.Sprintf("%d segments were sealed while the archive was read; their signature is for the next verification", n-v.signed.size))
	case v.signed.size+1 == n:
		v.report.Notes = append(v.report.Notes, "the newest manifest is not signed yet: the service was stopped before it could sign, and will at its next start")
	default:
		v.find(checkpointName, "signs %d manifests of %d", v.signed.size, n)
	}
	return nil
}

// found tells whether there is a finding about a file.
func (v *verification) found(file string) bool {
	return slices.ContainsFunc(v.report.Findings, func(f Finding) bool { return f.File == file })
}

// others finds files that no manifest names, and looks at the open segment.
func (v *verification) others(ctx context.Context) error {
	for _, name := range v.there {
		switch {
		case v.known[name]:
		case strings.HasPrefix(name, segmentPrefix(v.report.Segments+1)):
			v.report.Notes = append(v.report.Notes, name+" has no manifest yet: it is being sealed, or its sealing was interrupted")
		default:
			v.find(name, "no manifest names it")
		}
	}
	for f, err := range v.storage.List(ctx, "") {
		if err != nil {
			return err
		}
		switch f.Name {
		case checkpointName, openName, "lock":
		case keyName:
			text, err := v.storage.Read(ctx, keyName)
			if err != nil {
				return err
			}
			if strings.TrimSpace(string(text)) != strings.TrimSpace(v.options.Key) || !bytes.HasSuffix(text, []byte("\n")) || bytes.Count(text, []byte("\n")) != 1 {
				v.find(keyName, "is not the key that this archive is verified with")
			}
		default:
			if strings.HasPrefix(f.Name, damagedPrefix) {
				v.report.Notes = append(v.report.Notes, f.Name+" is what the open segment was when it was found damaged; the log says what was lost, and so do findings of missing positions. Remove it when it is not needed any more")
			} else if !strings.ContainsRune(f.Name, '/') && !strings.HasPrefix(f.Name, ".") {
				v.find(f.Name, "is no file of an archive")
			}
		}
	}
	return v.unsealed(ctx)
}

// unsealed counts the lines of the open segment. Nothing is proven of them but that they
// can be read and go on where the segments end.
func (v *verification) unsealed(ctx context.Context) error {
	var was []byte
	for {
		lines, bad, err := v.readOpen(ctx)
		if err != nil {
			return err
		}
		v.report.Unsealed = lines
		switch {
		case bad == nil:
		case bad[len(bad)-1] != '\n' || bytes.IndexByte(bad, 0) >= 0:
			v.report.Notes = append(v.report.Notes, fmt.Sprintf("%s is cut off behind %d lines: the next start mends it", openName, lines))
		case !bytes.Equal(bad, was): // it may have been emptied and filled while it was read
			was = bytes.Clone(bad)
			continue
		default:
			v.find(openName, "is damaged behind %d lines: the next start keeps a copy of it, and what can be read", lines)
		}
		return nil
	}
}

// readOpen counts the lines of the open segment up to the first that cannot be read.
func (v *verification) readOpen(ctx context.Context) (lines uint64, bad []byte, err error) {
	for line, err := range fileLines(ctx, v.storage, openName) {
		if err != nil {
			return 0, nil, err
		}
		h, err := readWhole(line)
		if err != nil {
			return lines, line, nil
		}
		if h.sequence > v.ends[h.stream] {
			lines++
		}
	}
	return lines, nil, nil
}

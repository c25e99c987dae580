package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"actionlog"
	"actionlog/internal/archive"
	"actionlog/internal/bus"
	"actionlog/internal/sqlite"
	"actionlog/search"

	"github.com/prometheus/client_golang/prometheus"
)

// archiveFlags say where the archive is.
type archiveFlags struct {
	Archive        string        `placeholder:"FOLDER|URL" help:"Where the archive is, which keeps every action for ever: a folder, or s3://BUCKET/PREFIX?endpoint=URL; off: there is none, and one that there was is not waited for any more. Default: DIR/archive."`
	ArchiveKey     string        `name:"archive-key" placeholder:"FILE" help:"Private key that signs the archive's checkpoints, made on first use. Default: DIR/archive.key."`
	RestoreQuota   int64         `name:"restore-quota" placeholder:"N" default:"0" help:"How many actions of the archive an institution may have brought back in 30 days without anybody granting it."`
	ArchiveSealAge time.Duration `name:"archive-seal-age" placeholder:"DURATION" default:"15m" help:"After what time what was archived is sealed: compressed and signed."`
}

const archiveOff = "off"

// archiving tells whether this process archives.
func (c *serveCmd) archiving() bool {
	return c.Archive != archiveOff && (c.Role == "all" || c.Role == "archiver")
}

// startArchiving starts the archiver and who accounts for what it archived; nil where
// that is the work of other processes, or there is no archive.
func (r *running) startArchiving(ctx context.Context, nats *bus.Bus, store engine, state actionlog.State, scrubber *actionlog.Scrubber, registry prometheus.Registerer, failed chan<- error) (*archive.Archiver, *accounting, error) {
	a, err := r.startArchiver(ctx, nats, state, scrubber, registry, failed)
	if err != nil {
		return nil, nil, err
	}
	return a, r.startAccounting(nats, store, registry, failed), nil
}

// startArchiver starts the second consumer of the stream; nil where this process does
// not archive. It comes before anything is trimmed.
func (r *running) startArchiver(ctx context.Context, nats *bus.Bus, state actionlog.State, scrubber *actionlog.Scrubber, registry prometheus.Registerer, failed chan<- error) (*archive.Archiver, error) {
	if r.cmd.Archive == archiveOff {
		r.log.Warn("there is no archive (--archive off): what leaves the store is gone")
		return nil, nats.EndArchive(ctx)
	}
	if r.cmd.Role == "search" {
		return nil, nil
	}
	source, err := nats.Source(ctx) // from now on nothing is trimmed that is not archived
	if err != nil || !r.cmd.archiving() {
		return nil, err
	}
	name, _ := r.archivePaths()
	if _, err := storageAt(name); err != nil {
		return nil, usageError{fmt.Errorf("--%w", err)}
	}
	scratch := filepath.Join(r.dir, "archive-open")
	a := &archive.Archiver{Source: archiveSource{source}, Scrubber: scrubber, Log: r.log, Tracer: r.tracer, Open: func(ctx context.Context, held archive.Held) (*archive.Writer, error) {
		return r.openArchive(ctx, state, scratch, held)
	}}
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "actionlog_archive_behind_messages", Help: "Messages of the stream that are not archived yet; -1: unknown."}, func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		last, err := nats.LastSequence(ctx)
		if err != nil || a.Archived().Sequence == 0 && last > 0 {
			return -1
		}
		return float64(last) - float64(a.Archived().Sequence)
	}))
	r.background("archiver", failed, a.Run)
	return a, nil
}

// archivePaths are where the archive and its private key are.
func (r *running) archivePaths() (name, key string) {
	return cmp.Or(r.cmd.Archive, filepath.Join(r.dir, "archive")), cmp.Or(r.cmd.ArchiveKey, filepath.Join(r.dir, "archive.key"))
}

// prover is what package search asks of the archive; nil where there is none.
func (r *running) prover() search.Archive {
	if r.cmd.Archive == archiveOff {
		return nil
	}
	name, key := r.archivePaths()
	return archivePort{name, key}
}

// archivePort is the archive as package search knows it.
type archivePort struct{ name, key string }

func (a archivePort) open() (*archive.Prover, error) {
	storage, err := storageAt(a.name)
	return &archive.Prover{Storage: storage, KeyFile: a.key}, err
}

func (a archivePort) PublicKey(ctx context.Context) (string, error) {
	p, err := a.open()
	if err != nil {
		return "", err
	}
	return p.PublicKey(ctx)
}

func (a archivePort) Prove(ctx context.Context, institution, id string, at actionlog.Position) (any, error) {
	p, err := a.open()
	if err != nil {
		return nil, err
	}
	return p.Prove(ctx, institution, id, at)
}

// storageAt is the storage of an archive by what the user calls it.
func storageAt(name string) (archive.Storage, error) {
	if isS3(name) {
		return archive.NewS3(name)
	}
	return archive.FolderAt(name), nil
}

func isS3(name string) bool { return strings.HasPrefix(name, "s3:") }

// leaseTime is for how long an archiver that died keeps others from an archive in S3.
const leaseTime = 15 * time.Second

// openArchive opens an archive for writing, for this process alone.
func (r *running) openArchive(ctx context.Context, state actionlog.State, scratch string, held archive.Held) (*archive.Writer, error) {
	name, key := r.archivePaths()
	o := archive.Options{KeyFile: key, SealAge: r.cmd.ArchiveSealAge, Log: r.log, Held: held}
	var lease holding
	if isS3(name) {
		s3, err := archive.NewS3(name)
		if err == nil {
			err = s3.Probe(ctx)
		}
		if err != nil {
			return nil, err
		}
		o.Storage, o.Dir = s3, scratch
		if o.Release, err = (&actionlog.Lease{State: state, Bucket: "archive", Key: "lease", Time: leaseTime}).Take(ctx, lease.lost); err != nil {
			return nil, err
		}
	} else {
		folder, err := archive.NewFolder(name)
		if err != nil {
			return nil, err
		}
		lock, err := sqlite.LockFolder(name)
		if err != nil {
			return nil, err
		}
		o.Storage, o.Dir, o.Release = folder, name, lock.Close
	}
	w, err := archive.OpenWriter(ctx, o)
	if err != nil {
		return nil, errors.Join(err, o.Release())
	}
	if err := ownArchive(ctx, state, w.ID()); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	lease.by(w)
	return w, nil
}

// holding is a lease and the writer that may write while it is held.
type holding struct {
	mu     sync.Mutex
	writer *archive.Writer
	err    error
}

func (h *holding) lost(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.err = err
	if h.writer != nil {
		h.writer.Fail(err)
	}
}

func (h *holding) by(w *archive.Writer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.writer = w; h.err != nil {
		w.Fail(h.err)
	}
}

// ownArchive has a stream archived into one archive: two that share its consumer would
// each have a part.
func ownArchive(ctx context.Context, state actionlog.State, id string) error {
	_, err := state.Put(ctx, "archive", "id", []byte(id), 0)
	if err == nil || !errors.Is(err, actionlog.ErrConflict) {
		return err
	}
	there, _, err := state.Get(ctx, "archive", "id")
	if err == nil && string(there) != id {
		err = fmt.Errorf("archive: this service's stream goes into the archive %s already, and not into %s: give it that one's folder and key", there, id)
	}
	return err
}

// archiveSource is the stream as package archive reads it.
type archiveSource struct{ *bus.Source }

func (s archiveSource) Fetch(ctx context.Context, limit, bytes int, wait time.Duration) ([]archive.Message, error) {
	messages, err := s.Source.Fetch(ctx, limit, bytes, wait)
	list := make([]archive.Message, len(messages))
	for i := range messages {
		list[i] = archive.Message(messages[i])
	}
	return list, err
}

func (s archiveSource) At(ctx context.Context, sequence uint64) (archive.Message, error) {
	m, err := s.Source.At(ctx, sequence)
	return archive.Message(m), err
}

// archiveCmd looks at an archive; the service need not run.
type archiveCmd struct {
	Status archiveStatusCmd `cmd:"" help:"Say what an archive holds."`
	Verify archiveVerifyCmd `cmd:"" help:"Prove that an archive is whole and as it was written, from a copy of it and its public key."`
}

type archiveStatusCmd struct {
	Folder string `arg:"" optional:"" help:"The archive, a folder or s3://…. Default: DIR/archive."`
	Format string `short:"f" env:"-" enum:"text,json" default:"text" help:"text or json."`
}

// Run reads the manifests.
func (c *archiveStatusCmd) Run(ctx context.Context, s *settings, out *console) error {
	storage, err := archiveNamed(c.Folder, s)
	if err != nil {
		return err
	}
	status, err := (&archive.Reader{Storage: storage}).Status(ctx)
	if err != nil {
		return err
	}
	if c.Format == "json" {
		return writeIndented(out.out, status)
	}
	fmt.Fprintf(out.out, "archive   %s\nsealed    %d actions in %d segments, %d bytes (%d without compression)\n", status.Archive, status.Actions, status.Segments, status.Bytes, status.RawBytes)
	fmt.Fprintf(out.out, "unsealed  %d actions\n", status.Unsealed)
	for _, span := range status.Streams {
		fmt.Fprintf(out.out, "positions %s.%d to %d\n", span.Stream, span.First, span.Last)
	}
	if !status.SealedAt.IsZero() {
		fmt.Fprintf(out.out, "newest    sealed at %s\n", status.SealedAt.Format(time.RFC3339))
	}
	return nil
}

// writeIndented writes JSON for people and programs.
func writeIndented(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// archiveNamed is an archive that is there.
func archiveNamed(given string, s *settings) (archive.Storage, error) {
	name := cmp.Or(given, filepath.Join(s.Data, "archive"))
	if isS3(name) {
		return archive.NewS3(name)
	}
	return archive.OpenFolder(name)
}

type archiveVerifyCmd struct {
	Folder     string `arg:"" optional:"" help:"The archive, or a copy of it: a folder or s3://…. Default: DIR/archive."`
	Key        string `placeholder:"FILE" help:"Its public key, as GET /v1/archive/key gave it. Default: the one in the archive, which whoever changed the archive may have changed too."`
	Checkpoint string `placeholder:"FILE" help:"A checkpoint of it that was kept elsewhere: all that it signs must be there."`
	Proof      string `placeholder:"FILE" help:"Check this proof of one action (GET …/actions/ID/proof) against --key instead, and print the action."`
	Format     string `short:"f" env:"-" enum:"text,json" default:"text" help:"Format of the report: text or json."`
}

// Run reads the archive whole and fails where anything is not as it was written.
func (c *archiveVerifyCmd) Run(ctx context.Context, s *settings, out *console) error {
	storage, err := archiveNamed(c.Folder, s)
	if err != nil && (c.Proof == "" || c.Key == "") { // a proof and a key suffice
		return err
	}
	options, err := c.options(ctx, storage)
	if err != nil {
		return err
	}
	if c.Proof != "" {
		return c.proof(options.Key, out)
	}
	var bar *progress
	shown := int64(0)
	options.Progress = func(done, all int64) {
		if bar == nil {
			bar = newProgress(out, "verify", all)
		}
		bar.add(int(done - shown))
		shown = done
	}
	start := time.Now()
	report, err := archive.Verify(ctx, storage, options)
	bar.end()
	if err != nil {
		return err
	}
	if c.Format == "json" {
		err = writeIndented(out.out, report)
	} else {
		c.print(report, out, time.Since(start))
	}
	if err == nil && len(report.Findings) > 0 {
		return errReported
	}
	return err
}

// proof checks the proof of an action.
func (c *archiveVerifyCmd) proof(key string, out *console) error {
	text, err := os.ReadFile(c.Proof)
	if err != nil {
		return fmt.Errorf("--proof: %w", err)
	}
	institution, document, err := archive.OpenProof(text, key)
	if err != nil {
		return fmt.Errorf("NOT PROVEN: %w", err)
	}
	out.say("proven: this action of %s is in the archive as it was taken", clean(institution))
	_, err = fmt.Fprintf(out.out, "%s\n", document)
	return err
}

func (c *archiveVerifyCmd) options(ctx context.Context, storage archive.Storage) (o archive.VerifyOptions, err error) {
	var key []byte
	if c.Key == "" {
		key, err = storage.Read(ctx, "key.pub")
		if errors.Is(err, actionlog.ErrNotFound) {
			return o, fmt.Errorf("%s is not an archive: it has no key.pub", storage)
		}
	} else {
		key, err = os.ReadFile(c.Key)
	}
	if err != nil {
		return o, fmt.Errorf("--key: %w", err)
	}
	o.Key = string(key)
	if c.Checkpoint != "" {
		if o.Checkpoint, err = os.ReadFile(c.Checkpoint); err != nil {
			return o, fmt.Errorf("--checkpoint: %w", err)
		}
	}
	return o, nil
}

func (c *archiveVerifyCmd) print(r *archive.Report, out *console, took time.Duration) {
	w := out.out
	fmt.Fprintf(w, "archive    %s\nchecked    %s, in %s\n", clean(r.Archive), r.Checked.Format(time.RFC3339), took.Round(time.Millisecond))
	fmt.Fprintf(w, "segments   %d: %d actions, of which %d are dead letters; %d bytes (%d without compression)\n", r.Segments, r.Actions, r.Dead, r.Bytes, r.RawBytes)
	for _, s := range r.Streams {
		fmt.Fprintf(w, "positions  %s.%d to %d\n", clean(s.Stream), s.First, s.Last)
	}
	if r.Unsealed > 0 {
		fmt.Fprintf(w, "unsealed   %d actions, which nothing proves yet\n", r.Unsealed)
	}
	for _, note := range r.Notes {
		fmt.Fprintf(w, "note       %s\n", clean(note))
	}
	if c.Key == "" {
		fmt.Fprintln(w, "note       the key was taken from the archive itself: give --key, kept elsewhere, for a proof")
	}
	if c.Checkpoint == "" {
		fmt.Fprintln(w, "note       that the newest segments were not taken away shows only against a --checkpoint that was kept elsewhere")
	}
	for _, f := range r.Findings {
		fmt.Fprintf(w, "DAMAGE     %s\n", clean(f.String()))
	}
	if len(r.Findings) == 0 {
		fmt.Fprintln(w, "The archive is whole and as it was written.")
	} else {
		fmt.Fprintf(w, "The archive is NOT as it was written: %d findings.\n", len(r.Findings))
	}
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/semaphore"

	"actionlog"
	"actionlog/internal/tracing"
)

// What goes out at a time.
const (
	batchLines  = 1000
	batchBytes  = 4 << 20
	batchLinger = 50 * time.Millisecond // how long a batch waits while no line comes
)

// defaultMaxLine is the document's limit and some white space around it.
const defaultMaxLine = actionlog.MaxDocumentBytes + 4<<10

// publishCmd publishes NDJSON.
type publishCmd struct {
	Files []string `arg:"" optional:"" help:"NDJSON files, also .gz and .zst; - is standard input. Default: -."`

	HTTP         bool   `name:"http" help:"Through the HTTP API instead of NATS: documents are refused with a reason instead of becoming dead letters."`
	NATS         string `name:"nats" placeholder:"URL" help:"The NATS server or cluster. Default: DIR/nats.addr, else nats://127.0.0.1:4222."`
	NATSPassword string `name:"nats-password" placeholder:"TEXT" help:"Password of --nats-user; better given by the environment, or by --nats-password-file. Default: DIR/publisher.token, for a service on this machine."`
	natsFlags    `embed:""`
	MaxLine      int           `default:"${maxLine}" placeholder:"BYTES" help:"Longer lines are reported and skipped."`
	GiveUpAfter  time.Duration `default:"5m" placeholder:"DURATION" help:"How long to try again while the service cannot be reached."`
	SecretNames  []string      `name:"secret-names" placeholder:"NAME" help:"More names of URL parameters and fields whose values are credentials."`
	Format       string        `short:"f" env:"-" enum:"text,json" default:"text" help:"Format of the closing count: ${enum}."`
}

// tally counts lines that are not blank. Read is the sum of the others.
type tally struct {
	Read       int64 `json:"read"`
	Taken      int64 `json:"taken"`
	Duplicates int64 `json:"duplicates"`
	Refused    int64 `json:"refused"`
	Skipped    int64 `json:"skipped"` // longer than the limit
	Unsent     int64 `json:"unsent"`  // read, but the end came first
}

// Run publishes the files in their order. A line that is refused or skipped
// stops nothing, but makes the exit status 1.
func (p *publishCmd) Run(ctx context.Context, s *settings, out *console) error {
	if p.MaxLine < 1 || p.MaxLine > 64<<20 {
		return usagef("--max-line: %d is not between 1 and 64 MiB", p.MaxLine)
	}
	if len(p.Files) == 0 {
		p.Files = []string{"-"}
	}
	ctx = tracing.FromEnvironment(ctx)
	tracer, err := tracing.Start(ctx, version(), slog.New(slog.NewTextHandler(out.err, nil)))
	if err != nil {
		return err
	}
	defer tracer.Stop(context.WithoutCancel(ctx))
	to, closeTo, err := p.connect(s)
	if err != nil {
		return err
	}
	defer closeTo()
	run := &publication{cmd: p, to: traced(to, tracer), out: out, institution: s.Institution,
		scrubber: actionlog.NewScrubber(p.SecretNames...), backOff: time.Second / 10}
	err = run.all(ctx)
	if err := errors.Join(err, p.report(out, run.tally)); err != nil {
		return err
	}
	if run.tally.Refused+run.tally.Skipped > 0 {
		return errReported
	}
	return nil
}

// connect finds the way: NATS, or HTTP.
func (p *publishCmd) connect(s *settings) (actionlog.Publisher, func(), error) {
	if !p.HTTP {
		return p.dial(s)
	}
	c, err := s.client()
	if err != nil {
		return nil, nil, err
	}
	return &httpPublisher{c}, func() {}, nil
}

func (p *publishCmd) report(out *console, t tally) error {
	if p.Format == "json" {
		return json.NewEncoder(out.out).Encode(t)
	}
	unsent := ""
	if t.Unsent > 0 {
		unsent = fmt.Sprintf(", not sent %d", t.Unsent)
	}
	_, err := fmt.Fprintf(out.out, "read %d: taken %d, duplicates %d, refused %d, skipped %d%s\n",
		t.Read, t.Taken, t.Duplicates, t.Refused, t.Skipped, unsent)
	return err
}

// publication is one run of publish.
type publication struct {
	cmd         *publishCmd
	to          actionlog.Publisher
	out         *console
	bar         *progress
	institution string // for documents that name none; only over HTTP
	scrubber    *actionlog.Scrubber
	backOff     time.Duration // the first pause before another attempt
	tally       tally
}

// entry is a line on its way.
type entry struct {
	actionlog.Submission
	source string // "file:line"
	size   int64  // of the line, in bytes
	err    error  // why it cannot even be sent
}

// all publishes every file. While a batch is on its way, the next is read and
// judged.
func (r *publication) all(ctx context.Context) error {
	for _, name := range r.cmd.Files {
		if err := r.file(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (r *publication) file(ctx context.Context, name string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	src, err := openSource(name, r.out.in)
	if err != nil {
		return err
	}
	r.bar = newProgress(r.out, "publishing "+src.name, src.size)
	defer r.bar.end()
	in := incoming{entries: make(chan entry, batchLines), skipped: make(chan string, 64), ended: make(chan error, 1),
		room: semaphore.NewWeighted(int64(max(2*batchBytes, 2*r.cmd.MaxLine)))}
	go func() {
		defer src.Close()
		defer close(in.entries)
		in.ended <- r.read(ctx, src, in)
	}()
	if err := r.batches(ctx, src, in); err != nil {
		return err
	}
	return <-in.ended
}

// incoming is what the reader of a file hands to who publishes it. Lines hold
// room from when they are read until they are published, so that memory is
// bounded whatever their length.
type incoming struct {
	entries chan entry
	skipped chan string // "file:line" of those that are too long
	ended   chan error
	room    *semaphore.Weighted // bytes
}

// read judges the lines of a file, in their order.
func (r *publication) read(ctx context.Context, src *source, in incoming) error {
	lines := newLines(src, r.cmd.MaxLine)
	lines.skip = func(line int64) {
		select {
		case in.skipped <- fmt.Sprintf("%s:%d", src.name, line):
		case <-ctx.Done():
		}
	}
	for lines.next() {
		e := entry{size: int64(len(lines.bytes()))}
		if err := in.room.Acquire(ctx, e.size); err != nil {
			return err
		}
		e.Submission, e.err = r.judge(lines.bytes())
		e.source = fmt.Sprintf("%s:%d", src.name, lines.number())
		select {
		case in.entries <- e:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := lines.err(); err != nil {
		return fmt.Errorf("%s: %w", src.name, err)
	}
	return nil
}

// batches collects entries and publishes them: when there are enough, when
// they have waited long enough, and at the end.
func (r *publication) batches(ctx context.Context, src *source, in incoming) error {
	var batch []entry
	var size int64
	flush := func() error {
		err := r.publish(ctx, batch)
		r.bar.add(src.taken())
		in.room.Release(size)
		batch, size = batch[:0], 0
		return err
	}
	linger := time.NewTimer(batchLinger)
	defer linger.Stop()
	for {
		var err error
		select {
		case where := <-in.skipped:
			r.skipped(where)
		case <-linger.C:
			err = flush()
		case <-ctx.Done():
			return r.giveUp(ctx, batch, ctx.Err())
		case e, ok := <-in.entries:
			if !ok {
				r.drain(in.skipped)
				return flush()
			}
			r.tally.Read++
			if e.err != nil {
				r.refuse(e, e.err)
				in.room.Release(e.size)
				continue
			}
			if len(batch) == 0 {
				linger.Reset(batchLinger)
			}
			batch = append(batch, e)
			if size += e.size; len(batch) == batchLines || size >= batchBytes {
				err = flush()
			}
		}
		if err != nil {
			return err
		}
	}
}

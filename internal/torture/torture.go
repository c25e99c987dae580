//go:build linux

// Command torture runs the service as a process of its own, under load, and kills, stops
// and disturbs it as a schedule says that follows from a seed; then it compares what the
// publishers were told with what is there. It is for whoever builds and is not shipped.
// docs/reliability.md has what it found.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

type options struct {
	seed       uint64
	rounds     int           // at most
	duration   time.Duration // at most; faults end then
	publishers int
	days       int // that late documents are of; 0: 90
	batch      int
	pause      time.Duration // of a publisher between two batches; 0: a millisecond
	binary     string        // with places where it dies; "" is built
	control    string
	args       []string      // of the service, besides
	engine     string        // the address of its engine; "" where it has none
	more       []fault       // besides those that every service has
	only       []string      // the names of the faults that are made; nil: all
	each       bool          // each once, before chance has it
	nats       bool          // the NATS server is a process of its own
	split      bool          // and so are two indexers and two archivers; needs an engine
	shift      time.Duration // how far the service's clock is ahead
	pace       time.Duration // between the times of two documents; 0: all are of the first second
	dir        string
	out        io.Writer
}

func main() {
	o := options{out: os.Stdout}
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "of documents and faults; the same seed is the same schedule")
	flag.IntVar(&o.rounds, "rounds", 1<<30, "at most so many faults")
	flag.DurationVar(&o.duration, "for", 5*time.Minute, "how long faults are made")
	flag.IntVar(&o.publishers, "publishers", 3, "that publish at the same time")
	flag.IntVar(&o.batch, "batch", 60, "documents of a batch, at most")
	flag.StringVar(&o.control, "control", "", "a defect that is built in, which must be found")
	flag.StringVar(&o.dir, "dir", "", "folder of the service; default a new one, removed when nothing is wrong")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := torture(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(1)
	}
}

// session is one run of the service, of several lives.
type session struct {
	options
	run     run
	ledger  *ledger
	service *service
	parts   []*service  // other processes of the service, where it is split
	nats    *natsServer // nil: the service's own
	rng     *rand.Rand
	made    map[string]int // faults by kind
	kills   int            // of them those that killed a process
	ended   int            // times that the service died where it was to
}

func torture(ctx context.Context, o options) (err error) {
	dir := o.dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "torture-"); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if o.binary == "" {
		if o.binary, err = build(".", dir, controls[o.control]); err != nil {
			return err
		}
	}
	data := filepath.Join(dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	common := slices.Concat([]string{"--listen", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0", "--archive-seal-age", "2s", "--rate-limit", "0", "--rate-limit-address", "0"}, o.args)
	s := &session{options: o, ledger: &ledger{}, made: map[string]int{}, rng: rand.New(rand.NewPCG(o.seed, 1))}
	s.run = run{seed: o.seed, days: o.days, shift: o.shift, pace: o.pace}
	s.run.start = s.run.now().Truncate(time.Second)
	if o.nats || o.split {
		if s.nats, err = startNATS(".", dir, log); err != nil {
			return err
		}
		defer func() { _, _ = s.nats.stop(syscall.SIGKILL, 10*time.Second) }() // at the end of everything
		password := filepath.Join(dir, "nats-password")
		if err := os.WriteFile(password, []byte(natsPassword), 0o600); err != nil {
			return err
		}
		common = append(common, "--nats", s.nats.url, "--nats-password-file", password, "--nats-durable")
	}
	s.service = newService(o.binary, data, log, common...)
	s.service.nats = s.nats
	if o.split {
		if err := s.split(dir, common); err != nil {
			return err
		}
	}
	if err := s.setClock(0); err != nil {
		return err
	}
	fmt.Fprintf(o.out, "seed %d, folder %s\n", o.seed, dir)
	err = s.all(ctx)
	documents, acknowledged, sent := s.ledger.count()
	fmt.Fprintf(o.out, "faults %v, %d of them killed; died where it was to %d times; %d documents, %d publishes, %d acknowledged\n", s.made, s.kills, s.ended, documents, sent, acknowledged)
	if err == nil && o.dir == "" {
		return os.RemoveAll(dir)
	}
	return err
}

// processes are all of the service: where it is split, the one that answers searches is the last.
func (s *session) processes() []*service { return append(slices.Clone(s.parts), s.service) }

// all makes faults under load, heals, and judges.
func (s *session) all(ctx context.Context) error {
	for _, p := range s.processes() {
		if err := p.start(""); err != nil {
			return err
		}
		defer func() { _, _ = p.stop(syscall.SIGKILL, 10*time.Second) }() // at the end of everything
		if err := untilReady(ctx, p); err != nil {
			return err
		}
	}
	if is := s.clock(ctx); (is - s.shift).Abs() > 10*time.Second {
		return fmt.Errorf("the service's clock is %v ahead, and not %v", is, s.shift)
	}
	r := &reader{service: s.service, run: s.run}
	if err := r.prepare(ctx); err != nil {
		return err
	}
	o := &oracle{run: s.run, ledger: s.ledger, service: s.service, parts: s.parts}
	if err := o.settled(ctx); err != nil {
		return err
	}
	before, err := o.goroutines(ctx)
	if err != nil {
		return err
	}
	l := &load{run: s.run, ledger: s.ledger, url: s.service.stream, each: cmp.Or(s.pause, time.Millisecond), sizes: s.batch}
	loading, rest := context.WithCancel(ctx)
	wait := l.publishers(loading, s.publishers)
	var reading sync.WaitGroup
	reading.Go(func() { r.read(loading, rand.New(rand.NewPCG(s.seed, 2))) })
	err = s.faults(ctx)
	rest()
	wait()
	reading.Wait()
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%d answers while faults were made; the longest lag that one told was %v\n", r.answers, r.lag.Round(time.Millisecond))
	if len(r.wrong) > 0 {
		return fmt.Errorf("answers: with other actions than there are, and none is said to be missing:\n  %s", strings.Join(r.wrong, "\n  "))
	}
	if err := s.judge(ctx, o, before); err != nil {
		return err
	}
	return o.emptied(ctx)
}

func untilReady(ctx context.Context, p *service) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	return p.ready(ctx)
}

// judge starts the service once more, if it does not run, and asks the oracle: at once,
// and after another start. before is how many goroutines there were before the load.
func (s *session) judge(ctx context.Context, o *oracle, before int) error {
	for _, when := range []string{"after the faults", "after another start"} {
		for _, p := range s.processes() {
			if p.ended() || when == "after another start" {
				if err := s.anew(ctx, p, syscall.SIGTERM, ""); err != nil {
					return err
				}
			} else if err := untilReady(ctx, p); err != nil { // a server that stopped when the disk was full is started anew
				return err
			}
		}
		began := time.Now()
		err := o.settled(ctx)
		settled := time.Now()
		if err == nil {
			err = o.judge(ctx)
		}
		judged := time.Now()
		if err == nil {
			err = o.leftBehind(ctx, before, s.engine)
		}
		fmt.Fprintf(s.out, "%s: all is searchable after %v; judged in %v, nothing left after another %v\n", when,
			settled.Sub(began).Round(time.Millisecond), judged.Sub(settled).Round(time.Millisecond), time.Since(judged).Round(time.Millisecond))
		if err != nil {
			return fmt.Errorf("%s:\n%w", when, err)
		}
	}
	for _, p := range s.processes() {
		fmt.Fprintf(s.out, "%s had %d MiB of memory at most\n", filepath.Base(p.dir), p.most()>>20)
		if p.most() > mostMemory {
			return fmt.Errorf("memory: %s had %d MiB", p.dir, p.most()>>20)
		}
	}
	return s.bit()
}

// mostMemory is what a process may have, files that are mapped included, whatever waits for it.
const mostMemory = 1 << 30

// bit tells of faults that were made and changed nothing: then they prove nothing.
func (s *session) bit() error {
	for fault, effect := range map[string]string{"a day is locked": "a day was locked", "the disk is full": "a write was refused"} {
		if s.made[fault] >= 3 && s.made[effect] == 0 {
			return fmt.Errorf("%s: %d times, and never %s", fault, s.made[fault], effect)
		}
	}
	return nil
}

// anew ends a process of the service and starts it once more.
func (s *session) anew(ctx context.Context, p *service, signal syscall.Signal, die string) error {
	already, err := p.stop(signal, 30*time.Second)
	if err != nil {
		return err
	}
	if already {
		s.ended++
	}
	if err := p.start(die); err != nil {
		return err
	}
	if die != "" {
		return nil // it may die before it is ready
	}
	return untilReady(ctx, p)
}

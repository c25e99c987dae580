//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A fault is something that happens to the service. What it does follows from the
// session's seed alone.
type fault struct {
	name   string
	weight int
	make   func(ctx context.Context, s *session) error
}

var faults = []fault{
	{"killed", 5, func(ctx context.Context, s *session) error {
		sleep(ctx, s.between(30, 500))
		return s.anew(ctx, s.service, syscall.SIGKILL, "")
	}},
	{"killed twice", 2, func(ctx context.Context, s *session) error { // the second time while it starts
		sleep(ctx, s.between(30, 500))
		if err := s.anew(ctx, s.service, syscall.SIGKILL, "nowhere 1"); err != nil {
			return err
		}
		sleep(ctx, s.between(0, 300))
		return s.anew(ctx, s.service, syscall.SIGKILL, "")
	}},
	{"dies at a place", 6, func(ctx context.Context, s *session) error { return s.dies(ctx, s.service) }},
	{"stopped under load", 2, func(ctx context.Context, s *session) error {
		sleep(ctx, s.between(30, 500))
		return s.anew(ctx, s.service, syscall.SIGTERM, "")
	}},
	{"a day is locked", 1, func(ctx context.Context, s *session) error { return s.lockedDay(ctx, s.between(6000, 9000)) }},
	{"the disk is full", 1, func(ctx context.Context, s *session) error { return s.fullDisk(ctx, s.between(1000, 5000)) }},
	{"stands still", 1, func(ctx context.Context, s *session) error {
		return s.still(ctx, &s.service.process, s.between(500, 3000))
	}},
}

// kills tells whether a process dies of the fault by SIGKILL, wherever it is then.
func (f *fault) kills() bool {
	return strings.Contains(f.name, "killed") || strings.Contains(f.name, "dies") || f.name == "NATS: away"
}

// between is a time between two, in milliseconds.
func (s *session) between(least, most int) time.Duration {
	return time.Duration(least+s.rng.IntN(most-least)) * time.Millisecond
}

// dies has a process kill itself at one of the places.
func (s *session) dies(ctx context.Context, p *service) error {
	names := slices.Sorted(maps.Keys(places))
	name := names[s.rng.IntN(len(names))]
	times := 1 + s.rng.IntN(20)
	if strings.HasSuffix(name, "letter") { // there are few
		times = 1 + times%2
	}
	if err := s.anew(ctx, p, syscall.SIGKILL, fmt.Sprintf("%s %d", name, times)); err != nil {
		return err
	}
	for end := time.Now().Add(8 * time.Second); !p.ended() && time.Now().Before(end); {
		sleep(ctx, 10*time.Millisecond)
	}
	return s.anew(ctx, p, syscall.SIGKILL, "")
}

// still holds a process for a while, as a machine that swaps does.
func (s *session) still(ctx context.Context, p *process, d time.Duration) error {
	if _, err := p.send(syscall.SIGSTOP); err != nil {
		return err
	}
	sleep(ctx, d)
	_, err := p.send(syscall.SIGCONT)
	return err
}

// fullDisk lets no file of the service grow beyond a size for a while, whether it is of the
// stream, a day, the archive or a temporary one.
func (s *session) fullDisk(ctx context.Context, d time.Duration) error {
	before, err := s.service.log.Stat()
	if err != nil {
		return err
	}
	if err := s.service.limitFiles(uint64(1+s.rng.IntN(8)) << 20); err != nil {
		return err
	}
	sleep(ctx, d)
	if err := s.service.limitFiles(unix.RLIM_INFINITY); err != nil {
		return err
	}
	said, err := io.ReadAll(io.NewSectionReader(s.service.log, before.Size(), 64<<20))
	if bytes.Contains(said, []byte("file too large")) {
		s.made["a write was refused"]++
	}
	return err
}

// faults makes one after the other until it is enough.
func (s *session) faults(ctx context.Context) error {
	faults := slices.DeleteFunc(slices.Concat(faults, s.more), func(f fault) bool { return s.only != nil && !slices.Contains(s.only, f.name) })
	end := time.Now().Add(s.duration)
	said := time.Now()
	for round := 0; round < s.rounds && ctx.Err() == nil; round++ {
		if time.Now().After(end) && !(s.each && round < len(faults)) {
			break
		}
		f := s.choose(faults)
		if s.each && round < len(faults) {
			f = faults[round]
		}
		s.made[f.name]++
		if f.kills() {
			s.kills++
		}
		if err := f.make(ctx, s); err != nil {
			return fmt.Errorf("round %d, %s: %w", round, f.name, err)
		}
		if time.Since(said) > time.Minute {
			said = time.Now()
			_, acknowledged, _ := s.ledger.count()
			fmt.Fprintf(s.out, "%d faults, %d of them killed; %d acknowledged\n", round+1, s.kills, acknowledged)
		}
	}
	return ctx.Err()
}

// choose draws a fault by their weights.
func (s *session) choose(faults []fault) fault {
	weights := 0
	for _, f := range faults {
		weights += f.weight
	}
	at := s.rng.IntN(weights)
	for _, f := range faults {
		if at -= f.weight; at < 0 {
			return f
		}
	}
	panic("no fault has a weight")
}

// walWriteLock is where SQLite locks a -shm file to write (sqlite.org/walformat.html, "WAL
// locks").
const walWriteLock = 120

// lockedDay holds a day that is written to, so that nobody else can write it, for a while:
// the other days go on.
func (s *session) lockedDay(ctx context.Context, d time.Duration) error {
	path := filepath.Join(s.service.dir, "store", s.run.now().UTC().Format("actions-2006.01.02")+".sqlite-shm")
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if os.IsNotExist(err) {
		return nil // nobody writes it now
	}
	if err != nil {
		return err
	}
	defer f.Close()
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: walWriteLock, Len: 1}
	for end := time.Now().Add(2 * time.Second); ; {
		err := syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &lock)
		if err == nil {
			break
		}
		if time.Now().After(end) {
			return nil // it is written all the time
		}
		sleep(ctx, time.Millisecond)
	}
	s.made["a day was locked"]++
	sleep(ctx, d)
	return nil // the end of the file's lock is its closing
}

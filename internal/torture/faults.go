package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
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
		return s.again(ctx, syscall.SIGKILL, "")
	}},
	{"killed twice", 2, func(ctx context.Context, s *session) error { // the second time while it starts
		sleep(ctx, s.between(30, 500))
		if err := s.again(ctx, syscall.SIGKILL, "nowhere 1"); err != nil {
			return err
		}
		sleep(ctx, s.between(0, 300))
		return s.again(ctx, syscall.SIGKILL, "")
	}},
	{"dies at a place", 6, func(ctx context.Context, s *session) error {
		names := slices.Sorted(maps.Keys(places))
		name := names[s.rng.IntN(len(names))]
		times := 1 + s.rng.IntN(20)
		if strings.HasSuffix(name, "letter") { // there are few
			times = 1 + times%2
		}
		place := fmt.Sprintf("%s %d", name, times)
		if err := s.again(ctx, syscall.SIGKILL, place); err != nil {
			return err
		}
		for end := time.Now().Add(8 * time.Second); !s.service.ended() && time.Now().Before(end); {
			sleep(ctx, 10*time.Millisecond)
		}
		return s.again(ctx, syscall.SIGKILL, "")
	}},
	{"stopped under load", 2, func(ctx context.Context, s *session) error {
		sleep(ctx, s.between(30, 500))
		return s.again(ctx, syscall.SIGTERM, "")
	}},
	{"a day is locked", 1, func(ctx context.Context, s *session) error { return s.lockedDay(ctx, s.between(6000, 9000)) }},
	{"stands still", 1, func(ctx context.Context, s *session) error {
		return s.still(ctx, s.between(500, 3000))
	}},
}

// between is a time between two, in milliseconds.
func (s *session) between(least, most int) time.Duration {
	return time.Duration(least+s.rng.IntN(most-least)) * time.Millisecond
}

// still holds the process for a while, as a machine that swaps does.
func (s *session) still(ctx context.Context, d time.Duration) error {
	if _, err := s.service.send(syscall.SIGSTOP); err != nil {
		return err
	}
	sleep(ctx, d)
	_, err := s.service.send(syscall.SIGCONT)
	return err
}

// faults makes one after the other until it is enough.
func (s *session) faults(ctx context.Context) error {
	weights, faults := 0, slices.Concat(faults, s.more)
	faults = slices.DeleteFunc(faults, func(f fault) bool { return s.only != nil && !slices.Contains(s.only, f.name) })
	for _, f := range faults {
		weights += f.weight
	}
	end := time.Now().Add(s.duration)
	for round := 0; round < s.rounds && time.Now().Before(end) && ctx.Err() == nil; round++ {
		at := s.rng.IntN(weights)
		for _, f := range faults {
			if at -= f.weight; at >= 0 {
				continue
			}
			s.made[f.name]++
			if err := f.make(ctx, s); err != nil {
				return fmt.Errorf("round %d, %s: %w", round, f.name, err)
			}
			break
		}
	}
	return ctx.Err()
}

// walWriteLock is where SQLite locks a -shm file to write (sqlite.org/walformat.html, "WAL
// locks").
const walWriteLock = 120

// lockedDay holds a day that is written to, so that nobody else can write it, for a while:
// the other days go on.
func (s *session) lockedDay(ctx context.Context, d time.Duration) error {
	path := filepath.Join(s.service.dir, "store", time.Now().UTC().Format("actions-2006.01.02")+".sqlite-shm")
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

//go:build linux

package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// clockVariable names in the environment the file that says how many seconds the service's
// clock is ahead. It is heeded by a build with a clock of its own.
const clockVariable = "ACTIONLOG_TORTURE_CLOCK"

// clockHook is what a build with a clock of its own has besides: the clock of every package
// that it consists of, NATS's and SQLite's too.
const clockHook = `package time

import "sync/atomic"

// Ahead is by how many seconds the wall clock is moved.
var Ahead atomic.Int64
`

const clockReader = `package indexer

import (
	"os"
	"strconv"
	"strings"
	"time"
)

func init() {
	read := func() {
		text, err := os.ReadFile(os.Getenv("` + clockVariable + `"))
		if err != nil {
			return
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil {
			time.Ahead.Store(n)
		}
	}
	read()
	go func() {
		for range time.Tick(10 * time.Millisecond) {
			read()
		}
	}()
}
`

// clockEdit moves the clock, in Go's own package time.
var clockEdit = edit{"src/time/time.go", "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n", "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n\tsec += Ahead.Load()\n"}

// setClock moves the clock of the service by so much more than the session's.
func (s *session) setClock(more time.Duration) error {
	text := strconv.FormatInt(int64((s.shift+more)/time.Second), 10)
	for _, p := range s.processes() {
		path := filepath.Join(p.dir, "clock")
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			return err
		}
		if err := os.Rename(path+".new", path); err != nil {
			return err
		}
	}
	return nil
}

// jump is that the clock is set, forward or back, and right again after a while.
var jump = fault{"the clock jumps", 3, func(ctx context.Context, s *session) error {
	more := time.Duration(1+s.rng.IntN(44)) * time.Minute
	if s.rng.IntN(2) == 0 {
		more = -more
	}
	if err := s.setClock(more); err != nil {
		return err
	}
	sleep(ctx, s.between(300, 4000))
	if is := s.clock(ctx); is != 0 && (is-s.shift-more).Abs() > 10*time.Second {
		return fmt.Errorf("the clock was set %v ahead, and is %v", s.shift+more, is)
	}
	return s.setClock(0)
}}

// clock is how far the service's clock is ahead, by its answers; 0: it does not answer.
func (s *session) clock(ctx context.Context) time.Duration {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.service.file("http.addr")+"/healthz", nil)
	if err != nil {
		return 0
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	at, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return 0
	}
	return time.Until(at)
}

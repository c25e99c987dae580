//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// service is `actionlog serve` as a process of its own, on a folder that stays.
type service struct {
	binary, dir string
	args        []string
	log         *os.File

	mu  sync.Mutex
	cmd *exec.Cmd
	end chan struct{}
}

// start starts the process; die names where it is to kill itself, "" nowhere.
func (s *service) start(die string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range []string{"http.addr", "nats.addr"} {
		if err := os.Remove(filepath.Join(s.dir, name)); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	cmd := exec.Command(s.binary, append([]string{"serve", "--data", s.dir}, s.args...)...)
	cmd.Env = append(os.Environ(), dieVariable+"="+die, "GOTRACEBACK=all")
	cmd.Stdout, cmd.Stderr = s.log, s.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // it does not outlive the test
	if err := cmd.Start(); err != nil {
		return err
	}
	end := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended is seen by whoever waits for it
		close(end)
	}()
	s.cmd, s.end = cmd, end
	return nil
}

// stop sends a signal and waits for the end. Whether it had ended before is told.
func (s *service) stop(signal syscall.Signal, within time.Duration) (already bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.end:
		return true, nil
	default:
	}
	if err := s.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return false, err
	}
	select {
	case <-s.end:
	case <-time.After(within):
		_ = s.cmd.Process.Kill()
		<-s.end
		return false, fmt.Errorf("the service did not end within %s after %s", within, signal)
	}
	if signal == syscall.SIGTERM && s.cmd.ProcessState.ExitCode() != 0 {
		return false, fmt.Errorf("the service ended with %s after %s", s.cmd.ProcessState, signal)
	}
	return false, nil
}

// ended tells whether the process has ended.
func (s *service) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.end:
		return true
	default:
		return false
	}
}

// file reads a small file of the folder; "" where there is none (yet).
func (s *service) file(name string) string {
	text, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

func (s *service) stream() (address, password string) {
	return s.file("nats.addr"), s.file("publisher.token")
}

// ready waits until the service answers that it is.
func (s *service) ready(ctx context.Context) error {
	for {
		if url := s.file("http.addr"); url != "" {
			if resp, err := http.Get(url + "/readyz"); err == nil {
				_ = resp.Body.Close()
				if resp.StatusCode == http.StatusOK {
					return nil
				}
			}
		}
		if s.ended() {
			return fmt.Errorf("the service ended while it started: %s", s.tail())
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the service does not become ready: %s", s.tail())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// tail is the end of what the processes wrote.
func (s *service) tail() string {
	text, err := os.ReadFile(s.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-3000):])
}

// resident is the memory of the process in bytes: Linux's /proc.
func (s *service) resident() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmRSS:")); ok {
			n, _ := strconv.ParseInt(string(bytes.Fields(rest)[0]), 10, 64) // zero where it is no number
			return n << 10
		}
	}
	return 0
}

// send sends a signal, and tells whether the process had ended.
func (s *service) send(signal syscall.Signal) (ended bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.end:
		return true, nil
	default:
		return false, s.cmd.Process.Signal(signal)
	}
}

// limitFiles limits the size of the process's files, as a full disk does.
func (s *service) limitFiles(bytes uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.end:
		return nil
	default:
		return unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}, nil)
	}
}

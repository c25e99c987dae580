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

// process is a program that can be killed and started again.
type process struct {
	binary string
	args   []string
	log    *os.File
	anyhow bool // it may end with any status when it is asked to

	mu   sync.Mutex
	cmd  *exec.Cmd
	end  chan struct{}
	peak int64 // the most memory that it had, of all its lives that were seen to the end
}

// service is `actionlog serve` as a process of its own, on a folder that stays.
type service struct {
	process
	dir  string
	nats *natsServer // nil: its own
}

// newService is the service on a folder; it does not run yet.
func newService(binary, dir string, log *os.File, args ...string) *service {
	return &service{process: process{binary: binary, log: log, args: append([]string{"serve", "--data", dir}, args...)}, dir: dir}
}

// start starts the process; die names where it is to kill itself, "" nowhere.
func (s *service) start(die string) error {
	for _, name := range []string{"http.addr", "nats.addr"} {
		if err := os.Remove(filepath.Join(s.dir, name)); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return s.run(dieVariable+"="+die, clockVariable+"="+filepath.Join(s.dir, "clock"), "GOTRACEBACK=all")
}

// run starts the program.
func (s *process) run(env ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	cmd := exec.Command(s.binary, s.args...)
	cmd.Env = append(os.Environ(), env...)
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
func (s *process) stop(signal syscall.Signal, within time.Duration) (already bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.end:
		return true, nil
	default:
	}
	s.measure()
	if err := s.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return false, err
	}
	select {
	case <-s.end:
	case <-time.After(within):
		_ = s.cmd.Process.Kill()
		<-s.end
		return false, fmt.Errorf("%s did not end within %s after %s", s.binary, within, signal)
	}
	if signal == syscall.SIGTERM && !s.anyhow && s.cmd.ProcessState.ExitCode() != 0 {
		return false, fmt.Errorf("%s ended with %s after %s", s.binary, s.cmd.ProcessState, signal)
	}
	return false, nil
}

// ended tells whether the process has ended.
func (s *process) ended() bool {
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
	if s.nats != nil {
		return s.nats.url, natsPassword
	}
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
func (s *process) tail() string {
	text, err := os.ReadFile(s.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-3000):])
}

// measure notes the most memory that the process had in this life (VmHWM of Linux's /proc).
// s.mu is held.
func (s *process) measure() {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return // it ended
	}
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			n, _ := strconv.ParseInt(string(bytes.Fields(rest)[0]), 10, 64) // zero where it is no number
			s.peak = max(s.peak, n<<10)
		}
	}
}

// most is the most memory that the process had, in bytes, up to now.
func (s *process) most() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.measure()
	return s.peak
}

// send sends a signal, and tells whether the process had ended.
func (s *process) send(signal syscall.Signal) (ended bool, err error) {
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
func (s *process) limitFiles(bytes uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.end:
		return nil
	default:
		return unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}, nil)
	}
}

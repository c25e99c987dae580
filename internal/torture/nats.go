//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// natsServer is a NATS server as a process of its own, which syncs every write.
type natsServer struct {
	process
	url string
}

const natsPassword = "only-for-this-test"

// startNATS builds and starts a server on a folder.
func startNATS(root, dir string, log *os.File) (*natsServer, error) {
	binary := filepath.Join(dir, "nats-server")
	cmd := exec.Command("go", "build", "-o", binary, "github.com/nats-io/nats-server/v2")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("nats-server: %w\n%s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "nats.conf")
	text := fmt.Sprintf("server_name: torture\nlisten: %q\nmax_payload: 2MB\njetstream { store_dir: %q, sync_interval: always }\nauthorization { user: publisher, password: %q }\n",
		address, filepath.Join(dir, "nats"), natsPassword)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	n := &natsServer{process{binary: binary, args: []string{"-c", config}, log: log, anyhow: true}, "nats://" + address}
	return n, n.run()
}

// again ends the server and starts it anew.
func (n *natsServer) again(signal syscall.Signal) error {
	if _, err := n.stop(signal, 30*time.Second); err != nil {
		return err
	}
	return n.run()
}

// natsFaults are those of a NATS server that is a process of its own.
var natsFaults = []fault{
	{"NATS: killed", 3, func(ctx context.Context, s *session) error {
		sleep(ctx, s.between(30, 500))
		return s.nats.again(syscall.SIGKILL)
	}},
	{"NATS: away", 1, func(ctx context.Context, s *session) error {
		if _, err := s.nats.stop(syscall.SIGKILL, 10*time.Second); err != nil {
			return err
		}
		sleep(ctx, s.between(500, 5000))
		return s.nats.run()
	}},
	{"NATS: restarted", 2, func(ctx context.Context, s *session) error {
		sleep(ctx, s.between(30, 500))
		return s.nats.again(syscall.SIGTERM)
	}},
	{"NATS: stands still", 1, func(ctx context.Context, s *session) error {
		return s.still(ctx, &s.nats.process, s.between(500, 3000))
	}},
}

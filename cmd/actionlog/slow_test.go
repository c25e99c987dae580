package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// serveTLS runs a service with a certificate until the test ends, and returns its address.
func serveTLS(t *testing.T, dir string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done, stderr := make(chan int, 1), &logged{}
	go func() {
		done <- run(ctx, []string{"serve", "--data", dir, "--listen", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0", "--tls-cert", filepath.Join(dir, "server.pem"), "--tls-key", filepath.Join(dir, "server.key")},
			strings.NewReader(""), io.Discard, stderr)
	}()
	t.Cleanup(func() {
		cancel()
		if code := <-done; code != 0 {
			t.Errorf("serve ended with %d:\n%s", code, stderr)
		}
	})
	var address string
	eventually(t, "the service says where it is", func() bool {
		text, err := os.ReadFile(filepath.Join(dir, "http.addr"))
		address = strings.TrimPrefix(strings.TrimSpace(string(text)), "https://")
		return err == nil && address != ""
	})
	return address
}

// API4: two hundred clients that never end their headers are dropped after ten seconds, and
// meanwhile others are served.
func TestSlowHeaders(t *testing.T) {
	t.Parallel()
	s := startService(t)
	var conns []net.Conn
	for range 200 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET /v1/session HTTP/1.1\r\nHost: x\r\nX-Slow: "); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	if status, _, _ := s.send(t, s.token, "GET", "/v1/session", "", "", nil); status != 200 {
		t.Errorf("another client meanwhile: %d", status)
	}
	deadline := time.Now().Add(time.Minute)
	for _, conn := range conns {
		_ = conn.SetReadDeadline(deadline)
		if _, err := io.Copy(io.Discard, conn); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Fatal("a connection whose headers do not end is still open after a minute")
		}
	}
}

// API4: a body that does not come, and an answer that nobody takes, end; those that move
// go on for as long as they need.
func TestSlowBodiesAndReaders(t *testing.T) {
	read, written := make(chan error, 1), make(chan error, 1)
	server := httptest.NewServer(timed(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_, err := io.Copy(io.Discard, r.Body)
			read <- err
			return
		}
		var err error
		for block := bytes.Repeat([]byte("x"), 1<<20); err == nil; {
			_, err = w.Write(block)
		}
		written <- err
	}), 500*time.Millisecond, 500*time.Millisecond))
	defer server.Close()
	for request, ended := range map[string]chan error{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx": read, "GET / HTTP/1.1\r\nHost: x\r\n\r\n": written} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			if err == nil {
				t.Errorf("%.4s ended well", request)
			}
		case <-time.After(time.Minute):
			t.Errorf("%.4s: after a minute it still goes on", request)
		}
	}
}

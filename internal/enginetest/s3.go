package enginetest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// gateway is a real S3 server: one Go program, over a folder.
const gateway, gatewayVersion = "versitygw", "v1.8.0"

// Credentials of the server that S3 starts.
const (
	S3AccessKey = "testaccess"
	S3SecretKey = "testsecret"
)

// S3 is a server of S3-compatible storage with the bucket "archive".
type S3 struct {
	Endpoint string // http://127.0.0.1:port
	dir      string
	port     int
	program  string
	cmd      *exec.Cmd
}

// StartS3 starts a server, which ends with the test; its program is built from Go's
// module proxy, once. The environment of the process gets its credentials, which are the same for all.
func StartS3(t testing.TB) *S3 {
	t.Helper()
	// Not t.Setenv: tests that run beside each other have the same.
	if err := errors.Join(os.Setenv("AWS_ACCESS_KEY_ID", S3AccessKey), os.Setenv("AWS_SECRET_ACCESS_KEY", S3SecretKey)); err != nil {
		t.Fatal(err)
	}
	program, err := gatewayProgram()
	if err != nil {
		none(t, fmt.Errorf("%w: %s %s: %w", errNone, gateway, gatewayVersion, err))
	}
	ports, err := FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	s := &S3{Endpoint: fmt.Sprintf("http://127.0.0.1:%d", ports[0]), dir: t.TempDir(), port: ports[0]}
	if err := os.Mkdir(filepath.Join(s.dir, "archive"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	s.program = program
	s.Start(t)
	return s
}

// Start starts the server again after Stop, on what it holds.
func (s *S3) Start(t testing.TB) {
	t.Helper()
	s.cmd = exec.Command(s.program, "--port", fmt.Sprintf("127.0.0.1:%d", s.port), "--access", S3AccessKey, "--secret", S3SecretKey, "posix", s.dir)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the S3 server did not start: ", err)
		}
	}
}

// Stop kills the server.
func (s *S3) Stop() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
}

// Address is the archive's address in the server's bucket.
func (s *S3) Address(prefix string) string {
	return "s3://archive/" + prefix + "?endpoint=" + s.Endpoint + "&region=us-east-1"
}

// gatewayProgram builds the server, or finds it built.
func gatewayProgram() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "actionlog-test", gateway+"-"+gatewayVersion)
	program := filepath.Join(dir, gateway)
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	temp := dir + fmt.Sprintf(".%d", os.Getpid())
	install := exec.Command("go", "install", "github.com/versity/versitygw/cmd/"+gateway+"@"+gatewayVersion)
	install.Env = append(os.Environ(), "GOBIN="+temp, "GOFLAGS=")
	install.Dir = os.TempDir()
	if text, err := install.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %.300s", err, text)
	}
	if err := os.Rename(temp, dir); err != nil && !errors.Is(err, os.ErrExist) {
		if _, built := os.Stat(program); built != nil {
			return "", err
		}
	}
	return program, nil
}

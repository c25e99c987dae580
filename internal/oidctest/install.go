package oidctest

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

//go:embed provider/provider.mjs provider/package.json provider/package-lock.json
var files embed.FS

// errNone: there is no way to a provider.
var errNone = errors.New("no OpenID Connect provider")

// none skips or fails a test for which there is no provider.
func none(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case errors.Is(err, errNone) && os.Getenv("ACTIONLOG_TOOLS") != "required":
		t.Skip(err)
	default:
		t.Fatal(err)
	}
}

// install has npm fetch the packages of the lock file, once for this machine, and
// returns the folder that holds node_modules.
func install() (dir string, err error) {
	if _, err := exec.LookPath("node"); err != nil {
		return "", fmt.Errorf("%w: %w", errNone, err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	cache = filepath.Join(cache, "actionlog-test")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	name, err := contentName()
	if err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(cache, "oidc.lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	dir = filepath.Join(cache, name)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	work, err := os.MkdirTemp(cache, "oidc-new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	if err := fetch(work); err != nil {
		return "", err
	}
	return dir, os.Rename(work, dir)
}

// fetch has npm install into a folder. No package's own scripts run.
func fetch(work string) error {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return fmt.Errorf("%w: %w", errNone, err)
	}
	for _, name := range []string{"package.json", "package-lock.json"} {
		text, err := files.ReadFile("provider/" + name)
		if err == nil {
			err = os.WriteFile(filepath.Join(work, name), text, 0o644)
		}
		if err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	ci := exec.CommandContext(ctx, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	ci.Dir = work
	ci.WaitDelay = 5 * time.Second
	if out, err := ci.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: npm ci: %w: %s", errNone, err, tail(out))
	}
	return nil
}

func contentName() (string, error) {
	h := sha256.New()
	for _, name := range []string{"package.json", "package-lock.json"} {
		text, err := files.ReadFile("provider/" + name)
		if err != nil {
			return "", err
		}
		h.Write(text)
	}
	return "oidc-" + hex.EncodeToString(h.Sum(nil))[:12], nil
}

// lock holds a file against other processes that install.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}

// tail is the end of an output, without addresses of registries.
func tail(out []byte) string {
	text := regexp.MustCompile(`[a-z]+://[^ )]+`).ReplaceAllString(string(out), "(address)")
	if len(text) > 600 {
		text = "… " + text[len(text)-600:]
	}
	return strings.TrimSpace(text)
}

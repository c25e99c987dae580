package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A binary that is not what its folder is called after, that has folders' names in it, or
// that wants a loader is found.
func TestBinaries(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "go.mod", "module main\ngo 1.26\n")
	write(t, "main.go", "package main\nfunc main() {}\n")
	build := func(platform, name string, flags ...string) string {
		t.Helper()
		path := filepath.Join(name, "main")
		if err := os.MkdirAll(name, 0o700); err != nil {
			t.Fatal(err)
		}
		goos, goarch, _ := strings.Cut(platform, "/")
		cmd := exec.Command("go", append(append([]string{"build"}, flags...), "-o", path, ".")...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOOS="+goos, "GOARCH="+goarch)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return path
	}
	good := []string{build("linux/amd64", "linux_amd64", "-trimpath"), build("linux/arm64", "linux_arm64", "-trimpath"),
		build("darwin/arm64", "darwin_arm64", "-trimpath"), build("windows/amd64", "windows_amd64", "-trimpath")}
	if err := run(append([]string{"binaries"}, good...)); err != nil {
		t.Error(err)
	}
	for path, want := range map[string]string{
		build("linux/amd64", "x/windows_amd64", "-trimpath"):                 `GOOS is "linux", not "windows"`,
		build("linux/amd64", "x/linux_arm64", "-trimpath"):                   `GOARCH is "amd64", not "arm64"`,
		build("linux/amd64", "y/linux_amd64"):                                `-trimpath is "", not "true"`,
		build("linux/amd64", "z/linux_amd64", "-trimpath", "-buildmode=pie"): "is not static: it wants a loader",
		build("linux/amd64", "x/nothing", "-trimpath"):                       "its folder is not called after a platform",
	} {
		if err := run([]string{"binaries", good[0], path}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %s", path, err, want)
		}
	}
}

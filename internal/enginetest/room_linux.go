package enginetest

import (
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const memory = "/dev/shm"

// folder is where servers of tests have their data: in memory, where there is room for it.
// Most of what a test of an engine waits for is the syncs of its disk.
func folder() string {
	left, _ := filepath.Glob(filepath.Join(memory, "actionlog-*")) // the pattern is a good one
	for _, dir := range left {
		if about, err := os.Stat(dir); err == nil && time.Since(about.ModTime()) > 6*time.Hour {
			_ = os.RemoveAll(dir) // of a test that was killed
		}
	}
	var room unix.Statfs_t
	if err := unix.Statfs(memory, &room); err != nil || room.Bavail*uint64(room.Bsize) < 6<<30 {
		return os.TempDir()
	}
	return memory
}

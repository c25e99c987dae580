package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// errLocked: another process holds the lock.
var errLocked = errors.New("is locked")

// LockFolder makes this process the only one that has the folder open. The
// lock goes with the process, or when the file is closed.
func LockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("folder %s: %w", dir, err)
	}
	if err := lockFile(f); err != nil {
		_ = f.Close()
		if errors.Is(err, errLocked) {
			return nil, fmt.Errorf("folder %s: another process uses this folder", dir)
		}
		return nil, fmt.Errorf("folder %s: lock: %w", dir, err)
	}
	return f, nil
}

// syncFolder makes the names of a folder durable. Windows syncs no folders: its file
// system keeps a journal of names.
func syncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

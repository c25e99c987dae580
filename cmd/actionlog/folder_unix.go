//go:build linux || darwin

package main

import (
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownerOf is the user to whom a file belongs, and who this process is.
func ownerOf(info fs.FileInfo) (owner, ours int) {
	ours = os.Geteuid()
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(s.Uid), ours
	}
	return ours, ours
}

// mayWrite says why this process may not write to a folder; it does not try.
func mayWrite(dir string) error { return unix.Access(dir, unix.W_OK|unix.X_OK) }

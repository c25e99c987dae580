//go:build !linux && !darwin

package main

import "io/fs"

// ownerOf cannot tell here.
func ownerOf(fs.FileInfo) (owner, ours int) { return 0, 0 }

// mayWrite cannot tell here.
func mayWrite(string) error { return nil }

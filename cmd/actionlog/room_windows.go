package main

import (
	"math"

	"golang.org/x/sys/windows"
)

// roomIn is how many bytes may still be written to a folder's file system.
func roomIn(dir string) (int64, error) {
	free, _, err := diskOf(dir)
	return free, err
}

// sizeOf is how many bytes a folder's file system has in all.
func sizeOf(dir string) (int64, error) {
	_, all, err := diskOf(dir)
	return all, err
}

func diskOf(dir string) (free, all int64, err error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, 0, err
	}
	var f, a uint64
	if err := windows.GetDiskFreeSpaceEx(path, &f, &a, nil); err != nil {
		return 0, 0, err
	}
	return int64(min(f, math.MaxInt64)), int64(min(a, math.MaxInt64)), nil
}

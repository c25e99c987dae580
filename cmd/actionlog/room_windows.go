package main

import (
	"math"

	"golang.org/x/sys/windows"
)

// roomIn is how many bytes may still be written to a folder's file system.
func roomIn(dir string) (int64, error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(path, &free, nil, nil); err != nil {
		return 0, err
	}
	return int64(min(free, math.MaxInt64)), nil
}

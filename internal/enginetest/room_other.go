//go:build !linux

package enginetest

import "os"

// folder is where servers of tests have their data.
func folder() string { return os.TempDir() }

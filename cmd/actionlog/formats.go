package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// folderFormat is the version of the service's folder. What is in it has versions of its
// own, where it can have one (docs/formats.md); this one also stands for what has none: the
// open segment of the archive, exports that are being made, the files of the NATS server.
// It is raised by a change that an earlier program would misread.
const folderFormat = 1

const formatFile = "format"

// checkFolder refuses a folder that a newer version of the program has written to, and
// marks one that has no mark: a new one, or one of an early version.
func checkFolder(dir string) error {
	path := filepath.Join(dir, formatFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		if err := writeFile(path, fmt.Sprintf("actionlog folder %d", folderFormat)); err != nil {
			return fmt.Errorf("folder %s: %w", dir, err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("folder %s: %w", dir, err)
	}
	var version int
	if _, err := fmt.Sscanf(string(text), "actionlog folder %d", &version); err != nil || version < 1 {
		return fmt.Errorf("%s is not the mark of a folder of this program: %q", path, strings.TrimSpace(string(text)))
	}
	if version > folderFormat {
		return fmt.Errorf("folder %s: is of format %d, of a newer version of this program, which knows %d; nothing in it was changed", dir, version, folderFormat)
	}
	return nil
}

package main

import (
	"debug/buildinfo"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// checkBinaries holds that binaries are for the platforms that their folders are called
// after (linux_amd64/actionlog), built without cgo and without the names of folders; and
// those for Linux static, so that they run on any distribution and in an empty image.
func checkBinaries(paths []string) error {
	var wrong []error
	for _, path := range paths {
		goos, goarch, ok := strings.Cut(filepath.Base(filepath.Dir(path)), "_")
		if !ok {
			return fmt.Errorf("%s: its folder is not called after a platform, such as linux_amd64", path)
		}
		if err := checkBinary(path, goos, goarch); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", path, err))
		}
	}
	return errors.Join(wrong...)
}

func checkBinary(path, goos, goarch string) error {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return err
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	for key, want := range map[string]string{"GOOS": goos, "GOARCH": goarch, "CGO_ENABLED": "0", "-trimpath": "true"} {
		if settings[key] != want {
			return fmt.Errorf("%s is %q, not %q", key, settings[key], want)
		}
	}
	switch goos {
	case "linux":
		return checkStatic(path)
	case "darwin":
		f, err := macho.Open(path)
		if err != nil {
			return err
		}
		return f.Close()
	case "windows":
		f, err := pe.Open(path)
		if err != nil {
			return err
		}
		return f.Close()
	}
	return fmt.Errorf("nothing is known of %s", goos)
}

// checkStatic refuses what wants a loader or a library.
func checkStatic(path string) error {
	f, err := elf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("is not static: it wants a loader")
		}
	}
	if libraries, err := f.ImportedLibraries(); err == nil && len(libraries) > 0 {
		return fmt.Errorf("is not static: it wants %v", libraries)
	}
	return nil
}

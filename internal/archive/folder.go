package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"actionlog"
)

// Folder is a Storage in a folder of this machine.
type Folder struct{ dir string }

// NewFolder returns the storage in dir, which it makes where it is not there.
func NewFolder(dir string) (*Folder, error) {
	for _, d := range []string{"manifests", "segments"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return nil, fmt.Errorf("archive: %w", err)
		}
	}
	for _, d := range []string{dir, filepath.Dir(dir)} { // names that are not on the disk are not there after a power failure
		if err := syncFolder(d); err != nil {
			return nil, err
		}
	}
	return &Folder{dir}, nil
}

// FolderAt returns the storage in dir, whether it is there or not.
func FolderAt(dir string) *Folder { return &Folder{dir} }

// OpenFolder returns the storage in dir, which must be there.
func OpenFolder(dir string) (*Folder, error) {
	if info, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("archive: %s is not a folder", dir)
	}
	return &Folder{dir}, nil
}

func (f *Folder) String() string { return f.dir }

func (f *Folder) path(name string) string { return filepath.Join(f.dir, filepath.FromSlash(name)) }

// Create implements Storage. The file gets its name by a link, which fails where the
// name is taken.
func (f *Folder) Create(_ context.Context, name string, content Content) error {
	path := f.path(name)
	if err := syncFile(content.Path); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	err := os.Link(content.Path, path)
	if errors.Is(err, fs.ErrExist) { // perhaps by ourselves, before we were killed
		if err := syncFolder(filepath.Dir(path)); err != nil {
			return err
		}
		return fmt.Errorf("archive: %s: %w", path, ErrExists)
	}
	if err != nil { // another file system, or one without links
		if err = copyNew(content.Path, path); err != nil {
			return err
		}
	}
	return syncFolder(filepath.Dir(path))
}

// copyNew copies a file to a name that must not be taken.
func copyNew(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	defer in.Close()
	temp, err := os.CreateTemp(filepath.Dir(to), ".new-*")
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	defer os.Remove(temp.Name())
	_, err = io.Copy(temp, in)
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("archive: %s: %w", to, ErrExists)
	}
	if err := os.Rename(temp.Name(), to); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	return nil
}

// Put implements Storage.
func (f *Folder) Put(_ context.Context, name string, content []byte) error {
	path := f.path(name)
	temp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(content)
	if err = errors.Join(err, temp.Sync(), temp.Close()); err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	return syncFolder(filepath.Dir(path))
}

// Read implements Storage.
func (f *Folder) Read(_ context.Context, name string) ([]byte, error) {
	b, err := os.ReadFile(f.path(name))
	return b, fileError(err)
}

// ReadRange implements Storage.
func (f *Folder) ReadRange(_ context.Context, name string, offset, length int64) ([]byte, error) {
	file, err := os.Open(f.path(name))
	if err != nil {
		return nil, fileError(err)
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || offset < 0 || length < 0 || offset+length > info.Size() {
		return nil, fmt.Errorf("archive: %s ends before byte %d: %w", name, offset+length, ErrShort)
	}
	b := make([]byte, length)
	_, err = file.ReadAt(b, offset)
	if errors.Is(err, io.EOF) { // it was cut off meanwhile
		return nil, fmt.Errorf("archive: %s ends before byte %d: %w", name, offset+length, ErrShort)
	}
	return b, fileError(err)
}

// List implements Storage.
func (f *Folder) List(_ context.Context, prefix string) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		dir, start := ".", prefix
		if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
			dir, start = prefix[:i], prefix[i+1:]
		}
		entries, err := os.ReadDir(f.path(dir))
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err != nil {
			yield(File{}, fileError(err))
			return
		}
		slices.SortFunc(entries, func(a, b os.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), start) || e.IsDir() || strings.HasPrefix(e.Name(), ".new-") {
				continue
			}
			info, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			file := File{}
			if err == nil {
				file = File{Name: strings.TrimPrefix(dir+"/"+e.Name(), "./"), Bytes: info.Size()}
			}
			if !yield(file, fileError(err)) || err != nil {
				return
			}
		}
	}
}

// Remove implements Storage.
func (f *Folder) Remove(_ context.Context, name string) error {
	if err := os.Remove(f.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fileError(err)
	}
	return nil
}

func fileError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("archive: %w: %w", actionlog.ErrNotFound, err)
	}
	return fmt.Errorf("archive: %w: %w", actionlog.ErrUnavailable, err)
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// syncFolder makes the names of a folder durable. Windows syncs no folders: its file
// system keeps a journal of names.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	return nil
}

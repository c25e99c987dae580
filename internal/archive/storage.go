package archive

import (
	"context"
	"errors"
	"iter"
)

// Storage keeps the files of an archive. Names are slash-separated. What Create and Put
// wrote is durable when they return; what could not be asked wraps
// actionlog.ErrUnavailable, and a file that is not there is actionlog.ErrNotFound.
type Storage interface {
	// Create writes a file that must not exist yet (ErrExists), whole or not at all.
	Create(ctx context.Context, name string, content Content) error
	// Put writes a small file, over what is there.
	Put(ctx context.Context, name string, content []byte) error
	// Read returns a file whole.
	Read(ctx context.Context, name string) ([]byte, error)
	// ReadRange returns length bytes of a file from offset; fewer are ErrShort.
	ReadRange(ctx context.Context, name string, offset, length int64) ([]byte, error)
	// List yields the files whose names begin with prefix, in ascending order.
	List(ctx context.Context, prefix string) iter.Seq2[File, error]
	// Remove removes a file; one that is not there is no error.
	Remove(ctx context.Context, name string) error
	// String names the storage for people, without credentials.
	String() string
}

// Content is a local file that is put into storage.
type Content struct {
	Path  string
	Bytes int64
}

// File is a file of a storage.
type File struct {
	Name  string
	Bytes int64
}

// ErrShort: a file has fewer bytes than were asked for.
var ErrShort = errors.New("is shorter than that")

// ErrExists: a file that was to be created is there already.
var ErrExists = errors.New("exists already")

package main

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"time"

	"actionlog/internal/archive"
	"actionlog/search"
)

// exportFlags say where the files of export jobs are, and for how long.
type exportFlags struct {
	Exports    string        `placeholder:"FOLDER|URL" help:"Where the files of export jobs are: a folder, or s3://BUCKET/PREFIX?endpoint=URL. Several processes that answer searches need one that all of them reach. Default: DIR/exports."`
	ExportKeep time.Duration `name:"export-keep" placeholder:"DURATION" default:"72h" help:"For how long the file of an export job can be fetched."`
	ExportMost int           `name:"export-most" placeholder:"N" default:"20" help:"How many export jobs of an institution may wait, run or have a file at a time."`
}

// exporter is what runs export jobs; nil where this process answers no searches.
func (r *running) exporter() (*search.Exports, error) {
	if r.cmd.Role == "indexer" || r.cmd.Role == "archiver" {
		return nil, nil
	}
	if r.cmd.ExportKeep <= 0 || r.cmd.ExportMost <= 0 {
		return nil, usagef("--export-keep and --export-most must be more than 0")
	}
	where := cmp.Or(r.cmd.Exports, filepath.Join(r.dir, "exports"))
	storage, err := storageAt(where)
	if err != nil {
		return nil, usageError{fmt.Errorf("--exports: %w", err)}
	}
	if !isS3(where) {
		if err := os.MkdirAll(where, 0o700); err != nil {
			return nil, fmt.Errorf("--exports: %w", err)
		}
	}
	name, err := secretFile(filepath.Join(r.dir, "exports.name"))
	if err != nil {
		return nil, err
	}
	open := filepath.Join(r.dir, "exports-open")
	return &search.Exports{Storage: exportStorage{storage}, Dir: open, Name: name, Keep: r.cmd.ExportKeep, Most: r.cmd.ExportMost,
		Room: func() (int64, error) { return roomIn(open) }}, nil
}

// exportStorage is a storage of files as package search knows it.
type exportStorage struct{ archive.Storage }

func (s exportStorage) Create(ctx context.Context, name, path string, bytes int64) error {
	return s.Storage.Create(ctx, name, archive.Content{Path: path, Bytes: bytes})
}

func (s exportStorage) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for f, err := range s.Storage.List(ctx, prefix) {
			if !yield(f.Name, err) || err != nil {
				return
			}
		}
	}
}

var _ search.ExportStorage = exportStorage{}

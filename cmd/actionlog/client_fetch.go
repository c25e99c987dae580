package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"actionlog"
	"actionlog/search"
)

const (
	// patientFor is how long a client waits for a service that is away.
	patientFor = 2 * time.Minute
	// stuckFor is how long a connection may bring nothing before another is tried.
	stuckFor = 90 * time.Second
)

// patience is how long a service has been away, and how long to wait for it.
type patience struct{ since time.Time }

// more tells whether to try again.
func (p *patience) more() bool {
	if p.since.IsZero() {
		p.since = time.Now()
	}
	return time.Since(p.since) < patientFor
}

// fetching is a file on its way.
type fetching struct {
	*client
	path   string
	export *actionlog.Export
	to     io.Writer
	digest hash.Hash
	got    int64
	bar    *progress
}

// fetch downloads the file of a job, from where it broke where it breaks, and checks what
// came: its bytes, how many actions it holds, and its SHA-256.
func (c *client) fetch(ctx context.Context, out *console, path string, x *actionlog.Export, file string) error {
	if x.Count == nil || x.Bytes == nil {
		return fmt.Errorf("export %s has no count: the answer cannot be read", x.ID)
	}
	o, err := out.open(file)
	if err != nil {
		return err
	}
	defer o.abandon()
	pipe, pass := io.Pipe()
	counted := make(chan error, 1)
	var count int64
	go func() {
		var err error
		count, err = search.CountRecords(x.Format, pipe)
		_, _ = io.Copy(io.Discard, pipe) // what is wrong is said at the end
		counted <- err
	}()
	f := &fetching{client: c, path: path, export: x, digest: sha256.New(), bar: newProgress(out, "downloading", *x.Bytes)}
	f.to = io.MultiWriter(o, f.digest, pass, f.bar)
	err = f.all(ctx)
	f.bar.end()
	_ = pass.CloseWithError(err) // of a nil error: its end
	countErr := <-counted
	switch {
	case err != nil:
		if o.path != "" {
			out.say("%s.part holds what came until then", o.path)
		}
		return err
	case countErr != nil:
		return fmt.Errorf("the export is not whole: %w", countErr)
	case count != *x.Count:
		return fmt.Errorf("the export is not whole: %d actions came, %d were written", count, *x.Count)
	}
	if err := checkDigest(x.SHA256, f.digest); err != nil {
		return err
	}
	return o.commit()
}

// all gets the whole file, however often its connection breaks.
func (f *fetching) all(ctx context.Context) error {
	var away patience
	for {
		before := f.got
		err := f.part(ctx)
		if err == nil && f.got == *f.export.Bytes {
			return nil
		}
		if err == nil {
			err = brokenOff(-1, io.ErrUnexpectedEOF)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if f.got > before {
			away = patience{}
		}
		passes := errors.Is(err, actionlog.ErrUnavailable) || errors.Is(err, context.Canceled) // nothing came for stuckFor
		if !passes || !away.more() {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// part gets what is missing, as far as its connection brings it.
func (f *fetching) part(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stuck := time.AfterFunc(stuckFor, cancel)
	defer stuck.Stop()
	etag := `"` + f.export.SHA256 + `"`
	header := http.Header{}
	if f.got > 0 {
		header.Set("Range", "bytes="+strconv.FormatInt(f.got, 10)+"-")
		header.Set("If-Range", etag)
	}
	resp, err := f.doWith(ctx, header, http.MethodGet, f.path, nil, "", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("ETag"); got != etag {
		return fmt.Errorf("the file of the export is another one: its ETag is %s", clean(got))
	}
	if want := fmt.Sprintf("bytes %d-", f.got); f.got > 0 && (resp.StatusCode != http.StatusPartialContent || !strings.HasPrefix(resp.Header.Get("Content-Range"), want)) {
		return errors.New("the service does not go on where the connection broke: begin anew")
	}
	buffer := make([]byte, 64<<10)
	for {
		n, err := resp.Body.Read(buffer)
		stuck.Reset(stuckFor)
		if f.got += int64(n); f.got > *f.export.Bytes {
			return fmt.Errorf("the export was altered on its way: it is longer than %d bytes", *f.export.Bytes)
		}
		if _, werr := f.to.Write(buffer[:n]); werr != nil {
			return werr
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return brokenOff(-1, err)
		}
	}
}

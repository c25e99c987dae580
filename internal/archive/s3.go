package archive

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"os"
	"strings"

	"actionlog"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// S3 is a Storage in a bucket of S3-compatible storage.
type S3 struct {
	client         *minio.Client
	bucket, prefix string // the prefix ends with a slash, or is empty
	address        string
	// Whole is how large a file may be that is sent at once, in bytes (S3 takes 5 GiB);
	// a larger one goes in parts of Part. Default 1 GiB and 128 MiB.
	Whole, Part int64
}

// NewS3 returns the storage at an address such as
//
//	s3://bucket/prefix?endpoint=https://s3.example.com:9000&region=eu-west-1
//
// Without an endpoint it is Amazon's. The credentials come from where Amazon's tools look
// for them: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the file of AWS_PROFILE, the
// machine's role. It asks nothing yet.
func NewS3(address string) (*S3, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "s3" || u.Host == "" || u.User != nil {
		return nil, actionlog.Invalidf("archive", "is not s3://BUCKET/PREFIX?endpoint=URL")
	}
	endpoint, err := url.Parse(u.Query().Get("endpoint"))
	if err != nil || endpoint.User != nil || endpoint.Host == "" && endpoint.String() != "" {
		return nil, actionlog.Invalidf("archive", "its endpoint is not a URL as https://host:port")
	}
	host, secure := endpoint.Host, endpoint.Scheme != "http"
	if host == "" {
		host = "s3.amazonaws.com"
	}
	s := &S3{bucket: u.Host, prefix: strings.Trim(u.Path, "/"), address: address, Whole: 1 << 30, Part: 128 << 20}
	if s.prefix != "" {
		s.prefix += "/"
	}
	s.client, err = minio.New(host, &minio.Options{Secure: secure, Region: u.Query().Get("region"), Creds: credentials.NewChainCredentials([]credentials.Provider{
		&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{},
	})})
	if err != nil {
		return nil, actionlog.Invalidf("archive", "%v", err)
	}
	return s, nil
}

func (s *S3) String() string { return s.address }

// Probe finds out whether the bucket can be written, and refuses storage that takes a
// file that is to be new over one that is there: two archivers could not tell.
func (s *S3) Probe(ctx context.Context) error {
	name := "probe-" + rand.Text()
	first := s.create(ctx, name, strings.NewReader("probe"), 5)
	if first != nil {
		return first
	}
	second := s.create(ctx, name, strings.NewReader("probe"), 5)
	if err := s.Remove(ctx, name); err != nil {
		return err
	}
	if !errors.Is(second, ErrExists) {
		return fmt.Errorf("archive: %s does not refuse to overwrite a file that is to be new (If-None-Match): %w", s, errors.Join(second, errors.ErrUnsupported))
	}
	return nil
}

// Create implements Storage.
func (s *S3) Create(ctx context.Context, name string, content Content) error {
	f, err := os.Open(content.Path)
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	defer f.Close()
	if content.Bytes > s.Whole {
		return s.createInParts(ctx, name, f, content.Bytes)
	}
	return s.create(ctx, name, f, content.Bytes)
}

// createInParts does not notice who takes the name at the same time.
func (s *S3) createInParts(ctx context.Context, name string, f *os.File, size int64) error {
	_, err := s.client.StatObject(ctx, s.bucket, s.prefix+name, minio.StatObjectOptions{})
	if err == nil {
		return fmt.Errorf("archive: %s: %w", name, ErrExists)
	}
	if minio.ToErrorResponse(err).StatusCode != http.StatusNotFound {
		return s.error(name, err)
	}
	_, err = s.client.PutObject(ctx, s.bucket, s.prefix+name, f, size, minio.PutObjectOptions{PartSize: uint64(s.Part), NumThreads: 1})
	return s.error(name, err)
}

func (s *S3) create(ctx context.Context, name string, r io.Reader, size int64) error {
	o := minio.PutObjectOptions{DisableMultipart: true, SendContentMd5: true}
	o.SetMatchETagExcept("*")
	_, err := s.client.PutObject(ctx, s.bucket, s.prefix+name, r, size, o)
	if minio.ToErrorResponse(err).StatusCode == http.StatusPreconditionFailed {
		return fmt.Errorf("archive: %s: %w", name, ErrExists)
	}
	return s.error(name, err)
}

// Put implements Storage.
func (s *S3) Put(ctx context.Context, name string, content []byte) error {
	_, err := s.client.PutObject(ctx, s.bucket, s.prefix+name, bytes.NewReader(content), int64(len(content)), minio.PutObjectOptions{DisableMultipart: true, SendContentMd5: true})
	return s.error(name, err)
}

// Read implements Storage.
func (s *S3) Read(ctx context.Context, name string) ([]byte, error) {
	o, err := s.client.GetObject(ctx, s.bucket, s.prefix+name, minio.GetObjectOptions{})
	if err != nil {
		return nil, s.error(name, err)
	}
	defer o.Close()
	b, err := io.ReadAll(o)
	return b, s.error(name, err)
}

// ReadRange implements Storage.
func (s *S3) ReadRange(ctx context.Context, name string, offset, length int64) ([]byte, error) {
	var options minio.GetObjectOptions
	if offset < 0 || length <= 0 || options.SetRange(offset, offset+length-1) != nil {
		return nil, fmt.Errorf("archive: %s has no %d bytes from %d", name, length, offset)
	}
	o, err := s.client.GetObject(ctx, s.bucket, s.prefix+name, options)
	if err != nil {
		return nil, s.error(name, err)
	}
	defer o.Close()
	b, err := io.ReadAll(io.LimitReader(o, length))
	if minio.ToErrorResponse(err).StatusCode == http.StatusRequestedRangeNotSatisfiable || err == nil && int64(len(b)) < length {
		return nil, fmt.Errorf("archive: %s ends before byte %d: %w", name, offset+length, ErrShort)
	}
	return b, s.error(name, err)
}

// List implements Storage.
func (s *S3) List(ctx context.Context, prefix string) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		for o := range s.client.ListObjectsIter(ctx, s.bucket, minio.ListObjectsOptions{Prefix: s.prefix + prefix, Recursive: true}) {
			if o.Err != nil {
				yield(File{}, s.error(prefix, o.Err))
				return
			}
			if !yield(File{Name: strings.TrimPrefix(o.Key, s.prefix), Bytes: o.Size}, nil) {
				return
			}
		}
		if ctx.Err() != nil { // the list may have ended for it
			yield(File{}, s.error(prefix, ctx.Err()))
		}
	}
}

// Remove implements Storage.
func (s *S3) Remove(ctx context.Context, name string) error {
	return s.error(name, s.client.RemoveObject(ctx, s.bucket, s.prefix+name, minio.RemoveObjectOptions{}))
}

func (s *S3) error(name string, err error) error {
	switch {
	case err == nil:
		return nil
	case minio.ToErrorResponse(err).Code == minio.NoSuchKey:
		return fmt.Errorf("archive: %s: %w", name, actionlog.ErrNotFound)
	}
	return fmt.Errorf("archive: %s: %w: %w", name, actionlog.ErrUnavailable, err)
}

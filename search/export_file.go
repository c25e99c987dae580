package search

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"actionlog"
)

// errAltered: what was read back is not what was written.
var errAltered = errors.New("what was read back from the disk is not what was written")

// file writes the file of a job, reads it back, and puts it into the storage. It returns
// what is to be said of it, and its name there.
func (j *exportJob) file(ctx context.Context) (x *exportRecord, content string, err error) {
	if j.server.Exporting != nil {
		defer j.server.Exporting()()
	}
	f, err := os.Create(filepath.Join(j.Dir, j.attempt))
	if err != nil {
		return nil, "", err
	}
	defer func() { _, _ = f.Close(), os.Remove(f.Name()) }() // it is read, or not needed
	x = &exportRecord{}
	w, err := j.write(ctx, f, x)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = w.check(ctx, f, x)
	}
	if err != nil {
		return nil, "", err
	}
	name := j.contentName()
	return x, name, j.Storage.Create(ctx, name, f.Name(), *x.Bytes)
}

// contentName is the name of this attempt's file: of the service, of the institution.
func (j *exportJob) contentName() string {
	return j.service + j.record.Institution + "." + j.record.ID + "." + j.attempt
}

// write writes what the filter finds, as GET export does.
func (j *exportJob) write(ctx context.Context, to io.Writer, x *exportRecord) (*writing, error) {
	s, r := j.server, j.record
	a, err := s.askFor(ctx, r.Institution, r.values(), nearExclude)
	if err != nil {
		return nil, err
	}
	if err := s.leaveOut(ctx, a); err != nil {
		return nil, err
	}
	n, _, err := s.Searcher.Count(ctx, a.query, 0)
	if err != nil {
		return nil, err
	}
	j.total.Store(n)
	x.Total = &actionlog.ExportTotal{Value: n, Relation: "eq"}
	x.CompleteThrough, x.Missing = a.meta.CompleteThrough, a.meta.Missing
	for _, b := range a.meta.Restored {
		b.Filter = nil // it may be long, and is the restore's to tell
		x.Restored = append(x.Restored, b)
	}
	o := exportOptions{name: r.Format, format: formatOf(r.Format, a.zone, r.BOM)}
	w, err := beginWriting(o, &roomy{to: to, job: j})
	if err != nil {
		return nil, err
	}
	direction := actionlog.NewestFirst
	if r.Order == "oldest" {
		direction = actionlog.OldestFirst
	}
	rest := time.Now()
	for found, err := range s.Scanner.Scan(ctx, a.query, direction) {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = s.own(r.Institution, &found)
		}
		if err == nil {
			err = w.write(s.shown(found))
		}
		if err != nil {
			return nil, err
		}
		if j.written.Store(w.count); w.count%64 == 0 {
			rest = j.giveWay(ctx, rest)
		}
	}
	if err := s.reachedStill(ctx, a); err != nil {
		return nil, err
	}
	if err := s.leftOutStill(ctx, a); err != nil {
		return nil, err
	}
	return w, w.end()
}

// giveWay lets requests go first: while somebody's is worked on, a job rests for as long
// as it worked.
func (j *exportJob) giveWay(ctx context.Context, since time.Time) time.Time {
	yield()
	if worked := time.Since(since); j.server.fair.busy() {
		select {
		case <-ctx.Done():
		case <-time.After(min(worked, 20*time.Millisecond)):
		}
	}
	return time.Now()
}

// roomy writes as long as enough of the disk is left for others.
type roomy struct {
	to    io.Writer
	job   *exportJob
	until int64 // it has been looked so far
	done  int64
}

// lookForRoomEvery is after how many bytes it is looked for room.
const lookForRoomEvery = 16 << 20

// Write implements io.Writer.
func (r *roomy) Write(b []byte) (int, error) {
	if r.job.Room != nil && r.done >= r.until {
		room, err := r.job.Room()
		if err != nil {
			return 0, err
		}
		if room < leaveRoom+lookForRoomEvery {
			return 0, errFull
		}
		r.until = r.done + lookForRoomEvery
	}
	n, err := r.to.Write(b)
	r.done += int64(n)
	return n, err
}

// check reads the file back and counts again: only what comes off the disk is said of it.
func (w *writing) check(ctx context.Context, f *os.File, x *exportRecord) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	digest, size := sha256.New(), &counted{ctx: ctx, from: f}
	n, err := CountRecords(w.name, io.TeeReader(size, digest))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	sum := hex.EncodeToString(digest.Sum(nil))
	if err != nil || n != w.count || sum != w.sum {
		return fmt.Errorf("%w: %d actions with SHA-256 %s, and not %d with %s (%w)", errAltered, n, sum, w.count, w.sum, err)
	}
	x.Written, x.Count, x.Bytes, x.SHA256 = n, &n, &size.bytes, sum
	return nil
}

// counted counts what is read, until ctx is done.
type counted struct {
	ctx   context.Context
	from  io.Reader
	bytes int64
}

// Read implements io.Reader.
func (c *counted) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.from.Read(b)
	c.bytes += int64(n)
	return n, err
}

// CountRecords reads an export (csv, json, ndjson or ecs) to its end, and returns how many
// actions are in it. One that is not whole, as far as its format tells, is an error.
func CountRecords(format string, r io.Reader) (int64, error) {
	buffered := bufio.NewReaderSize(r, 256<<10)
	switch format {
	case "csv":
		return countRows(buffered)
	case "json":
		return countElements(buffered)
	}
	return countLines(buffered)
}

func countRows(r io.Reader) (n int64, err error) {
	rows := csv.NewReader(r)
	rows.ReuseRecord, rows.FieldsPerRecord = true, len(csvColumns)
	for n = -1; ; n++ { // the header is none
		if _, err = rows.Read(); err != nil {
			break
		}
	}
	if errors.Is(err, io.EOF) && n >= 0 {
		return n, nil
	}
	return n, fmt.Errorf("row %d: %w", n+1, err)
}

func countElements(r io.Reader) (n int64, err error) {
	d := json.NewDecoder(r)
	if start, err := d.Token(); err != nil || start != json.Delim('[') {
		return 0, fmt.Errorf("it is no array (%w)", err)
	}
	for ; d.More(); n++ {
		var element json.RawMessage
		if err := d.Decode(&element); err != nil {
			return n, err
		}
	}
	if _, err := d.Token(); err != nil {
		return n, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return n, fmt.Errorf("something stands behind its end (%w)", err)
	}
	return n, nil
}

func countLines(r *bufio.Reader) (n int64, err error) {
	begin := true
	for {
		piece, err := r.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull): // a long line
			begin = false
		case errors.Is(err, io.EOF) && len(piece) == 0 && begin:
			return n, nil
		case err != nil:
			return n, fmt.Errorf("line %d: %w", n+1, err)
		default:
			n, begin = n+1, true
		}
	}
}

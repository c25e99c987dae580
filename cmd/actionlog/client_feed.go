package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/alecthomas/kong"

	"actionlog"
)

// feedCmd follows the log in the order of the stream, and remembers where it is.
type feedCmd struct {
	queryArg
	filters
	Follow bool   `env:"-" help:"Go on when there is no more for now, until it is interrupted; and while the service is away."`
	Since  string `env:"-" placeholder:"TIME" help:"Begin with what the service took then: RFC 3339, now-1h, or a date. Default: with the first action of the archive."`
	After  string `env:"-" placeholder:"CURSOR" help:"Begin behind a cursor."`
	State  string `env:"-" placeholder:"FILE" help:"Remember in FILE where it is, and go on there the next time."`
	Output string `short:"o" env:"-" placeholder:"FILE" help:"Append to FILE. With --state each action is in it once, whenever this program or its machine dies."`
	Limit  int    `env:"-" default:"1000" placeholder:"N" help:"Actions of a page, at most 1000."`
	Format string `short:"f" env:"-" enum:"ndjson,ecs" default:"ndjson" help:"ndjson, or ecs: events of the Elastic Common Schema. Default: ndjson."`
}

// feedState is where a reader of the feed is, and how long its file was then.
type feedState struct {
	Format int    `json:"format"` // feedStateFormat; 0 in files of early versions
	After  string `json:"after"`
	Bytes  int64  `json:"bytes"`
	Output string `json:"output,omitempty"` // the file that has Bytes; "" standard output, or a file of which an early version wrote the length only
}

// feedStateFormat is the version of the file of --state.
const feedStateFormat = 1

// Run follows the feed.
func (f *feedCmd) Run(ctx context.Context, settings *settings, out *console, parsed *kong.Context) error {
	c, err := settings.client()
	if err != nil {
		return err
	}
	path, err := c.path(ctx, "feed")
	if err != nil {
		return err
	}
	query := filterValues(parsed, f.queryArg)
	query.Set("format", f.Format)
	query.Set("end", "line")
	query.Set("limit", fmt.Sprint(f.Limit))
	r := &feedReading{client: c, out: out, path: path, query: query, state: feedState{After: f.After}, statePath: f.State, follow: f.Follow}
	if err := r.open(f.Output, f.Since); err != nil {
		return err
	}
	err = r.run(ctx)
	if r.file != nil {
		err = errors.Join(err, r.file.Close())
	}
	if f.Follow && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = nil // that is how it ends
	}
	out.say("%d actions read", r.count)
	return err
}

// feedReading is a reader of the feed.
type feedReading struct {
	client    *client
	out       *console
	path      string
	query     url.Values
	state     feedState
	statePath string
	file      *os.File // nil: standard output
	follow    bool
	count     int64
}

// open opens the output, and takes up where an earlier reader was.
func (r *feedReading) open(output, since string) error {
	known := false
	if r.statePath != "" {
		text, err := os.ReadFile(r.statePath)
		if err == nil {
			err = json.Unmarshal(text, &r.state)
			known = true
			if err == nil && r.state.Format > feedStateFormat {
				err = fmt.Errorf("%s is of format %d, of a newer version of this program, which knows %d", r.statePath, r.state.Format, feedStateFormat)
			}
		}
		if err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("--state: %w", err)
		}
	}
	if !known && since != "" && r.state.After == "" {
		r.query.Set("since", since)
	}
	another := false
	if output != "" {
		var err error
		if another, err = r.openFile(output, known); err != nil {
			return fmt.Errorf("-o: %w", err)
		}
	}
	if output == "" {
		r.state.Output, r.state.Bytes = "", 0
	}
	if r.statePath != "" && (!known || another) {
		return r.note() // how long the file is to which nothing was added yet
	}
	return nil
}

// openFile opens the file that is added to. What stands behind the length that was noted
// was written and not noted: it comes again. A shorter file is another one, which somebody
// began since. The umask decides who may read it, besides others, who may not.
func (r *feedReading) openFile(path string, known bool) (another bool, err error) {
	if r.file, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640); err != nil {
		return false, err
	}
	whole, err := filepath.Abs(path)
	if err != nil {
		return false, err
	}
	size, err := r.file.Seek(0, io.SeekEnd)
	its := r.state.Output == whole || r.state.Output == "" && r.state.Bytes > 0 // the state's
	r.state.Output = whole
	if err == nil && known && its && size > r.state.Bytes {
		err = r.file.Truncate(r.state.Bytes)
	}
	return known && (!its || size < r.state.Bytes), err
}

const (
	feedWaits   = 30 * time.Second
	feedRetries = 500 * time.Millisecond // after a failure; twice as long each time
	feedRests   = 30 * time.Second       // at most
)

// run reads page by page.
func (r *feedReading) run(ctx context.Context) error {
	if r.follow {
		r.query.Set("wait", feedWaits.String())
	}
	pause := feedRetries
	for {
		more, err := r.page(ctx)
		switch {
		case err == nil && (more || r.follow):
			pause = feedRetries
			if ctx.Err() == nil {
				continue
			}
			return ctx.Err()
		case err == nil || !r.follow || ctx.Err() != nil || !errors.Is(err, actionlog.ErrUnavailable):
			return err
		}
		r.out.say("actionlog: %v; again in %s", err, pause)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, feedRests)
	}
}

// page reads a page, writes it, and notes where it ends.
func (r *feedReading) page(ctx context.Context) (more bool, err error) {
	if r.state.After != "" {
		r.query.Set("after", r.state.After)
		r.query.Del("since")
	}
	resp, err := r.client.do(ctx, http.MethodGet, r.path, r.query, "", nil)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return false, fmt.Errorf("the page broke off: %w: %w", actionlog.ErrUnavailable, err)
	}
	lines, end, err := cutEnd(body)
	if err != nil {
		return false, err
	}
	if err := r.write(lines); err != nil {
		return false, err
	}
	r.count += int64(end.Count)
	changed := r.state.After != end.Next || len(lines) > 0
	if r.state.After = end.Next; changed && r.statePath != "" {
		err = r.note()
	}
	return end.More, err
}

// feedEnd is the last line of a page.
type feedEnd struct {
	Count int    `json:"count"`
	Next  string `json:"next"`
	More  bool   `json:"more"`
}

// cutEnd cuts the last line off, which must be true of the others.
func cutEnd(body []byte) (lines []byte, end feedEnd, err error) {
	at := bytes.LastIndexByte(bytes.TrimSuffix(body, []byte("\n")), '\n') + 1
	var last struct{ End *feedEnd }
	if err := json.Unmarshal(body[at:], &last); err != nil || last.End == nil || last.End.Count != bytes.Count(body[:at], []byte("\n")) {
		return nil, end, fmt.Errorf("the page is not whole: %w", actionlog.ErrUnavailable)
	}
	return body[:at], *last.End, nil
}

func (r *feedReading) write(lines []byte) error {
	if len(lines) == 0 {
		return nil
	}
	if r.file == nil {
		_, err := r.out.out.Write(lines)
		return err
	}
	if _, err := r.file.Write(lines); err != nil {
		return fmt.Errorf("-o: %w", err)
	}
	return r.file.Sync()
}

// note writes where the reader is, behind what is written.
func (r *feedReading) note() error {
	if r.file != nil {
		size, err := r.file.Seek(0, io.SeekEnd)
		if err != nil {
			return err
		}
		r.state.Bytes = size
	}
	r.state.Format = feedStateFormat
	text, err := json.Marshal(r.state)
	if err == nil {
		err = writeFile(r.statePath, string(text))
	}
	if err == nil {
		err = syncDir(filepath.Dir(r.statePath))
	}
	if err != nil {
		return fmt.Errorf("--state: %w", err)
	}
	return nil
}

// syncDir makes the names of a folder durable, where folders can be synced.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

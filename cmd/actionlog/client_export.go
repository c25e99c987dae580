package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"actionlog"
)

// Trailers of an export.
const (
	trailerCount  = "Actionlog-Count"
	trailerDigest = "Actionlog-Sha256"
)

// exportCmd takes all that the filters find, and believes nothing that it
// cannot check: an export that broke off must never look whole.
type exportCmd struct {
	queryArg
	filters
	Order  string `enum:"newest,oldest" default:"newest" env:"-" placeholder:"ORDER" help:"newest or oldest first. Default: newest."`
	Format string `short:"f" env:"-" enum:"ndjson,json,csv,ecs" default:"ndjson" help:"ndjson, json, csv, or ecs: events of the Elastic Common Schema. Default: ndjson."`
	Job    bool   `env:"-" help:"Have the service write it into a file first, as a job, and download that: a connection that breaks goes on where it was."`
	Output string `short:"o" placeholder:"FILE" env:"-" help:"Write to FILE, by way of FILE.part: FILE appears when the export is whole."`
}

// Run exports.
func (e *exportCmd) Run(ctx context.Context, settings *settings, out *console, parsed *kong.Context) error {
	c, err := settings.client()
	if err != nil {
		return err
	}
	query := filterValues(parsed, e.queryArg)
	if e.Job {
		return e.job(ctx, c, out, query)
	}
	path, err := c.path(ctx, "export")
	if err != nil {
		return err
	}
	query.Set("order", e.Order)
	query.Set("format", e.Format)
	if e.Format == "ndjson" || e.Format == "ecs" {
		query.Set("end", "line")
	}
	count, err := c.download(ctx, out, path, query, e.Output)
	if err != nil {
		return err
	}
	out.say("%d actions exported, count and SHA-256 checked", count)
	return nil
}

// download takes an export in the format that query names, checks that it is
// whole, and returns how many actions are in it.
func (c *client) download(ctx context.Context, out *console, path string, query url.Values, file string) (int64, error) {
	resp, err := c.do(ctx, http.MethodGet, path, query, "", nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	o, err := out.open(file)
	if err != nil {
		return 0, err
	}
	defer o.abandon()
	bar := newProgress(out, "exporting", -1)
	count, err := copyWhole(o, resp, bar)
	bar.end()
	if err == nil {
		sayMissing(out, missingOf(resp.Header.Get(headerMissing)))
		return count, o.commit()
	}
	if o.path != "" {
		out.say("%s.part holds what came until then", o.path)
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return count, err
}

// headerMissing names the days that are not in an export.
const headerMissing = "Actionlog-Missing"

// missingOf reads the header that names the days that are not in an export.
func missingOf(header string) (missing []dayRange) {
	for text := range strings.SplitSeq(header, ",") {
		from, to, _ := strings.Cut(strings.TrimSpace(text), "/")
		first, err := actionlog.ParseDay(from)
		last, err2 := actionlog.ParseDay(to)
		if err == nil && err2 == nil {
			missing = append(missing, dayRange{first, last})
		}
	}
	return missing
}

// copyWhole copies an export that says at its end, in one way or the other,
// what it held.
func copyWhole(w io.Writer, resp *http.Response, bar *progress) (int64, error) {
	if resp.Request.URL.Query().Get("end") == "line" {
		return copyLines(w, resp.Body, bar)
	}
	body := newDigest(resp.Body)
	if _, err := io.Copy(io.MultiWriter(w, bar), body); err != nil {
		return 0, brokenOff(-1, err)
	}
	if err := body.checkTrailers(resp); err != nil {
		return 0, err
	}
	return strconv.ParseInt(resp.Trailer.Get(trailerCount), 10, 64)
}

// endLine is the last line of an NDJSON export that was asked for it. Records
// begin with their id, events of ECS with their time.
type endLine struct {
	End *struct {
		Count  int64  `json:"count"`
		SHA256 string `json:"sha256"`
	} `json:"end"`
}

var endMark = []byte(`{"end":`)

// copyLines copies an NDJSON export without its last line, which must be true
// of the others.
func copyLines(w io.Writer, body io.Reader, bar *progress) (count int64, err error) {
	lines := bufio.NewReaderSize(body, 64<<10)
	digest := sha256.New()
	begin, partial := true, false
	for {
		piece, err := lines.ReadSlice('\n') // a line may come in several pieces
		partial = errors.Is(err, bufio.ErrBufferFull)
		if err != nil && !partial {
			return count, brokenOff(int(count), err)
		}
		if begin && bytes.HasPrefix(piece, endMark) && !partial {
			if _, err := lines.ReadByte(); !errors.Is(err, io.EOF) {
				return count, brokenOff(int(count), errors.New("something follows its end"))
			}
			return count, checkEnd(piece, count, digest)
		}
		digest.Write(piece)
		bar.Write(piece)
		if _, err := w.Write(piece); err != nil {
			return count, err
		}
		if begin = !partial; begin {
			count++
		}
	}
}

func checkEnd(line []byte, count int64, digest hash.Hash) error {
	var end endLine
	if err := json.Unmarshal(line, &end); err != nil || end.End == nil {
		return brokenOff(int(count), errors.New("its last line cannot be read"))
	}
	if end.End.Count != count {
		return fmt.Errorf("the export is not whole: %d actions came, %d were sent", count, end.End.Count)
	}
	return checkDigest(end.End.SHA256, digest)
}

func checkDigest(want string, digest hash.Hash) error {
	if got := hex.EncodeToString(digest.Sum(nil)); got != want {
		return fmt.Errorf("the export was altered on its way: its SHA-256 is %s, not %s", got, want)
	}
	return nil
}

// brokenOff says that an export ended before its end.
func brokenOff(count int, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the connection ended")
	}
	if count < 0 {
		return fmt.Errorf("the export broke off and is not whole: %w: %w", actionlog.ErrUnavailable, err)
	}
	return fmt.Errorf("the export broke off after %d actions and is not whole: %w: %w", count, actionlog.ErrUnavailable, err)
}

// digest reads a body and hashes it.
type digest struct {
	io.Reader
	hash hash.Hash
}

func newDigest(body io.Reader) *digest {
	h := sha256.New()
	return &digest{io.TeeReader(body, h), h}
}

// checkTrailers compares a body that has been read to its end with the
// trailers behind it.
func (d *digest) checkTrailers(resp *http.Response) error {
	want := resp.Trailer.Get(trailerDigest)
	if want == "" || resp.Trailer.Get(trailerCount) == "" {
		return brokenOff(-1, errors.New("its count and SHA-256 did not come"))
	}
	return checkDigest(want, d.hash)
}

package search

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"actionlog"

	"github.com/gin-gonic/gin"
)

// Trailers of an export: how many actions it holds, and the SHA-256 of its body
// in hexadecimal (without the end line). A body without them is not whole.
const (
	trailerCount  = "Actionlog-Count"
	trailerDigest = "Actionlog-Sha256"
)

// flushEvery is how much of an export is collected before it is sent.
const flushEvery = 64 << 10

// format is how an export is written.
type format interface {
	contentType() string
	begin(w io.Writer) error
	write(w io.Writer, r view) error
	end(w io.Writer) error
}

func formatOf(name string, zone *time.Location, bom bool) format {
	switch name {
	case "csv":
		return newCSV(zone, bom)
	case "json":
		return &jsonFormat{}
	case formatECS:
		return &ecsFormat{}
	}
	return &ndjsonFormat{}
}

// ndjsonFormat has a line for each action. The buffer of the last one is used for the next.
type ndjsonFormat struct{ line []byte }

func (*ndjsonFormat) contentType() string   { return "application/x-ndjson" }
func (*ndjsonFormat) begin(io.Writer) error { return nil }
func (*ndjsonFormat) end(w io.Writer) error { return nil }
func (f *ndjsonFormat) write(w io.Writer, r view) error {
	f.line = append(appendRecord(f.line[:0], r), '\n')
	_, err := w.Write(f.line)
	return err
}

// formatECS is the name of events of the Elastic Common Schema, one a line.
const formatECS = "ecs"

type ecsFormat struct{ ndjsonFormat }

func (f *ecsFormat) write(w io.Writer, r view) (err error) {
	if f.line, err = appendEvent(f.line[:0], r); err == nil {
		f.line = append(f.line, '\n')
		_, err = w.Write(f.line)
	}
	return err
}

// jsonFormat is one array, an action a line.
type jsonFormat struct {
	some bool
	line []byte
}

func (*jsonFormat) contentType() string { return "application/json" }
func (*jsonFormat) begin(w io.Writer) error {
	_, err := io.WriteString(w, "[")
	return err
}
func (f *jsonFormat) write(w io.Writer, r view) error {
	separator := ",\n"
	if !f.some {
		f.some, separator = true, "\n"
	}
	f.line = appendRecord(append(f.line[:0], separator...), r)
	_, err := w.Write(f.line)
	return err
}
func (*jsonFormat) end(w io.Writer) error {
	_, err := io.WriteString(w, "\n]\n")
	return err
}

// export streams everything that the filters find.
func (s *server) export(c *gin.Context) {
	a, err := s.ask(c, nearExclude, "format", "order", "end", "bom")
	if err != nil {
		s.fail(c, err)
		return
	}
	o, err := s.exportOptions(a)
	if err != nil {
		s.fail(c, err)
		return
	}
	direction, err := order(a.values)
	if err != nil {
		s.fail(c, err)
		return
	}
	if err := s.leaveOut(c.Request.Context(), a); err != nil {
		s.fail(c, err)
		return
	}
	// The first record is fetched before the status is sent, so that what is
	// wrong from the start is said as a problem.
	next, stop := iter.Pull2(s.Scanner.Scan(c.Request.Context(), a.query, direction))
	defer stop()
	r, err, more := next()
	if more && err != nil {
		s.fail(c, err)
		return
	}
	id := strings.ToLower(rand.Text()[:10])
	if err := s.exportStarts(c, id); err != nil {
		s.fail(c, err)
		return
	}
	if s.Exporting != nil {
		defer s.Exporting()()
	}
	sayReach(c, &a.meta)
	x := s.startExport(c, o, a.institution)
	for ; more && err == nil; r, err, more = next() {
		yield()
		if err = s.own(a.institution, &r); err == nil {
			err = x.write(s.shown(r))
		}
		if err != nil {
			break
		}
	}
	if err == nil {
		err = s.reachedStill(c.Request.Context(), a)
	}
	if err == nil {
		err = s.leftOutStill(c.Request.Context(), a)
	}
	if err == nil {
		err = x.finish(&a.meta)
	}
	s.exportEnds(c, id, x, err)
}

// exportStarts records that an export begins: one that cannot be recorded does not.
func (s *server) exportStarts(c *gin.Context, id string) error {
	return s.witness(c, step{code: codeExportStarted, reason: principal(c).Reason(c.Param("institution")),
		details: map[string]any{"export": id, "filter": filterOfRequest(c.Request.URL.Query())}}, c.Param("institution"))
}

// exportEnds records how an export ended, and breaks off the body of one that failed.
func (s *server) exportEnds(c *gin.Context, id string, x *exporting, err error) {
	st := step{code: codeExported, status: http.StatusOK, summary: fmt.Sprintf("%d actions exported as %s", x.count, x.name),
		details: map[string]any{"export": id, "rows": x.count, "format": x.name, "filter": filterOfRequest(c.Request.URL.Query())}}
	if err != nil {
		st.failed, st.reason, st.summary = true, "broken off", fmt.Sprintf("%d actions sent, then broken off", x.count)
	} else {
		st.details["sha256"] = x.sum
	}
	s.noted(c, st, c.Param("institution"))
	if err == nil {
		return
	}
	if c.Request.Context().Err() == nil {
		s.Log.Error("an export was broken off", "institution", c.Param("institution"), "actions", x.count, "error", err)
	}
	panic(http.ErrAbortHandler) // the client sees a broken body, never an end
}

// Headers of an export whose time reaches beyond what is searchable: the days that were
// restored, with the restore, and those that are in no answer, as from/to, both included.
const headerRestored, headerMissing = "Actionlog-Restored", "Actionlog-Missing"

func sayReach(c *gin.Context, about *meta) {
	var restored, missing []string
	for _, r := range about.Restored {
		restored = append(restored, r.From.String()+"/"+r.To.String()+";id="+r.ID)
	}
	for _, d := range about.Missing {
		missing = append(missing, d.From.String()+"/"+d.To.String())
	}
	if len(restored) > 0 {
		c.Header(headerRestored, strings.Join(restored, ", "))
	}
	if len(missing) > 0 {
		c.Header(headerMissing, strings.Join(missing, ", "))
	}
}

// exportOptions are what an export looks like.
type exportOptions struct {
	format  format
	name    string
	endLine bool
}

func (s *server) exportOptions(a *asked) (o exportOptions, err error) {
	if o.name, err = choice(a.values, "format", "ndjson", "csv", "json", "ndjson", formatECS); err != nil {
		return o, err
	}
	end, err := choice(a.values, "end", "", "line")
	if err != nil {
		return o, err
	}
	if o.endLine = end == "line"; o.endLine && o.name != "ndjson" && o.name != formatECS {
		return o, actionlog.Invalidf("end", "is for format=ndjson and format=ecs only")
	}
	bom, err := choice(a.values, "bom", "0", "0", "1")
	if err != nil {
		return o, err
	}
	o.format = formatOf(o.name, a.zone, bom == "1")
	return o, nil
}

// writing is an export on its way, wherever it goes.
type writing struct {
	exportOptions
	out    *bufio.Writer
	digest hash.Hash
	count  int64
	sum    string // of all that was written, once it is
}

func beginWriting(o exportOptions, to io.Writer) (*writing, error) {
	x := &writing{exportOptions: o, digest: sha256.New()}
	x.out = bufio.NewWriterSize(io.MultiWriter(x.digest, to), flushEvery)
	return x, o.format.begin(x.out)
}

func (x *writing) write(r view) error {
	x.count++
	return x.format.write(x.out, r)
}

func (x *writing) end() error {
	if err := x.format.end(x.out); err != nil {
		return err
	}
	if err := x.out.Flush(); err != nil {
		return err
	}
	x.sum = hex.EncodeToString(x.digest.Sum(nil))
	return nil
}

// exporting is an export on its way to who asked for it.
type exporting struct {
	*writing
	c *gin.Context
}

// fileName is what the file of an export is called.
func fileName(institution, format string, at time.Time) string {
	if format == formatECS {
		format = "ecs.ndjson"
	}
	return fmt.Sprintf("actions-%s-%s.%s", institution, at.UTC().Format("20060102T150405Z"), format)
}

func setFileHeaders(c *gin.Context, f format, name string) {
	c.Header("Content-Type", f.contentType()+"; charset=utf-8")
	c.Header("Content-Disposition", `attachment; filename="`+name+`"`)
}

func (s *server) startExport(c *gin.Context, o exportOptions, institution string) *exporting {
	setFileHeaders(c, o.format, fileName(institution, o.name, s.Now()))
	c.Header("Trailer", trailerCount+", "+trailerDigest)
	c.Status(http.StatusOK)
	w, err := beginWriting(o, politely(c))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return &exporting{w, c}
}

// finish ends the body and says how much it holds.
func (x *exporting) finish(about *meta) error {
	if err := x.end(); err != nil {
		return err
	}
	if x.endLine {
		end := gin.H{"count": x.count, "sha256": x.sum, "complete_through": about.CompleteThrough}
		if len(about.Restored) > 0 {
			end["restored"] = about.Restored
		}
		if len(about.Missing) > 0 {
			end["missing"] = about.Missing
		}
		line, err := json.Marshal(gin.H{"end": end})
		if err != nil {
			return err
		}
		if _, err := x.c.Writer.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	x.c.Writer.WriteHeaderNow()
	x.c.Writer.Flush()
	x.c.Header(trailerCount, strconv.FormatInt(x.count, 10))
	x.c.Header(trailerDigest, x.sum)
	return nil
}

// exportOne exports one action.
func (s *server) exportOne(c *gin.Context) {
	r, err := s.one(c, "format", "tz", "bom")
	if err != nil {
		s.fail(c, err)
		return
	}
	a := &asked{values: c.Request.URL.Query(), institution: c.Param("institution")}
	reader := reading{now: s.Now()}
	if err := reader.time(a.values, &a.filtered); err != nil {
		s.fail(c, err)
		return
	}
	o, err := s.exportOptions(a)
	if err != nil {
		s.fail(c, err)
		return
	}
	st := step{code: codeExported, status: http.StatusOK, reason: principal(c).Reason(c.Param("institution")), summary: "One action exported",
		details: map[string]any{"rows": 1, "format": o.name, "action": r.ID}}
	if err := s.witness(c, st, a.institution); err != nil {
		s.fail(c, err)
		return
	}
	x := s.startExport(c, o, a.institution)
	if x.write(s.detailed(r)) != nil || x.finish(&meta{}) != nil {
		panic(http.ErrAbortHandler)
	}
}

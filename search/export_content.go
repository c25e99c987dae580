package search

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"actionlog"

	"github.com/gin-gonic/gin"
)

const (
	// contentPiece is how much of a file is in memory for a request.
	contentPiece = 512 << 10
	// maxFetching is how many requests of an institution may fetch files at a time.
	maxFetching = 8
	// fetchedFor is how long a caller that goes on fetching is not recorded again.
	fetchedFor = time.Hour
)

// exportContent answers with the file of an export, or a part of it (RFC 9110, Range). A
// request for several parts is answered with the whole.
func (s *server) exportContent(c *gin.Context) {
	key := exportKey(c.Param("institution"), c.Param("id"))
	x, _, err := s.Exports.book().get(c.Request.Context(), key)
	if err != nil {
		s.fail(c, err)
		return
	}
	if p, no := s.noContent(&x); no {
		s.answer(c, p)
		return
	}
	if !s.Exports.enter(x.Institution) {
		s.tooMany(c, time.Second, "%d requests of the institution fetch exports already", maxFetching)
		return
	}
	defer s.Exports.leave(x.Institution)
	content := &exportReader{ctx: c.Request.Context(), storage: s.Exports.Storage, name: x.Content, size: *x.Bytes}
	if err := content.probe(); err != nil {
		s.fail(c, err)
		return
	}
	sum, err := hex.DecodeString(x.SHA256)
	if err != nil {
		s.fail(c, err)
		return
	}
	setFileHeaders(c, formatOf(x.Format, time.UTC, false), x.FileName)
	c.Header("ETag", `"`+x.SHA256+`"`)
	c.Header("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(sum)+":")
	onePart(c, *x.Bytes)
	http.ServeContent(&watchedWriter{ResponseWriter: c.Writer, to: politely(c), begins: func(status int) error { return s.fetches(c, &x, status) },
		refuse: func(p problem) { s.refuseContent(c, p, *x.Bytes) }}, c.Request, "", time.Time{}, content)
	if content.failed != nil {
		if c.Request.Context().Err() == nil {
			s.Log.Error("the file of an export was broken off", "export", key, "error", content.failed)
		}
		panic(http.ErrAbortHandler)
	}
}

// onePart leaves a request the one part that it asks for: a unit that nobody knows, and more
// than one part, are passed over (RFC 9110, 14.2).
func onePart(c *gin.Context, size int64) {
	wanted := c.GetHeader("Range")
	unit, part, _ := strings.Cut(wanted, "=")
	switch {
	case !strings.EqualFold(strings.TrimSpace(unit), "bytes") || strings.Contains(part, ","):
		c.Request.Header.Del("Range")
	case strings.HasPrefix(part, "-") && strings.Trim(part, "-0") == "": // the last no bytes are no part
		c.Request.Header.Set("Range", fmt.Sprintf("bytes=%d-", size))
	}
}

// noContent says why an export has no file that could be fetched.
func (s *server) noContent(x *exportRecord) (problem, bool) {
	switch {
	case x.expired(s.Now()) || x.Status == actionlog.ExportCancelled:
		status := x.Status
		if x.expired(s.Now()) {
			status = actionlog.ExportExpired
		}
		return newProblem(http.StatusGone, "the export is %s: its file is gone", status), true
	case x.Status == actionlog.ExportFailed:
		return newProblem(http.StatusConflict, "the export failed: %s", x.Problem), true
	case x.Status != actionlog.ExportReady:
		return newProblem(http.StatusConflict, "the export is %s: it has no file yet", x.Status), true
	case !strings.HasPrefix(x.Content, s.Exports.service+x.Institution+"."):
		s.foreign.Inc()
		s.Log.Error("ALARM: an export has a file that is not its institution's; it was held back", "institution", x.Institution, "export", x.ID)
		return newProblem(http.StatusInternalServerError, "the service failed; its log says why"), true
	}
	return problem{}, false
}

// refuseContent answers with a problem where a file would have begun.
func (s *server) refuseContent(c *gin.Context, p problem, size int64) {
	for _, name := range []string{"ETag", "Repr-Digest", "Content-Disposition", "Content-Length", "Content-Type", "Content-Range", "Accept-Ranges"} {
		c.Writer.Header().Del(name)
	}
	if p.Status == http.StatusRequestedRangeNotSatisfiable {
		c.Header("Content-Range", fmt.Sprintf("bytes */%d", size))
	}
	headers(c) // package http takes some away
	s.answer(c, p)
}

// fetches records that a caller fetches a file: each time from its beginning, and otherwise
// once an hour, so that a connection that breaks often does not fill the log, and nobody
// who begins at the second byte is not in it.
func (s *server) fetches(c *gin.Context, x *exportRecord, status int) error {
	who := strings.Join([]string{x.Institution, x.ID, principal(c).ID, principal(c).Session}, "\x00")
	wanted := c.Writer.Header().Get("Content-Range")
	if wanted == "" {
		wanted = fmt.Sprintf("bytes 0-%d/%d", max(0, *x.Bytes-1), *x.Bytes)
	}
	s.Exports.mu.Lock()
	last, known := s.Exports.fetched[who]
	s.Exports.mu.Unlock()
	if known && s.Now().Sub(last) < fetchedFor && !strings.HasPrefix(wanted, "bytes 0-") {
		return nil
	}
	err := s.witness(c, step{code: codeDownloaded, status: status, reason: principal(c).Reason(x.Institution), summary: fmt.Sprintf("An export of %d actions downloaded", *x.Count),
		details: map[string]any{"export": x.ID, "rows": *x.Count, "format": x.Format, "sha256": x.SHA256, "range": wanted}}, x.Institution)
	if err == nil {
		s.Exports.mu.Lock()
		s.Exports.fetched[who] = s.Now()
		s.Exports.mu.Unlock()
	}
	return err
}

// enter takes a place among those of an institution that fetch; false: there is none.
func (e *Exports) enter(institution string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fetching[institution] >= maxFetching {
		return false
	}
	e.fetching[institution]++
	return true
}

func (e *Exports) leave(institution string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fetching[institution]--; e.fetching[institution] == 0 {
		delete(e.fetching, institution)
	}
}

// watchedWriter lets content begin only once that is recorded; other answers, as that
// nothing changed or that there is no such part, go through.
type watchedWriter struct {
	http.ResponseWriter
	to      io.Writer
	begins  func(status int) error
	refuse  func(problem)
	refused bool
}

// errRefused ends the copying of content that may not begin.
var errRefused = errors.New("refused")

// WriteHeader implements http.ResponseWriter.
func (w *watchedWriter) WriteHeader(status int) {
	var no problem
	switch status {
	case http.StatusOK, http.StatusPartialContent:
		if err := w.begins(status); err != nil {
			no = problemOf(err)
		}
	case http.StatusRequestedRangeNotSatisfiable:
		no = newProblem(status, "the file has no such part")
	case http.StatusPreconditionFailed:
		no = newProblem(status, "the file is not the one that is asked for")
	}
	if w.refused = no.Status != 0; w.refused {
		w.refuse(no)
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (w *watchedWriter) Write(b []byte) (int, error) {
	if w.refused {
		return 0, errRefused
	}
	return w.to.Write(b)
}

// exportReader reads a file of the storage piece by piece: http.ServeContent seeks and
// reads, and one piece is in memory.
type exportReader struct {
	ctx        context.Context
	storage    ExportStorage
	name       string
	size, at   int64
	piece      []byte
	pieceStart int64
	failed     error
}

// probe finds out whether the file can be read here.
func (r *exportReader) probe() error {
	if r.size == 0 {
		return nil
	}
	_, err := r.storage.ReadRange(r.ctx, r.name, r.size-1, 1)
	if errors.Is(err, actionlog.ErrNotFound) {
		return fmt.Errorf("the file of this export is not where this process of the service looks: it was lost, or lies with another process, to which --exports should give a place that all reach: %w", actionlog.ErrUnavailable)
	}
	return err
}

// Seek implements io.Seeker.
func (r *exportReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.size
	}
	if offset < 0 {
		return 0, errors.New("before the beginning")
	}
	r.at = offset
	return offset, nil
}

// Read implements io.Reader.
func (r *exportReader) Read(b []byte) (int, error) {
	if r.failed != nil {
		return 0, r.failed
	}
	if r.at >= r.size {
		return 0, io.EOF
	}
	if r.at < r.pieceStart || r.at >= r.pieceStart+int64(len(r.piece)) {
		piece, err := r.storage.ReadRange(r.ctx, r.name, r.at, min(contentPiece, r.size-r.at))
		if err == nil && len(piece) == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			r.failed = err
			return 0, err
		}
		r.piece, r.pieceStart = piece, r.at
	}
	n := copy(b, r.piece[r.at-r.pieceStart:])
	r.at += int64(n)
	return n, nil
}

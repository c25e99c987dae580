package search

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"actionlog"

	"github.com/gin-gonic/gin"
	"github.com/klauspost/compress/zstd"
)

const (
	maxIngestBytes = 64 << 20 // of a decoded body
	maxIngestItems = 10_000   // of a body
	ingestChunk    = 1000     // documents published at a time
)

// result is what became of one document of a body.
type result struct {
	Index     int          `json:"index"`
	ID        string       `json:"id,omitempty"`
	Status    int          `json:"status"` // 201 taken, 200 the stream held it already, 422 refused, 503 try again
	Position  string       `json:"position,omitempty"`
	Duplicate bool         `json:"duplicate,omitempty"`
	Warnings  []string     `json:"warnings,omitempty"`
	Error     *ingestError `json:"error,omitempty"`
}

type ingestError struct {
	Pointer string `json:"pointer,omitempty"`
	Detail  string `json:"detail"`
}

// ingest takes a JSON object, an array, or NDJSON, and answers for each
// document. What is refused is not kept: the caller has it.
func (s *server) ingest(c *gin.Context) {
	if len(c.Request.URL.RawQuery) > 0 {
		s.fail(c, actionlog.Invalidf("query", "this call has no parameters"))
		return
	}
	if c.Param("institution") == actionlog.PlatformLog {
		s.deny(c, "", newProblem(http.StatusForbidden, "the service alone writes this log"))
		return
	}
	body, err := decoded(c.Request)
	if err != nil {
		s.answer(c, newProblem(http.StatusUnsupportedMediaType, "%s", err))
		return
	}
	documents, single, err := documentsOf(body, c.ContentType())
	if err != nil {
		s.answer(c, newProblem(http.StatusUnsupportedMediaType, "%s", err))
		return
	}
	in := &ingesting{server: s, c: c, institution: c.Param("institution")}
	for document, err := range documents {
		if err == nil && in.count >= maxIngestItems {
			err = errTooLarge
		}
		if err != nil {
			in.flush()
			in.stop = err
			break
		}
		in.add(document)
	}
	in.flush()
	in.answer(single)
}

var errTooLarge = errors.New("a body holds at most 10,000 documents and 64 MiB")

// decoded undoes the Content-Encoding and limits what comes out.
func decoded(r *http.Request) (io.Reader, error) {
	var body io.Reader = r.Body
	switch encoding := strings.ToLower(r.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, errors.New("the body is not gzip")
		}
		body = z
	case "zstd":
		z, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(16<<20), zstd.WithDecoderMaxWindow(8<<20))
		if err != nil {
			return nil, errors.New("the body is not zstd")
		}
		body = z.IOReadCloser()
	default:
		return nil, errors.New("Content-Encoding " + encoding + " is not gzip or zstd")
	}
	return &bounded{body, maxIngestBytes}, nil
}

// bounded fails, rather than ends, behind its limit.
type bounded struct {
	from io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLarge
	}
	n, err := b.from.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// documentsOf cuts a body into documents. single is set when the body is one
// object. The sequence ends with an error when the body cannot be read on.
func documentsOf(body io.Reader, contentType string) (documents func(yield func([]byte, error) bool), single bool, err error) {
	in := bufio.NewReaderSize(body, 64<<10)
	switch contentType {
	case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines", "application/json-lines":
		return lines(in), false, nil
	case "application/json", "":
	default:
		return nil, false, errors.New("Content-Type " + contentType + " is not application/json or application/x-ndjson")
	}
	if start, err := firstByte(in); err == nil && start == '[' {
		return elements(in), false, nil
	}
	return func(yield func([]byte, error) bool) {
		all, err := io.ReadAll(io.LimitReader(in, actionlog.MaxDocumentBytes*4))
		yield(all, err)
	}, true, nil
}

// firstByte peeks at the first byte that is not white space.
func firstByte(in *bufio.Reader) (byte, error) {
	for n := 1; n < 4096; n++ {
		b, err := in.Peek(n)
		if err != nil {
			return 0, err
		}
		if c := b[n-1]; c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c, nil
		}
	}
	return 0, nil
}

// lines yields the lines of NDJSON that are not blank. Of a line that is far
// too long only the beginning is kept; it is refused for its length.
func lines(in *bufio.Reader) func(yield func([]byte, error) bool) {
	return func(yield func([]byte, error) bool) {
		var line []byte
		for {
			part, err := in.ReadSlice('\n')
			if len(line) <= actionlog.MaxDocumentBytes+2 {
				line = append(line, part...)
			}
			if errors.Is(err, bufio.ErrBufferFull) {
				continue
			}
			if err != nil && err != io.EOF {
				yield(nil, err)
				return
			}
			if document := bytes.TrimSpace(line); len(document) > 0 && !yield(bytes.Clone(document), nil) {
				return
			}
			line = line[:0]
			if err == io.EOF {
				return
			}
		}
	}
}

// elements yields the elements of a JSON array, as they stand in it.
func elements(in *bufio.Reader) func(yield func([]byte, error) bool) {
	return func(yield func([]byte, error) bool) {
		d := json.NewDecoder(in)
		if _, err := d.Token(); err != nil {
			yield(nil, err)
			return
		}
		for d.More() {
			var document json.RawMessage
			if err := d.Decode(&document); err != nil {
				yield(nil, err)
				return
			}
			if !yield(document, nil) {
				return
			}
		}
		if _, err := d.Token(); err != nil {
			yield(nil, err)
			return
		}
		if _, err := d.Token(); err != io.EOF {
			yield(nil, errors.New("something stands behind the array"))
		}
	}
}

// ingesting is a body on its way to the stream.
type ingesting struct {
	*server
	c           *gin.Context
	institution string
	count       int
	batch       []actionlog.Submission
	indexes     []int // of the batch's results
	results     []result
	stop        error // why the rest of the body was not read
}

func (in *ingesting) add(document []byte) {
	r := result{Index: in.count}
	in.count++
	item, err := in.judge(document)
	r.ID, r.Warnings = item.ID, item.Warnings
	if err != nil {
		r.Status, r.Error = http.StatusUnprocessableEntity, refusal(err)
		in.results = append(in.results, r)
		return
	}
	actionlog.Yield(len(in.results))
	in.results = append(in.results, r)
	in.indexes = append(in.indexes, len(in.results)-1)
	in.batch = append(in.batch, actionlog.Submission{Institution: item.Institution, Category: item.Action.Category,
		ID: item.ID, Digest: item.Digest, Document: item.Document})
	if len(in.batch) == ingestChunk {
		in.flush()
	}
}

func refusal(err error) *ingestError {
	var invalid *actionlog.InvalidError
	if errors.As(err, &invalid) {
		return &ingestError{Pointer: invalid.Field, Detail: invalid.Reason.String()}
	}
	return &ingestError{Detail: err.Error()}
}

// judge refuses what could only become a dead letter.
func (in *ingesting) judge(document []byte) (actionlog.Item, error) {
	item, err := actionlog.Parse(document, in.Scrubber)
	if err != nil {
		return item, err
	}
	if item.Institution != in.institution {
		return item, actionlog.Invalidf("/institution/id", "is not %s, whose actions this address takes", in.institution)
	}
	return item, actionlog.CheckTime(item.OccurredAt, in.Now())
}

func (in *ingesting) flush() {
	if len(in.batch) == 0 {
		return
	}
	for i, receipt := range in.Publisher.Publish(in.c.Request.Context(), in.batch) {
		r := &in.results[in.indexes[i]]
		var invalid *actionlog.InvalidError
		switch {
		case errors.As(receipt.Err, &invalid):
			r.Status, r.Error = http.StatusUnprocessableEntity, refusal(receipt.Err)
		case receipt.Err != nil:
			r.Status, r.Error = http.StatusServiceUnavailable, &ingestError{Detail: "the stream did not take it; try again"}
			in.Log.Warn("ingest: not published", "error", receipt.Err)
		case receipt.Duplicate:
			r.Status, r.Duplicate, r.Position = http.StatusOK, true, in.seal.position(in.institution, receipt.Position)
		default:
			r.Status, r.Position = http.StatusCreated, in.seal.position(in.institution, receipt.Position)
		}
	}
	in.batch, in.indexes = in.batch[:0], in.indexes[:0]
}

// answer says what became of each document; the status is theirs if they agree.
func (in *ingesting) answer(single bool) {
	in.countResults()
	if single && len(in.results) == 1 {
		in.answerOne(in.results[0])
		return
	}
	taken, refused, statuses := 0, 0, map[int]bool{}
	for _, r := range in.results {
		if r.Status < 300 {
			taken++
		} else {
			refused++
		}
		statuses[r.Status] = true
	}
	status := http.StatusMultiStatus
	switch {
	case in.stop != nil && errors.Is(in.stop, errTooLarge):
		status = http.StatusRequestEntityTooLarge
	case in.stop != nil:
		status = http.StatusBadRequest
	case len(in.results) == 0:
		status = http.StatusUnprocessableEntity
	case refused == 0:
		status = http.StatusCreated
	case len(statuses) == 1:
		status = in.results[0].Status
	}
	if in.results == nil {
		in.results = []result{}
	}
	answer := gin.H{"results": in.results, "taken": taken, "refused": refused}
	if status >= 400 {
		detail := "no document was taken"
		if in.stop != nil {
			detail = "the body could not be read to its end: " + in.stop.Error()
		} else if len(in.results) == 0 {
			detail = "the body holds no document"
		}
		p := newProblem(status, "%s", detail)
		answer["type"], answer["title"], answer["status"], answer["detail"] = p.Type, p.Title, p.Status, p.Detail
		in.c.Header("Content-Type", "application/problem+json")
		if status == http.StatusServiceUnavailable {
			in.c.Header("Retry-After", "5")
		}
	}
	in.c.JSON(status, answer)
}

// countResults counts what became of each document.
func (in *ingesting) countResults() {
	for _, r := range in.results {
		outcome := "refused"
		switch {
		case r.Duplicate:
			outcome = "duplicate"
		case r.Status < 300:
			outcome = "taken"
		case r.Status == http.StatusServiceUnavailable:
			outcome = "unavailable"
		}
		in.ingested.WithLabelValues(outcome).Inc()
	}
}

func (in *ingesting) answerOne(r result) {
	if in.stop != nil {
		in.server.answer(in.c, newProblem(http.StatusBadRequest, "the body could not be read to its end: %s", in.stop))
		return
	}
	if r.Error == nil {
		in.c.JSON(r.Status, r)
		return
	}
	p := newProblem(r.Status, "%s", r.Error.Detail)
	if r.Error.Pointer != "" {
		p = newProblem(r.Status, "%s: %s", r.Error.Pointer, r.Error.Detail)
	}
	p.Pointer = r.Error.Pointer
	in.server.answer(in.c, p)
}

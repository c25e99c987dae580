package archive

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"actionlog"
)

// Line is what the archive keeps of a message of the stream. As a line of a segment:
//
//	{"position":{"stream":"s1","sequence":7},"received_at":"…","institution":"x","day":"2026-11-25","document":{…}}
//
// "document" is the action document as it came, but for scrubbed credentials. Where
// that holds a line break it stands in "raw" as well, as a string, byte for byte, and in
// "document" without the breaks. What is no action has "dead" (a reason as of a dead
// letter) and, where it is not JSON, only "raw", or "raw_base64" where it is not UTF-8
// either; its institution is what the subject said.
type Line struct {
	Position    actionlog.Position
	ReceivedAt  time.Time // when the stream took it
	Institution string
	Day         actionlog.Day // on which the action occurred; zero where that is not known
	Dead        string        // why it is no action, "" for an action
	Document    []byte
	Segment     uint64 // the number of the sealed segment that it was read from
}

// lineBegins is how each line begins.
const lineBegins = `{"position":{"stream":"`

// appendLine appends a line with its break.
func appendLine(b []byte, l *Line) []byte {
	b = append(b, lineBegins...)
	b = append(b, l.Position.Stream...)
	b = append(b, `","sequence":`...)
	b = strconv.AppendUint(b, l.Position.Sequence, 10)
	b = append(b, "},"...)
	return appendStatement(b, l)
}

// appendStatement appends what a line says besides its position, which is of the whole
// stream and so not everybody's to know.
func appendStatement(b []byte, l *Line) []byte {
	b = append(b, `"received_at":"`...)
	b = l.ReceivedAt.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","institution":"`...)
	b = append(b, l.Institution...)
	if !l.Day.IsZero() {
		b = append(b, `","day":"`...)
		b = l.Day.Start().AppendFormat(b, time.DateOnly)
	}
	if l.Dead != "" {
		b = append(b, `","dead":"`...)
		b = append(b, l.Dead...)
	}
	b = append(b, `",`...)
	b = appendDocument(b, l)
	return append(b, "}\n"...)
}

func appendDocument(b []byte, l *Line) []byte {
	whole := !bytes.ContainsAny(l.Document, "\n\r")
	isJSON := l.Dead == "" || actionlog.IsJSON(l.Document)
	if isJSON {
		b = append(b, `"document":`...)
		if whole {
			return append(b, l.Document...)
		}
		start := len(b)
		b = append(b, l.Document...)
		for i, c := range b[start:] {
			if c == '\n' || c == '\r' { // white space: a string of valid JSON has none
				b[start+i] = ' '
			}
		}
		b = append(b, ',')
	}
	if !utf8.Valid(l.Document) {
		b = append(b, `"raw_base64":"`...)
		b = base64.StdEncoding.AppendEncode(b, l.Document)
		return append(b, '"')
	}
	raw, err := json.Marshal(string(l.Document))
	if err != nil {
		raw = []byte(`""`) // cannot be: every string encodes
	}
	return append(append(b, `"raw":`...), raw...)
}

// errLine: what is read is not a line of an archive.
var errLine = errors.New("is not a line of an archive")

// header is what stands in a line before its document.
type header struct {
	stream      string
	sequence    uint64
	receivedAt  string
	institution string
	day         string
	dead        string
	statement   int // where the line goes on behind the position
	rest        int // where the document begins
}

func (h *header) position() actionlog.Position {
	return actionlog.Position{Stream: h.stream, Sequence: h.sequence}
}

// readHeader reads a line as appendLine writes it. The strings share line.
func readHeader(line []byte) (h header, err error) {
	c := cutter{line: line}
	h.stream = c.between(lineBegins, '"')
	h.sequence, err = strconv.ParseUint(c.between(`,"sequence":`, '}'), 10, 64)
	if err != nil || !c.skip(",") {
		return h, errLine
	}
	h.statement = c.at
	h.receivedAt = c.between(`"received_at":"`, '"')
	h.institution = c.between(`,"institution":"`, '"')
	if c.skip(`,"day":"`) {
		h.day = c.until('"')
	}
	if c.skip(`,"dead":"`) {
		h.dead = c.until('"')
	}
	if !c.skip(",") || c.failed || h.sequence == 0 {
		return h, errLine
	}
	h.rest = c.at
	return h, nil
}

// cutter reads a text piece by piece.
type cutter struct {
	line   []byte
	at     int
	failed bool
}

func (c *cutter) skip(text string) bool {
	if !bytes.HasPrefix(c.line[c.at:], []byte(text)) {
		return false
	}
	c.at += len(text)
	return true
}

func (c *cutter) between(before string, end byte) string {
	if !c.skip(before) {
		c.failed = true
		return ""
	}
	return c.until(end)
}

func (c *cutter) until(end byte) string {
	n := bytes.IndexByte(c.line[c.at:], end)
	if n < 0 {
		c.failed = true
		return ""
	}
	text := c.line[c.at : c.at+n]
	c.at += n + 1
	return string(text)
}

// parseLine reads a line whole.
func parseLine(line []byte) (*Line, error) {
	h, err := readHeader(line)
	if err != nil {
		return nil, err
	}
	l := &Line{Position: h.position(), Institution: h.institution, Dead: h.dead}
	if l.ReceivedAt, err = time.Parse(time.RFC3339Nano, h.receivedAt); err != nil {
		return nil, fmt.Errorf("%w: received_at: %w", errLine, err)
	}
	if h.day != "" {
		if l.Day, err = actionlog.ParseDay(h.day); err != nil {
			return nil, fmt.Errorf("%w: day: %w", errLine, err)
		}
	}
	l.Document, err = readDocument(bytes.TrimRight(line[h.rest:], "\n"))
	return l, err
}

// readDocument reads the end of a line, from "document" or "raw" to the brace.
func readDocument(text []byte) ([]byte, error) {
	plain, ok := bytes.CutPrefix(text, []byte(`"document":`))
	if ok && !bytes.HasSuffix(text, []byte(`"}`)) {
		document, whole := bytes.CutSuffix(plain, []byte("}"))
		if !whole || len(document) == 0 {
			return nil, errLine
		}
		return document, nil
	}
	var parts struct {
		Raw       *string         `json:"raw"`
		RawBase64 []byte          `json:"raw_base64"`
		Document  json.RawMessage `json:"document"`
	}
	if err := json.Unmarshal(append([]byte("{"), text...), &parts); err != nil {
		return nil, fmt.Errorf("%w: %w", errLine, err)
	}
	switch {
	case parts.Raw != nil:
		return []byte(*parts.Raw), nil
	case parts.RawBase64 != nil:
		return parts.RawBase64, nil
	}
	return parts.Document, nil
}

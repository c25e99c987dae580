package archive

import (
	"bytes"
	"testing"
	"time"

	"actionlog"
)

// No line is a panic, however damaged; and what is read is written as it was read, which is
// read as the same again.
func FuzzLine(f *testing.F) {
	at := time.Date(2026, 11, 25, 12, 0, 0, 1, time.UTC)
	for _, l := range []Line{
		{Position: actionlog.Position{Stream: "s1", Sequence: 7}, ReceivedAt: at, Institution: "x", Day: actionlog.DayOf(at), Document: []byte(`{"id":"a"}`)},
		{Position: actionlog.Position{Stream: "s1", Sequence: 8}, ReceivedAt: at, Institution: "x", Dead: "invalid", Document: []byte("no\nJSON")},
		{Position: actionlog.Position{Stream: "s1", Sequence: 9}, ReceivedAt: at, Institution: "x", Dead: "invalid", Document: []byte("\xff\x00")},
		{Position: actionlog.Position{Stream: "s1", Sequence: 10}, ReceivedAt: at, Institution: "x", Day: actionlog.DayOf(at), Document: []byte("{\n\"id\":\"b\"}")},
	} {
		line := appendLine(nil, &l)
		f.Add(line)
		f.Add(line[:len(line)-3])
		if cut := bytes.Index(line, []byte(`"document":`)); cut > 0 {
			f.Add(line[:cut+len(`"document":`)])
		}
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		l, err := parseLine(line)
		if err != nil {
			return
		}
		again, err := parseLine(appendLine(nil, l))
		if err != nil {
			return // what cannot be a line of ours need not be one when it is written
		}
		if again.Position != l.Position || again.Institution != l.Institution || again.Day != l.Day || again.Dead != l.Dead || !again.ReceivedAt.Equal(l.ReceivedAt) || !bytes.Equal(again.Document, l.Document) {
			t.Errorf("%+v is read as %+v when it was written", l, again)
		}
	})
}

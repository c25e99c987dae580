package search

import (
	"bytes"
	"encoding/json"
	"errors"

	"actionlog"
)

// errForeign: a store handed out what is not the institution's. It is a defect, or an
// attack, and never an answer.
var errForeign = errors.New("a record of another institution was found, and held back")

// own looks at a record once more on its way out: its institution is the one that was
// asked for, and so is its document's. It is counted, and logged without content.
func (s *server) own(institution string, r *actionlog.Record) error {
	if r.Institution == institution && names(r.Document, institution) {
		return nil
	}
	s.foreign.Inc()
	s.Log.Error("ALARM: the store returned a record that is not the institution's; the answer was held back",
		"institution", institution, "position", r.Position.String(), "day", r.Day())
	return errForeign
}

// names tells whether a document is the institution's. Nearly every document has the ID as
// it is; one that writes it with escapes is read.
func names(document []byte, institution string) bool {
	if bytes.Contains(document, []byte(`"`+institution+`"`)) {
		return true
	}
	var d struct{ Institution struct{ ID string } }
	return json.Unmarshal(document, &d) == nil && d.Institution.ID == institution
}

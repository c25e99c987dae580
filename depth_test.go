package actionlog

import (
	"strings"
	"testing"
)

// A document may be nested so deep and not deeper; brackets in strings are none.
func TestDepth(t *testing.T) {
	for _, c := range []struct {
		details string
		ok      bool
	}{
		{strings.Repeat(`{"a":`, MaxDepth-1) + "1" + strings.Repeat("}", MaxDepth-1), true},
		{strings.Repeat(`{"a":`, MaxDepth) + "1" + strings.Repeat("}", MaxDepth), false},
		{strings.Repeat("[", 9998) + strings.Repeat("]", 9998), false},
		{`"` + strings.Repeat(`[\"{`, 5000) + `"`, true},
		{"[" + strings.Repeat("[],", 5000) + "0]", true},
	} {
		doc := []byte(with(`"category"`, `"details":`+c.details+`,"category"`))
		_, err := Parse(doc, nil)
		_, _, skimmed := Skim(Subject("uni", CategoryCourse), doc, nil)
		_, _, id := SkimID(doc)
		if (err == nil) != c.ok || (skimmed == nil) != c.ok || (id == nil) != c.ok {
			t.Errorf("%.20s…, %d bytes: %v, %v, %v", c.details, len(doc), err, skimmed, id)
		}
	}
}

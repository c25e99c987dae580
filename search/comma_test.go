package search

import (
	"net/url"
	"slices"
	"testing"
	"time"

	"actionlog"
)

// A comma separates, but after a backslash: in parameters and in q, and what is written
// anew means the same.
func TestCommas(t *testing.T) {
	for text, want := range map[string][]string{
		`a,b`: {"a", "b"}, `a\,b`: {`a\,b`}, `a\,b,c`: {`a\,b`, "c"}, `,a,,b,`: {"a", "b"}, `a\\,b`: {`a\\,b`}, ``: nil, `ü, é\,`: {"ü", `é\,`},
	} {
		if got := split([]string{text}, true); !slices.Equal(got, want) {
			t.Errorf("%s: %q", text, got)
		}
	}
	for _, values := range []url.Values{{"action": {`api.get:/reports\,all/`, "x"}}, {"action": {`-api.get:/reports\,all/`, `-y\,z`}},
		{"action": {`api.get:/reports\,all/`, `x\`, "y", "z"}}, {"action": {`-api.get:/reports\,all/`, `-x\`, `-y\`, "-z"}}} {
		said, err := speak(url.Values{"q": {render(normal(values))}})
		if err != nil || !slices.Equal(normal(said.values)["action"], values["action"]) {
			t.Errorf("%q as %s: %q, %v", values, render(normal(values)), said.values, err)
		}
		r := reading{now: time.Now()}
		f, err := r.read(t.Context(), values)
		if clause := f.query.Clauses[0]; err != nil || clause.Field != actionlog.FieldAction || clause.Values[0].Text != "api.get:/reports,all/" {
			t.Errorf("%q: %+v %v", values, f.query.Clauses, err)
		}
	}
}

package search

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/storetest"

	"github.com/google/go-cmp/cmp"
)

// completed is an answer in a line: the kind, what the text becomes with the cursor's
// place marked, and how it matched.
func completed(t *testing.T, ask func(path string) (*http.Response, []byte, error), query string) []string {
	t.Helper()
	before, after, _ := strings.Cut(query, "|")
	text := []rune(before + after)
	resp, body, err := ask(fmt.Sprintf("completions?limit=4&at=%d&q=%s", len([]rune(before)), url.QueryEscape(string(text))))
	var answer struct{ Data []completion }
	if err == nil {
		err = json.Unmarshal(body, &answer)
	}
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s %v", query, resp.Status, body, err)
	}
	lines := []string{}
	for _, c := range answer.Data {
		if c.Start < 1 || c.End < c.Start || c.End > len(text)+1 {
			t.Fatalf("%s: %+v", query, c)
		}
		line := c.Kind + " " + string(text[:c.Start-1]) + c.Text + string(text[c.End-1:]) + "; " + c.Match
		if c.Actions != nil {
			line += fmt.Sprintf(" %d", *c.Actions)
		}
		lines = append(lines, line)
	}
	return lines
}

// completionServer has people of whom two share a name, a course and a class.
func completionServer(t *testing.T) func(path string) (*http.Response, []byte, error) {
	t.Helper()
	server, store := newServer(t, 0)
	for i, about := range []string{
		`"actor":{"kind":"user","id":"u1","name":"Melody Wang","email":"melody@x.edu"}`, `"actor":{"kind":"user","id":"u1","name":"Melody Wang","email":"melody@x.edu"}`,
		`"actor":{"kind":"user","id":"u2","name":"Ann Lee"}`, `"actor":{"kind":"user","id":"u3","name":"Lee Ann"}`, `"actor":{"kind":"user","external_id":"X-7","name":"Zoë O'Hara"}`,
		`"actor":{"kind":"staff","id":"s1","name":"Robin Helper"}`, `"actor":{"kind":"user","id":"u4","name":"-dash"},"course":{"id":"c1","title":"Arts and Craft"},"class":{"id":"k1","title":"Monday 8 AM"}`,
	} {
		item, err := actionlog.Parse(fmt.Appendf(nil, `{"id":"c%d","occurred_at":%q,"institution":{"id":"uni"},"category":"course","action":{"code":"x"},%s}`, i, time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), about), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Write(t.Context(), []actionlog.Item{item}); err != nil {
			t.Fatal(err)
		}
	}
	return func(path string) (*http.Response, []byte, error) { return get(t, server, path) }
}

// What is typed, with the cursor at |, and what is offered. At most four are asked for.
func TestCompletions(t *testing.T) {
	ask := completionServer(t)
	for query, want := range map[string][]string{
		"":                                     {"name user:; part", "name actor:; part", "name target:; part", "name for:; part"},
		"us":                                   {"name user:; part", "name user_role:; part", "value kind:user ; part"},
		"USER":                                 {"name user:; exact", "name user_role:; part", "value kind:user ; exact"},
		"arts | foo":                           {"name arts user: foo; part", "name arts actor: foo; part", "name arts target: foo; part", "name arts for: foo; part"},
		"-out":                                 {"name -outcome:; part"},
		"-us":                                  {"name -user:; part", "value -kind:user ; part"}, // a setting is not excluded
		"-out|come:x":                          {"name -outcome:x; part"},
		"response_c":                           {"name response_code:; part"},
		"co":                                   {"name course:; part", "name code:; part", "name content_type:; part", "value type:course ; part"},
		"outcome:f":                            {"value outcome:failure ; part"},
		"-outcome:F":                           {"value -outcome:failure ; part"},
		"fail":                                 {"value outcome:failure ; part"},
		"code:2xx,40":                          {"value code:2xx,400 ; part", "value code:2xx,401 ; part", "value code:2xx,403 ; part", "value code:2xx,404 ; part"},
		"code:-5":                              {"value code:-5xx ; part", "value code:-500 ; part", "value code:-503 ; part"},
		"range:":                               {"value range:7d ; part", "value range:30d ; part", "value range:90d ; part"},
		"from:now-3":                           {"value from:now-30d ; part"},
		"to:now-1d":                            {},
		"near:i|x y":                           {"value near:include y; part"},
		"foo:x":                                {},
		"user:":                                {},
		"user:id:":                             {},
		`"`:                                    {},
		"- ":                                   {"name - user:; part", "name - actor:; part", "name - target:; part", "name - for:; part"},
		"batch:b":                              {},
		"action:admin":                         {"action action:course.administrator.added ; part", "action action:course.administrator.removed ; part"},
		`-action:x.y,course.administrator.rem`: {"action -action:x.y,course.administrator.removed ; part"},
		`action:"admin rem`:                    {"action action:course.administrator.removed ; part"},
		"administrator":                        {"action action:course.administrator.added ; part", "action action:course.administrator.removed ; part"},
		"melody":                               {`person user:"Melody Wang" ; exact 2`},
		"meldoy":                               {`person user:"Melody Wang" ; near 2`},
		"m":                                    {"name method:; part", "name missing_days:; part"},
		"arts melody wang":                     {`person arts user:"Melody Wang" ; exact 2`},
		"melody wang":                          {`person user:"Melody Wang" ; exact 2`},
		"-melody":                              {`person -user:"Melody Wang" ; exact 2`},
		"user:melody":                          {`person user:"Melody Wang" ; exact 2`},
		`target:"melody wan| arts`:             {`person target:"Melody Wang" arts; near 2`},
		"Target:melody@":                       {`person Target:"Melody Wang" ; part 2`},
		"user:melody@x.edu":                    {`person user:"Melody Wang" ; exact 2`},
		"actor:ann":                            {"person actor:id:u2 ; exact 1", "person actor:id:u3 ; exact 1"}, // of one name
		"-for:ann":                             {"person -for:id:u2 ; exact 1", "person -for:id:u3 ; exact 1"},
		"for:-ann":                             {"person for:-id:u2 ; exact 1", "person for:-id:u3 ; exact 1"},
		"user:zoe":                             {`person user:"Zoë O'Hara" ; exact 1`},
		"user:dash":                            {`person user:\-dash ; exact 1`},
		"user:robin":                           {}, // staff are not people of the institution
		"actor:openl":                          {`person actor:"OpenLearning System" ; part`},
		"course:art":                           {`course course:"Arts and Craft" ; near 1`},
		`class:"monday 8`:                      {`class class:"Monday 8 AM" ; exact 1`},
	} {
		if d := cmp.Diff(want, completed(t, ask, query)); d != "" {
			t.Errorf("%s (-want +got):\n%s", query, d)
		}
	}
}

// Only what is no text that somebody types is refused.
func TestBadCompletions(t *testing.T) {
	ask := completionServer(t)
	for query, parameter := range map[string]string{"at=-1": "at", "q=ab&at=3": "at", "at=x": "at", "limit=0": "limit", "limit=101": "limit", "user=x": "user", "q=a&q=b": "q",
		"q=%22&at=1": "", "q=user:%22%22%22": "", "q=%ff%00": "", "q=-&at=": "", "q=a:b:c": "", "q=--": ""} {
		resp, body, err := ask("completions?" + query)
		var p problem
		if err == nil {
			err = json.Unmarshal(body, &p)
		}
		if err != nil || p.Parameter != parameter || (resp.StatusCode == http.StatusOK) != (parameter == "") {
			t.Errorf("%s: %s %s %v", query, resp.Status, body, err)
		}
	}
}

// What staff are told of names is recorded; that a filter is called so is not, and neither
// is what a query means.
func TestCompletionsOfNamesAreRecorded(t *testing.T) {
	o := options(storetest.NewModel())
	o.Access = asRole{o.Access}
	handler, err := newAPI(t, o)
	if err != nil {
		t.Fatal(err)
	}
	kept := o.Publisher.(memory).values
	for _, c := range []struct {
		path, role string
		recorded   int
	}{{"completions?q=us&at=1", "compliance", 0}, {"completions?q=outcome:f", "compliance", 0}, {"query?q=user:melody", "compliance", 0}, {"completions?q=user:melody", "admin", 0},
		{"completions?q=user:melody", "compliance", 1}, {"completions?q=user:%22melody+w", "compliance", 0}, // the same person types on
		{"completions?q=user:%22melody+w", "support", 1}, {"completions?q=arts", "compliance", 1}, {"completions?q=course:x", "compliance", 1}} {
		before := len(kept)
		w := httptest.NewRecorder()
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/institutions/uni/"+c.path, nil)
		req.Header.Set("Authorization", "Bearer "+c.role)
		handler.ServeHTTP(w, req)
		if w.Code != http.StatusOK || len(kept)-before != c.recorded {
			t.Errorf("%s as %s: %d, %d recorded", c.path, c.role, w.Code, len(kept)-before)
		}
	}
}

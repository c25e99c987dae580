package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// question invents a request.
func (w *twoWorlds) question() string {
	if len(w.next) > 0 && w.IntN(4) == 0 {
		path := w.next[len(w.next)-1]
		w.next = w.next[:len(w.next)-1]
		return path
	}
	q := w.filters()
	add := func(name string, values ...string) { q.Set(name, w.pick(values...)) }
	path := "actions"
	switch w.IntN(17) {
	case 0:
		path = "histogram"
		add("interval", "day", "hour", "auto", "week")
		add("by", "", "category", "outcome")
	case 1, 2:
		path = "facets"
		add("field", "category", "action", "outcome", "actor_kind", "ip", "actor", "course", "response_code", "channel")
		add("limit", "1", "3", "100")
	case 3, 4:
		path, q = w.pick("people", "courses", "classes"), url.Values{"q": {w.text()}}
		add("limit", "1", "5", "50")
	case 14:
		path, q = "completions", url.Values{"q": {w.pick("", "user:", "actor:", "target:", "-for:", "course:", "class:", "arts ") + w.pick("", `"`) + w.text()}}
		add("limit", "1", "5", "50")
	case 15:
		path = "query"
	case 5:
		path = "export"
		add("format", "ndjson", "csv", "json", "ecs")
	case 6:
		path, q = "actions/a"+strconv.Itoa(w.IntN(300)), url.Values{}
		path += w.pick("", "", "/export")
	case 12:
		path, q = w.pick("restores", "restores", "restores/"+w.pick(w.restores...)), url.Values{}
		if path == "restores" {
			add("limit", "1", "2", "50")
			add("status", "", "requested", "granted")
		}
	case 16:
		path, q = w.pick("exports", "exports/"+w.pick(w.exports...), "exports/"+w.pick(w.exports...)+"/content"), url.Values{}
		if path == "exports" {
			add("limit", "1", "2", "50")
		}
	case 13:
		path, q = "actions/a"+strconv.Itoa(w.IntN(300))+"/proof", url.Values{} // which is for compliance
	case 7:
		add(w.pick("limit", "cursor", "order", "colour", "response_code", "from"), "0", "x", "-1", "now")
	default:
		add("limit", "1", "2", "7", "50")
		add("order", "newest", "oldest")
		add("total", "some", "exact", "none")
	}
	return "/v1/institutions/north/" + path + "?" + q.Encode()
}

func (w *twoWorlds) text() string {
	return w.pick("ann lee", "an lea", "obrien", "Seamus", "王小明", "lukas zajac", "u2@example.edu", "id:u3", "@example.edu", "u1@*", "X4", "nobody", "zelda quux", "zleda qux", "arts", "crfat", "geometry", "id:c1", "south", "SECRET")
}

func (w *twoWorlds) filters() url.Values {
	q := url.Values{}
	for name, values := range map[string][]string{"user": {w.text()}, "actor": {w.text()}, "target": {w.text()}, "on_behalf_of": {w.text()}, "course": {w.text()}, "category": {"course", "api", "-institution"}, "action": {"a.b", "c.d", "-e.f"},
		"outcome": {"success", "failure"}, "any": {"grade", "secret", "report created", "ann", "south"}, "response_code": {"2xx", "300-399", "404"}, "ip": {"10.0.0.1", "10.0.0.0/8"},
		"batch": {"b1", "b2"}, "channel": {"web", "-api"}, "response_url": {"/v2/a", "/v2"}, "near": {"include", "exclude"}, "user_role": {"actor", "target"}, "actor_kind": {"staff", "user"}} {
		if w.IntN(9) == 0 {
			q.Set(name, w.pick(values...))
		}
	}
	if w.IntN(3) == 0 {
		q.Set("q", w.pick("", "actor:", "-target:", "course:")+`"`+w.text()+`" `+w.pick("", "grade", "-outcome:failure", "code:2xx", "type:course", "near:include", "usr:x"))
	}
	q.Set("from", w.pick("now-30d", "now-5d", "2026-11-10", "2026-11-15"))
	if w.IntN(3) == 0 {
		q.Set("to", w.pick("now", "now-1d", "2026-11-18"))
	}
	return q
}

// mayDiffer is what may differ between two answers.
var mayDiffer = regexp.MustCompile(`"took_ms":\d+|"complete_through":"[^"]*"`)

// ask returns the whole answer.
func (w *twoWorlds) ask(h http.Handler, path string) string {
	r := httptest.NewRecorder()
	req := httptest.NewRequestWithContext(w.Context(), http.MethodGet, path, nil)
	req.Header.Set("Authorization", "Bearer x")
	h.ServeHTTP(r, req)
	res := r.Result()
	return fmt.Sprintf("%d %s %s %v %s", r.Code, r.Header().Get("Content-Type"), r.Header().Get("Link"), res.Trailer, mayDiffer.ReplaceAllString(r.Body.String(), ""))
}

// remember keeps where a list goes on.
func (w *twoWorlds) remember(answer string) {
	if _, link, ok := strings.Cut(answer, "<"); ok && len(w.next) < 50 {
		if path, _, ok := strings.Cut(link, `>; rel="next"`); ok {
			w.next = append(w.next, path)
		}
	}
}

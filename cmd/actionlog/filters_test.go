package main

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Every filter, at least three values each, compared id by id with what an
// independent reading of the input finds: on invented actions, in which every
// field occurs, and on the real ones where they are there.
func TestFiltersFindWhatTheInputHolds(t *testing.T) {
	t.Parallel()
	s := startService(t)
	days := 85
	if strings.HasPrefix(t.Name(), onOpenSearch) {
		days = 12 // each is an index more that every search asks
	}
	t.Run("invented", func(t *testing.T) {
		lines := inventedOver(3000, time.Now().Add(-time.Hour), days)
		s.publish(t, lines)
		s.compare(t, "invented", lines, inventedCases())
	})
	t.Run("course log", func(t *testing.T) {
		lines := realLines(t, "actions-moodle-course.ndjson.gz", 6000, days)
		s.publish(t, lines)
		s.compare(t, "nordic-analytics", lines, courseLogCases(t, lines))
	})
	t.Run("web log", func(t *testing.T) {
		lines := realLines(t, "actions-web-access.ndjson.gz", 0, days)
		s.publish(t, lines)
		s.compare(t, "open-web", lines, webLogCases())
		if dead := s.deadLetters(t); dead != 1 {
			t.Errorf("%d dead letters; the log has one broken line", dead)
		}
	})
	t.Run("samples", func(t *testing.T) {
		lines := realLines(t, "actions-saas-samples.ndjson.gz", 0, days)
		s.publish(t, lines)
		s.compare(t, "saas-sampler", lines, sampleCases())
	})
}

func inventedCases() []filterCase {
	var cases []filterCase
	add := func(more ...filterCase) { cases = append(cases, more...) }
	add(onField("action", "action.code", "course.class.created", "institution.role.changed", "x.new", "y.none")...)
	add(onField("outcome", "outcome", "success", "failure", "unknown")...)
	add(onField("actor_kind", "actor.kind", "user", "api_key", "system")...)
	add(onField("channel", "origin.channel", "web", "api", "job")...)
	add(onField("batch", "trace.batch_id", "b0", "b3", "b99")...)
	add(onField("request_id", "trace.request_id", "r0", "r17", "r999")...)
	for _, c := range []string{"institution", "course", "api"} {
		is := func(l line) bool {
			return l.at("category") == c || c == "institution" && l.at("category") == "portal"
		}
		add(filterCase{url.Values{"category": {c}}, is}, filterCase{url.Values{"category": {"-" + c}}, func(l line) bool { return !is(l) }})
	}
	for _, m := range []string{"GET", "POST", "put"} {
		add(filterCase{url.Values{"request_method": {m}}, func(l line) bool { return strings.EqualFold(l.at("request.method"), m) }})
	}
	for _, m := range []string{"application/json", "text/csv", "multipart/form-data"} {
		add(filterCase{url.Values{"request_content_type": {m}}, func(l line) bool {
			return strings.HasPrefix(strings.ToLower(l.at("request.content_type")), m)
		}})
	}
	add(onCode("200", "2xx", "400-499", "999", "201-302", "5xx")...)
	add(onURL("/v2/a", "/v2/a/", "/v2/a/b", "https://api.example/v2/a/b?x=1", "/v3/ä%20b", "/v", "/nowhere")...)
	add(onIP("10.0.0.1", "10.0.0.0/23", "10.0.0.0/8", "192.168.3.4/31", "2001:db8::/32", "2001:db8::/47", "2001:db8::1", "0.0.0.0/0")...)
	add(onAny("changed 7", "eleve", "Отчёт", "nothing", "learner weekly", "absentword", "arts PERSON")...)
	add(onTitle("course", "course", "Arts and Craft", "craft", "geometrie", "c2", "Nothing of the kind")...)
	add(onTitle("class", "class", "8 AM", "evening", "k1", "MONDAY am")...)
	add(personCases()...)
	return append(cases, combinedCases()...)
}

func personCases() []filterCase {
	var cases []filterCase
	for _, role := range []string{"any", "actor", "target", "on_behalf_of"} {
		for _, name := range []string{"Ann Lee", "lee ann", "obrien", "O'Brien seamus", "王", "nobody here"} {
			cases = append(cases, onUser(role, name, nameHas(name)))
		}
		for _, address := range []string{"Person.0@north.example", "PERSON.3@SOUTH.EXAMPLE", "erson.0@north.example"} {
			cases = append(cases, onUser(role, address, emailIs(address)))
		}
		cases = append(cases,
			onUser(role, "person.1@*", func(p line) bool { return strings.HasPrefix(strings.ToLower(p.at("email")), "person.1@") }),
			onUser(role, "person.*", func(p line) bool { return strings.HasPrefix(strings.ToLower(p.at("email")), "person.") }),
			onUser(role, "@north.example", func(p line) bool { return strings.HasSuffix(strings.ToLower(p.at("email")), "@north.example") }),
			onUser(role, "@example", func(p line) bool { return false }),
			onUser(role, "id:p2", func(p line) bool { return p.at("id") == "p2" }),
			onUser(role, "id:X-4", func(p line) bool { return p.at("external_id") == "X-4" }),
			onUser(role, "X-5", func(p line) bool { return p.at("external_id") == "X-5" }))
	}
	not := onUser("actor", "Ann Lee", nameHas("Ann Lee"))
	for _, role := range []string{"actor", "target", "on_behalf_of"} {
		for _, name := range []string{"Ann Lee", "@north.example", "id:p2", "王"} {
			of := onUser(role, name, nil)
			is := map[string]func(line) bool{"Ann Lee": nameHas(name), "王": nameHas(name), "id:p2": func(p line) bool { return p.at("id") == "p2" },
				"@north.example": func(p line) bool { return strings.HasSuffix(strings.ToLower(p.at("email")), name) }}[name]
			of.query = url.Values{role: {name}}
			of.match = func(l line) bool { return l.anyPerson(role, is) }
			cases = append(cases, of, filterCase{url.Values{role: {"-" + name}}, func(l line) bool { return !of.match(l) }})
		}
	}
	// Who did it and to whom it was done, at once; and the same typed.
	both := func(l line) bool {
		return l.anyPerson("actor", nameHas("ann lee")) && l.anyPerson("target", nameHas("王"))
	}
	cases = append(cases, filterCase{url.Values{"actor": {"ann lee"}, "target": {"王"}}, both}, filterCase{url.Values{"q": {`target:王 actor:"ann lee"`}}, both},
		filterCase{url.Values{"q": {`-code:2xx,404 "changed" type:course`}, "actor": {"ann lee"}}, func(l line) bool {
			code := l.at("response.code")
			return !strings.HasPrefix(code, "2") && code != "404" && l.at("category") == "course" && allWords(everything(map[string]any(l)), "changed") && l.anyPerson("actor", nameHas("ann lee"))
		}})
	return append(cases, filterCase{url.Values{"user": {"-Ann Lee"}, "user_role": {"actor"}}, func(l line) bool { return !not.match(l) }})
}

func combinedCases() []filterCase {
	return []filterCase{
		{url.Values{}, func(line) bool { return true }},
		{url.Values{"category": {"api"}, "request_method": {"POST"}, "response_code": {"2xx", "409"}}, func(l line) bool {
			code := l.at("response.code")
			return l.at("category") == "api" && strings.EqualFold(l.at("request.method"), "POST") && (strings.HasPrefix(code, "2") || code == "409")
		}},
		{url.Values{"course": {"c1"}, "class": {"evening"}, "any": {"nothing special"}, "outcome": {"-success"}}, func(l line) bool {
			return l.at("course.id") == "c1" && l.at("class.title") == "Evening" && l.at("summary") == "nothing special" && l.at("outcome") != "success"
		}},
		{url.Values{"category": {"course,institution"}, "channel": {"-web", "-job"}}, func(l line) bool {
			return l.at("category") != "api" && l.at("origin.channel") == "api"
		}},
	}
}

func courseLogCases(t *testing.T, lines [][]byte) []filterCase {
	var cases []filterCase
	seen := map[string]bool{}
	for i := 0; len(seen) < 4; i += 97 {
		l, err := decodeLine(lines[i])
		if err != nil {
			t.Fatal(err)
		}
		name, address := l.at("actor.name"), l.at("actor.email")
		if seen[name] {
			continue
		}
		seen[name] = true
		cases = append(cases, onUser("any", name, nameHas(name)), onUser("actor", address, emailIs(address)),
			onUser("any", strings.ToUpper(plainWords(name)[0]), nameHas(plainWords(name)[0])),
			onUser("any", "id:"+l.at("actor.id"), func(p line) bool { return p.at("id") == l.at("actor.id") }))
		cases = append(cases, onField("action", "action.code", l.at("action.code"))...)
		cases = append(cases, onAny(l.at("summary"))...)
	}
	cases = append(cases, onTitle("course", "course", "Learning Analytics", "3621691", "analytics")...)
	return append(cases, onAny("Final Project", "zoom", "quiz attempt")...)
}

func webLogCases() []filterCase {
	var cases []filterCase
	cases = append(cases, onCode("200", "404", "3xx", "5xx", "400-499")...)
	cases = append(cases, onURL("/favicon.ico", "/blog/tags/puppet?flav=rss20", "/presentations/", "/pres", "/reset.css", "/style2.css")...)
	cases = append(cases, onIP("83.149.9.216", "46.105.14.53", "66.249.0.0/16", "0.0.0.0/1", "65.0.0.0/13")...)
	cases = append(cases, onAny("googlebot", "logstash monitorama", "firefox linux")...)
	cases = append(cases, onField("request_method", "request.method", "GET", "HEAD", "POST")...)
	return cases
}

func sampleCases() []filterCase {
	cases := onAny("admin", "api key created", "123.123.123.123", "ADMINISTRATOR_SAML", "14.0")
	return append(cases, onField("action", "action.code", "anthropic_activity", "zscaler_zia_adminauditlog", "none")...)
}

// compare asks for each case and compares the ids with the oracle's.
func (s *service) compare(t *testing.T, institution string, lines [][]byte, cases []filterCase) {
	t.Helper()
	s.compareIn(t, "from=now-92d&to=now", institution, lines, cases)
}

func (s *service) compareIn(t *testing.T, span, institution string, lines [][]byte, cases []filterCase) {
	t.Helper()
	var all []line
	for _, raw := range lines {
		l, err := decodeLine(raw)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := time.Parse(time.RFC3339, l.at("occurred_at")); err == nil {
			all = append(all, l)
		}
	}
	matched := 0
	for _, c := range cases {
		want := map[string]int{}
		for _, l := range all {
			if c.match(l) {
				want[l.at("id")]++
			}
		}
		matched += len(want)
		query, err := url.ParseQuery(span + "&limit=1000&total=exact&near=exclude")
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range c.query {
			query[k] = v
		}
		got, total := s.list(t, institution, query)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %d found, %d expected\n%.2000s", c, len(got), len(want), d)
		}
		if total != int64(len(want)) {
			t.Errorf("%s: total %d, expected %d", c, total, len(want))
		}
	}
	if matched == 0 {
		t.Error("no case matched anything: the oracle is blind")
	}
}

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// The oracle says which input lines a filter should find. It shares nothing
// with the service: it decodes each line into plain maps and loops over them.

type line map[string]any

func decodeLine(raw []byte) (line, error) {
	var l line
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber() // a number is searched as it is written: 1.0 is not 1
	err := decoder.Decode(&l)
	return l, err
}

// at follows a dotted path to a string; numbers are as written, absence is "".
func (l line) at(path string) string {
	var v any = map[string]any(l)
	for step := range strings.SplitSeq(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return ""
		}
		v = m[step]
	}
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// persons returns the objects that may be a person in the given role.
func (l line) persons(role string) (found []line) {
	one := func(name string) {
		if m, ok := l[name].(map[string]any); ok && (role == name || role == "any") {
			found = append(found, m)
		}
	}
	one("actor")
	one("on_behalf_of")
	if targets, ok := l["targets"].([]any); ok && (role == "target" || role == "any") {
		for _, t := range targets {
			if m, ok := t.(map[string]any); ok {
				found = append(found, m)
			}
		}
	}
	return found
}

func (l line) anyPerson(role string, is func(p line) bool) bool {
	return slices.ContainsFunc(l.persons(role), is)
}

// plainWords lowers, strips accents and splits at what is no letter or digit.
func plainWords(s string) []string {
	s = strings.ToLower(norm.NFD.String(s))
	s = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, s)
	return strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

func allWords(text, words string) bool {
	have := plainWords(text)
	for _, w := range plainWords(words) {
		if !slices.Contains(have, w) {
			return false
		}
	}
	return true
}

// everything joins all strings and numbers of a line, but for the schema.
func everything(v any) string {
	switch v := v.(type) {
	case string:
		return v + " "
	case json.Number:
		return v.String() + " "
	case []any:
		var b strings.Builder
		for _, x := range v {
			b.WriteString(everything(x))
		}
		return b.String()
	case map[string]any:
		var b strings.Builder
		for k, x := range v {
			if k != "schema" {
				b.WriteString(everything(x))
			}
		}
		return b.String()
	}
	return ""
}

// filterCase is a filter of the API and what it should find.
type filterCase struct {
	query url.Values
	match func(l line) bool
}

func (c filterCase) String() string { return c.query.Encode() }

func onField(param, path string, values ...string) (cases []filterCase) {
	for _, v := range values {
		is := func(l line) bool { return l.at(path) == v }
		cases = append(cases,
			filterCase{url.Values{param: {v}}, is},
			filterCase{url.Values{param: {"-" + v}}, func(l line) bool { return !is(l) }})
	}
	return append(cases, filterCase{url.Values{param: values}, func(l line) bool { return slices.Contains(values, l.at(path)) }})
}

func onUser(role, value string, is func(p line) bool) filterCase {
	return filterCase{url.Values{"user": {value}, "user_role": {role}}, func(l line) bool { return l.anyPerson(role, is) }}
}

func nameHas(words string) func(p line) bool {
	return func(p line) bool { return allWords(p.at("name"), words) }
}

func emailIs(address string) func(p line) bool {
	return func(p line) bool { return strings.EqualFold(p.at("email"), address) }
}

func onAny(values ...string) (cases []filterCase) {
	for _, v := range values {
		cases = append(cases, filterCase{url.Values{"any": {v}}, func(l line) bool { return allWords(everything(map[string]any(l)), v) }})
	}
	return cases
}

func onTitle(param, path string, values ...string) (cases []filterCase) {
	for _, v := range values {
		cases = append(cases, filterCase{url.Values{param: {v}}, func(l line) bool {
			return l.at(path+".id") == v || allWords(l.at(path+".title"), v)
		}})
	}
	return cases
}

func onCode(values ...string) (cases []filterCase) {
	for _, v := range values {
		cases = append(cases, filterCase{url.Values{"response_code": {v}}, func(l line) bool {
			code, err := strconv.Atoi(l.at("response.code"))
			lo, hi, isRange := strings.Cut(v, "-")
			if n, ok := strings.CutSuffix(v, "xx"); ok {
				return err == nil && strconv.Itoa(code/100) == n
			}
			from, _ := strconv.Atoi(lo)
			to := from
			if isRange {
				to, _ = strconv.Atoi(hi)
			}
			return err == nil && from <= code && code <= to
		}})
	}
	return cases
}

func onURL(values ...string) (cases []filterCase) {
	for _, v := range values {
		cases = append(cases, filterCase{url.Values{"response_url": {v}}, func(l line) bool {
			whole := l.at("request.url")
			u, err := url.Parse(whole)
			path := whole
			if err == nil {
				path = u.EscapedPath()
			}
			return whole != "" && (whole == v || strings.HasPrefix(v, "/") && strings.HasPrefix(path, v))
		}})
	}
	return cases
}

func onIP(values ...string) (cases []filterCase) {
	for _, v := range values {
		prefix, err := netip.ParsePrefix(v)
		if err != nil {
			addr := netip.MustParseAddr(v)
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		cases = append(cases, filterCase{url.Values{"ip": {v}}, func(l line) bool {
			ip, err := netip.ParseAddr(l.at("origin.ip"))
			return err == nil && prefix.Contains(ip)
		}})
	}
	return cases
}

// inventedLines makes documents in which every field of action/1 occurs, with
// few enough values for filters to find something and leave something out.
func inventedLines(n int, end time.Time) [][]byte { return inventedOver(n, end, 85) }

// inventedOver is inventedLines over so many days.
func inventedOver(n int, end time.Time, days int) [][]byte {
	rng := rand.New(rand.NewPCG(7, 7))
	pick := func(values ...any) any { return values[rng.IntN(len(values))] }
	names := []any{"Ann Lee", "Séamus O'Brien", "Lee Ann Walker", "Łukasz Zając", "王 小明", "Ann-Marie Lee"}
	person := func(kind any) map[string]any {
		i := rng.IntN(len(names))
		return map[string]any{"kind": kind, "id": fmt.Sprintf("p%d", i), "name": names[i],
			"email": fmt.Sprintf("Person.%d@%s.example", i, []string{"north", "south"}[i%2]), "external_id": fmt.Sprintf("X-%d", i)}
	}
	titled := func(prefix string, titles ...string) map[string]any {
		i := rng.IntN(len(titles))
		return map[string]any{"id": fmt.Sprintf("%s%d", prefix, i+1), "title": titles[i]}
	}
	lines := make([][]byte, n)
	for i := range lines {
		doc := map[string]any{
			"id": fmt.Sprintf("inv:%06d", i), "institution": map[string]any{"id": "invented"},
			"occurred_at": end.Add(-time.Duration(rng.Int64N(int64(days) * int64(24*time.Hour)))).Format(time.RFC3339Nano),
			"category":    pick("institution", "portal", "course", "api"), "action": map[string]any{"code": pick("course.class.created", "institution.role.changed", "x.new")},
			"outcome": pick("success", "failure", "unknown", nil), "actor": person(pick("user", "api_key", "system")),
			"targets": []any{person("learner"), map[string]any{"kind": "report", "name": pick("Weekly", "Monthly"), "id": nil}},
			"course":  titled("c", "Arts and Craft", "Craft of Art", "Géométrie"),
			"class":   titled("k", "Monday 8 AM", "Tuesday 8 AM", "Evening"),
			"request": map[string]any{"method": pick("GET", "post", "PUT"), "content_type": pick("application/json; charset=utf-8", "Application/JSON", "text/csv", "multipart/form-data;boundary=x"),
				"url": pick("https://api.example/v2/a/b?x=1", "/v2/a/bc", "/v2/a", "/v3/ä%20b")},
			"response": map[string]any{"code": pick(200, 201, 204, 302, 404, 409, 500, 999, nil)},
			"origin":   map[string]any{"ip": pick("10.0.0.1", "10.0.1.77", "192.168.3.4", "2001:db8::1", "2001:db8:1::9"), "channel": pick("web", "api", "job")},
			"trace":    map[string]any{"request_id": fmt.Sprintf("r%d", i/3), "batch_id": fmt.Sprintf("b%d", i%7)},
			"summary":  pick("Grade changed from 7 to 8", "Élève ajouté", "Отчёт создан", "nothing special"),
		}
		if rng.IntN(3) == 0 {
			doc["on_behalf_of"] = person("user")
		}
		raw, err := json.Marshal(doc)
		if err != nil {
			panic(err)
		}
		lines[i] = raw
	}
	return lines
}

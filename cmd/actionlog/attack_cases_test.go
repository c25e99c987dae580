package main

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
)

// bearer is a token as it is sent.
func bearer(token string) [2]string { return [2]string{"Authorization", "Bearer " + token} }

// as is a request to a route with a token; a route with a body gets one that would do.
func (w *attackWorld) as(token, name string, r attackRoute, target string) attack {
	a := attack{name: name, method: r.method, target: target}
	if token != "" {
		a.header = [][2]string{bearer(token)}
	}
	if r.body {
		a.header = append(a.header, [2]string{"Content-Type", "application/json"})
		a.body = []byte(w.bodyOf(r))
	}
	return a
}

// bodyOf is a good body of a route, that means the institution other where it names one.
func (w *attackWorld) bodyOf(r attackRoute) string {
	switch {
	case strings.HasSuffix(r.path, "/actions"):
		return strings.Replace(acme("planted", 0, ""), `{"id":"acme"}`, `{"id":"other"}`, 1)
	case strings.HasSuffix(r.path, "/restores"):
		return `{"from":"2020-01-01","to":"2020-01-01","reason":"planted"}`
	case strings.HasSuffix(r.path, "/exports"):
		return `{"filter":{"any":"planted"}}`
	case strings.HasSuffix(r.path, "/rotate"):
		return `{"overlap":"0s"}`
	case r.path == "/v1/tokens":
		return `{"name":"planted","institutions":["other"]}`
	case r.path == "/v1/support":
		return `{"institution":"other","reason":"planted","until":"2099-01-01T00:00:00Z"}`
	case r.path == "/v1/reindex":
		return `{"all":true}`
	case r.path == "/v1/session":
		return `{"token":"al_` + w.tokenID + `_guessed"}`
	}
	return `{"reason":"planted"}`
}

// ofOther asks for other's as each of acme's people, at every route, as it is documented.
func (w *attackWorld) ofOther() (all []attack) {
	for _, r := range w.routes {
		for _, role := range []string{"admin", "auditor", "publisher", "support"} {
			a := w.as(w.tokens[role], "acme's "+role+" asks for other's by the plain address", r, w.target(r, "other"))
			switch {
			case r.ofInstitution():
				a.want = []int{404}
			case r.public && r.path == "/v1/session": // a guessed token, see signInsFailed
				continue
			case !r.public && role == "admin" && !w.forEverybody(r):
				a.want = []int{403}
			}
			all = append(all, a)
		}
		a := attack{name: "acme's admin asks for other's by the cookie of a session", method: r.method, target: w.target(r, "other"), header: [][2]string{{"Cookie", w.acmeCookie}}}
		if a.want = []int{404}; !r.ofInstitution() {
			a.want = nil
		}
		if r.path != "/v1/session" { // that would end it
			all = append(all, a)
		}
	}
	return all
}

// forEverybody are routes that every role may call: none of them names an institution.
func (w *attackWorld) forEverybody(r attackRoute) bool {
	switch r.path {
	case "/v1/institutions", "/v1/session", "/v1/action-types", "/v1/archive/key":
		return true
	}
	return false
}

// disguises are ways to write the institution other that a router, a proxy or a check may
// each read in another way.
var disguises = []string{"OTHER", "Other", "%6fther", "oth%65r", "%256fther", "%25%36%66ther", "other%2f", "other%2F.", "other%00", "acme%00other", "%00other", "other%20", "%20other", "other+", "other.", "other%2e",
	"other%09", "other%0d%0a", "other%0d%0aX-Injected:%201", "./other", "%2e/other", "acme/../other", "acme/%2e%2e/other", "acme%2f..%2fother", "acme%2F%2e%2e%2Fother", "acme%5c..%5cother", `acme\..\other`, "acme/..;/other", "acme;/../other",
	"acme;institution=other", "other;x=acme", "..;/institutions/other", "../institutions/other", "%2e%2e/institutions/other", "/other", "//other", "acme//../other", "acme,other", "acme%2cother", "acme%7Cother", "acme%26institution=other", "acme%3Finstitution=other",
	"acme%23/../other", "acme?institution=other&x=", "*", "%2a", "%25", "_", "_platform", "oth*", "oth%3Fr", "[other]", "%5B%22other%22%5D", "%22other%22", "%27%20OR%20%271%27=%271", "%D0%BEther", "%EF%BD%8F%EF%BD%94her", "o%CC%88ther", "other%E2%80%8B", "%EF%BB%BFother",
	"%c0%afother", "%c0%ae%c0%ae/other", "%fe%ff", "other%ff", "0x6f74686572", "null", "undefined", "true", "0", "-1", "${other}", "{{other}}", "%7B%7Bother%7D%7D", "$(id)", "`id`", "other.json", "~other", "@other", "other@acme", "acme@other", "http://other", "http:%2f%2fother"}

// disguised tries each way at every route of an institution.
func (w *attackWorld) disguised() (all []attack) {
	for _, r := range w.routes {
		if !r.ofInstitution() {
			continue
		}
		for _, d := range disguises {
			a := w.as(w.tokens["admin"], "acme's admin writes other as "+d, r, w.target(r, strings.ReplaceAll(d, "`", "%60")))
			a.want = []int{400, 404, 405}
			all = append(all, a)
		}
		long := w.as(w.tokens["admin"], "acme's admin gives an ID of an institution of 40,000 letters", r, w.target(r, strings.Repeat("o", 40_000)))
		long.want = []int{404, 414, 431}
		all = append(all, long)
	}
	return all
}

// overriding are headers and cookies that something on the way may take for the true
// address, method, caller or institution.
var overriding = [][2]string{{"X-Institution", "other"}, {"X-Institution-Id", "other"}, {"X-Tenant-Id", "other"}, {"X-Original-URL", "/v1/institutions/other/actions"}, {"X-Rewrite-URL", "/v1/institutions/other/actions"}, {"X-Original-Uri", "/v1/institutions/other/actions"},
	{"X-Forwarded-Uri", "/v1/institutions/other/actions"}, {"X-Forwarded-Path", "/v1/institutions/other"}, {"X-Forwarded-Prefix", "/v1/institutions/other"}, {"X-HTTP-Method-Override", "GET"}, {"X-HTTP-Method-Override", "DELETE"}, {"X-HTTP-Method", "DELETE"}, {"X-Method-Override", "GET"}, {"X-Forwarded-Host", "other.example"},
	{"Host", "other"}, {"Host", "other.example:443"}, {"X-Host", "other"}, {"X-Forwarded-For", "127.0.0.1"}, {"X-Real-Ip", "127.0.0.1"}, {"True-Client-Ip", "127.0.0.1"}, {"X-Forwarded-Proto", "https"}, {"Forwarded", "for=127.0.0.1;host=other;proto=https"}, {"X-User", "admin"}, {"X-Remote-User", "admin"}, {"Remote-User", "admin"},
	{"X-Forwarded-User", "admin"}, {"X-Forwarded-Email", "ann@shared.example"}, {"X-Forwarded-Groups", "admins"}, {"X-Auth-Request-User", "admin"}, {"X-Ssl-Client-Verify", "SUCCESS"}, {"X-Client-Cert", "CN=admin"}, {"X-Roles", "operator"}, {"X-Debug", "1"}, {"X-Internal", "1"}, {"X-Api-Key", "admin"}, {"X-Api-Version", "0"},
	{"Cookie", "institution=other"}, {"Cookie", "actionlog_session=; actionlog_session=x"}, {"Cookie", `$Version=1; actionlog_session="x"`}, {"Referer", "http://127.0.0.1/v1/institutions/other"}, {"Origin", "null"}, {"Range", "bytes=0-10"}, {"If-None-Match", "*"}, {"Upgrade", "h2c"}, {"Upgrade", "websocket"}, {"Accept", "text/html"}, {"Accept-Encoding", "gzip, br"},
	{"Expect", "200-ok"}, {"Te", "trailers"}, {"Content-Encoding", "deflate"}, {"Max-Forwards", "0"}, {"Via", "1.1 other"}, {"Traceparent", "00-x-y-01"}, {"X-Request-Id", "x\tINJECTED"}, {"User-Agent", "${jndi:ldap://127.0.0.1:1/x} %0d%0aINJECTED"}}

// overridden sends each at every route, for other's and for acme's own address.
func (w *attackWorld) overridden() (all []attack) {
	for _, r := range w.routes {
		if r.method == http.MethodPost && !r.ofInstitution() || r.path == "/v1/session" {
			continue // what has no institution is asked for plainly above
		}
		for _, h := range overriding {
			a := w.as(w.tokens["admin"], "acme's admin asks for other's and sends "+h[0]+": "+h[1], r, w.target(r, "other")).with(h[0], h[1])
			if a.want = []int{404}; !r.ofInstitution() {
				a.want = nil
			} else if h[0] == "Expect" {
				a.want = []int{404, 417}
			}
			all = append(all, a)
			if r.method == http.MethodGet && r.ofInstitution() {
				all = append(all, w.as(w.tokens["admin"], "acme's admin asks for its own and sends "+h[0]+": "+h[1], r, w.target(r, "acme")).with(h[0], h[1]))
			}
		}
		if r.ofInstitution() {
			for _, q := range []string{"institution=other", "institution[]=other", "institution_id=other", "tenant=other", "_method=GET", "path=/v1/institutions/other", "filter[institution]=other", "institution.id=other", "any=x%0d%0aX-Injected:1", "callback=x", "url=http://127.0.0.1:1/", "user=*", "course=%25", "access_token=" + w.tokens["admin"]} {
				at := w.target(r, "acme")
				a := w.as(w.tokens["admin"], "acme's admin asks its own address for another's by "+q, r, at+map[bool]string{true: "&", false: "?"}[strings.Contains(at, "?")]+q)
				all = append(all, a)
			}
		}
	}
	return all
}

// methods tries other methods at every address.
func (w *attackWorld) methods() (all []attack) {
	for _, r := range w.routes {
		for _, method := range []string{"HEAD", "OPTIONS", "PUT", "PATCH", "TRACE", "CONNECT", "PROPFIND", "QUERY", "get", "GETT", "DEBUG"} {
			a := attack{name: "acme's admin tries another method", method: method, target: w.target(r, "other"), header: [][2]string{bearer(w.tokens["admin"])}, want: []int{400, 403, 404, 405, 501}}
			all = append(all, a)
		}
	}
	return all
}

// foreignIDs asks acme's own address for IDs of other's.
func (w *attackWorld) foreignIDs() (all []attack) {
	ids := []string{w.restore, w.export, "other%2f" + w.export, "..%2f..%2fother%2fexports%2f" + w.export, w.session, w.tokenID, "only-other", w.restore + "%2f..", "other%2f" + w.restore, "..%2f..%2fother%2factions%2fa1", "%2e%2e%2f%2e%2e%2fother%2frestores%2f" + w.restore, "..", "%2e%2e", "*", "%3E", "a%2A", "only-other%00", "%00", "%0a", "ONLY-OTHER", "other:only-other", "other.only-other",
		"-1", "0", "'%20OR%201=1--", "only%252Dother", w.position, w.cursor, w.dead, strings.Repeat("a", 5000), "%ff%fe", "%F0%9F%92%A9", "[]", "a0,only-other", "a0%20OR%20only-other", `a0%22%20OR%20%22only-other`}
	for _, r := range w.routes {
		if !strings.Contains(r.path, "{id}") || r.public {
			continue
		}
		for _, id := range ids {
			a := w.as(w.tokens["admin"], "acme's admin asks for an ID of other's at its own address", r, w.targetID(r, "acme", id))
			a.want = []int{400, 403, 404, 405, 409}
			if strings.HasPrefix(r.path, "/v1/sessions/") || strings.HasPrefix(r.path, "/v1/tokens/") {
				a.want = []int{403, 404}
			}
			all = append(all, a)
		}
	}
	return all
}

// cursors asks acme's lists to go on where other's stand, and with cursors that are none.
func (w *attackWorld) cursors() (all []attack) {
	flipped := []byte(w.cursor)
	flipped[len(flipped)/2] ^= 1
	values := []string{w.cursor, w.restoresCursor, w.position, string(flipped), w.cursor[:len(w.cursor)-4], w.cursor + "AAAA", w.cursor + w.cursor, "%00", "0", "-1", "18446744073709551616", "null", "{}", base64.RawURLEncoding.EncodeToString([]byte(`{"m":"","From":"2000-01-01T00:00:00Z","institution":"other"}`)),
		strings.Repeat("A", 30_000), strings.Repeat("A", 100_000), "../other", "zzzz/other", "a%0d%0aX-Injected:%201"}
	for _, path := range []string{"/v1/institutions/acme/actions", "/v1/institutions/acme/restores", "/v1/institutions/acme/export", "/v1/institutions/acme/exports", "/v1/restores", "/v1/dead-letters"} {
		for i, v := range values {
			for _, role := range []string{"admin", "support"} {
				a := attack{name: fmt.Sprintf("acme's %s goes on with cursor %d of another's", role, i), method: "GET", target: path + "?limit=1&cursor=" + v, header: [][2]string{bearer(w.tokens[role])}}
				if strings.HasPrefix(path, "/v1/institutions/acme/") && !strings.HasSuffix(path, "/restores") && !strings.HasSuffix(path, "/exports") { // whose cursors are IDs
					a.want = []int{400, 404, 431}
				}
				all = append(all, a)
			}
		}
	}
	return all
}

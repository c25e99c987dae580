package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// credentials tries to be let in as nobody, as two at once, and by what is no credential.
func (w *attackWorld) credentials() (all []attack) {
	admin := w.tokens["admin"]
	_, secret, _ := strings.Cut(strings.TrimPrefix(admin, "al_"), "_")
	header := func(name, value string) [][2]string { return [][2]string{{name, value}} }
	for _, r := range w.routes {
		if r.public {
			continue
		}
		for name, h := range map[string][][2]string{
			"nothing": nil, "an empty header": header("Authorization", ""), "Bearer alone": header("Authorization", "Bearer"), "Bearer and spaces": header("Authorization", "Bearer    "), "a token without a scheme": header("Authorization", admin),
			"another scheme": header("Authorization", "Token "+admin), "Basic": header("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("acme:"+admin))), "Basic of nobody": header("Authorization", "Basic Og=="), "Digest": header("Authorization", `Digest username="admin"`), "Negotiate": header("Authorization", "Negotiate AAAA"),
			"a token cut off": header("Authorization", "Bearer "+admin[:len(admin)-1]), "a token and more": header("Authorization", "Bearer "+admin+"x"), "a token in capitals": header("Authorization", "Bearer "+strings.ToUpper(admin)), "two tokens in one header": header("Authorization", "Bearer "+admin+", Bearer "+admin),
			"a token with NUL": header("Authorization", "Bearer %00"+admin), "al__": header("Authorization", "Bearer al__"), "a wildcard for an ID": header("Authorization", "Bearer al_*_"+secret), "NATS's wildcard for an ID": header("Authorization", "Bearer al_>_"+secret), "a path for an ID": header("Authorization", "Bearer al_../tokens/x_"+secret),
			"an unsigned JWT": header("Authorization", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiIsImF1ZCI6ImFjdGlvbmxvZyJ9."), "null": header("Authorization", "Bearer null"), "a bogus token before acme's": {{"Authorization", "Bearer bogus"}, bearer(admin)},
			"a token in a cookie": header("Cookie", "actionlog_session="+admin), "a session's ID in a cookie": header("Cookie", "actionlog_session="+w.session), "two bogus cookies": header("Cookie", "actionlog_session=a; actionlog_session=b"), "a bogus cookie before a session's": header("Cookie", "actionlog_session=a; "+w.acmeCookie),
			"the cookie of another scheme": header("Cookie", "__Host-"+w.acmeCookie), "a token in X-Api-Key": header("X-Api-Key", admin), "a token in Proxy-Authorization": header("Proxy-Authorization", "Bearer "+admin), "a header of 200,000 letters": header("Authorization", "Bearer "+strings.Repeat("a", 200_000)), "3,000 headers": repeated("X-Filler", "abcdefghijklmnopqrstuvwxyz", 3000),
		} {
			want := []int{401}
			if strings.Contains(name, "000") {
				want = []int{401, 431}
			}
			all = append(all, attack{name: "somebody comes with " + name, method: r.method, target: w.target(r, "other"), header: h, want: want})
		}
		for _, q := range []string{"access_token", "token", "api_key", "authorization", "bearer"} {
			all = append(all, attack{name: "somebody gives a token in the URL", method: r.method, target: w.targetID(r, "acme", "a1") + "?" + q + "=" + admin, want: []int{401}})
		}
		if a := w.as("", "acme's token comes before a bogus one", r, w.target(r, "other")); r.ofInstitution() {
			a.header, a.want = append(a.header, bearer(admin), bearer("bogus")), []int{400, 401, 404}
			all = append(all, a)
		}
	}
	return all
}

func repeated(name, value string, n int) (all [][2]string) {
	for i := range n {
		all = append(all, [2]string{fmt.Sprint(name, i), value})
	}
	return all
}

// contents sends bodies that are too much, that are read in two ways, or that smuggle
// another's action in, to acme's own addresses.
func (w *attackWorld) contents() (all []attack) {
	for name, body := range map[string]string{
		"an array": `[]`, "null": `null`, "a number": `1`, "a text": `"other"`, "nothing": ``, "half of an object": `{"reason":`, "brackets 100,000 deep": strings.Repeat("[", 100_000), "objects 50,000 deep": strings.Repeat(`{"a":`, 50_000), "a megabyte": `{"reason":"` + strings.Repeat("x", 1<<20) + `"}`,
		"the institution in the body": `{"reason":"x","from":"2020-01-01","institution":"other"}`, "members that are the service's to set": `{"reason":"x","from":"2020-01-01","status":"granted","id":"` + w.restore + `","steps":[]}`, "a member twice": `{"reason":"x","reason":"y","from":"2020-01-01"}`, "a member in capitals": `{"Reason":"x","FROM":"2020-01-01"}`,
		"two objects": `{"reason":"x","from":"2020-01-01"}{"institution":"other"}`, "bytes that are no text": "{\"reason\":\"\xff\xfe\"", "a prototype": `{"__proto__":{"roles":["operator"]},"reason":"x"}`, "XML": `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>`, "a form": "institution=other&reason=x", "an ID of other's in a filter": `{"from":"2020-01-01","reason":"x","filter":{"institution":"other"}}`,
	} {
		for _, r := range w.routes {
			if !r.body || r.path == "/v1/session" {
				continue
			}
			a := w.as(w.tokens["admin"], "acme's admin sends "+name, r, w.target(r, "acme"))
			a.body, a.want = []byte(body), []int{400, 403, 404, 409, 413, 415, 422}
			all = append(all, a)
		}
	}
	return append(all, w.published()...)
}

// published is what a publisher of acme's sends to put an action into other's log, or to
// use up the service.
func (w *attackWorld) published() (all []attack) {
	own, planted := acme("from-acme", 0, ""), w.bodyOf(attackRoute{path: "/actions"})
	send := func(name, contentType, encoding string, body []byte, want ...int) {
		if encoding == "" { // an ID of its own: what collides would be a dead letter
			body = bytes.ReplaceAll(body, []byte("from-acme"), fmt.Append(nil, "from-acme-", len(all)))
		}
		a := attack{name: "acme's publisher sends " + name, method: http.MethodPost, target: "/v1/institutions/acme/actions", body: body, want: want}
		a.header = [][2]string{bearer(w.tokens["publisher"]), {"Content-Type", contentType}}
		if encoding != "" {
			a.header = append(a.header, [2]string{"Content-Encoding", encoding})
		}
		all = append(all, a)
	}
	const json, lines = "application/json", "application/x-ndjson"
	twice := func(first, second string) []byte {
		return []byte(strings.Replace(own, `"institution":{"id":"acme"}`, `"institution":{"id":"`+first+`"},"institution":{"id":"`+second+`"}`, 1))
	}
	send("an action of other's", json, "", []byte(planted), 422)
	send("an array with an action of other's", json, "", []byte("["+own+","+planted+"]"), 207)
	send("a line of other's among its own", lines, "", []byte(own+"\n"+planted+"\n"+own+"\n"), 207)
	send("the institution twice, its own first", json, "", twice("acme", "other"), 422)
	send("the institution twice, its own last", json, "", twice("other", "acme"), 200, 201)
	send("the ID of the institution twice", json, "", []byte(strings.Replace(own, `{"id":"acme"}`, `{"id":"acme","id":"other"}`, 1)), 422)
	send("the institution in capitals too", json, "", []byte(strings.Replace(own, `"institution"`, `"Institution":{"id":"other"},"institution"`, 1)), 200, 201)
	send("an institution that is a list", json, "", []byte(strings.Replace(own, `{"id":"acme"}`, `["acme","other"]`, 1)), 422)
	send("an institution with NATS's wildcard", json, "", []byte(strings.Replace(own, `"id":"acme"`, `"id":"acme.>"`, 1)), 422)
	send("an institution with a dot", json, "", []byte(strings.Replace(own, `"id":"acme"`, `"id":"other.course"`, 1)), 422)
	send("an action of the platform's log", json, "", []byte(strings.Replace(own, `"id":"acme"`, `"id":"_platform"`, 1)), 422)
	send("brackets 100,000 deep", json, "", []byte(strings.Repeat("[", 100_000)), 400, 422)
	send("details 50,000 deep", json, "", []byte(strings.Replace(own, `"category"`, `"details":`+strings.Repeat(`{"a":`, 50_000)+"1"+strings.Repeat("}", 50_000)+`,"category"`, 1)), 400, 413, 422)
	send("a document of 5 MB", json, "", []byte(strings.Replace(own, `"category"`, `"summary":"`+strings.Repeat("x", 5<<20)+`","category"`, 1)), 400, 413, 422)
	send("10,001 documents", lines, "", bytes.Repeat([]byte("{}\n"), 10_001), 413)
	send("a gzip bomb", lines, "gzip", gzipped(200<<20), 413)
	send("a zstd bomb", lines, "zstd", zstandard(200<<20), 413)
	send("one line that is a gzip bomb", json, "gzip", gzipped(200<<20), 400, 413, 422)
	send("what says that it is gzip", json, "gzip", []byte(own), 415)
	send("what says that it is zstd", json, "zstd", []byte(own), 400, 415)
	send("gzip that is cut off", lines, "gzip", gzipped(1 << 20)[:500], 400)
	send("gzip in gzip", json, "gzip, gzip", gzipped(100), 415)
	for _, other := range []string{"text/plain", "application/xml", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "application/json-patch+json", "*/*", "image/svg+xml"} {
		send("actions as "+other, other, "", []byte(own), 415)
	}
	for _, h := range [][][2]string{{{"Content-Length", "4"}, {"Transfer-Encoding", "chunked"}}, {{"Content-Length", "4"}, {"Content-Length", "5"}}, {{"Transfer-Encoding", "chunked, identity"}}, {{"Transfer-Encoding", "xchunked"}}, {{"Transfer-Encoding", " chunked"}, {"Transfer-Encoding", "identity"}}, {{"Content-Length", "-1"}}, {{"Content-Length", "+4"}}, {{"Content-Length ", "4"}}} {
		a := attack{name: "acme's publisher smuggles a second request behind " + h[0][0] + " " + h[0][1], method: http.MethodPost, target: "/v1/institutions/acme/actions", want: []int{400, 422, 501}}
		a.header = append([][2]string{bearer(w.tokens["publisher"]), {"Content-Type", json}}, h...)
		a.body = []byte("0\r\n\r\nGET /v1/institutions/other/actions HTTP/1.1\r\nHost: x\r\nX-Injected: 1\r\n\r\n")
		all = append(all, a)
	}
	return all
}

// gzipped is n times the same letter.
func gzipped(n int) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	for range n / (1 << 20) {
		_, _ = z.Write(bytes.Repeat([]byte("a"), 1<<20))
	}
	_, _ = z.Write(bytes.Repeat([]byte("a"), n%(1<<20)))
	_ = z.Close()
	return b.Bytes()
}

func zstandard(n int) []byte {
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b)
	if err != nil {
		panic(err)
	}
	for range n / (1 << 20) {
		_, _ = z.Write(bytes.Repeat([]byte("a"), 1<<20))
	}
	_ = z.Close()
	return b.Bytes()
}

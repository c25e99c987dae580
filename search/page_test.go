package search

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"actionlog/internal/storetest"
)

// aPage is a page as web.Files returns it.
func aPage() fstest.MapFS {
	return fstest.MapFS{"index.html": {Data: []byte("<!doctype html><title>Action Log</title>" + strings.Repeat("<p>", 200))}, "favicon.svg": {Data: []byte("<svg/>")},
		"assets/index-1.js": {Data: []byte(strings.Repeat("go();", 100))}, "assets/index-1.css": {Data: []byte("p{}")}}
}

// pageGet asks without any credential.
func pageGet(t *testing.T, handler http.Handler, path string, header ...string) *http.Response {
	t.Helper()
	req, w := httptest.NewRequestWithContext(t.Context(), "GET", path, nil), httptest.NewRecorder()
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	handler.ServeHTTP(w, req)
	return w.Result()
}

var pagePaths = map[string]string{"/": "index.html", "/institutions": "index.html", "/institutions/uni": "index.html", "/institutions/uni/log": "index.html", "/institutions/uni/actions/a1": "index.html",
	"/restores": "index.html", "/favicon.svg": "favicon.svg", "/licences.txt": "", "/assets/index-1.js": "assets/index-1.js", "/assets/index-1.css": "assets/index-1.css"}

// Every address of the page is the page, for everybody: plain, compressed, and unchanged.
func TestPage(t *testing.T) {
	handler, err := newAPI(t, options(storetest.NewModel()))
	if err != nil {
		t.Fatal(err)
	}
	for path, name := range pagePaths {
		want := "MIT, somebody's"
		if name != "" {
			want = string(aPage()[name].Data)
		}
		plain := pageGet(t, handler, path)
		if body, err := io.ReadAll(plain.Body); err != nil || plain.StatusCode != 200 || string(body) != want || len(plain.Cookies()) > 0 {
			t.Errorf("%s: %s %v %s", path, plain.Status, err, body)
		}
		cache := "no-cache"
		if strings.HasPrefix(path, "/assets/") {
			cache = "public, max-age=31536000, immutable"
		}
		for header, value := range map[string]string{"Cache-Control": cache, "Content-Security-Policy": pagePolicy, "Vary": "Accept-Encoding", "Cross-Origin-Opener-Policy": "same-origin",
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Content-Encoding": ""} {
			if got := plain.Header.Get(header); got != value {
				t.Errorf("%s: %s: %q", path, header, got)
			}
		}
		tag := plain.Header.Get("ETag")
		same := pageGet(t, handler, path, "If-None-Match", tag)
		if body, err := io.ReadAll(same.Body); err != nil || tag == "" || same.StatusCode != http.StatusNotModified || len(body) > 0 || same.Header.Get("Cache-Control") != cache {
			t.Errorf("%s with its tag: %s %v %s", path, same.Status, err, body)
		}
		if other := pageGet(t, handler, path, "If-None-Match", `"x"`); other.StatusCode != 200 {
			t.Errorf("%s with another tag: %s", path, other.Status)
		}
		if len(want) < 100 {
			continue // not smaller with gzip
		}
		zipped := pageGet(t, handler, path, "Accept-Encoding", "br, gzip")
		r, err := gzip.NewReader(zipped.Body)
		if err != nil || zipped.Header.Get("Content-Encoding") != "gzip" {
			t.Fatalf("%s: %v, %v", path, zipped.Header, err)
		}
		if body, err := io.ReadAll(r); err != nil || string(body) != want {
			t.Errorf("%s with gzip: %v %s", path, err, body)
		}
		zippedTag := zipped.Header.Get("ETag")
		if zippedTag == tag || pageGet(t, handler, path, "Accept-Encoding", "gzip", "If-None-Match", tag).StatusCode != 200 {
			t.Errorf("%s: the same tag %s with gzip and without", path, tag)
		}
		for _, list := range []string{zippedTag, `"x", W/` + zippedTag, "*"} {
			if same := pageGet(t, handler, path, "Accept-Encoding", "gzip", "If-None-Match", list); same.StatusCode != http.StatusNotModified {
				t.Errorf("%s with %s: %s", path, list, same.Status)
			}
		}
	}
}

// What allows scripts elsewhere, or in the page itself, is not in the policy.
func TestPagePolicy(t *testing.T) {
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'", "form-action 'none'", "base-uri 'none'", "require-trusted-types-for 'script'"} {
		if !strings.Contains(pagePolicy, part) {
			t.Errorf("%s is missing", part)
		}
	}
	for _, part := range []string{"unsafe", "*", "http:", "https:", "data:"} {
		if strings.Contains(pagePolicy, part) {
			t.Errorf("%s is in it", part)
		}
	}
}

// Nothing is listed, nothing else is there, and the API is never a page.
func TestNoPage(t *testing.T) {
	handler, err := newAPI(t, options(storetest.NewModel()))
	if err != nil {
		t.Fatal(err)
	}
	for path, status := range map[string]int{"/assets/nothing.js": 404, "/assets/..%2findex.html": 404, "/assets": 404, "/assets/": 404, "/index.html": 404, "/x": 404, "/v1": 404, "/v1/": 404,
		"/v1/x": 404, "/v1/institutions": 401, "/v1/institutions/uni/x": 404, "/v1/session": 401} {
		r := pageGet(t, handler, path, "Accept", "text/html")
		if r.StatusCode != status || r.Header.Get("Content-Type") != "application/problem+json" || !strings.HasPrefix(r.Header.Get("Content-Security-Policy"), "default-src 'none'; frame") {
			t.Errorf("%s: %s %v", path, r.Status, r.Header)
		}
	}
	o := options(storetest.NewModel())
	o.Page = nil
	if handler, err = newAPI(t, o); err != nil {
		t.Fatal(err)
	}
	for path := range pagePaths {
		if r := pageGet(t, handler, path); r.StatusCode != 404 {
			t.Errorf("%s without a page: %s", path, r.Status)
		}
	}
}

// A build that is not whole, or holds what is no page, does not start.
func TestNewRefusesPages(t *testing.T) {
	for want, change := range map[string]func(fstest.MapFS){
		"assets/index-1.js.map: unknown kind": func(f fstest.MapFS) { f["assets/index-1.js.map"] = &fstest.MapFile{} },
		"no index.html":                       func(f fstest.MapFS) { delete(f, "index.html") },
		"no favicon.svg":                      func(f fstest.MapFS) { delete(f, "favicon.svg") },
	} {
		o, files := options(storetest.NewModel()), aPage()
		change(files)
		o.Page = files
		if _, err := newAPI(t, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"actionlog"
)

func urlFilterCases() []testCase {
	const rule = "FieldURL: the request's whole URL, or its path, or the beginning of its path. A text that does not begin with / matches a whole URL only."
	f := actionlog.FieldURL
	return []testCase{
		filterCase("urls", rule, []string{
			action("page", noon, url("https://h.example/v2.2/users/?page=2#x")), action("seven", noon, url("/v2.2/users/7")),
			action("users", noon, url("/v2.2/users")), action("other", noon, url("http://h.example:8080/v2.2/usersettings/7/email")),
			action("host", noon, url("https://h.example")), action("query", noon, url("https://h.example?next=/v2.2/users/")),
			action("upper", noon, url("/V2.2/Users/7")),
			action("relative", noon, url("v2.2/users/7")),
			action("none", noon),
			action("wrong", noon, `"request":{"url":7}`),
		}, []row{
			{"whole", is(f, text("https://h.example/v2.2/users/?page=2#x")), "page"},
			{"whole without path", is(f, text("https://h.example")), "host"},
			{"the beginning of a whole URL", is(f, text("https://h.example/v2.2/users/")), ""},
			{"host", is(f, text("h.example")), ""},
			{"path", is(f, text("/v2.2/users/7")), "seven"},
			{"beginning at a sign", is(f, text("/v2.2/users/")), "page seven"},
			{"beginning in a word", is(f, text("/v2.2/user")), "page seven users other"},
			{"root", is(f, text("/")), "page seven users other host query upper"},
			{"path and query", is(f, text("/v2.2/users/?page=2")), ""},
			{"without a sign in front", is(f, text("v2.2/users/7")), "relative"},
			{"without a sign in front, a beginning", is(f, text("v2.2")), ""},
			{"several", is(f, text("/V2.2"), text("/v2.2/users/7"), text("https://h.example")), "seven upper host"},
			{"nothing", is(f, text("/v2.3")), ""},
		}),
		{"odd urls", rule, func(c *check) { testURLs(c, oddURLs()) }},
		{"long urls", rule + " A text of more than 8,000 bytes may be refused as invalid, never answered wrongly.",
			func(c *check) { testURLs(c, longURLs()) }},
	}
}

func oddURLs() []string {
	return []string{
		"/a%20b/c%2Fd", "/a%20b/c%2fd", "/a b/c/d", "/größe/☃/x", "/gr%C3%B6%C3%9Fe/x", `/q"uote/it's/--`, "/st*r/*", "/un_der/_c", "/AND/OR/NOT",
		"//double//slash//", "/", "/?q=1", "/#f", "/./../x", "/a;b=c/d", "/a,b/(c)/[d]", "/a\\b", "/tab\there", "/nul\x00x", "/emoji/😀/y", "/e\u0301/é",
		"https://ünï.example/ü?ü#ü", "ftp://h/x", "https:///x", "https://h:1/", "HTTP://H/X", "a://b", "://x", "x://y://z/w", "/p://q/r", "?q", "#f",
	}
}

func longURLs() []string {
	deep := strings.Repeat("/segment", 40)
	return []string{
		deep, deep + "/", deep + "/x", deep + "s", "https://h" + deep + "/y?" + strings.Repeat("q", 5000),
		"/" + strings.Repeat("x", 9000), "/" + strings.Repeat("x", 9000) + "y", "/" + strings.Repeat("x", 9000) + "z",
		strings.Repeat("/dir", 5000), strings.Repeat("/dir", 5000) + "/z", "https://h/?" + strings.Repeat("q", 60_000), "https://h/?" + strings.Repeat("q", 60_000) + "r",
	}
}

// testURLs looks for every URL, and for every beginning of a path that ends at
// an interesting place, and compares with actionlog.URLMatches.
func testURLs(c *check, urls []string) {
	var documents []string
	for i, u := range urls {
		documents = append(documents, action(fmt.Sprint("u", i), noon, url(u)))
	}
	c.write(documents...)
	done := map[string]bool{"": true}
	for _, sought := range soughtURLs(urls) {
		if done[sought] {
			continue
		}
		done[sought] = true
		if len(sought) > 8000 && c.refuses(sought) {
			continue
		}
		var want []string
		for i, u := range urls {
			if actionlog.URLMatches(actionlog.Request{URL: u}, sought) {
				want = append(want, fmt.Sprint("u", i))
			}
		}
		c.clause(is(actionlog.FieldURL, text(sought)), strings.Join(want, " "))
	}
}

func (c *check) refuses(url string) bool {
	_, _, err := c.store.Count(context.Background(), where(is(actionlog.FieldURL, text(url))), 0)
	var invalid *actionlog.InvalidError
	return errors.As(err, &invalid)
}

func soughtURLs(urls []string) (sought []string) {
	for _, u := range urls {
		path := actionlog.Request{URL: u}.Path()
		sought = append(sought, u, path, path+"x", path+"/", strings.ToUpper(path))
		for _, n := range []int{1, 2, 3, 5, 8, 9, 64, 65, 128, 129, 320, 1000, 4096, 8000, 8001, len(path) - 2, len(path) - 1} {
			if 0 < n && n < len(path) && utf8.RuneStart(path[n]) {
				sought = append(sought, path[:n])
			}
		}
	}
	return sought
}

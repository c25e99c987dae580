package actionlog

import (
	"strings"
	"testing"
)

func TestScrubText(t *testing.T) {
	tests := []struct{ in, want string }{
		{"/v2/x?api_key=abc", "/v2/x?api_key=REDACTED"},
		{"/v2/x?a=1&API_KEY=abc&b=2#f", "/v2/x?a=1&API_KEY=REDACTED&b=2#f"},
		{"/v2/x?api-key=abc", "/v2/x?api-key=REDACTED"},
		{"/v2/x?api%5Fkey=abc", "/v2/x?api%5Fkey=REDACTED"},
		{"/v2/x?%61pi_key=abc", "/v2/x?%61pi_key=REDACTED"},
		{"/login?next=https%3A%2F%2Fx%2F%3Fapi_key%3Dabc%26y%3D1", "/login?next=https%3A%2F%2Fx%2F%3Fapi_key%3DREDACTED%26y%3D1"},
		{"/login?next=%252F%253Ftoken%253Dabc%2526y", "/login?next=%252F%253Ftoken%253DREDACTED%2526y"},
		{"GET /x?token=a%2Fb%2B&z HTTP/1.1", "GET /x?token=REDACTED&z HTTP/1.1"},
		{"password=hunter2", "password=REDACTED"},
		{"user=a&password=hunter2", "user=a&password=REDACTED"},
		{"https://ann:pw@host/x", "https://REDACTED@host/x"},
		{"see https://ann@host:80/x, please", "see https://REDACTED@host:80/x, please"},
		{"Authorization: Bearer abcDEF123.x-y_z", "Authorization: Bearer REDACTED"},
		{"basic dXNlcjpwYXNz", "basic dXNlcjpwYXNz"},
		{"Basic dXNlcjpwYXNzd29yZA==", "Basic REDACTED"},
		{"access_token=", "access_token="},
		{"/x?api_key=ab%26SECRET&y", "/x?api_key=REDACTED&y"},
		{"/x?password=%26SECRET", "/x?password=REDACTED"},
		{"/x?api_key=%22SECRET%22#f", "/x?api_key=REDACTED#f"},
		{"/x?password='SE CRET'&a=1", "/x?password=REDACTED&a=1"},
		{`password="SE CRET", next`, `password=REDACTED, next`},
		{"/x?api_key[]=SECRET&user[password]=SECRET&auth.token=SECRET&a=1", "/x?api_key[]=REDACTED&user[password]=REDACTED&auth.token=REDACTED&a=1"},
		{"/x?api_key%5B%5D=SECRET&api_key%20=SECRET", "/x?api_key%5B%5D=REDACTED&api_key%20=REDACTED"},
		{"[token=SECRET] |token=SECRET >token=SECRET", "[token=REDACTED |token=REDACTED >token=REDACTED"},
		{"a%0Aapi_key=SECRET", "a%0Aapi_key=REDACTED"},
		{"x-api-key=SECRET&accessToken=SECRET&new_password=SECRET&oldPassword=SECRET", "x-api-key=REDACTED&accessToken=REDACTED&new_password=REDACTED&oldPassword=REDACTED"},
		{"password = hunter2", "password = REDACTED"},
		{"http%3A%2F%2Fuser%3ASECRET%40host%2Fx", "http%3A%2F%2FREDACTED%40host%2Fx"},
		{"http://u:SEC/RET@h/x", "http://REDACTED@h/x"},
		{"//u:SECRET@h/x", "//REDACTED@h/x"},
		{`{"api_key":"SECRET","n":1}`, `{"api_key":"REDACTED","n":1}`},
		{`{\"api_key\":\"SECRET\",\"n\":1}`, `{\"api_key\":\"REDACTED\",\"n\":1}`},
		{"Authorization: Token SECRET", "Authorization: Token REDACTED"},
		{"X-Api-Key: SECRET", "X-Api-Key: REDACTED"},
		{"Bearer%2520abc123def", "Bearer%2520REDACTED"},
		// What is no credential stays.
		{"https://host:80/x@y and //h/a:b@c", "https://host:80/x@y and //h/a:b@c"},
		{`{"tokens":3,"token_type":"bearer"}`, `{"tokens":3,"token_type":"bearer"}`},
		{"a%20b=c&q=a%3Db", "a%20b=c&q=a%3Db"},
		{"/login/token/redirect?stateToken=02.id", "/login/token/redirect?stateToken=02.id"},
		{"the token was changed", "the token was changed"},
		{"basic certificates, bearer of news", "basic certificates, bearer of news"},
		{"mail ann@example.edu: hello", "mail ann@example.edu: hello"},
		{"12:30 ann@example.edu https://h/a@b", "12:30 ann@example.edu https://h/a@b"},
		{"100% = all", "100% = all"},
		{"tokens=3&monkey=4", "tokens=3&monkey=4"},
	}
	for _, test := range tests {
		if got := NewScrubber().Text(test.in); got != test.want {
			t.Errorf("%q\n got %q\nwant %q", test.in, got, test.want)
		}
	}
}

func TestScrubMoreNames(t *testing.T) {
	s := NewScrubber("Session-Key")
	if got := s.Text("/x?session_key=1"); got != "/x?session_key=REDACTED" {
		t.Error(got)
	}
}

func TestScrubDocument(t *testing.T) {
	doc := with(`"1",`, `"1","request":{"url":"/x?api_key=SECRET1"},"details":{"k":"\/a?token=SECRET2\u0026b=1","password":"SECRET3","https://u:SECRET4@h":1,`+
		`"token":{"kept":1,"value":"SECRET5"},"api_key":["SECRET8",["SECRET9"]],"secret":{"old":{"x":"SECRETA"}},"body":"{\"api_key\":\"SECRETB\"}","nested":[{"Access-Token":77770005}]},"changes":[{"field":"user.password","before":"SECRET6","after":"SECRET7"},{"field":"user[password]","before":["SECRETC"],"after":{"x":"SECRETD"}},{"field":"title","before":"old","after":"new"}],`)
	want := with(`"1",`, `"1","request":{"url":"/x?api_key=REDACTED"},"details":{"k":"/a?token=REDACTED&b=1","password":"REDACTED","https://REDACTED@h":1,`+
		`"token":{"kept":1,"value":"REDACTED"},"api_key":["REDACTED",["REDACTED"]],"secret":{"old":{"x":"REDACTED"}},"body":"{\"api_key\":\"REDACTED\"}","nested":[{"Access-Token":"REDACTED"}]},"changes":[{"field":"user.password","before":"REDACTED","after":"REDACTED"},{"field":"user[password]","before":["REDACTED"],"after":{"x":"REDACTED"}},{"field":"title","before":"old","after":"new"}],`)
	item := mustParse(t, doc)
	if string(item.Document) != want {
		t.Errorf("got  %s\nwant %s", item.Document, want)
	}
	if item.Action.Request.URL != "/x?api_key=REDACTED" {
		t.Errorf("extracted %q", item.Action.Request.URL)
	}
	if all := strings.Join(item.Text, "\n"); strings.Contains(all, "SECRET") {
		t.Errorf("text: %s", all)
	}
}

func TestScrubBytes(t *testing.T) {
	for _, raw := range []string{
		`{"password":"SECRET`, `{"password": "SECRET", "x":`, `{"u":"/a?api_key=SECRET&b`, "\xff?token=SECRET&", `{"u":"https:\/\/a:SECRET@h\/`,
		`{"\u0061pi_key":"SECRET"`, `{"u":"?api\u005fkey=SECRET"`, `{"u":"\u0023token=SECRET"`, `{"u":"https:\u002f\u002fu:SECRET@h"`, `{"a":"Bearer\u0020SECRET12345"`,
		`{"api_key":["SECRET"`, `{'api_key':'SECRET'`, `{"password":SECRET,`, `{"u":"?a=1\u0026token=SECRET"`, `{"token":"SECRET"}`, `Bearer SECRET1234567`, `[{"api_key":"a\"SECRET"}`,
	} {
		if got := string(NewScrubber().Bytes([]byte(raw))); strings.Contains(got, "SECRET") {
			t.Errorf("%q became %q", raw, got)
		}
	}
}

func TestMayBeCredential(t *testing.T) {
	for _, name := range append(credentialNames[:], credentialEnds[:]...) {
		if !mayBeCredential(strings.ToUpper(name)) {
			t.Errorf("%s is not looked at", name)
		}
	}
}

// checkClean holds that what clean passes has nothing to replace.
func checkClean(t *testing.T, s *Scrubber, text string) (clean bool) {
	doc := []byte(`{"a":` + string(quote(text)) + `,` + string(quote(text)) + `:"b","changes":[{"field":` + string(quote(text)) + `,"before":"x"}]}`)
	root, err := decodeJSON(doc)
	if err != nil {
		return false
	}
	if edits := s.edits(&root, nil); s.clean(doc) && len(edits) > 0 {
		t.Errorf("%q is passed as clean, and has %d credentials", text, len(edits))
	}
	return s.clean(doc)
}

func TestClean(t *testing.T) {
	s := NewScrubber()
	for _, text := range []string{"/x?API_KEY=abc", "https://ann:pw@host/x", "Bearer abcDEF123.x-y_z", "BASIC dXNlcjpwYXNzd29yZA==", "Client_Secret=1", "a%20b", "PassWord: x", "x@y//u:p@h"} {
		if checkClean(t, s, text) {
			t.Errorf("%q is passed as clean", text)
		}
	}
	for _, text := range []string{"Melody Wang", "melody@example.edu", "/v2/courses/7?page=2", "https://h/a, bob@example.edu"[:11], "20 / 7"} {
		if !checkClean(t, s, text) {
			t.Errorf("%q is looked at", text)
		}
	}
	if checkClean(t, NewScrubber("pin"), "pin") {
		t.Error("a scrubber with names of its own passes a document unseen")
	}
}

func FuzzScrub(f *testing.F) {
	for _, s := range []string{"?token=a&b", "a%253Dtoken%3d", "https://a:b@c", "Bearer x1234567"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		checkClean(t, NewScrubber(), s)
		once := NewScrubber().Text(s)
		if twice := NewScrubber().Text(once); twice != once {
			t.Errorf("%q, scrubbed %q, scrubbed again %q", s, once, twice)
		}
		probe := "/x?y=" + strings.NewReplacer("=", "", "%", "").Replace(s) + "&api_key=HUNTER2HUNTER2"
		if strings.Contains(NewScrubber().Text(probe), "HUNTER2HUNTER2") {
			t.Errorf("%q keeps its key", probe)
		}
	})
}

package dashboards

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"

	"actionlog"
)

// server plays Kibana and OpenSearch Dashboards as far as an import goes: it wants the
// header against forged requests, a file called .ndjson, one object a line, and a user.
type server struct {
	path, tenant string                                      // where it expects the import
	limit        int64                                       // of the body; 0: none
	answer       func(w http.ResponseWriter, objects []read) // nil: all are taken
	got          []read
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	say := func(status int, message string) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"statusCode":%d,"error":%q,"message":%q}`, status, http.StatusText(status), message)
	}
	if s.limit > 0 {
		r.Body = http.MaxBytesReader(w, r.Body, s.limit)
	}
	name, password, basic := r.BasicAuth()
	switch {
	case r.Header.Get("kbn-xsrf") == "" || r.Header.Get("osd-xsrf") == "":
		say(http.StatusBadRequest, "Request must contain a kbn-xsrf header.")
		return
	case r.Header.Get("Authorization") != "ApiKey k" && !(basic && name == "jo" && password == "secret"):
		say(http.StatusUnauthorized, "Unauthorized")
		return
	case r.URL.Path != s.path || r.Method != http.MethodPost || r.URL.RawQuery != "overwrite=true" || r.Header.Get("securitytenant") != s.tenant:
		say(http.StatusNotFound, "Not Found")
		return
	}
	file, header, err := r.FormFile("file")
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		say(http.StatusRequestEntityTooLarge, "Payload content length greater than maximum allowed: 1")
		return
	}
	if err != nil || path.Ext(header.Filename) != ".ndjson" {
		say(http.StatusBadRequest, fmt.Sprintf("Invalid file extension %v", err))
		return
	}
	text, err := io.ReadAll(file)
	if err != nil {
		say(http.StatusBadRequest, err.Error())
		return
	}
	for line := range bytes.Lines(text) {
		var o read
		if err := json.Unmarshal(line, &o); err != nil {
			say(http.StatusBadRequest, err.Error())
			return
		}
		s.got = append(s.got, o)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if s.answer != nil {
		s.answer(w, s.got)
		return
	}
	fmt.Fprintf(w, `{"success":true,"successCount":%d,"successResults":[],"warnings":[]}`, len(s.got))
}

// target starts the server, and says where it is.
func (s *server) target(t *testing.T, base string) *Server {
	t.Helper()
	at := httptest.NewServer(s)
	t.Cleanup(at.Close)
	u, err := url.Parse(at.URL + base)
	if err != nil {
		t.Fatal(err)
	}
	return &Server{URL: u, APIKey: "k", HTTP: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

const importPath = "/api/saved_objects/_import"

// Objects are imported into a space of Kibana, and into a tenant of an OpenSearch
// Dashboards that has a base path, by a key or a password.
func TestImport(t *testing.T) {
	kibana := &server{path: "/s/compliance" + importPath}
	to := kibana.target(t, "")
	to.Space = "compliance"
	osd := &server{path: "/_dashboards" + importPath, tenant: "Compliance team"}
	other := osd.target(t, "/_dashboards")
	other.Tenant, other.APIKey, other.Username, other.Password = "Compliance team", "", "jo", "secret"
	for _, x := range []struct {
		*server
		to *Server
	}{{kibana, to}, {osd, other}} {
		if err := x.to.Import(t.Context(), Options{}); err != nil {
			t.Error(err)
		}
		if want := len(Objects(Options{})); len(x.got) != want {
			t.Errorf("%d of %d objects came", len(x.got), want)
		}
	}
}

// What is not a success is an error that says what to do, and that names each object that
// was not taken; credentials are not in it.
func TestImportThatFails(t *testing.T) {
	say := func(status int, media, body string) func(http.ResponseWriter, []read) {
		return func(w http.ResponseWriter, _ []read) {
			w.Header().Set("Content-Type", media)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	all := len(Objects(Options{}))
	for name, c := range map[string]struct {
		server server
		change func(*Server)
		want   string
		away   bool
	}{
		"some": {server: server{answer: func(w http.ResponseWriter, objects []read) {
			fmt.Fprintf(w, `{"success":false,"successCount":%d,"errors":[
				{"id":%q,"type":"dashboard","title":"x","meta":{},"error":{"type":"missing_references","references":[{"type":"visualization","id":"gone"}]}},
				{"id":"b","type":"search","error":{"type":"unknown","message":"no room","statusCode":500}}]}`, all-2, objects[all-1].ID)
		}}, want: fmt.Sprintf("%d of %d objects were taken\n  dashboard actionlog-hours: missing_references, visualization gone\n  search b: unknown: no room", all-2, all)},
		"fewer":  {server: server{answer: say(200, "application/json", `{"success":true,"successCount":3}`)}, want: fmt.Sprintf("3 of %d objects", all)},
		"denied": {change: func(s *Server) { s.APIKey = "wrong" }, want: "401 Unauthorized (Unauthorized): the user, the password or the API key is not accepted"},
		"space":  {change: func(s *Server) { s.Space = "nowhere" }, want: "no such space"},
		"role":   {server: server{answer: say(403, "application/json", `{"message":"Unable to bulk_create dashboard"}`)}, want: "Unable to bulk_create dashboard): who signed in may not write"},
		"large":  {server: server{limit: 1000}, want: "takes no file of this size"},
		"proxy":  {server: server{answer: say(200, "text/html", "<html>Sign in</html>")}, want: "a proxy or a sign-in page"},
		"other":  {server: server{answer: say(200, "application/json", `{"status":"ok"}`)}, want: "not that of an import"},
		"nginx":  {server: server{answer: say(413, "text/html", "<html>413</html>")}, want: "takes no file of this size"},
		"redirect": {server: server{answer: func(w http.ResponseWriter, _ []read) {
			w.Header().Set("Location", "/login?next=secret")
			w.WriteHeader(302)
		}}, want: "to /login: it wants to be signed in to"},
		"away":   {server: server{answer: say(503, "text/html", "busy")}, want: "503 Service Unavailable", away: true},
		"broken": {server: server{answer: func(w http.ResponseWriter, _ []read) { w.Header().Set("Content-Length", "9999") }}, want: "broke off", away: true},
	} {
		t.Run(name, func(t *testing.T) {
			c.server.path = importPath
			to := c.server.target(t, "")
			if c.change != nil {
				c.change(to)
			}
			err := to.Import(t.Context(), Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, actionlog.ErrUnavailable) != c.away {
				t.Errorf("%v", err)
			}
			if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "wrong")) {
				t.Errorf("a credential is said: %v", err)
			}
		})
	}
	nobody := (&server{path: importPath}).target(t, "")
	nobody.URL.Host = "127.0.0.1:1"
	if err := nobody.Import(t.Context(), Options{}); !errors.Is(err, actionlog.ErrUnavailable) {
		t.Error(err)
	}
}

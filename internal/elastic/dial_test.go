package elastic

import (
	"context"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// answering is a server that answers a path with a status, headers and a body, and
// everything else as a server that knows nothing.
func answering(t *testing.T, answers map[string]func(w http.ResponseWriter)) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answer := answers[r.URL.Path]; answer != nil {
			answer(w)
			return
		}
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"error":{"type":"security_exception","reason":"no permissions"},"status":403}`)
	}))
	t.Cleanup(s.Close)
	return s
}

func says(status int, body string, header ...string) func(w http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// What a server is follows from what it says, also where it hides GET /; what is
// neither is refused.
func TestDial(t *testing.T) {
	const es, health = `{"version":{"number":"8.19.21"},"tagline":"You Know, for Search"}`, `{"cluster_name":"c","discovered_cluster_manager":true}`
	for name, test := range map[string]struct {
		answers map[string]func(w http.ResponseWriter)
		version string
		err     string
	}{
		"OpenSearch":           {map[string]func(http.ResponseWriter){"/": says(200, `{"version":{"number":"2.19.4","distribution":"opensearch"}}`)}, "OpenSearch 2.19.4", ""},
		"Elasticsearch":        {map[string]func(http.ResponseWriter){"/": says(200, es, product, "Elasticsearch")}, "Elasticsearch 8.19.21", ""},
		"hidden Elasticsearch": {map[string]func(http.ResponseWriter){"/": says(400, `{}`, product, "Elasticsearch")}, "Elasticsearch", ""},
		"hidden OpenSearch":    {map[string]func(http.ResponseWriter){"/_cluster/health": says(200, health)}, "OpenSearch", ""},
		"Elasticsearch 7":      {map[string]func(http.ResponseWriter){"/": says(200, strings.Replace(es, "8.19.21", "7.1.0", 1))}, "", "neither"},
		"a web server":         {map[string]func(http.ResponseWriter){"/": says(200, "<html>welcome</html>"), "/_cluster/health": says(404, "<html>")}, "", "neither"},
		"wrong password":       {map[string]func(http.ResponseWriter){"/": says(401, `{}`)}, "", "credentials"},
	} {
		t.Run(name, func(t *testing.T) {
			s := answering(t, test.answers)
			c, err := dial(t.Context(), &Options{Addresses: []string{s.URL}, Username: "u", Password: "secret"})
			switch {
			case test.err != "":
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("%v; want an error that says %q", err, test.err)
				}
			case err != nil || c.version != test.version || c.openES != strings.HasPrefix(test.version, "OpenSearch"):
				t.Errorf("%+v, %v; want %s", c, err, test.version)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error holds the password: %v", err)
			}
		})
	}
}

// No error holds a password, whoever makes it.
func TestDialHidesCredentials(t *testing.T) {
	for _, address := range []string{"http://u:secret@127.0.0.1:1", "http://u:secret@host:port/", "://u:secret@x"} {
		_, err := dial(t.Context(), &Options{Addresses: []string{address}})
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// OpenSearch gets plain media types, Elasticsearch its own; both get the credentials.
func TestMediaTypes(t *testing.T) {
	for distribution, want := range map[string][2]string{"opensearch": {"application/json", "application/x-ndjson"}, "": {mediaJSON, mediaNDJSON}} {
		var mu sync.Mutex
		seen := map[string]bool{}
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			if user, password, _ := r.BasicAuth(); user != "u" || password != "p" {
				t.Errorf("%s: user %q", r.URL.Path, user)
			}
			seen[r.Header.Get("Content-Type")] = true
			if accept := r.Header.Get("Accept"); r.URL.Path != "/" && accept != want[0] {
				t.Errorf("%s: Accept %q", r.URL.Path, accept)
			}
			if distribution == "" {
				w.Header().Set(product, "Elasticsearch")
			}
			switch {
			case r.URL.Path == "/":
				fmt.Fprintf(w, `{"version":{"number":"3.5.0","distribution":%q}}`, distribution)
			case strings.HasSuffix(r.URL.Path, "_bulk"):
				fmt.Fprint(w, `{"items":[{"create":{"status":201}}]}`)
			default:
				fmt.Fprint(w, `{"_shards":{},"hits":{"hits":[]}}`)
			}
		}))
		store, err := Open(t.Context(), Options{Addresses: []string{s.URL}, Username: "u", Password: "p", RefreshEvery: time.Millisecond}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.sendBulk(t.Context(), []byte("{\"create\":{}}\n{}\n"), 1); err != nil {
			t.Error(err)
		}
		_ = store.Close()
		mu.Lock()
		for _, media := range want {
			if !seen[media] {
				t.Errorf("%q: no request had %s: %v", distribution, media, seen)
			}
		}
		mu.Unlock()
		s.Close()
	}
}

// A server's certificate is checked; with its authority given it is trusted, an API
// key is sent, and requests are compressed.
func TestSecureConnection(t *testing.T) {
	var mu sync.Mutex
	var encodings []string
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if !strings.EqualFold(r.Header.Get("Authorization"), "ApiKey a2V5") {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.ContentLength != 0 {
			encodings = append(encodings, r.Header.Get("Content-Encoding"))
		}
		fmt.Fprint(w, `{"version":{"number":"3.5.0","distribution":"opensearch"},"items":[{"create":{"status":201}}]}`)
	}))
	t.Cleanup(s.Close)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := dial(ctx, &Options{Addresses: []string{s.URL}, APIKey: "a2V5"}); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("without the authority: %v", err)
	}
	if _, err := dial(ctx, &Options{Addresses: []string{s.URL}, CAFile: ca, APIKey: "d3Jvbmc="}); err == nil || !strings.Contains(err.Error(), "credentials") {
		t.Errorf("with another key: %v", err)
	}
	c, err := dial(ctx, &Options{Addresses: []string{s.URL}, CAFile: ca, APIKey: "a2V5", Gzip: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&Store{client: c}).sendBulk(ctx, []byte("{\"create\":{}}\n{}\n"), 1); err != nil {
		t.Error(err)
	}
	if len(encodings) != 1 || encodings[0] != "gzip" {
		t.Errorf("bodies were encoded %q", encodings)
	}
	for path, text := range map[string]string{filepath.Join(t.TempDir(), "none"): "", ca: "no certificate"} {
		if text != "" {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := dial(ctx, &Options{Addresses: []string{s.URL}, CAFile: path}); err == nil || !strings.Contains(err.Error(), "authorities") {
			t.Errorf("--engine-ca %q: %v", text, err)
		}
	}
}

// Where a newer version of the program has been, this one writes nothing.
func TestTemplateOfANewerVersion(t *testing.T) {
	s := answering(t, map[string]func(w http.ResponseWriter){
		"/":                                  says(200, `{"version":{"number":"2.19.4","distribution":"opensearch"}}`),
		"/_cluster/settings":                 says(200, `{}`),
		"/_index_template/actionlog-actions": says(200, `{"index_templates":[{"index_template":{"_meta":{"version":99}}}]}`),
	})
	_, err := Open(t.Context(), Options{Addresses: []string{s.URL}, Replicas: -1}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "index template actionlog-actions: is of version 99, of a newer version of this program, which knows 1") {
		t.Errorf("%v", err)
	}
}

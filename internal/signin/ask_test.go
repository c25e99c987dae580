package signin

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"actionlog"
	"actionlog/internal/oidctest"
)

// A provider that answers nonsense, without end, or by sending us elsewhere is one that is
// away: nobody is let in, nobody else is asked, and little is read.
func TestBadProviderAnswers(t *testing.T) {
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	token := oidctest.NewForger(t).Good(nil)
	for name, answer := range map[string]http.HandlerFunc{
		"HTML":             func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>welcome</html>") },
		"nothing":          func(http.ResponseWriter, *http.Request) {},
		"null":             func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "null") },
		"another's issuer": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"issuer":%q}`, other.URL) },
		"a redirect":       func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) },
		"a 307": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		},
		"an error": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"an answer that breaks off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, `{"issuer":`)
		},
		"no end": func(w http.ResponseWriter, _ *http.Request) {
			for block := []byte(strings.Repeat("a", 1<<16)); ; {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(answer)
			defer s.Close()
			_, err := open(t, Config{Issuer: s.URL, Audience: "actionlog"}).Bearer(t.Context(), token)
			if !errors.Is(err, actionlog.ErrUnavailable) && !errors.Is(err, actionlog.ErrNotFound) {
				t.Errorf("%v", err)
			}
		})
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("somebody else was asked %d times", n)
	}
}

package search

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"actionlog"
)

// answers is a provider that answers a sign-in in one way.
type answers struct {
	who actionlog.Principal
	err error
}

func (a answers) Begin(context.Context) (string, []byte, error) {
	if errors.Is(a.err, actionlog.ErrUnavailable) {
		return "", nil, a.err
	}
	return "https://id.example/", []byte("secret"), nil
}

func (a answers) Finish(context.Context, []byte, url.Values) (actionlog.Principal, error) {
	return a.who, a.err
}

func (a answers) Bearer(context.Context, string) (actionlog.Principal, error) {
	return actionlog.Principal{}, actionlog.ErrNotFound
}

// A browser that is not signed in comes back to the page with the reason; a program has the
// problem.
func TestNotSignedIn(t *testing.T) {
	known := actionlog.Principal{ID: "oidc:bob"}
	for _, c := range []struct {
		name, query string
		provider    answers
		begun       bool
		want        string
		status      int
	}{
		{"no rule gives them a role", "code=x", answers{known, actionlog.ErrNotFound}, true, "unknown", 403},
		{"the provider refuses", "error=access_denied", answers{err: actionlog.ErrNotFound}, true, "refused", 403},
		{"the state is another's", "code=x&state=y", answers{err: actionlog.ErrNotFound}, true, "again", 403},
		{"nothing was begun here", "code=x&error=", answers{}, false, "again", 403},
	} {
		handler := every(t, func(o *Options) { o.SignIn = c.provider })
		for accept, status := range map[string]int{"text/html,*/*": http.StatusSeeOther, "": c.status} {
			req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, callbackPath+"?"+c.query, nil)
			req.Header.Set("Accept", accept)
			if c.begun {
				for _, cookie := range said(t, handler, "", "GET", "/v1/sign-in", "").Result().Cookies() {
					req.AddCookie(cookie)
				}
			}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, req)
			if where := w.Header().Get("Location"); w.Code != status || accept != "" && where != "/#sign_in="+c.want {
				t.Errorf("%s, accepting %q: %d %q", c.name, accept, w.Code, where)
			}
		}
	}
	handler := every(t, func(o *Options) { o.SignIn = answers{err: actionlog.ErrUnavailable} })
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/sign-in", nil)
	req.Header.Set("Accept", "text/html")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, req)
	if where := w.Header().Get("Location"); w.Code != http.StatusSeeOther || where != "/#sign_in=unavailable" {
		t.Errorf("a provider that is away: %d %q", w.Code, where)
	}
	if w := said(t, handler, "", "GET", "/v1/sign-in", ""); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a provider that is away, for a program: %d", w.Code)
	}
}

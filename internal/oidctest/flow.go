package oidctest

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"sync"
)

// flow is the code flow of a Forger.
type flow struct {
	mu     sync.Mutex
	answer func(nonce, clientID string) (idToken string)
	codes  map[string]url.Values // of authorization requests
}

// Answer says which ID token the token endpoint gives for a code, from the nonce
// and the client_id of the authorization request; default is Good for that client
// and with that nonce. The authorization endpoint signs everybody in without asking
// and redirects to any redirect_uri with code, state and iss; the token endpoint
// looks at the code only (it neither knows the client nor checks PKCE), gives an
// access token that is good for nothing, and takes a code once.
func (f *Forger) Answer(idToken func(nonce, clientID string) string) {
	f.flow.mu.Lock()
	defer f.flow.mu.Unlock()
	f.flow.answer = idToken
}

func (f *Forger) authorize(w http.ResponseWriter, r *http.Request) {
	asked := r.URL.Query()
	back, err := url.Parse(asked.Get("redirect_uri"))
	if err != nil || back.Host == "" {
		http.Error(w, "no redirect_uri", http.StatusBadRequest)
		return
	}
	code := rand.Text()
	f.flow.mu.Lock()
	if f.flow.codes == nil {
		f.flow.codes = map[string]url.Values{}
	}
	f.flow.codes[code] = asked
	f.flow.mu.Unlock()
	q := back.Query()
	q.Set("code", code)
	q.Set("iss", f.Issuer)
	if state := asked.Get("state"); state != "" {
		q.Set("state", state)
	}
	back.RawQuery = q.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

func (f *Forger) exchange(w http.ResponseWriter, r *http.Request) {
	code := r.PostFormValue("code")
	f.flow.mu.Lock()
	asked, known := f.flow.codes[code]
	answer := f.flow.answer
	delete(f.flow.codes, code)
	f.flow.mu.Unlock()
	if !known {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant"}`)) // the reader may have gone
		return
	}
	if answer == nil {
		answer = func(nonce, clientID string) string {
			return f.Good(map[string]any{"aud": clientID, "nonce": nonce})
		}
	}
	write(w, map[string]any{"access_token": "opaque", "token_type": "Bearer", "expires_in": 600, "id_token": answer(asked.Get("nonce"), asked.Get("client_id"))})
}

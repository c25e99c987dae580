//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// proxy stands between the service and its engine, and spoils what passes for a while.
type proxy struct {
	*httptest.Server
	engine string

	mu     sync.Mutex
	name   string        // of what spoils; "": nothing does
	healed chan struct{} // closed when the spoiling ends
	rng    *rand.Rand
	hits   map[string]int // how often each was made
}

// spoil answers a request in the engine's stead; false: it is to be passed on as it is.
type spoil func(p *proxy, healed <-chan struct{}, w http.ResponseWriter, r *http.Request, body []byte) bool

func startProxy(t testing.TB, engine string, seed uint64) *proxy {
	p := &proxy{engine: engine, rng: rand.New(rand.NewPCG(seed, 3)), hits: map[string]int{}, healed: make(chan struct{})}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(func() {
		p.end()
		p.CloseClientConnections()
		p.Close()
	})
	return p
}

// begin spoils from now on.
func (p *proxy) begin(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.name, p.healed = name, make(chan struct{})
}

func (p *proxy) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.name != "" {
		p.name = ""
		close(p.healed)
	}
}

func (p *proxy) chance(n int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rng.IntN(n) == 0
}

func (p *proxy) hit(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hits[name]++
}

func (p *proxy) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the service is gone
	}
	p.mu.Lock()
	name, healed := p.name, p.healed
	p.mu.Unlock()
	if name != "" {
		p.hit(name)
		if spoils[name](p, healed, w, r, body) {
			return
		}
	}
	resp, text, err := p.ask(r, body)
	if err != nil {
		panic(http.ErrAbortHandler) // as the engine does that is away
	}
	answer(w, resp, text)
}

// ask passes a request on.
func (p *proxy) ask(r *http.Request, body []byte) (*http.Response, []byte, error) {
	u, err := url.Parse(p.engine + r.URL.RequestURI())
	if err != nil {
		return nil, nil, err
	}
	req, err := http.NewRequest(r.Method, u.String(), bytes.NewReader(body)) // on, also when the service hangs up
	if err != nil {
		return nil, nil, err
	}
	req.Header = r.Header.Clone()
	req.Header.Del("Accept-Encoding")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp, text, err
}

func answer(w http.ResponseWriter, resp *http.Response, text []byte) {
	for name, values := range resp.Header {
		if name != "Content-Length" {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = w.Write(text) // the service may be gone
}

func isBulk(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/_bulk") }

// refuses answers everything with a status, as an engine that has too much to do.
func refuses(status int) spoil {
	return func(p *proxy, _ <-chan struct{}, w http.ResponseWriter, r *http.Request, _ []byte) bool {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Elastic-Product", "Elasticsearch")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":{"root_cause":[],"type":"rejected_execution_exception","reason":"torture"},"status":%d}`, status)
		return true
	}
}

// spoils are what an engine, or what stands before it, does. Of those that answer another
// thing than what was done, half has been done.
var spoils = map[string]spoil{
	"429":          refuses(429),
	"503":          refuses(503),
	"mixed errors": mixed,
	"HTML": func(p *proxy, _ <-chan struct{}, w http.ResponseWriter, r *http.Request, body []byte) bool {
		if p.chance(2) {
			_, _, _ = p.ask(r, body) // whatever it says
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html><body>Please sign in to the hotel's network</body></html>")
		return true
	},
	"hangs": func(p *proxy, healed <-chan struct{}, w http.ResponseWriter, r *http.Request, body []byte) bool {
		if p.chance(2) {
			_, _, _ = p.ask(r, body) // whatever it says
		}
		select {
		case <-healed:
		case <-r.Context().Done():
		}
		panic(http.ErrAbortHandler)
	},
	"a byte a second": func(p *proxy, healed <-chan struct{}, w http.ResponseWriter, r *http.Request, body []byte) bool {
		_, text, err := p.ask(r, body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		for slow := true; slow && len(text) > 0; text = text[1:] {
			if _, err := w.Write(text[:1]); err != nil {
				return true
			}
			w.(http.Flusher).Flush()
			select {
			case <-time.After(time.Second):
			case <-r.Context().Done():
				return true
			case <-healed:
				slow = false
			}
		}
		_, _ = w.Write(text) // the service may be gone
		return true
	},
	"cut off": func(p *proxy, _ <-chan struct{}, w http.ResponseWriter, r *http.Request, body []byte) bool {
		resp, text, err := p.ask(r, body)
		if err == nil && p.chance(2) {
			for name, values := range resp.Header {
				w.Header()[name] = values
			}
			w.Header().Set("Content-Length", fmt.Sprint(len(text)))
			_, _ = w.Write(text[:len(text)/2])
			w.(http.Flusher).Flush()
		}
		panic(http.ErrAbortHandler)
	},
}

// mixed leaves some actions of a bulk out, or does them, and says of these that they
// failed; the others are done.
func mixed(p *proxy, _ <-chan struct{}, w http.ResponseWriter, r *http.Request, body []byte) bool {
	if !isBulk(r) || r.Header.Get("Content-Encoding") != "" {
		return false
	}
	lines := bytes.SplitAfter(body, []byte("\n"))
	var passed []byte
	var fails []bool // of each action
	for i := 0; i < len(lines) && len(lines[i]) > 1; {
		var action map[string]json.RawMessage
		if json.Unmarshal(lines[i], &action) != nil {
			return false
		}
		n := 2
		if _, ok := action["delete"]; ok {
			n = 1
		}
		fail := p.chance(3)
		fails = append(fails, fail)
		if !fail || p.chance(2) { // of those that fail, half is done all the same
			passed = append(passed, bytes.Join(lines[i:i+n], nil)...)
		} else {
			passed = append(passed, `{"delete":{"_index":"torture-nothing","_id":"x"}}`+"\n"...) // keeps its place
		}
		i += n
	}
	resp, text, err := p.ask(r, passed)
	var said struct {
		Took   int                                     `json:"took"`
		Errors bool                                    `json:"errors"`
		Items  []map[string]map[string]json.RawMessage `json:"items"`
	}
	if err != nil || json.Unmarshal(text, &said) != nil || len(said.Items) != len(fails) {
		panic(http.ErrAbortHandler)
	}
	for i, fail := range fails {
		if fail {
			status := []int{429, 503, 500}[i%3]
			said.Errors = true
			said.Items[i] = map[string]map[string]json.RawMessage{"create": {"_index": json.RawMessage(`"x"`), "_id": json.RawMessage(`"x"`), "status": json.RawMessage(fmt.Sprint(status)),
				"error": json.RawMessage(`{"type":"es_rejected_execution_exception","reason":"torture"}`)}}
			p.hit("items")
		}
	}
	text, err = json.Marshal(said)
	if err != nil {
		panic(err)
	}
	answer(w, resp, text)
	return true
}

package apitest

import (
	"io"
	"net/http"
	"net/url"
	"sync"
	"testing"
)

// Handler is next, with every request and answer checked.
func (c *Contract) Handler(t Reporter, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Helper()
		asked, to := &tee{ReadCloser: r.Body}, &recorder{ResponseWriter: w}
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = asked
		}
		x := &exchange{method: r.Method, url: cloneURL(r.URL), asked: message{header: r.Header.Clone()}}
		finished := false
		defer func() {
			t.Helper()
			x.asked.body, x.asked.state = asked.body, asked.state()
			x.status, x.answer, x.trailer = to.ended()
			if !finished || r.Context().Err() != nil {
				x.answer.state = unknown
			}
			c.check(t, x)
		}()
		next.ServeHTTP(to, r)
		finished = true
	})
}

// cloneURL: routers change it.
func cloneURL(u *url.URL) *url.URL {
	clone := *u
	return &clone
}

// collected is the beginning of a body.
type collected struct {
	body []byte
	long bool
}

func (c *collected) add(p []byte) {
	n := min(len(p), mostBody-len(c.body))
	c.body, c.long = append(c.body, p[:n]...), c.long || n < len(p)
}

// recorder keeps what is written through it.
type recorder struct {
	http.ResponseWriter
	collected
	status int
	sent   http.Header
}

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status, r.sent = status, r.Header().Clone()
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	r.add(p)
	return r.ResponseWriter.Write(p)
}

// Flush implements http.Flusher, which gin wants.
func (r *recorder) Flush() { _ = http.NewResponseController(r.ResponseWriter).Flush() }

// Unwrap serves http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// ended returns the answer. Headers that were set behind the body are its trailer.
func (r *recorder) ended() (status int, m message, trailer http.Header) {
	if r.status == 0 {
		r.status, r.sent = http.StatusOK, r.Header().Clone()
	}
	m, trailer = message{header: r.sent, body: r.body}, http.Header{}
	if r.long {
		m.state = cut
	}
	for name, values := range r.Header() {
		if _, before := r.sent[name]; !before {
			trailer[name] = values
		}
	}
	return r.status, m, trailer
}

// tee keeps what is read of a body, and may tell when that ends.
type tee struct {
	io.ReadCloser
	collected
	end  bool
	done func() // nil: nobody is told
	once sync.Once
}

func (b *tee) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.add(p[:n])
	if err != nil {
		b.end = err == io.EOF
		b.tell()
	}
	return n, err
}

// Close implements io.Closer.
func (b *tee) Close() error {
	b.tell()
	return b.ReadCloser.Close()
}

func (b *tee) tell() {
	if b.done != nil {
		b.once.Do(b.done)
	}
}

// state: a body of which nothing was read may hold something.
func (b *tee) state() state {
	switch {
	case b.long:
		return cut
	case b.end || b.ReadCloser == http.NoBody || b.ReadCloser == nil:
		return whole
	}
	return unknown
}

// Transport is Base, with every request to a watched address, and its answer, checked.
type Transport struct {
	Contract *Contract
	Base     http.RoundTripper

	mu      sync.Mutex
	watched map[string]testing.TB // by host
}

// Watch has exchanges with an address checked until the test ends, and reported to it.
func (tr *Transport) Watch(t testing.TB, address string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.watched == nil {
		tr.watched = map[string]testing.TB{}
	}
	if tr.watched[u.Host] != nil {
		return // by the test that this one is a part of
	}
	tr.watched[u.Host] = t
	t.Cleanup(func() {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		delete(tr.watched, u.Host)
	})
}

// check reports to the test that watches, if it goes on still.
func (tr *Transport) check(x *exchange) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if t := tr.watched[x.url.Host]; t != nil {
		tr.Contract.check(t, x)
	}
}

// RoundTrip implements http.RoundTripper.
func (tr *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	tr.mu.Lock()
	t := tr.watched[req.URL.Host]
	tr.mu.Unlock()
	if t == nil {
		return tr.Base.RoundTrip(req)
	}
	x := &exchange{method: req.Method, url: cloneURL(req.URL), asked: askedOf(req)}
	resp, err := tr.Base.RoundTrip(req)
	if err != nil {
		return resp, err
	}
	x.status, x.answer.header = resp.StatusCode, resp.Header.Clone()
	b := &tee{ReadCloser: resp.Body}
	b.done = func() {
		x.answer.body, x.answer.state, x.trailer = b.body, b.state(), resp.Trailer
		tr.check(x)
	}
	resp.Body = b
	return resp, nil
}

// askedOf keeps the body of a request that can be read twice.
func askedOf(req *http.Request) message {
	m := message{header: req.Header.Clone()}
	if req.Body == nil || req.Body == http.NoBody {
		return m
	}
	if req.GetBody == nil || req.ContentLength > mostBody {
		m.state = unknown
		return m
	}
	b, err := req.GetBody()
	if err == nil {
		m.body, err = io.ReadAll(b)
	}
	if err != nil {
		m.state = unknown
	}
	return m
}

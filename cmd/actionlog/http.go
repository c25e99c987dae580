package main

import (
	"cmp"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"actionlog/search"
)

// httpFlags limit what one caller may ask of the service.
type httpFlags struct {
	RateLimit         float64  `name:"rate-limit" placeholder:"N" default:"200" help:"Requests a second that each token may send for long, ten times as many at once. 0: no limit."`
	RateLimitAddress  float64  `name:"rate-limit-address" placeholder:"N" default:"1000" help:"The same for each address, whoever sends them. 0: no limit."`
	RateLimitFailures float64  `name:"rate-limit-failures" placeholder:"N" default:"30" help:"Failed sign-ins a minute by address, and denied requests a minute by token, before the answer is 429. 0: no limit."`
	ReadsEach         int      `name:"reads-per-institution" placeholder:"N" help:"How many requests that read one institution are worked on at a time; others wait. Default: with --engine 16, else a processor fewer than there are."`
	OIDCConfig        string   `name:"oidc-config" placeholder:"FILE" help:"OpenID Connect provider at which people sign in, and whose access tokens are taken: docs/sign-in.md."`
	SupportName       string   `name:"support-name" placeholder:"NAME" help:"Whom the page names for older data and for help. Default: the address of --support-url."`
	SupportURL        string   `name:"support-url" placeholder:"URL" help:"Where they are reached: https://… or mailto:…."`
	TrustedProxy      []string `name:"trusted-proxy" placeholder:"CIDR" help:"Networks of proxies in front of the API whose X-Forwarded-For is believed."`
}

// support is whom the page names.
func (c *serveCmd) support() search.Contact {
	_, plain, _ := strings.Cut(c.SupportURL, ":")
	return search.Contact{Name: cmp.Or(c.SupportName, strings.TrimPrefix(plain, "//")), URL: c.SupportURL}
}

// checkSupport refuses addresses that a page must not link to.
func (c *serveCmd) checkSupport() error {
	u, err := url.Parse(c.SupportURL)
	if c.SupportURL == "" && c.SupportName == "" || err == nil && (u.Scheme == "https" && u.Host != "" || u.Scheme == "mailto" && strings.Contains(u.Opaque, "@")) {
		return nil
	}
	return usagef("--support-url: %q is neither https://… nor mailto:…", c.SupportURL)
}

const (
	maxHeaderBytes = 64 << 10
	// readWithin is how long the body of a request may take.
	readWithin = 2 * time.Minute
	// writeWithin is how long an answer may stand still: an export of hours moves.
	writeWithin = time.Minute
)

// timed ends requests whose body does not come, and answers that nobody takes.
func timed(next http.Handler, readWithin, writeWithin time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		_ = control.SetWriteDeadline(time.Time{}) // that of the request before
		if r.ContentLength != 0 {
			_ = control.SetReadDeadline(time.Now().Add(readWithin))
			r.Body = &timedBody{r.Body, control}
		}
		next.ServeHTTP(&timedWriter{w, control, writeWithin}, r)
	})
}

// timedBody has no deadline any more once it has been read: the server goes on reading, to
// notice that the client leaves.
type timedBody struct {
	io.ReadCloser
	control *http.ResponseController
}

func (t *timedBody) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if err == io.EOF {
		_ = t.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// timedWriter gives each write its time.
type timedWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	within  time.Duration
}

func (t *timedWriter) Write(p []byte) (int, error) {
	_ = t.control.SetWriteDeadline(time.Now().Add(t.within))
	return t.ResponseWriter.Write(p)
}

func (t *timedWriter) Flush() {
	_ = t.control.SetWriteDeadline(time.Now().Add(t.within))
	_ = t.control.Flush()
}

// Unwrap serves http.ResponseController.
func (t *timedWriter) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// checkCertificateEvery is how often it is looked whether the files are others.
const checkCertificateEvery = 10 * time.Second

// certificate is the service's own, read again when its files change. One that cannot be
// read leaves the one before in place.
type certificate struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	pair    *tls.Certificate
	of      string // the state of the files that pair was read from, or that failed
	checked time.Time
}

func loadCertificate(cert, key string, log *slog.Logger) (*certificate, error) {
	c := &certificate{cert: cert, key: key, log: log}
	pair, err := tls.LoadX509KeyPair(cert, key)
	c.pair, c.of, c.checked = &pair, c.state(), time.Now()
	return c, err
}

// state tells one version of the files from another.
func (c *certificate) state() string {
	var b strings.Builder
	for _, path := range []string{c.cert, c.key} {
		if i, err := os.Stat(path); err == nil {
			b.WriteString(i.ModTime().UTC().Format(time.RFC3339Nano) + " ")
		}
	}
	return b.String()
}

// get implements tls.Config.GetCertificate.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.checked) < checkCertificateEvery {
		return c.pair, nil
	}
	c.checked = time.Now()
	if now := c.state(); now != c.of {
		pair, err := tls.LoadX509KeyPair(c.cert, c.key)
		if err != nil {
			c.log.Error("the certificate was not read again; the one before goes on", "error", err)
			return c.pair, nil // perhaps only one of the files is there yet
		}
		c.pair, c.of = &pair, now
		c.log.Info("the certificate was read again", "file", c.cert)
	}
	return c.pair, nil
}

// reads is how many reads of an institution are worked on at a time: on an engine it is
// the engine that works.
func (c *serveCmd) reads() int {
	if c.ReadsEach == 0 && len(c.Engine) > 0 {
		return 16
	}
	return c.ReadsEach
}

package elastic

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"actionlog"

	"github.com/elastic/go-elasticsearch/v8"
)

// Options say where the engine is and how it is used; zero values are the
// defaults named.
type Options struct {
	Addresses []string // http(s)://[user:password@]host:port, at least one
	Username  string
	Password  string
	APIKey    string // instead of user and password
	CAFile    string // PEM; instead of the system's authorities
	Gzip      bool   // compress requests
	// Prefix of the names of all indices; "". It keeps several services on one
	// cluster apart.
	Prefix   string
	Shards   int // primary shards of a day; 1
	Replicas int // negative: as many as there are other nodes, at most one
	// Routing has each day's actions of an institution on one shard; worth it
	// with several shards and many institutions. Not to be changed while days
	// are kept.
	Routing bool
	// Bulk is how many requests of one Write are on their way at once; 2.
	Bulk int
	// RefreshEvery is the least time between two refreshes; 500 ms.
	RefreshEvery time.Duration
	// Retention is how days go, see Retention.
	Retention Retention
	// Past: it keeps days of the past only, which somebody else removes. No day is made
	// ahead, and none is ever given to a policy.
	Past bool
	// ReadOnly: it only looks. What is not there is made by who writes.
	ReadOnly bool
	Now      func() time.Time // time.Now

	transport http.RoundTripper // of tests
}

// client speaks to the cluster.
type client struct {
	es      *elasticsearch.BaseClient
	openES  bool // it is OpenSearch
	version string
}

// The media types of the protocol of Elasticsearch 8, which Elasticsearch 9
// speaks too; OpenSearch knows only the plain ones.
const (
	mediaJSON   = "application/vnd.elasticsearch+json;compatible-with=8"
	mediaNDJSON = "application/vnd.elasticsearch+x-ndjson;compatible-with=8"
	product     = "X-Elastic-Product"
)

// asOpenSearch makes the client of Elasticsearch speak to OpenSearch: it rewrites
// the media types and answers the client's question for the product.
type asOpenSearch struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t asOpenSearch) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	for _, name := range []string{"Accept", "Content-Type"} {
		switch req.Header.Get(name) {
		case mediaJSON:
			req.Header.Set(name, "application/json")
		case mediaNDJSON:
			req.Header.Set(name, "application/x-ndjson")
		}
	}
	resp, err := t.next.RoundTrip(req)
	if err == nil {
		resp.Header.Set(product, "Elasticsearch")
	}
	return resp, err
}

func dial(ctx context.Context, o *Options) (*client, error) {
	base := o.transport
	if base == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = 32
		t.ResponseHeaderTimeout = requestWithin
		base = t
	}
	c := &client{}
	var err error
	if c.es, err = newClient(o, base); err != nil {
		return nil, err
	}
	if c.openES, c.version, err = c.probe(ctx); err != nil {
		return nil, err
	}
	if c.openES {
		c.es, err = newClient(o, asOpenSearch{base})
	}
	return c, err
}

// requestWithin is how long an answer may take to begin.
const requestWithin = 60 * time.Second

func newClient(o *Options, transport http.RoundTripper) (*elasticsearch.BaseClient, error) {
	config := elasticsearch.Config{
		Addresses: o.Addresses, Username: o.Username, Password: o.Password, APIKey: o.APIKey, CompressRequestBody: o.Gzip, PoolCompressor: true,
		Transport: transport, DisableMetaHeader: true, MaxRetries: 3, RetryOnStatus: []int{http.StatusBadGateway, http.StatusGatewayTimeout},
		// A page of a scroll is handed out once: asked for again, it would be the one behind it.
		RetryOnError: func(req *http.Request, _ error) bool { return !isScroll(req) },
		RetryBackoff: func(attempt int) time.Duration { return min(100*time.Millisecond<<attempt, 2*time.Second) },
	}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("certificate authorities: %w", err)
		}
		if t, ok := transport.(*http.Transport); ok {
			if t.TLSClientConfig, err = trusting(pem); err != nil {
				return nil, fmt.Errorf("certificate authorities: %s: %w", o.CAFile, err)
			}
		}
	}
	config.Transport = scrollOnce{transport}
	c, err := elasticsearch.NewBaseClient(config)
	if err != nil {
		return nil, fmt.Errorf("engine: %s", withoutCredentials(err.Error(), o))
	}
	return c, nil
}

const scrollPath = "/_search/scroll"

func isScroll(req *http.Request) bool {
	return req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, scrollPath)
}

// scrollOnce makes an error of an answer to a scroll at which the client would ask again: a proxy that says so may have lost the page.
type scrollOnce struct{ next http.RoundTripper }

func (t scrollOnce) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err == nil && isScroll(req) && (resp.StatusCode == http.StatusBadGateway || resp.StatusCode == http.StatusGatewayTimeout) {
		resp.Body.Close()
		return nil, fmt.Errorf("the answer is %s", resp.Status)
	}
	return resp, err
}

// withoutCredentials takes user and password out of a message.
func withoutCredentials(message string, o *Options) string {
	for _, a := range o.Addresses {
		if u, err := url.Parse(a); err == nil {
			message = strings.ReplaceAll(message, a, u.Redacted())
		} else {
			message = "an address of the engine is not a URL"
		}
	}
	return message
}

// probe asks what the server is. GET / may be hidden; then its answers tell.
func (c *client) probe(ctx context.Context) (openSearch bool, version string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	about, header, err := c.ask(ctx, "/")
	if err != nil {
		return false, "", err
	}
	var root struct {
		Version struct {
			Number, Distribution string
		}
		Tagline string
	}
	_ = json.Unmarshal(about, &root)
	switch {
	case root.Version.Distribution == "opensearch":
		return true, "OpenSearch " + root.Version.Number, nil
	case header.Get(product) == "Elasticsearch":
		return false, strings.TrimSpace("Elasticsearch " + root.Version.Number), nil
	}
	health, header, err := c.ask(ctx, "/_cluster/health")
	if err != nil {
		return false, "", err
	}
	var state struct {
		Name           *string `json:"cluster_name"`
		ClusterManager *bool   `json:"discovered_cluster_manager"`
	}
	_ = json.Unmarshal(health, &state)
	switch {
	case header.Get(product) == "Elasticsearch":
		return false, "Elasticsearch", nil
	case state.Name != nil && state.ClusterManager != nil:
		return true, "OpenSearch", nil
	}
	return false, "", errors.New("engine: the server is neither Elasticsearch 8 or newer nor OpenSearch 2 or newer")
}

// ask makes a request without the client's check of the product.
func (c *client) ask(ctx context.Context, path string) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, nil, err
	}
	resp, err := c.es.Transport.Perform(req)
	if err != nil {
		return nil, nil, fmt.Errorf("engine: cannot be reached: %w: %w", actionlog.ErrUnavailable, plain(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if resp.StatusCode == http.StatusUnauthorized {
		return nil, nil, errors.New("engine: it refuses the credentials (401)")
	}
	return body, resp.Header, err
}

// plain takes the URL, which may hold credentials, out of an error.
func plain(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// obj is a JSON object to be sent.
type obj = map[string]any

// list is a JSON array to be sent.
type list = []any

// call makes a request with a JSON body and decodes the answer into a value; a nil
// body or value is none. An answer of a status of 300 or more is an *answerError.
func (c *client) call(ctx context.Context, method, path string, query url.Values, body, into any) error {
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return err
		}
	}
	resp, err := c.send(ctx, method, path, query, mediaJSON, raw)
	if err != nil {
		return err
	}
	defer drain(resp)
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return unreadable(err)
	}
	return nil
}

// drain reads the rest of an answer, so that its connection can be used again.
func drain(resp *http.Response) {
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	_ = resp.Body.Close()
}

// send makes a request and returns a good answer.
func (c *client) send(ctx context.Context, method, path string, query url.Values, media string, body []byte) (*http.Response, error) {
	target := path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, target, reader)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", mediaJSON)
	if body != nil {
		req.Header.Set("Content-Type", media)
	}
	resp, err := c.es.Perform(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("engine: %s %s: %w: %w", method, path, actionlog.ErrUnavailable, plain(err))
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer drain(resp)
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	return nil, &answerError{status: resp.StatusCode, request: method + " " + path, cause: causeOf(text)}
}

// trusting is a configuration that trusts these authorities and no others.
func trusting(pem []byte) (*tls.Config, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("holds no certificate")
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

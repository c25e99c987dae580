package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"actionlog"
	"actionlog/internal/tracing"
)

const defaultURL = "http://127.0.0.1:8080"

// client speaks with the service's HTTP API.
type client struct {
	base     *url.URL
	token    string
	settings *settings
	http     *http.Client
}

// client connects with what the settings say. It makes no request.
func (s *settings) client() (*client, error) {
	address := s.URL
	own := s.firstLine("http.addr")
	if address == "" && own != "" {
		address = own
	}
	if address == "" {
		address = defaultURL
	}
	base, err := url.Parse(strings.TrimRight(withScheme("http", address), "/"))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, usagef("--url: %q is not an http or https URL", address)
	}
	c := &client{base: base, token: s.Token, settings: s}
	if c.token == "" && (isLoopback(base.Host) || address == own) {
		c.token = s.firstLine("admin.token") // never to another machine
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true // trailers come behind the body's own end
	transport.ResponseHeaderTimeout = time.Minute
	c.http = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	return c, nil
}

// firstLine reads a small file of the service's folder; "" where it is not.
func (s *settings) firstLine(name string) string {
	text, err := os.ReadFile(filepath.Join(s.Data, name))
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(line)
}

func withScheme(scheme, address string) string {
	if strings.Contains(address, "://") {
		return address
	}
	return scheme + "://" + address
}

func isLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	return isLoopbackHost(host)
}

// problem is an answer of the service that is not what was asked for (RFC 9457).
type problem struct {
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Parameter string `json:"parameter"`
	Pointer   string `json:"pointer"`
	Column    int    `json:"column"` // in query
	Length    int    `json:"length"`

	query string // the text that was sent as q
}

// Error says what is wrong, and which option, if one is.
func (p *problem) Error() string {
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	if text == "" {
		text = fmt.Sprintf("the service answered %d %s", p.Status, http.StatusText(p.Status))
	}
	if p.Parameter == "q" && p.Column > 0 && p.query != "" {
		return text + "\n" + underlined(p.query, p.Column, p.Length)
	}
	if p.Parameter != "" {
		flag := "--" + strings.ReplaceAll(p.Parameter, "_", "-")
		if p.Parameter == "q" {
			flag = "query"
		}
		text = strings.TrimPrefix(text, p.Parameter+": ")
		return flag + ": " + text
	}
	if p.Pointer != "" && !strings.HasPrefix(text, p.Pointer) {
		return p.Pointer + ": " + text
	}
	return text
}

// Unwrap names the kind of error.
func (p *problem) Unwrap() error {
	switch {
	case p.Status == http.StatusNotFound:
		return actionlog.ErrNotFound
	case p.Status >= 500 || p.Status == http.StatusTooManyRequests:
		return actionlog.ErrUnavailable
	}
	return nil
}

// do sends a request and returns an answer whose status is one of 2xx; any
// other is an error, a *problem where the service explained itself.
func (c *client) do(ctx context.Context, method, path string, query url.Values, contentType string, body io.Reader) (*http.Response, error) {
	return c.doWith(ctx, http.Header{}, method, path, query, contentType, body)
}

// doWith is do with more headers. A trace that the context is in goes on in the service.
func (c *client) doWith(ctx context.Context, header http.Header, method, path string, query url.Values, contentType string, body io.Reader) (*http.Response, error) {
	if c.token == "" {
		return nil, usagef("no token: give --token or ACTIONLOG_TOKEN, or --data with the folder of a service on this machine")
	}
	target := c.base.String() + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, err
	}
	req.Header = header
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("User-Agent", "actionlog/"+version())
	if carried := tracing.Carried(ctx); carried != "" {
		req.Header.Set(tracing.Header, carried)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if resp.StatusCode/100 != 2 {
		defer resp.Body.Close()
		return nil, readProblem(resp)
	}
	return resp, nil
}

// unreachable explains a request that got no answer.
func (c *client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // without the query, which may name people
	}
	return fmt.Errorf("%s: %w: %w", c.base.Redacted(), actionlog.ErrUnavailable, err)
}

func readProblem(resp *http.Response) error {
	p := &problem{}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 8<<20)) // an unreadable explanation is none
	_ = json.Unmarshal(body, p)
	p.Status, p.query = resp.StatusCode, resp.Request.URL.Query().Get("q")
	refused := &refusedBatch{problem: p}
	if resp.StatusCode == http.StatusUnprocessableEntity && json.Unmarshal(body, &refused.answer) == nil && len(refused.answer.Results) > 0 {
		return refused
	}
	if resp.StatusCode == http.StatusUnauthorized {
		p.Detail = "the token is not accepted (--token, ACTIONLOG_TOKEN, or admin.token in the folder of --data)"
	}
	if resp.StatusCode == http.StatusBadRequest && p.Parameter != "" {
		return usageError{p}
	}
	return p
}

// get decodes the JSON answer to a GET request.
func (c *client) get(ctx context.Context, path string, query url.Values, into any) error {
	resp, err := c.do(ctx, http.MethodGet, path, query, "", nil)
	if err != nil {
		return err
	}
	return decode(resp, into)
}

// send does the same for a request with a body; a nil body sends none, and a
// nil into ignores the answer.
func (c *client) send(ctx context.Context, method, path string, body, into any) error {
	var r io.Reader
	contentType := ""
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		r, contentType = strings.NewReader(string(text)), "application/json"
	}
	resp, err := c.do(ctx, method, path, nil, contentType, r)
	if err != nil {
		return err
	}
	if into == nil {
		return resp.Body.Close()
	}
	return decode(resp, into)
}

func decode(resp *http.Response, into any) error {
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("%s: the answer cannot be read: %w", resp.Request.URL.Path, err)
	}
	return nil
}

// institutionName is an institution as the API lists it.
type institutionName struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// institutions are those that the token may see and the service knows.
func (c *client) institutions(ctx context.Context) ([]institutionName, error) {
	var answer struct {
		Data []institutionName `json:"data"`
	}
	err := c.get(ctx, "/v1/institutions", nil, &answer)
	return answer.Data, err
}

// institution is the one that was named, or the only one that the token may see.
func (c *client) institution(ctx context.Context) (string, error) {
	if c.settings.Institution != "" {
		return c.settings.Institution, nil
	}
	known, err := c.institutions(ctx)
	if err != nil {
		return "", err
	}
	switch len(known) {
	case 0:
		return "", usagef("--institution: there are no actions of any institution yet; name one")
	case 1:
		return known[0].ID, nil
	}
	return "", usagef("--institution: is missing; the token may see these:%s", listOf(known))
}

func listOf(known []institutionName) string {
	var list strings.Builder
	for _, i := range known {
		list.WriteString("\n  " + strings.TrimSpace(i.ID+"  "+clean(i.Name)))
	}
	return list.String()
}

// sayUnknown says, of an institution of which nothing was found, that the service knows no
// actions of it: for a token of all, a name that is misspelt is no error.
func (c *client) sayUnknown(ctx context.Context, out *console) {
	known, err := c.institutions(ctx)
	named := c.settings.Institution
	if err != nil || named == "" || slices.ContainsFunc(known, func(i institutionName) bool { return i.ID == named }) {
		return
	}
	const most = 20
	text := fmt.Sprintf("no action of an institution %s is searchable", clean(named))
	if len(known) > 0 {
		text += "; there are some of:" + listOf(known[:min(len(known), most)])
	}
	if len(known) > most {
		text += fmt.Sprintf("\n  and %d more", len(known)-most)
	}
	out.say("%s", text)
}

// path is a path of the API below the institution.
func (c *client) path(ctx context.Context, parts ...string) (string, error) {
	institution, err := c.institution(ctx)
	if err != nil {
		return "", err
	}
	path := "/v1/institutions/" + url.PathEscape(institution)
	for _, p := range parts {
		path += "/" + url.PathEscape(p)
	}
	return path, nil
}

package signin

import (
	"errors"
	"io"
	"net/http"
)

// maxAnswer of the provider, in bytes. Keys and claims are some kilobytes.
const maxAnswer = 1 << 20

// newClient asks the provider: as long as it may take, as much as it may say, and nobody
// else, wherever it sends us. A redirect would take the client's secret along.
func newClient() *http.Client {
	return &http.Client{Timeout: askWithin, Transport: bounded{http.DefaultTransport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(req)
	if err == nil {
		resp.Body = &boundedBody{resp.Body, maxAnswer}
	}
	return resp, err
}

// boundedBody fails, rather than ends, behind its limit.
type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errors.New("the provider's answer is too long")
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

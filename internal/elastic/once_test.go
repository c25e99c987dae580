package elastic

import (
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"actionlog"
	"actionlog/internal/enginetest"
)

// pageLost loses the answer to the n-th page of a scroll, as a connection does that breaks behind the engine; a status of 0 is no
// answer at all, others are what a proxy says instead.
type pageLost struct {
	n      int32
	status int
	asked  atomic.Int32
}

func (l *pageLost) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil || !isScroll(req) || l.asked.Add(1) != l.n {
		return resp, err
	}
	if l.status == 0 {
		resp.Body.Close()
		return nil, errors.New("the connection is reset")
	}
	resp.StatusCode, resp.Status = l.status, http.StatusText(l.status)
	return resp, nil
}

// A page whose answer is lost is not asked for again: the engine would hand out the one behind it, and nobody would see that
// a thousand actions are missing.
func TestLostPage(t *testing.T) {
	address := enginetest.URL(t, enginetest.OpenSearch3)
	for _, status := range []int{0, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, http.StatusTooManyRequests} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			lost := &pageLost{n: 2, status: status}
			s := openTest(t, address, Options{transport: lost})
			var items []actionlog.Item
			for i := range 3500 {
				item, err := actionlog.Parse(fmt.Appendf(nil, `{"id":"a%d","occurred_at":"2026-11-20T12:%02d:%02dZ","institution":{"id":"uni"},"category":"course","action":{"code":"x"},"actor":{"kind":"user"}}`, i, i/60, i%60), nil)
				if err != nil {
					t.Fatal(err)
				}
				items = append(items, item)
			}
			if _, err := s.Write(t.Context(), items); err != nil {
				t.Fatal(err)
			}
			for _, want := range []bool{false, true} { // the second time nothing is lost
				n, failed := 0, error(nil)
				for _, err := range s.Scan(t.Context(), actionlog.Query{Institution: "uni"}, actionlog.NewestFirst) {
					if failed = err; err == nil {
						n++
					}
				}
				if whole := failed == nil && n == len(items); whole != want || failed != nil && !errors.Is(failed, actionlog.ErrUnavailable) {
					t.Errorf("%d of %d actions, %v", n, len(items), failed)
				}
			}
			if lost.asked.Load() > 3+4 {
				t.Errorf("pages were asked for %d times", lost.asked.Load())
			}
		})
	}
}

package main

import (
	"net/url"
	"strings"
	"testing"
)

// The service understands every value that completion offers.
func TestCompletedValuesAreUnderstood(t *testing.T) {
	s := startService(t)
	for flag, values := range valuesOf {
		for _, v := range values {
			query := url.Values{strings.ReplaceAll(flag, "-", "_"): {v}, "user": {"ann"}}
			if status, _, body := s.send(t, s.token, "GET", "/v1/institutions/acme/actions?"+query.Encode(), "", "", nil); status != 200 {
				t.Errorf("--%s %s: %d %s", flag, v, status, body)
			}
		}
	}
}

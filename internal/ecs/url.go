package ecs

import (
	"net/url"
	"strconv"
	"strings"

	"actionlog"
)

// addressOf takes a recorded URL apart. One that cannot be read stays whole, with the path
// that filters see.
func addressOf(r actionlog.Request) address {
	a := address{Original: r.URL, Path: r.Path()}
	rest, fragment, _ := strings.Cut(r.URL, "#")
	_, a.Query, _ = strings.Cut(rest, "?")
	a.Fragment = fragment
	u, err := url.Parse(rest)
	if err != nil || u.Host == "" {
		return a
	}
	a.Scheme, a.Domain = strings.ToLower(u.Scheme), u.Hostname()
	if port, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		a.Port = int(port)
	}
	return a
}

package webhooks

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// inside are networks to which nobody outside has a way: a message to one of them would be
// sent on behalf of somebody who cannot reach it (OWASP: server-side request forgery). Those
// that netip knows by a method are not listed. (IANA special-purpose address registries.)
var inside = prefixes("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10")

func prefixes(list ...string) (all []netip.Prefix) {
	for _, text := range list {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// errInside: the address is one that only this machine or its network reaches.
var errInside = errors.New("is an address inside of the service's own network, to which nothing is sent")

// permitted tells whether something may be sent to an address.
func permitted(a netip.Addr, allowed []netip.Prefix) bool {
	a = a.Unmap()
	for _, p := range allowed {
		if p.Contains(a) {
			return true
		}
	}
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.Zone() != "" {
		return false
	}
	for _, p := range inside {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

const (
	// sendWithin is how long a receiver may take to answer, connecting included.
	sendWithin = 15 * time.Second
	dialWithin = 5 * time.Second
)

// guarded is a client that connects to permitted addresses only. It looks at the address
// that it is about to connect to, not at the name: a name may mean another one the second
// time. It follows no redirects, uses no proxy, and keeps no cookies.
func guarded(allowed []netip.Prefix) *http.Client {
	dialer := &net.Dialer{Timeout: dialWithin, Control: func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if !permitted(to.Addr(), allowed) {
			return fmt.Errorf("%s %w", to.Addr(), errInside)
		}
		return nil
	}}
	transport := &http.Transport{DialContext: dialer.DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: dialWithin, ResponseHeaderTimeout: sendWithin, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10}
	return &http.Client{Transport: transport, Timeout: sendWithin, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

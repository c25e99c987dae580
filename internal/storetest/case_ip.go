package storetest

import (
	"fmt"
	"net/netip"
	"strings"

	"actionlog"
)

var addresses = [...]string{
	"10.0.0.1", "10.0.0.0", "10.0.0.255", "10.0.1.0", "10.1.0.1", "10.128.0.1", "11.0.0.1", "192.168.1.77", "0.0.0.0", "255.255.255.255", "127.0.0.1",
	"2001:db8::1", "2001:db8::", "2001:db8:0:0:8000::1", "2001:db8:8000::1", "2001:db8::ffff", "2001:db9::1", "::1", "::", "fe80::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "a00:1::",
}

func ipFilterCases() []testCase {
	const rule = "FieldIP: Value.Prefix contains the address; IPv4 and IPv6 never mix."
	return []testCase{
		{"addresses", rule, func(c *check) {
			c.writeAddresses()
			for _, r := range []row{
				{"one", is(actionlog.FieldIP, cidr("10.0.0.1/32")), "10.0.0.1 mapped"},
				{"a network", is(actionlog.FieldIP, cidr("10.0.0.0/24")), "10.0.0.1 10.0.0.0 10.0.0.255 mapped"},
				{"an odd network", is(actionlog.FieldIP, cidr("10.0.0.0/15")), "10.0.0.1 10.0.0.0 10.0.0.255 10.0.1.0 10.1.0.1 mapped"},
				{"IPv6", is(actionlog.FieldIP, cidr("2001:db8::/32")), "2001:db8::1 2001:db8:: 2001:db8:0:0:8000::1 2001:db8:8000::1 2001:db8::ffff"},
				{"several", is(actionlog.FieldIP, cidr("127.0.0.0/8"), cidr("::1/128"), cidr("192.168.0.0/23")), "127.0.0.1 ::1 192.168.1.77"},
				{"unspecified", is(actionlog.FieldIP, cidr("0.0.0.0/32"), cidr("::/128")), "0.0.0.0 ::"},
			} {
				c.group(r.name, func(c *check) { c.clause(r.clause, strings.ReplaceAll(r.want, ":", "_")) })
			}
		}},
		{"every prefix length", rule, func(c *check) {
			c.writeAddresses()
			for _, base := range []string{"10.128.0.1", "2001:db8::1", "255.255.255.255", "::"} {
				addr := netip.MustParseAddr(base)
				for bits := range addr.BitLen() + 1 {
					c.prefix(netip.PrefixFrom(addr, bits).Masked())
				}
			}
		}},
	}
}

// writeAddresses writes an action from each address, whose id is the address
// with _ for :, and some without one.
func (c *check) writeAddresses() {
	documents := []string{action("none", noon), action("wrong", noon, `"origin":{"ip":"10.0.0.300"}`),
		action("zone", noon, `"origin":{"ip":"fe80::1%eth0"}`), action("mapped", noon, `"origin":{"ip":"::ffff:10.0.0.1"}`)}
	for _, a := range addresses {
		documents = append(documents, action(strings.ReplaceAll(a, ":", "_"), noon, `"origin":{"ip":`+quote(a)+`}`))
	}
	c.write(documents...)
}

func (c *check) prefix(p netip.Prefix) {
	c.Helper()
	var want []string
	if p.Contains(netip.MustParseAddr("10.0.0.1")) {
		want = append(want, "mapped")
	}
	for _, a := range addresses {
		if p.Contains(netip.MustParseAddr(a)) {
			want = append(want, strings.ReplaceAll(a, ":", "_"))
		}
	}
	c.finds(where(is(actionlog.FieldIP, actionlog.Value{Prefix: p})), want...)
	n, _, err := c.store.Count(c.Context(), where(not(actionlog.FieldIP, actionlog.Value{Prefix: p})), 0)
	if all := len(addresses) + 4; err != nil || n != int64(all-len(want)) {
		c.Errorf("outside of %s: %d, %v; want %s", p, n, err, fmt.Sprint(all-len(want)))
	}
}

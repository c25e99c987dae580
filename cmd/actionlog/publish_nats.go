package main

import (
	"fmt"
	"net/url"
	"strings"

	"actionlog"
	"actionlog/internal/bus"
)

const defaultNATS = "nats://127.0.0.1:4222"

// dial connects to the stream as a user that may publish and nothing else.
func (p *publishCmd) dial(s *settings) (actionlog.Publisher, func(), error) {
	o, err := p.natsOptions(s)
	if err != nil {
		return nil, nil, err
	}
	to, err := bus.DialPublisher(o)
	if err != nil {
		return nil, nil, fmt.Errorf("%w (is the service running? --data or --nats says where)", err)
	}
	return to, to.Close, nil
}

func (p *publishCmd) natsOptions(s *settings) (bus.DialOptions, error) {
	o := bus.DialOptions{URL: p.NATS, User: p.NATSUser, Password: p.NATSPassword, Credentials: p.NATSCredentials}
	own := s.firstLine("nats.addr")
	if o.URL == "" {
		o.URL = own
	}
	if o.URL == "" {
		o.URL = defaultNATS
	}
	if strings.Contains(o.URL, "@") {
		return o, usagef("--nats: say who you are by --nats-user and --nats-password, not in the URL, which is shown in errors")
	}
	address, err := url.Parse(withScheme("nats", o.URL))
	alone := err == nil && address.Host != "" && !strings.Contains(o.URL, ",") // not a list of servers
	if alone && o.Password == "" && o.Credentials == "" && (isLoopback(address.Host) || o.URL == own) {
		o.Password = s.firstLine("publisher.token") // never to another machine
	}
	return o, nil
}

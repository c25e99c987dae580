package main

import (
	"fmt"
	"net/url"
	"strings"

	"actionlog"
	"actionlog/internal/bus"
	"actionlog/internal/tracing"
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

// traced has a publisher over NATS trace what it sends.
func traced(to actionlog.Publisher, t *tracing.Tracer) actionlog.Publisher {
	if p, ok := to.(*bus.Publisher); ok {
		p.Tracer = t
	}
	return to
}

func (p *publishCmd) natsOptions(s *settings) (bus.DialOptions, error) {
	o, err := p.natsFlags.dialOptions(p.NATS)
	if err != nil {
		return o, err
	}
	if o.Password == "" {
		o.Password = p.NATSPassword
	}
	own := s.firstLine("nats.addr")
	if o.URL == "" {
		o.URL = own
	}
	if o.URL == "" {
		o.URL = defaultNATS
	}
	address, err := url.Parse(withScheme("nats", o.URL))
	alone := err == nil && address.Host != "" && !strings.Contains(o.URL, ",") // not a list of servers
	if alone && o.Password == "" && o.Credentials == "" && o.Seed == "" && (isLoopback(address.Host) || o.URL == own) {
		o.Password = s.firstLine("publisher.token") // never to another machine
	}
	return o, nil
}

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// attackWithin is how long one attack may take; most take a millisecond.
const attackWithin = 30 * time.Second

// attack is one request that must get nothing of the institution other, and do nothing to
// it. It is sent byte by byte as it stands here: Go's client would mend it.
type attack struct {
	name   string // a sentence that says what is tried
	method string
	target string // the request target, as on the wire
	header [][2]string
	body   []byte
	want   []int // statuses that are right; none: any under 500
}

// String is how an attack is named in a report.
func (a *attack) String() string { return fmt.Sprintf("%s: %s %.120s", a.name, a.method, a.target) }

// with is the attack with one more header.
func (a attack) with(name, value string) attack {
	a.header = append(append([][2]string{}, a.header...), [2]string{name, value})
	return a
}

// raw is the request on the wire. Headers Host and Content-Length come by themselves unless
// the attack brings its own.
func (a *attack) raw(host string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", a.method, a.target)
	has := map[string]bool{}
	for _, h := range a.header {
		has[strings.ToLower(h[0])] = true
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	if !has["host"] {
		fmt.Fprintf(&b, "Host: %s\r\n", host)
	}
	if len(a.body) > 0 && !has["content-length"] && !has["transfer-encoding"] {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(a.body))
	}
	b.WriteString("Connection: close\r\n\r\n")
	b.Write(a.body)
	return b.Bytes()
}

// answered is all that came back, headers included.
type answered struct {
	status int
	header http.Header
	text   string // the whole answer, as on the wire
}

// send sends an attack on a connection of its own and reads all that comes back.
func (a *attack) send(host string) (answered, error) {
	conn, err := net.DialTimeout("tcp", host, attackWithin)
	if err != nil {
		return answered{}, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(attackWithin)); err != nil {
		return answered{}, err
	}
	written := make(chan struct{})
	go func() { // a server may answer, and close, before it has read everything
		defer close(written)
		_, _ = conn.Write(a.raw(host))
	}()
	defer func() { conn.Close(); <-written }()
	var wire bytes.Buffer
	resp, err := http.ReadResponse(bufio.NewReader(io.TeeReader(conn, &wire)), &http.Request{Method: a.method})
	if err != nil {
		return answered{text: wire.String()}, fmt.Errorf("no answer: %w (%.100q)", err, wire.String())
	}
	defer resp.Body.Close()
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") { // it goes on for minutes: its first event says what it has
		body := bufio.NewReader(resp.Body)
		for line := ""; err == nil && line != "\n"; {
			line, err = body.ReadString('\n')
		}
		conn.Close() // or closing the body would read on
	} else {
		_, err = io.Copy(io.Discard, resp.Body)
	}
	return answered{resp.StatusCode, resp.Header, wire.String()}, err
}

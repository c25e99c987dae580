package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A service that goes away and comes back while a file is being published over
// NATS costs time only: nothing is lost, doubled or counted wrongly.
func TestPublishOutlivesTheService(t *testing.T) {
	t.Parallel()
	dir, address := t.TempDir(), freeAddress(t)
	stop := serveOn(t, dir, address)
	s := connect(t, dir)
	stdin, feed := io.Pipe()
	done := make(chan int, 1)
	var stdout, stderr bytes.Buffer
	go func() {
		status := run(t.Context(), []string{"publish", "--data", dir, "--nats", "nats://" + address}, stdin, &stdout, &stderr)
		stdin.Close() // who still feeds it must not wait
		done <- status
	}()
	const each = 700
	offer := func(from int) {
		for i := from; i < from+each; i++ {
			doc := strings.Replace(document(fmt.Sprintf("r%d", i)), "2026-01-02T03:04:05Z", time.Now().UTC().Format(time.RFC3339), 1)
			if _, err := io.WriteString(feed, doc+"\n"); err != nil {
				t.Error(err)
			}
		}
	}
	count := func() int64 {
		_, total := s.list(t, "acme", url.Values{"total": {"exact"}, "limit": {"1000"}})
		return total
	}
	offer(0)
	eventually(t, "the first lines are there", func() bool { return count() == each })
	stop()
	offer(each)
	stop = serveOn(t, dir, address)
	defer stop()
	s = connect(t, dir)
	offer(2 * each)
	feed.Close()
	if status := <-done; status != statusDone {
		t.Fatalf("publish ended with %d: %s%s", status, stdout.String(), stderr.String())
	}
	if !regexp.MustCompile(`^read 2100: taken \d+, duplicates \d+, refused 0, skipped 0\n$`).MatchString(stdout.String()) {
		t.Errorf("%s%s", stdout.String(), stderr.String())
	}
	eventually(t, "everything is there", func() bool { return count() == 3*each })
	ids, _ := s.list(t, "acme", url.Values{"limit": {"1000"}})
	for id, n := range ids {
		if n != 1 {
			t.Errorf("%s is there %d times", id, n)
		}
	}
	if dead := s.deadLetters(t); dead != 0 {
		t.Errorf("%d dead letters", dead)
	}
}

// serveOn runs the service on a folder until it is told to stop.
func serveOn(t *testing.T, dir, nats string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"serve", "--data", dir, "--listen", "127.0.0.1:0", "--nats-listen", nats}, strings.NewReader(""), io.Discard, io.Discard)
	}()
	return func() {
		cancel()
		if status := <-done; status != statusDone {
			t.Errorf("serve ended with %d", status)
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

package search

import (
	"bufio"
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"actionlog"
)

// nothingMeant is a feed of many actions of which a query means none.
type nothingMeant struct{ feedOf }

// Page implements Feed.
func (nothingMeant) Page(_ context.Context, _ actionlog.Query, at string, _ int) (FeedPage, error) {
	n, _ := strconv.Atoi(at)
	time.Sleep(time.Millisecond)
	return FeedPage{Next: strconv.Itoa(n + 1), More: true}, nil
}

// Where much is there and nothing is meant, an answer comes when its time is over, and says
// how far it came; so does an event.
func TestFeedThatMeansNothing(t *testing.T) {
	server, _ := feedAPI(t, 0, func(o *Options) { o.Feed, o.tailing = nothingMeant{}, pace{10 * time.Millisecond, time.Minute} })
	seen := map[string]bool{}
	next := ""
	for range 3 {
		_, f := ofFeed(t, server, "wait=1&after="+next)
		if next = f.Page.Next; len(f.Data) > 0 || !f.Page.More || seen[next] {
			t.Fatalf("%+v, after %v", f, seen)
		}
		seen[next] = true
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/v1/institutions/uni/feed", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer x")
	req.Header.Set("Accept", "text/event-stream")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	pages := 0
	for events := bufio.NewScanner(resp.Body); pages < 3 && events.Scan(); {
		if id, ok := strings.CutPrefix(events.Text(), "id: "); ok {
			if pages++; seen[id] {
				t.Errorf("the place %s comes twice", id)
			}
			seen[id] = true
		}
	}
	if pages != 3 {
		t.Errorf("%d events say how far the reader is", pages)
	}
}

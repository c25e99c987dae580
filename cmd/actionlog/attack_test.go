package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// attackers are how many attacks go on at once.
const attackers = 4

// Two institutions share IDs, names and addresses; acme's people try every route of
// openapi.yaml, disguise, header, ID, cursor, method, credential and body against the other.
// They get nothing of it, nothing of it changes, nothing of it tells that they tried, and
// the service goes on, with a clean log.
func TestAttacks(t *testing.T) {
	t.Parallel()
	w := newAttackWorld(t)
	before := w.snapshot(t)
	families := []struct {
		name string
		all  []attack
	}{{"of other", w.ofOther()}, {"disguised", w.disguised()}, {"overridden", w.overridden()}, {"methods", w.methods()}, {"foreign IDs", w.foreignIDs()},
		{"cursors", w.cursors()}, {"credentials", w.credentials()}, {"contents", w.contents()}}
	tried := 0
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			for _, problem := range w.run(f.all) {
				t.Error(problem)
			}
		})
		tried += len(f.all)
	}
	t.Logf("%d attacks at %d routes", tried, len(w.routes))
	if d := cmp.Diff(before, w.snapshot(t)); d != "" {
		t.Errorf("what other has is not as it was before:\n%s", d)
	}
	if status, _, _ := w.send(t, w.otherToken, "GET", "/v1/institutions/other/actions/only-other", "", "", nil); status != http.StatusOK {
		t.Errorf("other's own request at the end: %d", status)
	}
	w.checkLog(t)
}

// run sends attacks, and says what went wrong.
func (w *attackWorld) run(all []attack) (problems []string) {
	var mu sync.Mutex
	var group sync.WaitGroup
	queue := make(chan *attack)
	for range attackers {
		group.Go(func() {
			for a := range queue {
				if problem := w.judge(a); problem != "" {
					mu.Lock()
					problems = append(problems, problem)
					mu.Unlock()
				}
			}
		})
	}
	for i := range all {
		queue <- &all[i]
	}
	close(queue)
	group.Wait()
	slices.Sort(problems)
	return problems
}

// judge sends one attack and says what is wrong with the answer: "" nothing.
func (w *attackWorld) judge(a *attack) string {
	got, err := a.send(w.address)
	switch {
	case strings.Contains(got.text, foreignMark):
		return fmt.Sprintf("LEAK %s: %d has what is other's", a, got.status)
	case err != nil:
		return fmt.Sprintf("%s: %v", a, err)
	case got.status >= 500 && !slices.Contains(a.want, got.status):
		return fmt.Sprintf("%s: %d %.500s", a, got.status, got.text)
	case len(a.want) > 0 && !slices.Contains(a.want, got.status):
		return fmt.Sprintf("%s: %d instead of %v: %.500s", a, got.status, a.want, got.text)
	case got.header.Get("X-Injected") != "":
		return fmt.Sprintf("%s: a header was put into the answer: %.500s", a, got.text)
	case got.header.Get("Access-Control-Allow-Origin") != "":
		return fmt.Sprintf("%s: other sites may read the answer", a)
	}
	for _, token := range w.tokens {
		if strings.Contains(got.text, token) {
			return fmt.Sprintf("%s: the answer holds the token that was sent", a)
		}
	}
	return ""
}

// checkLog reads what the service wrote to its own log: lines of its own alone, without
// tokens, cookies or anybody's data.
func (w *attackWorld) checkLog(t *testing.T) {
	t.Helper()
	line, log := regexp.MustCompile(`^(time=\S+ level=(DEBUG|INFO|WARN|ERROR) msg=|\n$|Action Log is at |Its token is in )`), w.service.log.String()
	for l := range strings.Lines(log) {
		if !line.MatchString(l) {
			t.Errorf("a line of the log is not the service's own: %q", l)
		}
		if strings.Contains(l, "level=ERROR") || strings.Contains(l, "panic") {
			t.Errorf("the service complains: %q", l)
		}
	}
	_, cookie, _ := strings.Cut(w.acmeCookie, "=")
	for _, secret := range append([]string{foreignMark, cookie, w.otherToken, w.service.token, "melody@", "INJECTED"}, w.secrets()...) {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %.12s…", secret)
		}
	}
}

func (w *attackWorld) secrets() (all []string) {
	for _, token := range w.tokens {
		all = append(all, token)
	}
	return all
}

// The attacks can succeed: a proxy in front of the service that lends everybody the token
// with every role is found out by each kind of leak, and by what has changed.
func TestAttacksNoticeABrokenProxy(t *testing.T) {
	t.Parallel()
	w := newAttackWorld(t)
	w.address = strings.TrimPrefix(brokenProxy(t, w.service, func(*http.Request) bool { return true }), "http://")
	before := w.snapshot(t)
	problems := w.run(append(w.ofOther(), w.overridden()...))
	for _, r := range w.routes {
		if r.method != http.MethodGet || !r.ofInstitution() || strings.HasSuffix(r.path, "/proof") || strings.HasSuffix(r.path, "/query") { // which reads nothing of other's
			continue
		}
		leak := "acme's admin asks for other's by the plain address: GET " + w.target(r, "other")
		if !strings.HasSuffix(r.path, "/histogram") { // which has but numbers
			leak = "LEAK " + leak
		}
		if !slices.ContainsFunc(problems, func(p string) bool { return strings.HasPrefix(p, leak) }) {
			t.Errorf("not noticed: %s", leak)
		}
	}
	after := w.snapshot(t)
	for _, what := range []string{"/v1/institutions/other/actions?limit=1000&total=exact", "/v1/institutions/other/restores", "/v1/institutions/other/exports", "/v1/tokens", "sessions"} {
		if before[what] == after[what] {
			t.Errorf("not noticed: %s has changed", what)
		}
	}
}

// brokenProxy stands in front of a service, lends those requests that lends picks the token
// with every role, and ends with the test.
func brokenProxy(t *testing.T, s *service, lends func(*http.Request) bool) (address string) {
	t.Helper()
	service, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(service)
		if lends(r.In) {
			r.Out.Header.Set("Authorization", "Bearer "+s.token)
			r.Out.Header.Del("Cookie")
		}
	}})
	t.Cleanup(proxy.Close)
	return proxy.URL
}

package search

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/storetest"
)

// watched is an API whose callers are roles of the institution uni, and what it records.
type watched struct {
	*testing.T
	handler http.Handler
	memory  memory
	refuse  bool // the stream takes nothing
	ahead   time.Duration
}

// later lets time pass.
func (w *watched) later(d time.Duration) { w.ahead += d }

func watch(t *testing.T, change func(o *Options)) *watched {
	t.Helper()
	o := options(storetest.NewModel())
	o.Access = asRole{everybody{}}
	w := &watched{T: t, memory: o.Publisher.(memory)}
	o.Publisher = w
	o.Now = func() time.Time { return time.Now().Add(w.ahead) }
	if change != nil {
		change(&o)
	}
	var err error
	if w.handler, err = newAPI(t, o); err != nil {
		t.Fatal(err)
	}
	return w
}

// Publish implements actionlog.Publisher.
func (w *watched) Publish(ctx context.Context, all []actionlog.Submission) []actionlog.Receipt {
	if w.refuse {
		return slices.Repeat([]actionlog.Receipt{{Err: fmt.Errorf("full: %w", actionlog.ErrUnavailable)}}, len(all))
	}
	return w.memory.Publish(ctx, all)
}

func (w *watched) ask(method, path, token, body string) *httptest.ResponseRecorder {
	r := httptest.NewRecorder()
	req := httptest.NewRequestWithContext(w.Context(), method, path, strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer "+token)
	w.handler.ServeHTTP(r, req)
	return r
}

// testimony is what a test looks at of a recorded action.
type testimony struct {
	Institution struct{ ID string }
	Action      struct{ Code, Label string }
	Outcome     string
	Actor       struct{ Kind, ID string }
	Reason      string
	Details     struct {
		Actionlog struct {
			Filter map[string][]string
			Rows   *int
			Export string
			SHA256 string
		}
	}
}

// recorded empties what was recorded, and returns it in no order.
func (w *watched) recorded() (all []testimony) {
	for key, document := range w.memory.values {
		if strings.HasPrefix(key, "published/") {
			var d testimony
			if err := json.Unmarshal(document, &d); err != nil {
				w.Fatal(err)
			}
			if _, err := actionlog.Parse(document, nil); err != nil || d.Action.Label == "" {
				w.Errorf("%v: %s", err, document)
			}
			all = append(all, d)
		}
	}
	maps.DeleteFunc(w.memory.values, func(key string, _ []byte) bool { return strings.HasPrefix(key, "published/") })
	return all
}

// Every way of reading by staff is an action of the institution, with the filter and the
// number of rows; the institution's own people read unrecorded. What cannot be recorded is
// not answered.
func TestSearchesByStaffAreRecorded(t *testing.T) {
	w := watch(t, nil)
	for _, path := range []string{"actions?any=craft&range=30d", "histogram?range=30d", "facets?field=action&category=course", "people?q=ann", "courses?q=x", "classes?q=x"} {
		path = "/v1/institutions/uni/" + path
		for _, role := range []string{"support", "compliance"} {
			if r := w.ask("GET", path, role, ""); r.Code != http.StatusOK {
				t.Fatalf("%s: %d %s", path, r.Code, r.Body)
			}
			all := w.recorded()
			if len(all) != 1 || all[0].Action.Code != codeSearched || all[0].Institution.ID != "uni" || all[0].Actor.Kind != actionlog.KindStaff || all[0].Actor.ID != role || all[0].Details.Actionlog.Rows == nil || len(all[0].Details.Actionlog.Filter) == 0 {
				t.Errorf("%s by %s: %+v", path, role, all)
			}
		}
		for _, role := range []string{"admin", "auditor", "admin+support"} {
			if r := w.ask("GET", path, role, ""); r.Code != http.StatusOK {
				t.Fatalf("%s: %d", path, r.Code)
			}
			if all := w.recorded(); len(all) > 0 {
				t.Errorf("%s by %s: %+v", path, role, all)
			}
		}
		w.refuse = true
		w.later(sameQuestion)
		if r := w.ask("GET", path, "support", ""); r.Code != http.StatusServiceUnavailable || strings.Contains(r.Body.String(), `"data"`) {
			t.Errorf("%s that cannot be recorded: %d %s", path, r.Code, r.Body)
		}
		w.refuse = false
	}
}

// What counts the actions of a search belongs to it, for a minute, for who made it; each
// page of actions is recorded whatever was before.
func TestOneQuestionIsRecordedOnce(t *testing.T) {
	w := watch(t, nil)
	for _, step := range []struct {
		path, role string
		recorded   int
		later      time.Duration
	}{
		{"facets?field=actor&any=x", "support", 1, 0}, {"facets?field=course&any=x", "support", 0, 0}, {"actions?any=x", "support", 1, 0}, {"actions?any=x&total=exact", "support", 1, 0},
		{"histogram?any=x&tz=Europe/Paris&by=outcome", "support", 0, 0}, {"histogram?any=y", "support", 1, 0}, {"histogram?any=x", "compliance", 1, 0}, {"histogram?any=x&range=30d", "support", 1, 0},
		{"histogram?any=x", "support", 0, sameQuestion - time.Second}, {"histogram?any=x", "support", 1, time.Second},
		{"actions?outcome=failure,success", "support", 1, 0}, {"facets?field=actor&outcome=failure&outcome=success", "support", 0, 0},
		{"actions/a1", "support", 0, 0}, // there is none
	} {
		w.later(step.later)
		w.ask("GET", "/v1/institutions/uni/"+step.path, step.role, "")
		if all := w.recorded(); len(all) != step.recorded {
			t.Errorf("%s by %s: recorded %d times", step.path, step.role, len(all))
		}
	}
	q := &questions{same: sameQuestion, asked: map[string]time.Time{}}
	start := time.Now()
	for i := range questionsAtMost + 10 {
		q.recorded(fmt.Sprint(i), start)
	}
	if len(q.asked) != questionsAtMost || q.lately(fmt.Sprint(questionsAtMost), start) || !q.lately("1", start) {
		t.Errorf("%d are remembered", len(q.asked))
	}
	if q.recorded("new", start.Add(sameQuestion)); len(q.asked) != 1 {
		t.Errorf("%d are remembered, though all but one are old", len(q.asked))
	}
}

// An export is recorded when it begins and when it ends; one that cannot be recorded does
// not begin, whoever asks.
func TestExportsAreRecorded(t *testing.T) {
	w := watch(t, nil)
	if r := w.ask("GET", "/v1/institutions/uni/export?range=30d&format=csv", "admin", ""); r.Code != http.StatusOK {
		t.Fatal(r.Code, r.Body)
	}
	var codes []string
	ids := map[string]bool{}
	for _, d := range w.recorded() {
		codes = append(codes, d.Action.Code+" "+d.Outcome)
		ids[d.Details.Actionlog.Export] = true
		if d.Action.Code == codeExported && (d.Details.Actionlog.Rows == nil || len(d.Details.Actionlog.SHA256) != 64) || d.Details.Actionlog.Filter["range"] == nil {
			t.Errorf("%+v", d)
		}
	}
	if slices.Sort(codes); !slices.Equal(codes, []string{codeExportStarted + " success", codeExported + " success"}) || len(ids) != 1 {
		t.Errorf("%v %v", codes, ids)
	}
	w.refuse = true
	for _, role := range []string{"admin", "support"} {
		r := w.ask("GET", "/v1/institutions/uni/export", role, "")
		if r.Code != http.StatusServiceUnavailable || r.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("an export by %s that cannot be recorded: %d %s", role, r.Code, r.Body)
		}
	}
}

// What is denied is recorded in the log that the caller has to do with, never in that of
// another institution; a credential that is none, in the platform's.
func TestDenialsAreRecorded(t *testing.T) {
	w := watch(t, nil)
	for _, c := range []struct {
		method, path, token string
		status              int
		code, log           string
	}{
		{"POST", "/v1/institutions/uni/actions", "auditor", 403, codeDenied, "uni"},
		{"GET", "/v1/institutions/other/actions", "admin", 404, codeDenied, "uni"},
		{"GET", "/v1/tokens", "admin", 403, codeDenied, "uni"},
		{"POST", "/v1/institutions/other/actions", "compliance", 403, codeDenied, "other"},
		{"POST", "/v1/institutions/_platform/actions", "all", 403, codeDenied, actionlog.PlatformLog},
		{"GET", "/v1/institutions/uni/actions", "nobody", 401, codeSignInFailed, actionlog.PlatformLog},
		{"GET", "/v1/institutions/uni/actions", "", 401, "", ""},
	} {
		r := w.ask(c.method, c.path, c.token, "")
		all := w.recorded()
		got := ""
		for _, d := range all {
			got += d.Action.Code + d.Institution.ID
		}
		if r.Code != c.status || got != c.code+c.log || c.code != "" && all[0].Outcome != "failure" {
			t.Errorf("%s %s as %q: %d, recorded %+v", c.method, c.path, c.token, r.Code, all)
		}
	}
	w.refuse = true
	if r := w.ask("GET", "/v1/institutions/other/actions", "admin", ""); r.Code != http.StatusNotFound {
		t.Errorf("what is denied stays denied when it cannot be recorded: %d", r.Code)
	}
}

// Too many requests of one caller, or failed sign-ins from one address, are 429 with a
// time; others are not harmed, and the time passes.
func TestLimits(t *testing.T) {
	now := time.Now()
	w := watch(t, func(o *Options) {
		o.Limits = Limits{PerCaller: 1, Failures: 3}
		o.Now = func() time.Time { return now }
	})
	until := func(token string, status int) (n int, last *httptest.ResponseRecorder) {
		for n = range 100 {
			if last = w.ask("GET", "/v1/action-types", token, ""); last.Code != status {
				break
			}
		}
		return n, last
	}
	if n, r := until("admin", http.StatusOK); n != 10 || r.Code != http.StatusTooManyRequests || r.Header().Get("Retry-After") != "1" {
		t.Errorf("after %d: %d %v", n, r.Code, r.Header())
	}
	if r := w.ask("GET", "/v1/action-types", "auditor", ""); r.Code != http.StatusOK {
		t.Errorf("another caller: %d", r.Code)
	}
	now = now.Add(3 * time.Second)
	if n, _ := until("admin", http.StatusOK); n != 3 {
		t.Errorf("after three seconds: %d", n)
	}
	w.recorded()
	if n, r := until("nobody", http.StatusUnauthorized); n != 3 || r.Code != http.StatusTooManyRequests || r.Header().Get("Retry-After") != "20" {
		t.Errorf("failed sign-ins: %d, %d %v", n, r.Code, r.Header())
	}
	if all := w.recorded(); len(all) != 3 {
		t.Errorf("%d failed sign-ins recorded", len(all))
	}
	if r := w.ask("GET", "/v1/action-types", "auditor", ""); r.Code != http.StatusOK {
		t.Errorf("a good token from the same address, which many share: %d", r.Code)
	}
	now = now.Add(time.Minute)
	for i := range 5 {
		if r := w.ask("GET", "/v1/tokens", "auditor", ""); (r.Code == http.StatusTooManyRequests) != (i >= 3) {
			t.Errorf("denied request %d: %d", i, r.Code)
		}
	}
}

// An address has a limit too, also where no token is asked for; another is not harmed.
func TestLimitByAddress(t *testing.T) {
	now := time.Now()
	w := watch(t, func(o *Options) {
		o.Limits = Limits{PerAddress: 2}
		o.Now = func() time.Time { return now }
	})
	from := func(address string) int {
		r := httptest.NewRecorder()
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/healthz", nil)
		req.RemoteAddr = address
		w.handler.ServeHTTP(r, req)
		return r.Code
	}
	for i := range 30 {
		if got := from("[2001:db8::" + fmt.Sprint(i) + "]:1"); (got == http.StatusOK) != (i < 20) { // one customer's network
			t.Fatalf("request %d: %d", i, got)
		}
	}
	if got := from("192.0.2.7:1"); got != http.StatusOK {
		t.Errorf("another address: %d", got)
	}
	if now = now.Add(time.Second); from("[2001:db8::1]:2") != http.StatusOK {
		t.Error("a second later")
	}
}

// However many callers there are, few are remembered.
func TestLimiterForgets(t *testing.T) {
	now := time.Now()
	l := newLimiter(1, 2, func() time.Time { return now })
	for i := range 3 * maxLimited {
		l.take(fmt.Sprint(i))
		if i%maxLimited == 0 {
			now = now.Add(time.Minute)
		}
	}
	if len(l.has) > maxLimited {
		t.Errorf("%d are remembered", len(l.has))
	}
}

// A sealed text can be opened for its institution and purpose only, and not be changed.
func TestSeal(t *testing.T) {
	s, err := newSealer(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := s.seal("cursor", "a", []byte("text"))
	if err != nil || strings.Contains(sealed, "text") {
		t.Fatal(sealed, err)
	}
	if text, err := s.open("cursor", "a", sealed); err != nil || string(text) != "text" {
		t.Errorf("%q %v", text, err)
	}
	if again, _ := s.seal("cursor", "a", []byte("text")); again != sealed {
		t.Error("the same is not sealed to the same")
	}
	for _, wrong := range [][3]string{{"cursor", "b", sealed}, {"position", "a", sealed}, {"cursor", "a", sealed[1:]}, {"cursor", "a", "A" + sealed[1:]}, {"cursor", "a", ""}, {"cursor", "a", "!"}} {
		if text, err := s.open(wrong[0], wrong[1], wrong[2]); err == nil {
			t.Errorf("%v: %q", wrong, text)
		}
	}
	p := actionlog.Position{Stream: "s1", Sequence: 77}
	if a, b := s.position("a", p), s.position("b", p); a == b || strings.Contains(a, "77") || a == "" {
		t.Errorf("%s %s", a, b)
	}
}

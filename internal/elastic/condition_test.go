package elastic

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/enginetest"
)

// TestConditionOnEngines: what a real engine says of itself, and of faults that are made.
func TestConditionOnEngines(t *testing.T) {
	for _, r := range enginetest.Releases {
		t.Run(string(r), func(t *testing.T) {
			s := openTest(t, enginetest.URL(t, r), Options{Replicas: 0})
			day := actionlog.DayOf(time.Now())
			for _, d := range []actionlog.Day{day, day.Add(-1)} {
				if err := s.ensureDay(t.Context(), d); err != nil {
					t.Fatal(err)
				}
			}
			call := func(method, path string, body any) {
				t.Helper()
				if err := s.client.call(t.Context(), method, path, nil, body, nil); err != nil {
					t.Fatal(err)
				}
			}
			look := func() *Condition {
				t.Helper()
				c, err := Look(t.Context(), Options{Addresses: []string{enginetest.URL(t, r)}, Prefix: s.prefix})
				if err != nil || len(c.Unknown) > 0 {
					t.Fatal(err, c)
				}
				return c
			}
			c := look()
			if c.Health == "" || c.Nodes != 1 || c.Shards < 4 || c.Most < 100 || c.Template != 1 || c.Clock.Abs() > 2*time.Second || len(c.Disks) != 1 ||
				c.Disks[0].Used <= 0 || c.Disks[0].Flood < 0.5 || len(c.Blocked)+len(c.Missing) > 0 {
				t.Errorf("a healthy engine: %+v", c)
			}
			call(http.MethodPut, "/"+s.dayIndex(day)+"/_settings", obj{"index.blocks.read_only_allow_delete": true})
			call(http.MethodPost, "/"+s.dayIndex(day.Add(-1))+"/_close", nil)
			call(http.MethodDelete, "/_index_template/"+s.prefix+"actionlog-actions", nil)
			c = look()
			if len(c.Blocked) != 1 || !strings.Contains(c.Blocked[0], s.dayIndex(day)) || len(c.Missing) != 1 || !strings.Contains(c.Missing[0], "is closed") || c.Template != 0 {
				t.Errorf("one blocked, one closed, no template: %+v", c)
			}
			call(http.MethodPut, "/"+s.dayIndex(day)+"/_settings", obj{"index.blocks.read_only_allow_delete": nil})
			if err := s.prepare(t.Context()); err != nil { // for who cleans up
				t.Fatal(err)
			}
		})
	}
}

// TestConditionThatIsNotTold: what an engine refuses to say is named, and the rest is known.
func TestConditionThatIsNotTold(t *testing.T) {
	f := newFake(t)
	f.other = func(w http.ResponseWriter, r *http.Request) bool {
		switch r.URL.Path {
		case "/_cluster/health":
			fmt.Fprint(w, `{"status":"red","number_of_data_nodes":3,"active_shards":10,"unassigned_shards":2}`)
		case "/_cluster/stats":
			fmt.Fprintf(w, `{"timestamp":%d}`, time.Now().Add(time.Hour).UnixMilli())
		case "/_cluster/settings":
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"error":{"type":"security_exception","reason":"no"},"status":403}`)
		default:
			return false
		}
		return true
	}
	c, err := Look(t.Context(), Options{Addresses: []string{f.URL}})
	if err != nil || c.Health != "red" || c.Nodes != 3 || c.Unassigned != 2 || c.Clock < 59*time.Minute || c.Unknown["settings"] == nil || len(c.Unknown) != 1 {
		t.Errorf("%+v %v", c, err)
	}
}

func TestWatermarks(t *testing.T) {
	for text, want := range map[string]float64{"95%": 0.95, "0.9": 0.9, "500mb": 0.5, "1b": 1 - 1.0/(1000<<20), "": 0, "95.5%": 0.955, "many": 0} {
		if got := watermark(text, 1000<<20); got < want-1e-9 || got > want+1e-9 {
			t.Errorf("%q: %v, not %v", text, got, want)
		}
	}
}

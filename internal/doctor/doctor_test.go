package doctor

import (
	"errors"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// judgements are facts, and what is to be found: state, check, and words of the sentence.
var judgements = []struct {
	name   string
	judge  func(r *Report)
	state  State
	check  string
	saying string
}{
	{"clocks agree", func(r *Report) { r.Clock("clock", "it", 800*time.Millisecond) }, OK, "clock", "agrees"},
	{"ahead", func(r *Report) { r.Clock("clock", "it", 9*time.Second) }, Warning, "clock", "9s ahead"},
	{"far behind", func(r *Report) { r.Clock("clock", "it", -2*time.Hour) }, Wrong, "clock", "2h0m0s behind"},
	{"room", func(r *Report) { r.Room("/d", 40, 100) }, OK, "room", "40 %"},
	{"little room", func(r *Report) { r.Room("/d", 14, 100) }, Warning, "room", "14 %"},
	{"no room", func(r *Report) { r.Room("/d", 4, 100) }, Wrong, "room", "publishing is refused"},
	{"no size", func(r *Report) { r.Room("/d", 4, 0) }, Skipped, "room", "not known"},
	{"a disk", func(r *Report) { r.FileSystem("/d", "ext4") }, OK, "file system", "ext4"},
	{"memory", func(r *Report) { r.FileSystem("/d", "tmpfs") }, Wrong, "file system", "gone"},
	{"network", func(r *Report) { r.FileSystem("/d", "nfs") }, Wrong, "file system", "locks"},
	{"good certificate", func(r *Report) { r.Certificate("certificate", "c", now.Add(60*24*time.Hour), now) }, OK, "certificate", "60 days"},
	{"ends", func(r *Report) { r.Certificate("certificate", "c", now.Add(20*24*time.Hour), now) }, Warning, "certificate", "20 days"},
	{"ends now", func(r *Report) { r.Certificate("certificate", "c", now.Add(time.Hour), now) }, Wrong, "certificate", "60 minutes"},
	{"ended", func(r *Report) { r.Certificate("certificate", "c", now.Add(-time.Hour), now) }, Wrong, "certificate", "ended 60 minutes ago"},
	{"no backup", func(r *Report) { r.Backup(time.Time{}, now) }, Warning, "backup", "no backup"},
	{"old backup", func(r *Report) { r.Backup(now.Add(-100*time.Hour), now) }, Warning, "backup", "4 days"},
	{"backup", func(r *Report) { r.Backup(now.Add(-time.Hour), now) }, OK, "backup", "60 minutes"},
	{"tokens", func(r *Report) { r.Tokens([]Token{{ID: "a"}}, now) }, OK, "tokens", "none of 1"},
	{"over", func(r *Report) { r.Tokens([]Token{{ID: "a", Expires: now.Add(-1)}}, now) }, Warning, "tokens", "1 are over: a"},
	{"mighty", func(r *Report) { r.Tokens([]Token{{ID: "a", All: true, Roles: 6}, {ID: "b"}}, now) }, Warning, "tokens", "may do everything"},
	{"forgotten", func(r *Report) { r.Tokens([]Token{{ID: "a", Used: now.Add(-91 * 24 * time.Hour)}}, now) }, Warning, "tokens", "90 days"},

	{"nats", stream(func(*Stream) {}), OK, "nats", "2.15"},
	{"no stream", stream(func(s *Stream) { s.There = false }), Warning, "stream", "not there"},
	{"stream", stream(func(*Stream) {}), OK, "stream", "10 %"},
	{"filling", stream(func(s *Stream) { s.Bytes = 75 }), Warning, "stream", "75 %"},
	{"full", stream(func(s *Stream) { s.Bytes = 90 }), Wrong, "stream", "refused"},
	{"another limit", stream(func(s *Stream) { s.Wanted = 200 }), Warning, "stream limit", "200"},
	{"one copy of three", stream(func(s *Stream) { s.Servers = 3 }), Warning, "replicas", "1 of 3"},
	{"lagging", stream(func(s *Stream) { s.Lagging = []string{"n2"} }), Warning, "replicas", "n2"},
	{"synced", stream(func(s *Stream) { s.Synced = "always" }), OK, "sync", "every write"},
	{"not synced", stream(func(s *Stream) { s.Synced = "2m0s" }), Wrong, "sync", "2m0s"},
	{"vouched", stream(func(*Stream) {}), Skipped, "sync", "vouches"},
	{"not vouched", stream(func(s *Stream) { s.Durable = false }), Warning, "sync", "nobody"},
	{"no indexer", stream(func(s *Stream) { delete(s.Consumers, "indexer") }), Warning, "consumer indexer", "there is none"},
	{"no archiver", stream(func(s *Stream) { delete(s.Consumers, "archiver") }), Warning, "consumer archiver", "there is none"},
	{"nobody asks", stream(func(s *Stream) { s.Consumers["indexer"] = Consumer{Pending: 9} }), Wrong, "consumer indexer", "9 messages wait"},
	{"killed with some in hand", stream(func(s *Stream) { s.Consumers["indexer"] = Consumer{Pending: 9, InHand: 3} }), Wrong, "consumer indexer", "12 messages wait"},
	{"again and again", stream(func(s *Stream) { s.Consumers["indexer"] = Consumer{Pending: 9, Waiting: 1, Again: 5000} }), Warning, "consumer indexer", "5000"},
	{"busy", stream(func(*Stream) {}), OK, "consumer indexer", "0 messages"},
	{"dead", stream(func(s *Stream) { s.Dead = 3 }), Warning, "dead letters", "3 actions"},

	{"green", engine(func(*Engine) {}), OK, "engine health", "green"},
	{"yellow", engine(func(e *Engine) { e.Health, e.Unassigned = "yellow", 4 }), Warning, "engine health", "4 copies"},
	{"red", engine(func(e *Engine) { e.Health = "red" }), Wrong, "engine health", "red"},
	{"engine's clock", engine(func(e *Engine) { e.Clock = time.Hour }), Wrong, "engine clock", "ahead"},
	{"no template", engine(func(e *Engine) { e.Template = 0 }), Warning, "engine template", "not there"},
	{"newer template", engine(func(e *Engine) { e.Template = 2 }), Warning, "engine template", "newer"},
	{"older template", engine(func(e *Engine) { e.Wanted = 2 }), Warning, "engine template", "not 2"},
	{"ism", engine(func(e *Engine) { e.Policy = "ism" }), OK, "engine policy", "ISM"},
	{"sweep", engine(func(*Engine) {}), OK, "engine policy", "sweep"},
	{"blocked", engine(func(e *Engine) { e.Blocked = []string{"actions-2026.11.22 (read_only_allow_delete)"} }), Wrong, "engine blocks", "2026.11.22"},
	{"closed", engine(func(e *Engine) { e.Missing = []string{"the index a is closed"} }), Wrong, "engine days", "closed"},
	{"flooded", engine(func(e *Engine) { e.Disks[0].Used = 0.96 }), Wrong, "engine disks", "n1 96 %"},
	{"near high", engine(func(e *Engine) { e.Disks[0].Used = 0.86 }), Warning, "engine disks", "n1 86 %"},
	{"disks", engine(func(*Engine) {}), OK, "engine disks", "50 %"},
	{"shards", engine(func(*Engine) {}), OK, "engine shards", "100 of 1000"},
	{"many shards", engine(func(e *Engine) { e.Shards = 850 }), Warning, "engine shards", "850"},
	{"too many shards", engine(func(e *Engine) { e.Shards = 990 }), Wrong, "engine shards", "990"},
	{"not told", engine(func(e *Engine) { e.Unknown = map[string]error{"settings": errors.New("403")} }), Skipped, "engine disks", "403"},
}

func stream(change func(*Stream)) func(r *Report) {
	s := &Stream{Server: "2.15.2", Servers: 1, There: true, Bytes: 10, Max: 100, Wanted: 100, Replicas: 1, Incarnation: "x", Durable: true, Archive: true,
		Consumers: map[string]Consumer{"indexer": {Waiting: 1}, "archiver": {Waiting: 1}}}
	change(s)
	return func(r *Report) { r.Stream(s) }
}

func engine(change func(*Engine)) func(r *Report) {
	e := &Engine{Version: "OpenSearch 3.5.0", Health: "green", Nodes: 1, Shards: 100, Most: 1000, Template: 1, Wanted: 1, Disks: []Disk{{"n1", 0.5, 0.9, 0.95}}}
	change(e)
	return func(r *Report) { r.Engine(e) }
}

// TestJudgements: each fact is found, in words, and what is not well says what to do.
func TestJudgements(t *testing.T) {
	for _, j := range judgements {
		t.Run(j.name, func(t *testing.T) {
			var r Report
			j.judge(&r)
			found := false
			for _, f := range r.Findings {
				found = found || f.Check == j.check && f.State == j.state && strings.Contains(f.About, j.saying)
				if well := f.State == OK || f.State == Skipped; well != (f.Do == "") {
					t.Errorf("%+v", f)
				}
				if j.state == OK && f.State != OK && f.State != Skipped {
					t.Errorf("what is well is not: %+v", f)
				}
			}
			if !found {
				t.Errorf("no %s of %s says %q: %+v", j.state, j.check, j.saying, r.Findings)
			}
			if r.Count(Wrong) > 1 {
				t.Errorf("one fault is found twice: %+v", r.Findings)
			}
		})
	}
}

// TestSome: a long list is not shown whole, and its length is told.
func TestSome(t *testing.T) {
	if got := some(strings.Fields("a b c d e f g")); got != "a, b, c, d, e and 2 more" {
		t.Error(got)
	}
}

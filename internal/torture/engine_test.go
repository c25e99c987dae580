//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"actionlog/internal/enginetest"
)

// onEngine are the faults of the service that make sense where an engine has the days.
func onEngine() []fault {
	return slices.DeleteFunc(slices.Clone(faults), func(f fault) bool { return f.name == "a day is locked" }) // there is no file to lock
}

// spoiling is a fault of the engine, or of what stands before it, for a while.
func spoiling(p *proxy, name string, least, most int) fault {
	return fault{"engine: " + name, 1, func(ctx context.Context, s *session) error {
		p.begin(name)
		sleep(ctx, s.between(least, most))
		p.end()
		sleep(ctx, time.Second) // it goes on
		return nil
	}}
}

// blocked is that one day's index takes no writes for a while; the others do.
func blocked(t *testing.T, engine, prefix string) fault {
	return fault{"engine: a day is blocked", 1, func(ctx context.Context, s *session) error {
		index := prefix + "actions-" + time.Now().UTC().Format("2006.01.02") + "*"
		put := func(value string) {
			req, err := http.NewRequestWithContext(ctx, http.MethodPut, engine+"/"+index+"/_settings", strings.NewReader(`{"index.blocks.write":`+value+`}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("blocking %s: %s %s %v", index, resp.Status, text, err)
			}
		}
		put("true")
		sleep(ctx, s.between(3000, 6000))
		put("null")
		return nil
	}}
}

// behind is the options of a service on an engine behind a proxy.
func behind(t testing.TB, engine string, seed uint64) (*proxy, options) {
	p := startProxy(t, engine, seed)
	return p, options{seed: seed, engine: engine, args: []string{"--engine", p.URL, "--engine-prefix", fmt.Sprintf("t%x-", seed)}}
}

// engineFaults are those of the engine, or of what stands before it.
func engineFaults(t *testing.T, p *proxy, o options, least, most int) (all []fault) {
	for _, name := range slices.Sorted(maps.Keys(spoils)) {
		all = append(all, spoiling(p, name, least, most))
	}
	return append(all, blocked(t, o.engine, o.args[3]))
}

func namesOf(faults []fault) (names []string) {
	for _, f := range faults {
		names = append(names, f.name)
	}
	return names
}

// The engine refuses, fails, lies, hangs, is slow, hangs up, and has a day that takes no
// writes: what was acknowledged is there, once, byte for byte. (Long form: five minutes.)
func TestEngineFaults(t *testing.T) {
	long(t)
	p, o := behind(t, enginetest.URL(t, enginetest.OpenSearch3), seeded())
	o.more, o.each, o.rounds = engineFaults(t, p, o, 2000, 4000), true, 1<<30
	o.only, o.days = namesOf(o.more), 5
	tortured(t, o)
	if p.hits["items"] == 0 {
		t.Error("no item of a bulk failed alone")
	}
}

// The same, each fault alone. (Long form: all of them are in TestEngineFaults.)
func TestEachEngineFault(t *testing.T) {
	long(t)
	engine := enginetest.URL(t, enginetest.OpenSearch3)
	for _, name := range append(slices.Sorted(maps.Keys(spoils)), "a day is blocked") {
		t.Run(name, func(t *testing.T) {
			p, o := behind(t, engine, seeded())
			o.duration, o.rounds, o.more, o.only = time.Minute, 2, engineFaults(t, p, o, 3000, 6000), []string{"engine: " + name}
			tortured(t, o)
			if name != "a day is blocked" && p.hits[name] == 0 || name == "mixed errors" && p.hits["items"] == 0 {
				t.Error("it never met a request")
			}
		})
	}
}

func tortured(t *testing.T, o options) {
	t.Helper()
	o.out = t.Output() // at once: it goes on for long
	if _, err := short(t, "", o); err != nil {
		t.Error(err)
	}
	enginetest.Drop(t, o.engine, o.args[3]) // the next test has the whole engine
}

// All faults, of the service and of the engine, which is killed too, in any order: the long
// form only, for as long as ACTIONLOG_TORTURE says (make torture-engine).
func TestTortureOnOpenSearch(t *testing.T) { tortureOnOpenSearch(t, false) }

// The same of a service that is split into processes: one NATS server, two indexers, two
// archivers, one that answers searches, and the engine; each is killed, restarted and held.
func TestTortureOfManyProcesses(t *testing.T) { tortureOnOpenSearch(t, true) }

func tortureOnOpenSearch(t *testing.T, split bool) {
	duration := long(t)
	engine := enginetest.StartCluster(t, enginetest.OpenSearch3, 1, "1g")
	seed := seeded()
	p, o := behind(t, engine.URLs()[0], seed)
	o.split, o.days = split, 20 // an engine answers for each day
	o.more = append(engineFaults(t, p, o, 500, 4000), fault{"engine: killed", 2, func(ctx context.Context, s *session) error {
		engine.Kill(t, 0)
		sleep(ctx, s.between(0, 5000))
		engine.Restart(t, 0)
		return nil
	}})
	o.duration, o.rounds = duration, 1<<30
	// The account asks the engine for each action of a day that has a repeat: as many as it
	// can be asked for in about as long as the faults take.
	o.pause = min(duration/600, 2*time.Second)
	if split {
		o.more = slices.Concat(o.more, natsFaults, splitFaults())
		o.only = append(namesOf(o.more), "killed", "stopped under load") // of who answers searches
	} else {
		o.only = namesOf(slices.Concat(o.more, onEngine()))
	}
	tortured(t, o)
}

//go:build linux

package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// institutions are those that the documents are of.
var institutions = []string{"torture-a", "torture-b", "torture-c"}

// A fate is what must become of a document once it was acknowledged.
type fate string

const (
	stored fate = "stored"  // searchable, once, byte for byte
	dead   fate = "dead"    // a dead letter, once
	tooOld fate = "too old" // in the archive only
)

// A document is a function of the run and its number: the ledger need not keep it.
type document struct {
	id          string
	institution string
	category    string
	at          time.Time
	day         string // of at, in UTC
	fate        fate
	text        []byte
}

// subject is where it is published.
func (d *document) subject() string { return "actions." + d.institution + "." + d.category }

// run is what all documents of a run have in common.
type run struct {
	seed  uint64
	start time.Time     // to the second
	days  int           // how many late ones are of; 0: 90
	shift time.Duration // how far the service's clock is ahead of this process's
	pace  time.Duration // between two documents; 0: all are of the first second
	usual bool          // people have one name and one address each, as they do; otherwise all have all
}

// now is what the service's clock says, when nothing has happened to it.
func (r run) now() time.Time { return time.Now().Add(r.shift) }

// document makes the n-th document.
func (r run) document(n int) document {
	rng := rand.New(rand.NewPCG(r.seed, uint64(n)))
	d := document{id: fmt.Sprintf("t%x-%d", r.seed, n), institution: institutions[rng.IntN(len(institutions))], category: []string{"institution", "course", "api"}[rng.IntN(3)], fate: stored}
	at := r.start.Add(time.Duration(n%1000) * time.Millisecond)
	if r.pace > 0 {
		at = r.start.Add(time.Duration(n) * r.pace)
	}
	switch k := rng.IntN(100); {
	case k < 60: // now
	case k < 95: // late
		at = at.Add(-time.Duration(rng.IntN(cmp.Or(r.days, 90)*24*60)) * time.Minute)
	case k < 97: // the edges of what is kept, and of the future that is allowed
		oldest := 92
		if r.pace > 0 { // it may be a day later by then
			oldest = 91
		}
		at = at.Add([]time.Duration{-time.Duration(oldest) * 24 * time.Hour, 23 * time.Hour}[rng.IntN(2)])
	case k == 97:
		at, d.fate = at.Add(-time.Duration(95+rng.IntN(2))*24*time.Hour), tooOld
		if rng.IntN(4) == 0 {
			at = time.Date(0, 1, 1, 0, 0, n%60, 0, time.UTC)
		}
	}
	d.at, d.day = at, at.UTC().Format(time.DateOnly)
	name := people[rng.IntN(len(people))]
	code, id, address := rng.IntN(20), rng.IntN(500), rng.IntN(500)
	if r.usual {
		name, address = people[id%len(people)], id
	}
	d.text = fmt.Appendf(nil, `{"id":%q,"occurred_at":%q,"institution":{"id":%q},"category":%q,"action":{"code":"torture.%s.%d"},"actor":{"kind":"user","id":"p%d","name":%q,"email":"p%d@torture.example"},"details":{"n":%d,"long":12345678901234567890,"text":%q}}`,
		d.id, at.UTC().Format(time.RFC3339Nano), d.institution, d.category, d.category, code, id, name, address, n, strings.Repeat("αβγ ", rng.IntN(30)))
	if rng.IntN(200) == 0 {
		d.spoil(rng, r.start)
	}
	return d
}

var people = []string{"Ann Lee", "Melody Wang", "Zoë Bézier", "Иван Петров", "王小明", "O'Neil \"Q\" <b>", "نور حداد"}

// poisons are ways to make a document one that can only be a dead letter. Each keeps the
// id where the oracle finds it.
var poisons = []func(d *document, start time.Time) []byte{
	func(d *document, _ time.Time) []byte { return d.text[:len(d.text)-1] },            // broken off
	func(d *document, _ time.Time) []byte { return append(d.text, "\xff\xfe\x00"...) }, // not UTF-8
	func(d *document, _ time.Time) []byte {
		return replaced(d, `"details":{`, `"details":{"deep":`+strings.Repeat("[", 10_000)+strings.Repeat("]", 10_000)+`,`)
	},
	func(d *document, _ time.Time) []byte {
		return replaced(d, `"institution":{"id":"`+d.institution+`"}`, `"institution":{"id":"another"}`)
	},
	func(d *document, _ time.Time) []byte { return replaced(d, `"actor":{`, `"actor":[{`) },
	func(d *document, start time.Time) []byte { return d.when(start.Add(26 * time.Hour)) },
	func(d *document, _ time.Time) []byte { return d.when(time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)) },
	func(d *document, _ time.Time) []byte {
		return replaced(d, `"text":"`, `"text":"`+strings.Repeat("x", 300<<10))
	},
	func(d *document, _ time.Time) []byte { return replaced(d, `"text":"`, "\"text\":\"\x00") },
	func(d *document, _ time.Time) []byte {
		var keys strings.Builder
		for i := range 100_000 {
			fmt.Fprintf(&keys, `"%x":1,`, i)
		}
		return replaced(d, `"details":{`, `"details":{`+keys.String())
	},
}

// odds are ways to make a document odd that lose no action: it is kept as it is, with a
// warning or without.
var odds = []func(d *document) []byte{
	func(d *document) []byte { // a member twice
		return replaced(d, `"category":"`+d.category+`"`, `"category":"`+d.category+`","category":"`+d.category+`"`)
	},
	func(d *document) []byte { return replaced(d, `"details":{`, `"details":{"much":1e400,"nul":"\u0000",`) },
	func(d *document) []byte { // optional members of a wrong type
		return replaced(d, `"details":{`, `"outcome":7,"request":"x","response":{"code":1e400},"course":[],"targets":{"a":1},"details":{`)
	},
}

// when is a document that happens at another time.
func (d *document) when(at time.Time) []byte {
	return fmt.Appendf(nil, `{"id":%q,"occurred_at":%q,"institution":{"id":%q},"category":%q,"action":{"code":"x"},"actor":{"kind":"user","id":"p"}}`, d.id, at.UTC().Format(time.RFC3339), d.institution, d.category)
}

func replaced(d *document, old, new string) []byte {
	return []byte(strings.Replace(string(d.text), old, new, 1))
}

func (d *document) spoil(rng *rand.Rand, start time.Time) {
	n := rng.IntN(len(poisons) + len(odds))
	if n >= len(poisons) {
		d.text = odds[n-len(poisons)](d)
		return
	}
	d.text, d.fate = poisons[n](d, start), dead
}

//go:build linux

package main

import (
	"fmt"
	"sync"
)

// told is what a publisher was told of a document.
type told byte

const (
	nothing  told = iota // never sent
	unknown              // sent, and no answer came
	taken                // acknowledged
	answered             // the answer was a refusal; none is expected here
)

// ledger is what the publishers know, outside of the system that is tested. A document is
// its number: everything else follows from that.
type ledger struct {
	mu   sync.Mutex
	told []told
	sent int // publishes, repeats too
}

// next returns a number that nobody has used.
func (l *ledger) next() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told = append(l.told, nothing)
	return len(l.told) - 1
}

// note keeps what a publisher was told: what was acknowledged once, stays so.
func (l *ledger) note(n int, t told) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t == unknown {
		l.sent++
	}
	if l.told[n] != taken {
		l.told[n] = t
	}
}

func (l *ledger) of(n int) told {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n < 0 || n >= len(l.told) {
		return nothing
	}
	return l.told[n]
}

func (l *ledger) count() (documents, acknowledged, sent int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.told {
		if t == taken {
			acknowledged++
		}
	}
	return len(l.told), acknowledged, l.sent
}

// number reads the number out of an id of this run; false: it is not of this run.
func (r run) number(id string) (n int, ok bool) {
	var seed uint64
	if _, err := fmt.Sscanf(id, "t%x-%d", &seed, &n); err != nil || seed != r.seed || r.document(n).id != id {
		return 0, false
	}
	return n, true
}

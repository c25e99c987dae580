package main

import (
	"os"
	"runtime/debug"
	"sync"
)

const (
	// usualGarbage is how much the heap may grow before it is collected, in percent: most
	// of what an action leaves is garbage, and collecting it half as often indexes a
	// twentieth more a second.
	usualGarbage = 200
	// exportGarbage is the same while something is exported: an export of any length is
	// to stay within 64 MiB.
	exportGarbage = 50
	// muchGarbage is from what size on the heap is collected whenever that helps, in bytes: a
	// service that has much to catch up with is not to take all the memory that there is.
	muchGarbage = 512 << 20
)

// garbage says how often the heap is collected, unless GOGC and GOMEMLIMIT do.
type garbage struct {
	mu      sync.Mutex
	exports int
	ours    bool
}

func newGarbage() *garbage {
	g := &garbage{ours: os.Getenv("GOGC") == ""}
	g.set(usualGarbage)
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(muchGarbage)
	}
	return g
}

func (g *garbage) set(percent int) {
	if g.ours {
		debug.SetGCPercent(percent)
	}
}

// exporting collects more often until as many ended as began.
func (g *garbage) exporting() (ended func()) {
	g.change(1)
	return sync.OnceFunc(func() { g.change(-1) })
}

func (g *garbage) change(by int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	before := g.exports
	g.exports += by
	switch {
	case before == 0:
		g.set(exportGarbage)
	case g.exports == 0:
		g.set(usualGarbage)
	}
}

package search

import (
	"context"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
)

const (
	// maxWaiting is how many reads of one institution may wait for their turn.
	maxWaiting = 256
	// waitAtMost is how long one waits.
	waitAtMost = 30 * time.Second
)

// fair lets each institution have so many reads worked on at a time, and has the others
// wait in line: what one asks for, be it forty exports, leaves the rest of the machine to
// the others. One of them, and where there is only one, another, is for what is quick.
type fair struct {
	each int

	mu     sync.Mutex
	shares map[string]*share
}

// share is of one institution.
type share struct {
	turns chan struct{}
	quick chan struct{} // one more, which no dear read may have: a list is not to wait for counts
	users int           // who have or want a turn; with none the share is forgotten
}

// defaultReads leaves a processor to others, where there are several.
func defaultReads() int { return max(1, runtime.GOMAXPROCS(0)-1) }

func newFair(each int) *fair {
	if each <= 0 {
		each = defaultReads()
	}
	return &fair{each: each, shares: map[string]*share{}}
}

// turn is a read's right to be worked on.
type turn struct {
	fair        *fair
	institution string
	share       *share
	dear        bool          // it reads much: an export, a count
	held        chan struct{} // nil: none
}

// enter gets in line; false: too many wait.
func (f *fair) enter(institution string) (*turn, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.shares[institution]
	if s == nil {
		s = &share{turns: make(chan struct{}, max(1, f.each-1)), quick: make(chan struct{}, 1)}
		f.shares[institution] = s
	}
	if s.users >= maxWaiting+f.each {
		return nil, false
	}
	s.users++
	return &turn{fair: f, institution: institution, share: s}, true
}

// wait returns when it is one's turn: those who wait are served in their order.
func (t *turn) wait(ctx context.Context) error {
	quick := t.share.quick
	if t.dear {
		quick = nil // never ready
	}
	select {
	case quick <- struct{}{}:
		t.held = quick
		return nil
	default:
	}
	select {
	case t.share.turns <- struct{}{}:
		t.held = t.share.turns
	case quick <- struct{}{}:
		t.held = quick
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// pause lets others have their turn.
func (t *turn) pause() {
	if t.held != nil {
		<-t.held
		t.held = nil
	}
}

// leave ends it.
func (t *turn) leave() {
	t.pause()
	t.fair.mu.Lock()
	defer t.fair.mu.Unlock()
	if t.share.users--; t.share.users == 0 {
		delete(t.fair.shares, t.institution)
	}
}

// guests counts who stays for long, by institution.
type guests struct {
	most int
	mu   sync.Mutex
	of   map[string]int
}

// enter returns how to leave; false: too many are there.
func (g *guests) enter(institution string) (leave func(), ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.of[institution] >= g.most {
		return nil, false
	}
	g.of[institution]++
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.of[institution]--; g.of[institution] == 0 {
			delete(g.of, institution)
		}
	}, true
}

// yield lets a request that has just come in go first.
func yield() { runtime.Gosched() }

const turnKey = "turn"

// fairly has a read of an institution wait for its turn; so has who asks for an export job,
// which is tried out.
func (s *server) fairly(c *gin.Context) {
	if c.Request.Method != http.MethodGet && c.FullPath() != institutionPath+"/exports" {
		return
	}
	t, ok := s.fair.enter(c.Param("institution"))
	if !ok {
		s.tooMany(c, time.Second, "too many requests of the institution wait already")
		return
	}
	defer t.leave()
	t.dear = isDear(c)
	ctx, cancel := context.WithTimeout(c.Request.Context(), waitAtMost)
	err := t.wait(ctx)
	cancel()
	if err != nil {
		s.tooMany(c, time.Second, "other requests of the institution take long")
		return
	}
	c.Set(turnKey, t)
	c.Next()
}

// isDear tells whether a request reads all that its filters find, where others read a page.
func isDear(c *gin.Context) bool {
	switch strings.TrimPrefix(c.FullPath(), institutionPath) {
	case "/histogram", "/facets", "/export", "/exports/:id/content":
		return true
	case "/exports":
		return c.Request.Method == http.MethodPost
	}
	return c.Query("total") == "exact"
}

// patience is how long a client may take for a piece before its turn is another's.
const patience = 5 * time.Millisecond

// polite writes to a client that may read slowly, and then keeps nobody waiting: its turn
// goes to others.
type polite struct {
	to  io.Writer
	ctx context.Context
	*turn
}

func politely(c *gin.Context) io.Writer {
	if t, ok := c.Value(turnKey).(*turn); ok {
		return &polite{c.Writer, c.Request.Context(), t}
	}
	return c.Writer
}

// Write implements io.Writer.
func (p *polite) Write(b []byte) (int, error) {
	var mu sync.Mutex
	written := false
	given := time.AfterFunc(patience, func() {
		mu.Lock()
		defer mu.Unlock()
		if !written {
			p.pause()
		}
	})
	n, err := p.to.Write(b)
	given.Stop()
	mu.Lock()
	written = true
	mu.Unlock()
	if err != nil || p.held != nil {
		return n, err
	}
	return n, p.wait(p.ctx)
}

// busy tells whether any request is worked on or waits.
func (f *fair) busy() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.shares) > 0
}

// oneAtATime has what is read for alerts and webhooks of an institution wait for each other,
// before it waits among people's requests: however many there are, they are one in that line.
type oneAtATime struct{ of sync.Map }

// one reads when nobody else does.
func (o *oneAtATime) one(ctx context.Context, institution string, read func() error) error {
	v, _ := o.of.LoadOrStore(institution, make(chan struct{}, 1))
	turn := v.(chan struct{})
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return read()
}

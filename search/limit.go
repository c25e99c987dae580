package search

import (
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/time/rate"
)

// Limits of requests. Zero: none.
type Limits struct {
	// PerCaller is how many requests a second a token or somebody who is signed in may
	// send for long; ten times as many at once.
	PerCaller float64
	// PerAddress is the same for an address, whoever sends them, also without a token.
	PerAddress float64
	// Failures is how many sign-ins a minute may fail, by address, and how many denied
	// requests a caller may send; so many at once.
	Failures float64
}

// maxLimited is how many callers and addresses are told apart at a time.
const maxLimited = 1 << 16

// limiter counts requests of many callers. One that is idle is forgotten.
type limiter struct {
	limit rate.Limit
	burst int
	now   func() time.Time

	mu  sync.Mutex
	has map[string]*rate.Limiter
}

func newLimiter(perSecond float64, burst int, now func() time.Time) *limiter {
	return &limiter{limit: rate.Limit(perSecond), burst: burst, now: now, has: map[string]*rate.Limiter{}}
}

func (l *limiter) of(key string) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.has[key]
	if one == nil {
		if len(l.has) >= maxLimited {
			l.forget()
		}
		one = rate.NewLimiter(l.limit, l.burst)
		l.has[key] = one
	}
	return one
}

// forget drops those who have their whole burst again; if there are none, any tenth.
func (l *limiter) forget() {
	now := l.now()
	for key, one := range l.has {
		if one.TokensAt(now) >= float64(l.burst) {
			delete(l.has, key)
		}
	}
	for key := range l.has {
		if len(l.has) < maxLimited*9/10 {
			break
		}
		delete(l.has, key)
	}
}

// take counts a request. When there are too many, it says after how long there may be
// another.
func (l *limiter) take(key string) (wait time.Duration, ok bool) {
	if l.limit == 0 {
		return 0, true
	}
	now := l.now()
	r := l.of(key).ReserveN(now, 1)
	if wait = r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return wait, false
	}
	return 0, true
}

// spent tells, and counts nothing, whether there were too many.
func (l *limiter) spent(key string) (wait time.Duration, ok bool) {
	if l.limit == 0 {
		return 0, false
	}
	left := l.of(key).TokensAt(l.now())
	if left >= 1 {
		return 0, false
	}
	return time.Duration((1 - left) / float64(l.limit) * float64(time.Second)), true
}

// crowd limits what comes from one address.
func (s *server) crowd(c *gin.Context) {
	if wait, ok := s.addresses.take(addressOf(c)); !ok {
		s.tooMany(c, wait, "too many requests from your address")
	}
}

// tooMany answers 429, and says when to come again.
func (s *server) tooMany(c *gin.Context, wait time.Duration, format string, args ...any) {
	c.Header("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
	s.answer(c, newProblem(http.StatusTooManyRequests, format, args...))
}

// addressOf is from where a request comes: one address, or of IPv6 what one customer has.
func addressOf(c *gin.Context) string {
	a, err := netip.ParseAddr(c.ClientIP())
	if err != nil {
		return c.ClientIP()
	}
	if a = a.Unmap(); a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}

// Package search is how people and programs read the log and add to it: the
// HTTP API. filter.go says what a filter means. The package never writes to the
// store, and decides nothing about storage.
package search

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"actionlog"
	"actionlog/internal/tracing"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
)

// Token is what may be told of a token: never its secret.
type Token struct {
	ID           string           `json:"id"`
	Name         string           `json:"name,omitempty"`
	Roles        []actionlog.Role `json:"roles"`
	All          bool             `json:"all,omitempty"`
	Institutions []string         `json:"institutions,omitempty"`
	Reason       string           `json:"reason,omitempty"`
	CreatedAt    time.Time        `json:"created_at"`
	ExpiresAt    time.Time        `json:"expires_at,omitzero"`
	UsedAt       time.Time        `json:"used_at,omitzero"` // to the hour
}

// Access knows who may do what.
type Access interface {
	// Check returns the principal of a token, or actionlog.ErrNotFound and of whom the
	// token claims to be what is known.
	Check(ctx context.Context, token string) (actionlog.Principal, error)
	// Create makes a token that allows what t says (but for ID and times, and ExpiresAt),
	// and returns its secret, which is kept nowhere.
	Create(ctx context.Context, t Token) (made Token, secret string, err error)
	// Rotate makes another token that allows the same as one, which ends after overlap.
	// record is called before anything changes for the old one: after an error of it, nothing does.
	Rotate(ctx context.Context, id string, overlap time.Duration, record func(Token) error) (made Token, secret string, err error)
	// List returns all tokens, oldest first.
	List(ctx context.Context) ([]Token, error)
	// Revoke ends a token, and says what it was, or returns actionlog.ErrNotFound.
	Revoke(ctx context.Context, id string) (Token, error)
}

// Institutions lists whose actions there are.
type Institutions interface {
	Institutions(ctx context.Context) ([]actionlog.Institution, error)
}

// Check is something that must hold for the service to be ready.
type Check struct {
	Name string
	// About says more of what is checked; "" nothing.
	About string
	// Run returns what is missing; nil is nothing.
	Run func(ctx context.Context) error
	// Warning: what is missing does not make the service unready.
	Warning bool
}

// Options of the API. All are required but those with a default.
type Options struct {
	Searcher     actionlog.Searcher
	Scanner      actionlog.Scanner
	Directory    actionlog.Directory
	Institutions Institutions
	Publisher    actionlog.Publisher
	Progress     actionlog.Progress
	Dead         actionlog.DeadLetters
	State        actionlog.State
	Archive      Archive  // nil: there is none
	Feed         Feed     // nil: there is no archive, and so no feed
	Encoded      *Encoded // of Feed, for who sends it on; nil: nobody does
	Webhooks     Webhooks // nil: nothing is sent
	Searches     Searches // that people named; nil: none are kept
	Alerts       *Alerts  // of Feed, for who watches Searches; nil: nobody does
	Restores     Restores // nil: nothing can be brought back
	Exports      *Exports // nil: exports are streamed only. Whoever serves the API runs it
	// Held lists days before a day that are searchable still; nil: none are.
	Held func(ctx context.Context, before actionlog.Day) ([]actionlog.Day, error)
	// Account accounts for every position, now; what it returns encodes as JSON. nil:
	// it is another process's to account.
	Account func(ctx context.Context) (any, error)
	// Usage counts how much of the log is whose; nil: it is another process's to count.
	Usage      func(ctx context.Context, q actionlog.UsageQuery) (actionlog.UsagePage, error)
	Access     Access
	SignIn     SignIn   // nil: no provider
	Sessions   Sessions // nil: nobody signs in with a browser
	Supports   Supports // with Sessions
	Scrubber   *actionlog.Scrubber
	Checks     []Check
	OpenAPI    []byte
	Page       fs.FS   // the admin page; nil: there is none
	Licences   string  // of what the page contains
	Support    Contact // whom the page names for what it cannot give
	Version    string
	Metrics    http.Handler
	Tracer     *tracing.Tracer // nil: nothing is traced
	Registerer prometheus.Registerer
	Limits     Limits
	Reads      int // of one institution that are worked on at a time; default a processor fewer than there are, at least 1
	// Exporting is called when an export begins, and what it returns when it ends; nil:
	// nobody wants to know.
	Exporting func() (ended func())
	// TrustedProxies are the networks of proxies whose X-Forwarded-For is believed.
	TrustedProxies []string
	StaffDisplay   string              // default "OpenLearning System"
	Staff          actionlog.StaffView // who sees the real names of staff
	// Operations only: healthz, readyz, metrics. For a process that answers no
	// searches; what these need not may be nil.
	Operations bool
	// Stopping is closed when the service begins to stop: what would go on for minutes
	// ends then. nil: it never stops.
	Stopping <-chan struct{}
	Log      *slog.Logger     // default slog.Default
	Now      func() time.Time // default time.Now

	tailing pace
}

type server struct {
	Options
	fair      *fair
	unhurried oneAtATime // what the service reads of an institution for itself
	tails     *guests
	questions *questions
	followers *questions // of the feed
	page      *page
	tongues   *tongues
	seal      *sealer  // of cursors and positions
	calls     *limiter // by caller
	addresses *limiter
	failures  *limiter // sign-ins that failed, by address; denied requests, by caller
	seconds   *prometheus.HistogramVec
	foreign   prometheus.Counter // records that were held back, see own
	ingested  *prometheus.CounterVec
}

// New returns the API.
func New(ctx context.Context, o Options) (http.Handler, error) {
	if o.StaffDisplay == "" {
		o.StaffDisplay = "OpenLearning System"
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &server{Options: o, fair: newFair(o.Reads), tails: &guests{most: tailsAtMost, of: map[string]int{}}, questions: &questions{same: sameQuestion, asked: map[string]time.Time{}}, followers: &questions{same: feedRecorded, asked: map[string]time.Time{}}, calls: newLimiter(o.Limits.PerCaller, int(10*o.Limits.PerCaller), o.Now),
		addresses: newLimiter(o.Limits.PerAddress, int(10*o.Limits.PerAddress), o.Now),
		failures:  newLimiter(o.Limits.Failures/60, int(o.Limits.Failures), o.Now)}
	key, err := actionlog.KeyOf(ctx, o.State, "cursor")
	if err == nil {
		s.seal, err = newSealer(key)
	}
	if err != nil {
		return nil, fmt.Errorf("sealing key: %w", err)
	}
	if s.tongues, err = readTongues(); err != nil {
		return nil, err
	}
	if o.Page != nil {
		if s.page, err = newPage(o.Page, o.Licences); err != nil {
			return nil, err
		}
	}
	if s.Exports != nil {
		s.Exports.bind(s, key)
	}
	if s.Encoded != nil {
		s.Encoded.server = s
	}
	if s.Alerts != nil {
		s.Alerts.server = s
	}
	s.seconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "actionlog_http_seconds",
		Help: "Seconds per request.", Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 10)}, []string{"method", "route", "status"})
	s.foreign = prometheus.NewCounter(prometheus.CounterOpts{Name: "actionlog_foreign_records_total", Help: "Records of another institution that a store returned and that were held back. To be 0."})
	s.ingested = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "actionlog_ingest_actions_total", Help: "Documents that were published over HTTP, by outcome: taken, duplicate, refused, unavailable."}, []string{"outcome"})
	for _, outcome := range []string{"taken", "duplicate", "refused", "unavailable"} {
		s.ingested.WithLabelValues(outcome) // a rate needs its 0
	}
	if err := errors.Join(o.Registerer.Register(s.seconds), o.Registerer.Register(s.foreign), o.Registerer.Register(s.ingested)); err != nil {
		return nil, err
	}
	g := s.routes()
	if err := g.SetTrustedProxies(o.TrustedProxies); err != nil {
		return nil, fmt.Errorf("trusted proxies: %w", err)
	}
	return g, checkRoutes(g.Routes())
}

func (s *server) routes() *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	g := gin.New()
	g.HandleMethodNotAllowed = true
	g.RedirectTrailingSlash = false
	g.Use(identify, s.trace, s.observe, s.recover, headers, s.crowd)
	g.NoRoute(func(c *gin.Context) { s.answer(c, newProblem(http.StatusNotFound, "there is nothing at this address")) })
	g.NoMethod(func(c *gin.Context) {
		s.answer(c, newProblem(http.StatusMethodNotAllowed, "%s is not a method of this address", c.Request.Method))
	})
	g.GET("/healthz", func(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"status": "alive"}) })
	g.GET("/readyz", s.ready)
	g.GET("/openapi.yaml", func(c *gin.Context) { c.Data(http.StatusOK, "application/yaml", s.OpenAPI) })
	known := g.Group("", s.authenticate, s.authorize, s.refuseQuery)
	known.GET("/metrics", s.metrics)
	known.GET("/v1/accounting", s.accounting)
	if s.Operations {
		return g
	}
	if s.Sessions != nil {
		s.sessionRoutes(g, known)
	}
	if s.page != nil {
		s.pageRoutes(g, s.page)
	}
	g.GET("/v1/about", s.about)
	known.GET(institutionPath+"/tail", s.tail)
	known.GET(institutionPath+"/feed", s.feed)
	known.GET("/v1/institutions", s.institutions)
	known.GET("/v1/action-types", func(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"data": actionlog.Catalogue()}) })
	known.GET("/v1/archive/key", s.archiveKey)
	known.GET(institutionPath+"/query", s.readQuery) // reads nothing: it waits for nobody
	one := known.Group(institutionPath, s.fairly)
	one.GET("/actions", s.list)
	one.POST("/actions", s.ingest)
	one.GET("/actions/:id", s.detail)
	one.GET("/actions/:id/export", s.exportOne)
	one.GET("/actions/:id/proof", s.proof)
	one.GET("/export", s.export)
	one.GET("/histogram", s.histogram)
	one.GET("/facets", s.facets)
	one.GET("/completions", s.complete)
	one.GET("/people", s.lookup(actionlog.DirectoryPeople))
	one.GET("/courses", s.lookup(actionlog.DirectoryCourses))
	one.GET("/classes", s.lookup(actionlog.DirectoryClasses))
	operator := known.Group("/v1")
	s.operatorRoutes(operator)
	s.restoreRoutes(one, operator)
	s.exportRoutes(one)
	s.webhookRoutes(known.Group(institutionPath)) // they read nothing of the log
	s.searchRoutes(known.Group(institutionPath))
	return g
}

func (s *server) operatorRoutes(operator *gin.RouterGroup) {
	operator.GET("/usage", s.usage)
	operator.GET("/tokens", s.tokens)
	operator.POST("/tokens", s.createToken)
	operator.DELETE("/tokens/:id", s.revokeToken)
	operator.POST("/tokens/:id/rotate", s.rotateToken)
	operator.GET("/dead-letters", s.deadLetters)
	operator.GET("/dead-letters/:position", s.deadLetter)
	operator.DELETE("/dead-letters/:position", s.dropDeadLetter)
	operator.POST("/dead-letters/:position/replay", s.replayDeadLetter)
}

// trace makes a span of a request, but for those that machines send all the time. Only the
// route is in it: a query may hold names.
func (s *server) trace(c *gin.Context) {
	switch path := c.FullPath(); {
	case s.Tracer == nil, path == "/healthz", path == "/readyz", path == "/metrics":
		return
	}
	ctx, end := s.Tracer.Serve(c.Request.Context(), c.Request.Header, methodLabel(c.Request.Method), c.GetString(requestIDKey))
	c.Request = c.Request.WithContext(ctx)
	defer func() { end(c.FullPath(), c.Writer.Status()) }() // also of an export that breaks off
	c.Next()
}

// statusLeft is what is counted where the client left before it had an answer (as nginx
// does): that is no failure of the service.
const statusLeft = 499

// observe logs and counts a request. Only the route is logged, never a query:
// it may hold names.
func (s *server) observe(c *gin.Context) {
	start := s.Now()
	c.Next()
	took, route := s.Now().Sub(start), c.FullPath()
	if route == "" {
		route = "none"
	}
	status, level := c.Writer.Status(), slog.LevelDebug
	switch {
	case status >= 500 && errors.Is(c.Request.Context().Err(), context.Canceled):
		status = statusLeft
	case status >= 500:
		level = slog.LevelWarn
	}
	s.seconds.WithLabelValues(methodLabel(c.Request.Method), route, fmt.Sprint(status)).Observe(took.Seconds())
	s.Log.Log(c.Request.Context(), level, "request", "method", c.Request.Method, "route", route, "status", status, "ms", took.Milliseconds(), "caller", principal(c).ID, "id", c.GetString(requestIDKey))
}

// recover answers a panic with a problem; a broken-off export goes through.
func (s *server) recover(c *gin.Context) {
	defer func() {
		switch p := recover(); {
		case p == nil:
		case p == http.ErrAbortHandler:
			panic(p)
		default:
			s.Log.Error("panic", "route", c.FullPath(), "panic", p, "stack", string(debug.Stack()))
			if c.Writer.Written() {
				panic(http.ErrAbortHandler)
			}
			s.answer(c, newProblem(http.StatusInternalServerError, "the service failed; its log says why"))
		}
	}()
	c.Next()
}

const requestIDKey = "request_id"

// identify gives the request an ID, which the answer, the log and what is recorded name.
func identify(c *gin.Context) {
	id := strings.ToLower(rand.Text())
	c.Set(requestIDKey, id)
	c.Header("X-Request-Id", id)
}

// headers are those of every answer: OWASP Secure Headers Project, REST Security Cheat
// Sheet. Nothing of the API is ever to be a page, a part of one, or kept.
func headers(c *gin.Context) {
	for name, value := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Cross-Origin-Resource-Policy": "same-origin",
		"Permissions-Policy": "camera=(), geolocation=(), microphone=()",
	} {
		c.Header(name, value)
	}
	if c.Request.TLS != nil {
		c.Header("Strict-Transport-Security", "max-age=63072000")
	}
}

func (s *server) ready(c *gin.Context) {
	type result struct {
		Name    string `json:"name"`
		About   string `json:"about,omitempty"`
		Status  string `json:"status"` // ok, warning or failed
		Missing string `json:"missing,omitempty"`
	}
	results, status := []result{}, http.StatusOK
	for _, check := range s.Checks {
		r := result{Name: check.Name, About: check.About, Status: "ok"}
		if err := check.Run(c.Request.Context()); err != nil {
			r.Status, r.Missing = "warning", err.Error()
			if !check.Warning {
				r.Status, status = "failed", http.StatusServiceUnavailable
			}
		}
		results = append(results, r)
	}
	c.JSON(status, gin.H{"ready": status == http.StatusOK, "checks": results})
}

func (s *server) institutions(c *gin.Context) {
	all, err := s.Institutions.Institutions(c.Request.Context())
	if err != nil && (len(principal(c).Named()) == 0 || !errors.Is(err, actionlog.ErrUnavailable)) {
		s.fail(c, err)
		return
	}
	type institution struct {
		ID   string `json:"id"`
		Name string `json:"name,omitempty"`
	}
	p, data := principal(c), []institution{}
	for _, i := range all {
		if p.May(i.ID) {
			data = append(data, institution(i))
		}
	}
	for _, id := range p.Named() { // also those that have no actions yet, or whose names cannot be read now
		if !slices.ContainsFunc(data, func(i institution) bool { return i.ID == id }) {
			data = append(data, institution{ID: id})
		}
	}
	c.JSON(http.StatusOK, gin.H{"data": data})
}

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"actionlog"
	"actionlog/indexer"
	"actionlog/internal/access"
	"actionlog/internal/archive"
	"actionlog/internal/bus"
	"actionlog/internal/demo"
	"actionlog/internal/sqlite"
	"actionlog/search"
	"actionlog/web"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// trimEvery is how often the stream is trimmed.
const trimEvery = 10 * time.Second

// watchEvery is about how often the stream and the indexer's consumer are looked at.
const watchEvery = 3 * time.Second

// run starts everything, in the order of the text, and waits.
func (r *running) run(ctx context.Context) error {
	failed := make(chan error, 8)
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	store, about, err := r.openEngine(ctx)
	if err != nil {
		return err
	}
	nats, err := r.startBus(ctx)
	if err != nil {
		return err
	}
	state, err := r.openState(ctx, nats)
	if err != nil {
		return err
	}
	tokens := &access.Tokens{State: state, Now: time.Now}
	if err := r.firstToken(ctx, tokens); err != nil {
		return err
	}
	scrubber := actionlog.NewScrubber(r.cmd.SecretNames...)
	keeping, books, err := r.startArchiving(ctx, nats, store, state, scrubber, registry, failed)
	if err != nil {
		return err
	}
	x, err := r.startWriting(ctx, nats, store, keeping, scrubber, registry, failed)
	if err != nil {
		return err
	}
	if r.cmd.Role != "search" {
		r.startRetention(store, books, failed)
	}
	publisher, err := r.publisher(ctx, nats, state)
	if err != nil {
		return err
	}
	back, err := r.startRestores(ctx, nats, store, state, publisher, keeping, failed)
	if err != nil {
		return err
	}
	api := search.Options{
		Searcher: back.reader, Scanner: back.reader, Directory: back.reader, Institutions: store, Operations: r.cmd.Role == "indexer" || r.cmd.Role == "archiver",
		Restores: back.desk, Held: store.Held,
		Publisher: publisher, Progress: nats.Progress(), Dead: nats.DeadLetters(), State: state, Archive: r.prover(), Account: books.port(), Usage: r.usage(nats, store), Access: accessPort{tokens}, Sessions: sessionPort{&access.Sessions{State: state, Tokens: tokens, Now: time.Now}}, Supports: supportPort{&access.Supports{State: state, Now: time.Now}},
		Scrubber: scrubber, Checks: slices.Concat(checks(nats, store, about, x), archiveChecks(keeping, books), back.checks), OpenAPI: actionlog.OpenAPI(), Page: web.Files(), Licences: actionlog.Licences(), Support: r.cmd.support(), Version: version(),
		Metrics: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), Registerer: registry, Tracer: r.tracer,
		Reads: r.cmd.reads(), Exporting: r.garbage.exporting, Limits: search.Limits{PerCaller: r.cmd.RateLimit, PerAddress: r.cmd.RateLimitAddress, Failures: r.cmd.RateLimitFailures}, TrustedProxies: r.cmd.TrustedProxy,
		StaffDisplay: r.cmd.StaffDisplay, Staff: staffView(r.cmd.StaffNames), Stopping: ctx.Done(), Log: r.log,
	}
	if err := r.addFeed(ctx, &api, nats, store, scrubber, failed); err != nil {
		return err
	}
	r.register(registry, nats, store, books, api)
	return r.answer(ctx, api, publisher, failed)
}

// publisher publishes what comes over HTTP, and what the service itself has to say.
func (r *running) publisher(ctx context.Context, nats *bus.Bus, state actionlog.State) (*bus.Publisher, error) {
	// Behind the IDs of messages: what was sent to one process and then to another is known again.
	key, err := actionlog.KeyOf(ctx, state, "messages")
	if err != nil {
		return nil, err
	}
	p, err := nats.Publisher(ctx, key)
	if err == nil {
		p.Tracer = r.tracer
	}
	return p, err
}

// answer opens the service to the public, and waits.
func (r *running) answer(ctx context.Context, api search.Options, publisher actionlog.Publisher, failed chan error) (err error) {
	r.addSearches(&api, failed)
	if api.SignIn, err = r.signIn(); err != nil {
		return err
	}
	if api.Exports, err = r.exporter(); err != nil {
		return err
	}
	handler, err := search.New(ctx, api)
	if err != nil {
		return err
	}
	if api.Exports != nil {
		r.background("exports", failed, api.Exports.Run)
	}
	for _, begin := range r.senders {
		begin()
	}
	if err := r.listen(handler, failed); err != nil {
		return err
	}
	if r.cmd.Demo {
		if err := r.startDemo(ctx, publisher, failed); err != nil {
			return err
		}
	}
	r.greet()
	return r.wait(ctx, failed)
}

// wait waits until the service is to stop, or a part of it has failed.
func (r *running) wait(ctx context.Context, failed <-chan error) error {
	select {
	case <-ctx.Done():
		r.log.Info("stopping")
		return nil
	case err := <-failed:
		return err
	}
}

// openState opens the state: in the folder, or, where several processes may share it,
// on the NATS servers.
func (r *running) openState(ctx context.Context, nats *bus.Bus) (actionlog.State, error) {
	if r.cmd.NATS != "" {
		state, err := nats.State(ctx)
		if err != nil {
			return nil, err
		}
		return state, actionlog.CheckState(ctx, state)
	}
	state, err := sqlite.OpenState(filepath.Join(r.dir, "state.sqlite"))
	if err != nil {
		return nil, err
	}
	r.onStop(func(context.Context) error { return state.Close() })
	return state, actionlog.CheckState(ctx, state)
}

// firstToken writes a token that may do everything to the folder. Where several processes
// may share the state, one that answers people does so, once for all of them.
func (r *running) firstToken(ctx context.Context, tokens *access.Tokens) error {
	path := filepath.Join(r.dir, "admin.token")
	if r.cmd.NATS == "" {
		return tokens.Bootstrap(ctx, path)
	}
	if !r.cmd.NewAdminToken && r.cmd.Role != "all" && r.cmd.Role != "search" {
		return nil
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	first, err := tokens.BootstrapShared(ctx, path, host, r.cmd.NewAdminToken)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); os.IsNotExist(err) {
		r.log.Info("no admin.token is written here: the first token of these NATS servers was made before; where it is lost, --new-admin-token makes another", "token", first.ID, "on", first.Host, "at", first.CreatedAt)
	}
	return nil
}

// greet says what a newcomer can do next.
func (r *running) greet() {
	url, err := os.ReadFile(filepath.Join(r.dir, "http.addr"))
	if err != nil {
		return
	}
	address := strings.TrimSpace(string(url))
	r.out.say("\nAction Log is at %s", address)
	token, err := os.ReadFile(filepath.Join(r.dir, "admin.token"))
	if err == nil {
		r.out.say("Its token is in %s", filepath.Join(r.dir, "admin.token"))
	}
	// Only a demo's address holds a token (behind the #, which no browser sends): what a
	// service prints may be kept.
	if err == nil && r.cmd.Demo {
		r.out.say("Open the page, signed in: %s/#token=%s", address, strings.TrimSpace(string(token)))
	}
	if r.cmd.Demo {
		r.out.say("Try, in another terminal:\n  %[4]s search --data %[1]s --institution %[2]s --user \"Melody Wang\" --range 30d\n"+
			"  %[4]s people --data %[1]s --institution %[2]s meldoy wnag\n"+
			"  curl -H \"Authorization: Bearer $(cat %[1]s/admin.token)\" \"%[3]s/v1/institutions/%[2]s/actions?any=craft\"", r.dir, demo.Institution(), address, called())
	}
}

// called is how the program was called; "go run" leaves no name to call it by.
func called() string {
	if strings.Contains(os.Args[0], "go-build") {
		return "go run ./cmd/actionlog"
	}
	return os.Args[0]
}

func staffView(names string) actionlog.StaffView {
	switch names {
	case "everywhere":
		return actionlog.StaffShown
	case "nowhere":
		return actionlog.StaffHidden
	}
	return actionlog.StaffFindable
}

// startBus starts the NATS server in the process, or connects to another.
func (r *running) startBus(ctx context.Context) (*bus.Bus, error) {
	if r.cmd.NATS != "" {
		b, err := r.dialNATS(ctx)
		if err == nil {
			r.onStop(func(context.Context) error { b.Close(); return nil })
		}
		return b, err
	}
	b, err := r.runNATS(ctx)
	if err != nil {
		return nil, err
	}
	r.onStop(func(context.Context) error { b.Close(); return nil })
	if address := b.Addr(); address != "" {
		path, scheme := filepath.Join(r.dir, "nats.addr"), "nats://"
		if r.cmd.NATSTLSCert != "" {
			scheme = "tls://"
		}
		if err := writeFile(path, scheme+address); err != nil {
			return nil, err
		}
		r.onStop(func(context.Context) error { return os.Remove(path) })
		r.log.Info("publishers are welcome", "nats", address, "user", bus.PublisherUser)
	}
	return b, nil
}

// secretFile reads a secret that only the owner may read, and makes it first.
func secretFile(path string) (string, error) {
	text, err := os.ReadFile(path)
	if secret := strings.TrimSpace(string(text)); err == nil && secret != "" {
		return secret, nil
	}
	if err != nil && !os.IsNotExist(err) {
		return "", err
	}
	secret := rand.Text()
	return secret, writeFile(path, secret)
}

// startWriting starts what takes actions into the store, unless that is the work of
// other processes: then there is no indexer.
func (r *running) startWriting(ctx context.Context, nats *bus.Bus, store engine, keeping *archive.Archiver, scrubber *actionlog.Scrubber, registry prometheus.Registerer, failed chan<- error) (*indexer.Indexer, error) {
	if r.cmd.Role == "search" || r.cmd.Role == "archiver" {
		return nil, nil
	}
	x, err := r.startIndexer(ctx, nats, store, keeping, scrubber, registry, failed)
	if err != nil {
		return nil, err
	}
	r.background("trimming", failed, func(ctx context.Context) error { return nats.Trim(ctx, trimEvery) })
	r.background("watching the consumer", failed, func(ctx context.Context) error { return nats.Watch(ctx, watchEvery) })
	return x, nil
}

func (r *running) startIndexer(ctx context.Context, b *bus.Bus, store engine, keeping *archive.Archiver, scrubber *actionlog.Scrubber, registry prometheus.Registerer, failed chan<- error) (*indexer.Indexer, error) {
	consumer, err := b.Consumer(ctx, bus.Indexer)
	if err != nil {
		return nil, err
	}
	renew := func(ctx context.Context) (jetstream.Consumer, error) { return b.Renew(ctx, bus.Indexer) }
	x := &indexer.Indexer{Consumer: consumer, Renew: renew, Incarnation: r.incarnation(b, keeping), Writer: store, Workers: workers(store), Dead: b.DeadLetters(),
		Scrubber: scrubber, Metrics: indexer.NewMetrics(registry), Log: r.log, Tracer: r.tracer}
	r.background("indexer", failed, x.Run)
	return x, nil
}

const (
	// lookWithin is how long the indexer waits for this process's archiver, after each
	// connection, to look whether the stream went back. An archiver that is in trouble may
	// only not have heard yet that the servers are there again.
	lookWithin = 12 * time.Second
	// lookElsewhere is how long it gives an archiver elsewhere.
	lookElsewhere = 3 * time.Second
)

// incarnation returns what tells the indexer the stream's incarnation. A stream goes back
// only while its servers are away; it is the archiver who notices (keeping; nil: it is
// another process), and gives it another name.
func (r *running) incarnation(b *bus.Bus, keeping *archive.Archiver) func(ctx context.Context) string {
	if r.cmd.Archive == archiveOff {
		return func(context.Context) string { return b.Stream() }
	}
	looked := func(since time.Time) bool {
		if keeping == nil {
			return time.Since(since) > lookElsewhere
		}
		return keeping.Looked().After(since) || time.Since(since) > lookWithin
	}
	var asked time.Time // of the connection over which the stream was asked
	return func(ctx context.Context) string {
		since := b.Since()
		for ; !looked(since) && ctx.Err() == nil; since = b.Since() {
			time.Sleep(5 * time.Millisecond)
		}
		if !since.Equal(asked) { // an archiver elsewhere may have given it another name
			if _, err := b.Incarnation(ctx); err == nil {
				asked = since
			}
		}
		return b.Stream()
	}
}

// checks are what readiness means.
func checks(b *bus.Bus, store engine, about string, x *indexer.Indexer) []search.Check {
	return []search.Check{
		{Name: "stream", Run: func(ctx context.Context) error {
			used, limit, err := b.Fill(ctx)
			if err == nil && used*100 >= limit*85 {
				err = fmt.Errorf("the stream holds %d of %d bytes; publishing is refused when it is full", used, limit)
			}
			return err
		}},
		{Name: "durability", Warning: true, Run: func(context.Context) error {
			if !b.Durable() {
				return errors.New("not durable: nobody vouches that the NATS servers sync every write before they acknowledge it (--nats-durable)")
			}
			return nil
		}},
		{Name: "store", About: about, Warning: true, Run: missingCheck(store)},
		{Name: "indexer", Warning: true, Run: func(ctx context.Context) error {
			if x != nil && x.Trouble() != nil {
				return x.Trouble()
			}
			until, err := b.Progress().Settled(ctx)
			if behind := time.Since(until); err == nil && behind > time.Minute {
				err = fmt.Errorf("the store is %s behind the stream", behind.Round(time.Second))
			}
			return err
		}},
	}
}

// missingCheck is that a store can be asked for all its days.
func missingCheck(store engine) func(context.Context) error {
	return func(context.Context) error {
		if missing := store.Missing(); len(missing) > 0 {
			return errors.New(strings.Join(missing, "; "))
		}
		return nil
	}
}

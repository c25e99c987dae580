package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"actionlog/internal/bus"
	"actionlog/internal/doctor"
	"actionlog/internal/elastic"
	"actionlog/internal/signin"
)

// lookWithinAll is how long a look at a set-up may take.
const lookWithinAll = time.Minute

// doctorCmd looks at a set-up: the options of serve, the folder, the servers, and the
// service where it runs.
type doctorCmd struct {
	serveCmd    `embed:""`
	NATSMonitor string `name:"nats-monitor" placeholder:"URL" help:"Where a NATS server of --nats answers monitoring, as http://n1:8222: it is asked whether it syncs."`
	JSON        bool   `name:"json" help:"Write the findings as JSON."`
}

// examined is a set-up while it is looked at.
type examined struct {
	doctor.Report
	cmd      *doctorCmd
	settings *settings
	dir      string
	now      time.Time
	client   *client
	runs     bool               // the service does
	measured map[string]float64 // its metrics without labels; nil: they could not be had
}

// Run looks at everything, and fails where something is wrong.
func (d *doctorCmd) Run(ctx context.Context, s *settings, out *console) error {
	dir, err := filepath.Abs(s.Data)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, lookWithinAll)
	defer cancel()
	x := &examined{cmd: d, settings: s, dir: dir, now: time.Now()}
	x.options()
	x.folder()
	x.secrets()
	x.certificates()
	x.service(ctx)
	x.nats(ctx)
	if len(d.Engine) > 0 {
		x.engine(ctx)
	} else {
		x.days(ctx)
	}
	x.archive(ctx)
	x.tokens(ctx)
	x.backup()
	return x.tell(out)
}

// tell writes what was found.
func (x *examined) tell(out *console) error {
	wrong, warnings := x.Count(doctor.Wrong), x.Count(doctor.Warning)
	if x.cmd.JSON {
		e := json.NewEncoder(out.out)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(map[string]any{"findings": x.Findings, "wrong": wrong, "warnings": warnings}); err != nil {
			return err
		}
	} else {
		for _, f := range x.Findings {
			fmt.Fprintf(out.out, "%-13s %-18s %s\n", f.State, f.Check, clean(f.About))
			if f.Do != "" {
				fmt.Fprintf(out.out, "%-13s %-18s   do: %s\n", "", "", f.Do)
			}
		}
	}
	switch {
	case wrong > 0:
		out.say("wrong: %d, to be looked after: %d", wrong, warnings)
		return errReported
	case warnings > 0:
		out.say("nothing is wrong; to be looked after: %d", warnings)
	default:
		out.say("nothing is wrong")
	}
	return nil
}

// options judges whether the service would start with them.
func (x *examined) options() {
	c := &x.cmd.serveCmd
	wrong := false
	for _, err := range []error{c.checkAddress(), c.checkSupport(), c.checkNATS(), c.checkRole()} {
		if err != nil {
			wrong = true
			x.Wrong("options", "actionlog serve --help", "%v", err)
		}
	}
	if c.OIDCConfig != "" {
		if _, err := signin.ReadConfig(c.OIDCConfig); err != nil {
			wrong = true
			x.Wrong("sign-in", "docs/sign-in.md", "%v", err)
		}
	}
	if !wrong {
		x.OK("options", "the service would start with them")
	}
	if c.AllowPlainHTTP && c.TLSCert == "" {
		x.Warn("listen", "--tls-cert and --tls-key, unless a proxy in front encrypts", "tokens and actions can be read on the way to %s (--allow-plain-http)", c.Listen)
	}
	if c.AllowPlainNATS && c.NATSTLSCert == "" && c.NATS == "" {
		x.Warn("listen", "--nats-tls-cert and --nats-tls-key", "actions and the publisher's password can be read on the way to %s (--allow-plain-nats)", c.NATSListen)
	}
	if c.Archive == archiveOff {
		x.Warn("archive", "leave --archive off out", "there is none (--archive off): what leaves the store is gone")
	}
}

// certificates judges those that the service shows.
func (x *examined) certificates() {
	files := [][2]string{{"certificate", x.cmd.TLSCert}}
	if x.cmd.NATSTLSCert != x.cmd.TLSCert {
		files = append(files, [2]string{"nats certificate", x.cmd.NATSTLSCert})
	}
	files = append(files, [2]string{"client certificate", x.cmd.NATSCert})
	for _, f := range files {
		if f[1] == "" {
			continue
		}
		until, err := certificateEnd(f[1])
		if err != nil {
			x.Wrong(f[0], "put a certificate (PEM) there", "it cannot be read: %v", err)
			continue
		}
		x.Certificate(f[0], f[1], until, x.now)
	}
}

// service asks the service what it says of itself, where it runs.
func (x *examined) service(ctx context.Context) {
	c, err := x.settings.client()
	if err != nil {
		x.Wrong("service", "", "%v", err)
		return
	}
	x.client = c
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	r, err := c.readiness(ctx)
	if err != nil {
		about := "it does not answer at " + c.base.Redacted()
		if x.settings.firstLine("http.addr") != "" {
			x.Warn("service", "start it", "%s, and did not stop by itself: it was killed", about)
		} else {
			x.Skip("service", "%s", about)
		}
		return
	}
	x.runs = true
	x.OK("service", "it runs at %s", c.base.Redacted())
	for _, check := range r.Checks {
		name := "service " + check.Name
		switch check.Status {
		case "failed":
			x.Wrong(name, "docs/runbook.md, ActionLogNotReady", "%s", check.Missing)
		case "warning":
			x.Warn(name, "docs/runbook.md, ActionLogWarns", "%s", check.Missing)
		}
	}
	if x.measured, err = c.measure(ctx); err != nil {
		x.Skip("metrics", "the service does not show them: %v", err)
		return
	}
	if behind := x.measured["actionlog_archive_behind_messages"]; behind > 50_000 || behind < 0 {
		x.Warn("archive", "docs/runbook.md, ActionLogArchiveBehind", "%g messages of the stream are not archived (below 0: nobody knows)", behind)
	}
	if n := x.measured[`actionlog_webhooks{status="stopped"}`]; n > 0 {
		x.Warn("webhooks", "actionlog webhook list, actionlog webhook resume ID", "%g were stopped: nobody took what they sent", n)
	}
	if n := x.measured["actionlog_foreign_records_total"]; n > 0 {
		x.Wrong("store", "docs/runbook.md, ActionLogForeignRecords", "it returned %g records of another institution, which were held back", n)
	}
	if x.cmd.NATS == "" {
		x.DeadLetters(uint64(max(0, x.measured["actionlog_dead_letters"])))
	}
}

// nats asks the servers of --nats.
func (x *examined) nats(ctx context.Context) {
	if x.cmd.NATS == "" {
		if !x.runs {
			x.Skip("stream", "it is in the service's process, which does not run")
		}
		return
	}
	o, err := x.cmd.natsFlags.dialOptions(x.cmd.NATS)
	if err != nil {
		return // the options say so
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	c, err := bus.Look(ctx, o)
	if err != nil {
		x.Wrong("nats", "do the servers run, are the address, the seed and the authority (--nats-ca) right?", "%v", err)
		return
	}
	s := &doctor.Stream{Server: c.Server, Servers: c.Servers, There: c.There, Bytes: c.Bytes, Max: c.Max, Wanted: x.cmd.StreamMaxBytes, Replicas: c.Replicas,
		Lagging: c.Lagging, Incarnation: c.Incarnation, Dead: c.Dead, Clock: c.Clock, Durable: x.cmd.NATSDurable, Archive: x.cmd.Archive != archiveOff, Consumers: map[string]doctor.Consumer{}}
	for name, consumer := range c.Consumers {
		s.Consumers[name] = doctor.Consumer(consumer)
	}
	if x.cmd.NATSMonitor != "" {
		if s.Synced, err = syncOf(ctx, x.cmd.NATSMonitor); err != nil {
			x.Warn("nats monitoring", "http_port in the server's configuration, on an address inside", "%v", err)
		}
	}
	x.Stream(s)
}

// syncOf asks a NATS server's monitoring how often it syncs what it writes.
func syncOf(ctx context.Context, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(withScheme("http", address), "/")+"/varz", nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var v struct {
		JetStream struct {
			Config *struct {
				SyncAlways   bool          `json:"sync_always"`
				SyncInterval time.Duration `json:"sync_interval"`
			}
		} `json:"jetstream"`
	}
	err = json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&v)
	switch {
	case err != nil || resp.StatusCode != http.StatusOK:
		return "", fmt.Errorf("%s/varz is not what a NATS server answers (%s)", address, resp.Status)
	case v.JetStream.Config == nil:
		return "", errors.New("this NATS server has no JetStream")
	case v.JetStream.Config.SyncAlways:
		return "always", nil
	}
	return v.JetStream.Config.SyncInterval.String(), nil
}

// engine asks the search engine.
func (x *examined) engine(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	c, err := elastic.Look(ctx, x.cmd.engineFlags.options())
	if err != nil {
		x.Wrong("engine", "does it run, are the address, the credentials and the authority (--engine-ca) right?", "%v", err)
		return
	}
	e := &doctor.Engine{Version: c.Version, Health: c.Health, Nodes: c.Nodes, Unassigned: c.Unassigned, Shards: c.Shards, Most: c.Most, Clock: c.Clock,
		Template: c.Template, Wanted: c.Wanted, Policy: c.Policy, Blocked: c.Blocked, Missing: c.Missing, Unknown: c.Unknown}
	for _, d := range c.Disks {
		e.Disks = append(e.Disks, doctor.Disk(d))
	}
	x.Engine(e)
	if c.Unknown["days"] == nil {
		x.archivedDays(ctx, c.Days)
	}
}

// backup judges when the last one was made.
func (x *examined) backup() {
	info, err := os.Stat(filepath.Join(x.dir, backupMark))
	if err != nil {
		x.Backup(time.Time{}, x.now)
		return
	}
	x.Backup(info.ModTime(), x.now)
}

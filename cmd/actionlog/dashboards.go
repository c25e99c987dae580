package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"actionlog/internal/dashboards"
)

// dashboardsCmd writes dashboards for those who have an engine and Kibana or OpenSearch
// Dashboards on it.
type dashboardsCmd struct {
	Export dashboardsExportCmd `cmd:"" help:"Write the dashboards for compliance as a file that Kibana and OpenSearch Dashboards import."`
	Import dashboardsImportCmd `cmd:"" help:"Import the dashboards for compliance into a Kibana or an OpenSearch Dashboards. Who signs in is read from the environment: ACTIONLOG_DASHBOARDS_USER and ACTIONLOG_DASHBOARDS_PASSWORD, or ACTIONLOG_DASHBOARDS_API_KEY."`
}

// dashboardFlags say what dashboards are about.
type dashboardFlags struct {
	EnginePrefix string `name:"engine-prefix" placeholder:"TEXT" help:"What the names of all indices begin with, as serve was told."`
	TZ           string `name:"tz" env:"-" placeholder:"ZONE" default:"UTC" help:"Time zone of working hours. Default: ${default}."`
	Hours        string `name:"hours" env:"-" placeholder:"FROM-TO" default:"7-19" help:"Working hours, Monday to Friday, in whole hours. Default: ${default}."`
}

func (f *dashboardFlags) options() (o dashboards.Options, err error) {
	o.Prefix = f.EnginePrefix
	if o.Zone, err = zoneNamed(f.TZ); err != nil {
		return o, err
	}
	if o.Zone == time.Local {
		return o, usagef("--tz: name the zone, as Europe/Berlin: the engine has another one")
	}
	n, err := fmt.Sscanf(f.Hours, "%d-%d", &o.From, &o.To)
	if err != nil || n != 2 || f.Hours != fmt.Sprintf("%d-%d", o.From, o.To) || o.From < 0 || o.To > 24 || o.From >= o.To {
		return o, usagef("--hours: %q is not FROM-TO, as 8-18", f.Hours)
	}
	return o, nil
}

type dashboardsExportCmd struct {
	dashboardFlags
	Output string `short:"o" env:"-" placeholder:"FILE" help:"Write to FILE. Default: standard output."`
}

// Run writes the file.
func (d *dashboardsExportCmd) Run(out *console) error {
	o, err := d.options()
	if err != nil {
		return err
	}
	to, err := out.open(d.Output)
	if err != nil {
		return err
	}
	defer to.abandon()
	if _, err := to.Write(dashboards.NDJSON(o)); err != nil {
		return err
	}
	return to.commit()
}

type dashboardsImportCmd struct {
	dashboardFlags
	To     string `required:"" env:"ACTIONLOG_DASHBOARDS_URL" placeholder:"URL" help:"Where Kibana or OpenSearch Dashboards is, with its base path if it has one."`
	Space  string `env:"-" placeholder:"ID" help:"Space of Kibana. Default: its default space."`
	Tenant string `env:"-" placeholder:"NAME" help:"Tenant of OpenSearch Dashboards. Default: the user's."`
	CA     string `name:"ca" env:"-" placeholder:"FILE" help:"Certificate authorities (PEM) of the server, instead of the system's."`
}

// Run imports the dashboards over those that are there.
func (d *dashboardsImportCmd) Run(ctx context.Context, out *console) error {
	o, err := d.options()
	if err != nil {
		return err
	}
	s, err := d.server()
	if err != nil {
		return err
	}
	if err := s.Import(ctx, o); err != nil {
		return err
	}
	out.say("%s has the dashboards (%d objects)", s.URL.Redacted(), len(dashboards.Objects(o)))
	return nil
}

func (d *dashboardsImportCmd) server() (*dashboards.Server, error) {
	where, err := url.Parse(strings.TrimRight(withScheme("https", d.To), "/"))
	switch {
	case err != nil || where.Host == "" || where.Scheme != "http" && where.Scheme != "https":
		return nil, usagef("--to: %q is not an http or https URL", d.To)
	case where.User != nil:
		return nil, usagef("--to: a password in it can be read by others on this machine: give ACTIONLOG_DASHBOARDS_USER and ACTIONLOG_DASHBOARDS_PASSWORD")
	case d.Space != "" && d.Tenant != "":
		return nil, usagef("--space is of Kibana, --tenant of OpenSearch Dashboards: give one")
	}
	where.RawQuery, where.Fragment = "", ""
	s := &dashboards.Server{URL: where, Space: d.Space, Tenant: d.Tenant, Username: os.Getenv("ACTIONLOG_DASHBOARDS_USER"),
		Password: os.Getenv("ACTIONLOG_DASHBOARDS_PASSWORD"), APIKey: os.Getenv("ACTIONLOG_DASHBOARDS_API_KEY")}
	if s.APIKey != "" && s.Username != "" {
		return nil, usagef("ACTIONLOG_DASHBOARDS_USER and ACTIONLOG_DASHBOARDS_API_KEY are two ways to say who you are: give one")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = 2 * time.Minute
	if d.CA != "" {
		text, err := os.ReadFile(d.CA)
		if err != nil {
			return nil, fmt.Errorf("--ca: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("--ca: %s has no certificate", d.CA)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	s.HTTP = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return s, nil
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/alecthomas/kong"
)

// savedCmd looks after searches that people named.
type savedCmd struct {
	Create savedCreateCmd `cmd:"" help:"Name a search, for everybody in the institution; with --more-than or --first it is an alert."`
	Change savedChangeCmd `cmd:"" help:"Put another search in the place of one, with its alert. What is left out is gone."`
	List   savedListCmd   `cmd:"" help:"List saved searches and their alerts."`
	Show   savedShowCmd   `cmd:"" help:"Show one."`
	Drop   savedDropCmd   `cmd:"" help:"Remove saved searches, and their alerts."`
}

// savedSearch is one as the API shows it.
type savedSearch struct {
	ID     string              `json:"id"`
	Name   string              `json:"name"`
	Q      string              `json:"q"`
	Filter map[string][]string `json:"filter"`
	Alert  *struct {
		Kind     string    `json:"kind"`
		MoreThan int       `json:"more_than"`
		Minutes  int       `json:"minutes"`
		Of       string    `json:"of"`
		Webhook  string    `json:"webhook"`
		Paused   bool      `json:"paused"`
		Fired    int64     `json:"fired"`
		FiredAt  time.Time `json:"fired_at"`
	} `json:"alert"`
}

// savedFlags say what is kept.
type savedFlags struct {
	queryArg
	filters
	Name     string        `required:"" env:"-" placeholder:"TEXT" help:"How it is called."`
	MoreThan *int          `env:"-" placeholder:"N" help:"Raise an alert when there are more than so many within the time of --within."`
	Within   time.Duration `env:"-" default:"10m" placeholder:"DURATION" help:"Whole minutes, a day at most. Default: ${default}."`
	Quiet    time.Duration `env:"-" placeholder:"DURATION" help:"For how long such an alert says nothing more. Default: as long as --within."`
	First    string        `env:"-" placeholder:"actor|ip|api_key" help:"Raise an alert when the search finds an actor, an address or an API key for the first time."`
	Webhook  string        `env:"-" placeholder:"ID" help:"Send the alert to this webhook too, one that was made with --alerts."`
	Paused   bool          `env:"-" help:"Watch nothing for the time being."`
}

// request is the body of a request for it.
func (f *savedFlags) request(parsed *kong.Context) (map[string]any, error) {
	filter := filterValues(parsed, f.queryArg)
	body := map[string]any{"name": f.Name}
	if q := filter.Get("q"); q != "" {
		body["q"] = q
		filter.Del("q")
	}
	if len(filter) > 0 {
		body["filter"] = filter
	}
	alert := map[string]any{}
	switch {
	case f.MoreThan != nil && f.First != "":
		return nil, fmt.Errorf("--more-than and --first are two alerts: save the search twice")
	case f.MoreThan != nil:
		if f.Within%time.Minute != 0 || f.Quiet%time.Minute != 0 {
			return nil, fmt.Errorf("--within and --quiet are whole minutes, as 10m")
		}
		alert["kind"], alert["more_than"], alert["minutes"] = "count", *f.MoreThan, int(f.Within/time.Minute)
		if f.Quiet != 0 {
			alert["quiet"] = int(f.Quiet / time.Minute)
		}
	case f.First != "":
		alert["kind"], alert["of"] = "first", f.First
	case f.Webhook != "" || f.Paused:
		return nil, fmt.Errorf("--webhook and --paused are of an alert: --more-than or --first")
	default:
		return body, nil
	}
	if f.Webhook != "" {
		alert["webhook"] = f.Webhook
	}
	if f.Paused {
		alert["paused"] = true
	}
	body["alert"] = alert
	return body, nil
}

type savedCreateCmd struct{ savedFlags }

// Run keeps a search, and prints its ID.
func (s *savedCreateCmd) Run(ctx context.Context, set *settings, out *console, parsed *kong.Context) error {
	return set.saved(ctx, http.MethodPost, "", &s.savedFlags, parsed, func(raw json.RawMessage) error {
		var made savedSearch
		if err := json.Unmarshal(raw, &made); err != nil {
			return err
		}
		out.say("the search %s is saved", made.Name)
		_, err := fmt.Fprintln(out.out, clean(made.ID))
		return err
	})
}

type savedChangeCmd struct {
	savedFlags
	ID string `name:"id" required:"" env:"-" placeholder:"ID" help:"As the list gives it."`
}

// Run puts another in the place of a search.
func (s *savedChangeCmd) Run(ctx context.Context, set *settings, out *console, parsed *kong.Context) error {
	return set.saved(ctx, http.MethodPut, s.ID, &s.savedFlags, parsed, func(json.RawMessage) error {
		out.say("the search %s is changed", s.ID)
		return nil
	})
}

// saved calls the API for a saved search.
func (set *settings) saved(ctx context.Context, method, id string, f *savedFlags, parsed *kong.Context, then func(raw json.RawMessage) error) error {
	c, err := set.client()
	if err != nil {
		return err
	}
	parts := []string{"searches"}
	if id != "" {
		parts = append(parts, id)
	}
	path, err := c.path(ctx, parts...)
	if err != nil {
		return err
	}
	var raw json.RawMessage
	switch {
	case f != nil:
		var body map[string]any
		if body, err = f.request(parsed); err == nil {
			err = c.send(ctx, method, path, body, &raw)
		}
	case method == http.MethodDelete:
		err = c.send(ctx, method, path, nil, nil)
	default:
		err = c.get(ctx, path, url.Values{}, &raw)
	}
	if err != nil && id != "" {
		err = fmt.Errorf("saved search %s: %w", id, err)
	}
	if err != nil {
		return err
	}
	return then(raw)
}

type savedListCmd struct {
	Format string `short:"f" env:"-" enum:"auto,table,ndjson,json" default:"auto" help:"table, ndjson or json. Default: a table on a terminal, else ndjson."`
}

// Run lists saved searches.
func (s *savedListCmd) Run(ctx context.Context, set *settings, out *console) error {
	c, err := set.client()
	if err != nil {
		return err
	}
	path, err := c.path(ctx, "searches")
	if err != nil {
		return err
	}
	var answer listPage
	if err := c.get(ctx, path, nil, &answer); err != nil {
		return err
	}
	columns := []string{"ID", "NAME", "SEARCH", "ALERT", "RAISED", "LAST"}
	return writeList(out, out.formatFor(s.Format, ""), answer.Data, rows{columns, func(raw []byte) ([]string, error) {
		var k savedSearch
		if err := json.Unmarshal(raw, &k); err != nil {
			return nil, err
		}
		alert, raised, last := k.alert()
		return []string{k.ID, k.Name, k.Q, alert, raised, last}, nil
	}})
}

// alert is what a table says of one.
func (k *savedSearch) alert() (alert, raised, last string) {
	a := k.Alert
	if a == nil {
		return "", "", ""
	}
	alert = fmt.Sprintf("more than %d in %d min", a.MoreThan, a.Minutes)
	if a.Kind == "first" {
		alert = "first " + a.Of
	}
	if a.Paused {
		alert += " (paused)"
	}
	return alert, fmt.Sprint(a.Fired), shortTime(a.FiredAt)
}

type savedShowCmd struct {
	ID string `arg:"" help:"As the list gives it."`
}

// Run shows a saved search as JSON.
func (s *savedShowCmd) Run(ctx context.Context, set *settings, out *console) error {
	return set.saved(ctx, http.MethodGet, s.ID, nil, nil, func(raw json.RawMessage) error { return writeJSON(out.out, raw, true) })
}

type savedDropCmd struct {
	ID []string `arg:"" help:"As the list gives it."`
}

// Run removes saved searches.
func (s *savedDropCmd) Run(ctx context.Context, set *settings, out *console) error {
	for _, id := range s.ID {
		err := set.saved(ctx, http.MethodDelete, id, nil, nil, func(json.RawMessage) error {
			out.say("saved search %s is removed", id)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strings"

	"actionlog"
	"actionlog/internal/archive"
)

// checkCmd asks a running service how it is, and whether every position is accounted for.
type checkCmd struct {
	Ready  bool   `help:"Ask only whether the service is ready; that needs no token."`
	Format string `short:"f" env:"-" enum:"text,json" default:"text" help:"Format of the account: text or json."`
}

// readiness is the answer of /readyz.
type readiness struct {
	Ready  bool `json:"ready"`
	Checks []struct {
		Name    string `json:"name"`
		Status  string `json:"status"` // ok, warning or failed
		Missing string `json:"missing"`
		About   string `json:"about"`
	} `json:"checks"`
}

// readiness asks the service how it is.
func (c *client) readiness(ctx context.Context) (r readiness, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.String()+"/readyz", nil)
	if err != nil {
		return r, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return r, c.unreachable(ctx, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return r, c.unreachable(ctx, err)
	}
	if err := json.Unmarshal(body, &r); err != nil || len(r.Checks) == 0 {
		return r, fmt.Errorf("%s/readyz answered %s, which is not the service's answer", c.base.Redacted(), resp.Status)
	}
	return r, nil
}

// Run prints each check, and fails unless the service is ready.
func (k *checkCmd) Run(ctx context.Context, s *settings, out *console) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	r, err := c.readiness(ctx)
	if err != nil {
		return err
	}
	about := out.out
	if k.Format == "json" {
		about = out.err
	}
	for _, check := range r.Checks {
		fmt.Fprintln(about, strings.TrimSpace(fmt.Sprintf("%-8s %-12s %s", check.Status, clean(check.Name), strings.TrimSpace(clean(check.About)+" "+clean(check.Missing)))))
	}
	if !r.Ready {
		out.say("%s is not ready", c.base.Redacted())
		return errReported
	}
	fmt.Fprintf(about, "%s is ready\n", c.base.Redacted())
	if k.Ready {
		return nil
	}
	return k.account(ctx, c, out)
}

// account has the service compare stream, store, archive and dead letters.
func (k *checkCmd) account(ctx context.Context, c *client, out *console) error {
	var a archive.Accounts
	err := c.get(ctx, "/v1/accounting", nil, &a)
	var p *problem
	if errors.As(err, &p) && p.Status == http.StatusNotFound {
		out.say("no account: this process has no archive")
		return nil
	}
	if err != nil {
		return fmt.Errorf("no account: %w", err)
	}
	if k.Format == "json" {
		err = writeIndented(out.out, &a)
	} else {
		fmt.Fprintf(out.out, "archived %d = indexed %d + repeats %d + dead letters %d + too old %d + pending %d + MISSING %d; indexed and NOT ARCHIVED %d\n",
			a.Archived, a.Indexed, a.Repeats, a.Dead, a.TooOld, a.Pending, a.Missing, a.Unarchived)
		for _, d := range a.Differences {
			fmt.Fprintf(out.out, "%s %s: archived %d, indexed %d, missing %d, not archived %d %s\n", clean(d.Institution), d.Day, d.Archived, d.Indexed, d.Missing, d.Unarchived, strings.Join(d.Positions, " "))
		}
	}
	if err == nil && !a.Whole() {
		out.say("the account does not add up")
		return errReported
	}
	return err
}

// versionCmd prints what this binary was built from.
type versionCmd struct {
	Licences bool `help:"Print what else is in the binary, and under which licences."`
}

// Run prints the version.
func (c versionCmd) Run(out *console) error {
	if c.Licences {
		_, err := io.WriteString(out.out, actionlog.Licences())
		return err
	}
	said := "actionlog " + version()
	if release != "" && commit != "" {
		said += " (" + commit + ")"
	}
	_, err := fmt.Fprintln(out.out, said)
	return err
}

// commit is what make build built from; only the linker sets it. Go's own stamp
// also depends on tags and on how much was cloned, so that one commit would have
// several binaries.
var commit string

// release is what a release is called, such as v1.2.3; the linker sets it for releases only.
var release string

// version is the release's, the module's, or the commit that the binary was built from.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	if commit != "" {
		return "devel-" + commit
	}
	return "devel"
}

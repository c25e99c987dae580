package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strings"
)

// checkCmd asks a running service how it is.
type checkCmd struct{}

// readiness is the answer of /readyz.
type readiness struct {
	Checks []struct {
		Name    string `json:"name"`
		Status  string `json:"status"` // ok, warning or failed
		Missing string `json:"missing"`
		About   string `json:"about"`
	} `json:"checks"`
}

// Run prints each check, and fails unless the service is ready.
func (checkCmd) Run(ctx context.Context, s *settings, out *console) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.String()+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.unreachable(ctx, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return c.unreachable(ctx, err)
	}
	var r readiness
	if err := json.Unmarshal(body, &r); err != nil {
		return fmt.Errorf("%s/readyz answered %s, which is not the service's answer", c.base.Redacted(), resp.Status)
	}
	for _, check := range r.Checks {
		fmt.Fprintln(out.out, strings.TrimSpace(fmt.Sprintf("%-8s %-12s %s", check.Status, clean(check.Name), strings.TrimSpace(clean(check.About)+" "+clean(check.Missing)))))
	}
	if resp.StatusCode != http.StatusOK {
		out.say("%s is not ready", c.base.Redacted())
		return errReported
	}
	fmt.Fprintf(out.out, "%s is ready\n", c.base.Redacted())
	return nil
}

// versionCmd prints what this binary was built from.
type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(out *console) error {
	_, err := fmt.Fprintln(out.out, "actionlog", version())
	return err
}

// version is the module's version, or the commit that the binary was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return "devel"
}

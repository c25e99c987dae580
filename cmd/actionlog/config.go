package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"gopkg.in/yaml.v3"
)

// settings are the options that all commands share.
type settings struct {
	Config      string `placeholder:"FILE" help:"Read options from a YAML or JSON file. Options and the environment win over it."`
	Data        string `placeholder:"DIR" default:"data" help:"The service's folder; clients read its address and credentials there. Default: data."`
	URL         string `name:"url" placeholder:"URL" help:"Where the service's API is. Default: DIR/http.addr, else http://127.0.0.1:8080."`
	Token       string `placeholder:"TOKEN" help:"The API token; better given by the environment. Default: DIR/admin.token, for a service on this machine."`
	Institution string `placeholder:"ID" help:"Whose actions are meant. Default: the only institution that the token may see."`
}

// BeforeResolve reads the configuration file, before options are resolved.
func (c *commands) BeforeResolve(parsed *kong.Context) error {
	var path string
	for _, f := range parsed.Flags() {
		if f.Name == "config" {
			path, _ = parsed.FlagValue(f).(string)
		}
	}
	if path == "" {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	defer f.Close()
	file, err := readConfiguration(path, f)
	if err != nil {
		return err
	}
	parsed.AddResolver(file)
	return nil
}

// configuration is a file of options: names without their dashes at the top,
// or below the name of the command that they are meant for.
//
//	data: /var/lib/actionlog
//	serve:
//	  listen: 127.0.0.1:8080
type configuration struct {
	path   string
	values map[string]any
}

// readConfiguration reads YAML, and so JSON too.
func readConfiguration(path string, r io.Reader) (*configuration, error) {
	c := &configuration{path: path}
	if err := yaml.NewDecoder(r).Decode(&c.values); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Validate refuses names that no option has: a misspelt option that is ignored
// is worse than none.
func (c *configuration) Validate(app *kong.Application) error {
	known := flagsBelow(app.Node)
	for key, value := range c.values {
		section, ok := value.(map[string]any)
		if !ok {
			if !known[optionName(key)] {
				return fmt.Errorf("%s: %q is not an option", c.path, key)
			}
			continue
		}
		command := slices.IndexFunc(app.Children, func(n *kong.Node) bool { return n.Name == key })
		if command < 0 {
			return fmt.Errorf("%s: %q is not a command", c.path, key)
		}
		own := flagsBelow(app.Children[command])
		for name := range section {
			if !own[optionName(name)] && !shared(app, optionName(name)) {
				return fmt.Errorf("%s: %s: %q is not an option of this command", c.path, key, name)
			}
		}
	}
	return nil
}

func shared(app *kong.Application, option string) bool {
	return slices.ContainsFunc(app.Flags, func(f *kong.Flag) bool { return f.Name == option && settable(f) })
}

// Resolve gives the file's value for an option that neither the command line
// nor the environment has set.
func (c *configuration) Resolve(parsed *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if !settable(flag) {
		return nil, nil
	}
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil
		}
	}
	command, _, _ := strings.Cut(parsed.Command(), " ")
	sections := []string{command}
	if command == "doctor" || command == "backup" { // of what serve runs with
		sections = append(sections, "serve")
	}
	for _, name := range sections {
		if section, ok := c.values[name].(map[string]any); ok {
			if v, ok := lookUp(section, flag.Name); ok {
				return v, nil
			}
		}
	}
	v, _ := lookUp(c.values, flag.Name)
	return v, nil
}

func lookUp(values map[string]any, option string) (any, bool) {
	for key, v := range values {
		if _, section := v.(map[string]any); !section && optionName(key) == option {
			return v, true
		}
	}
	return nil, false
}

func optionName(key string) string { return strings.ReplaceAll(key, "_", "-") }

// settable tells whether an option may come from a file: a filter that nobody
// sees would make an answer short that looks whole.
func settable(f *kong.Flag) bool {
	return f.Name != "help" && f.Name != "config" && (f.Group == nil || f.Group.Key != filterGroup)
}

func flagsBelow(n *kong.Node) map[string]bool {
	names := map[string]bool{}
	for _, f := range n.Flags {
		if settable(f) {
			names[f.Name] = true
		}
	}
	for _, child := range n.Children {
		for name := range flagsBelow(child) {
			names[name] = true
		}
	}
	return names
}

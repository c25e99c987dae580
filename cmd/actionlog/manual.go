package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// manCmd writes the manual that the model of the command line is: pages for man, or
// docs/cli.md.
type manCmd struct {
	Dir      string `arg:"" optional:"" placeholder:"DIR" env:"-" help:"The folder for the pages; it is made where it is not there."`
	Markdown bool   `env:"-" help:"Write all of it as Markdown to standard output instead."`
}

// Run writes the pages. Their date is today's, or that of SOURCE_DATE_EPOCH, so that a
// release makes the same pages twice.
func (c *manCmd) Run(_ context.Context, out *console, parsed *kong.Context) error {
	if (c.Dir == "") == !c.Markdown {
		return usagef("give a folder for the pages, or --markdown")
	}
	m := manualOf(parsed.Model)
	if c.Markdown {
		_, err := fmt.Fprint(out.out, m.markdown())
		return err
	}
	date := time.Now()
	if text, ok := os.LookupEnv("SOURCE_DATE_EPOCH"); ok {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return usagef("SOURCE_DATE_EPOCH: %q is not a number of seconds", text)
		}
		date = time.Unix(seconds, 0)
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return err
	}
	for name, page := range m.pages(date.UTC()) {
		if err := os.WriteFile(filepath.Join(c.Dir, name), []byte(page), 0o644); err != nil {
			return errors.Join(errors.New("manual"), err)
		}
	}
	return nil
}

// manual is the command line as people read about it.
type manual struct {
	about    string      // what the program is
	shared   []described // options of every command
	filters  []described // options of every command that takes filters
	commands []command   // in the order of the program's help
}

// command is one that can be typed, or a group of such.
type command struct {
	path      string // as "dead list"
	help      string
	usage     string
	arguments []described
	options   []described
	filtered  bool // takes the filters, too
	examples  []string
	group     bool // cannot be typed alone
}

// described is an option or an argument, and what it means.
type described struct{ term, help, value, env string }

func manualOf(app *kong.Application) manual {
	m := manual{about: app.Help}
	m.shared, _ = optionsOf(app.Node)
	var walk func(n *kong.Node)
	walk = func(n *kong.Node) {
		for _, child := range n.Children {
			if child.Hidden {
				continue
			}
			c := command{path: commandPath(child), help: child.Help, usage: "actionlog " + commandPath(child), group: len(child.Children) > 0}
			var filters []described
			c.options, filters = optionsOf(child)
			if c.filtered = len(filters) > 0; c.filtered {
				m.filters = filters
			}
			for _, p := range child.Positional {
				c.usage += " " + p.Summary()
				c.arguments = append(c.arguments, described{term: p.Summary(), help: p.Help})
			}
			if c.filtered {
				c.usage += " [filters]"
			}
			if len(c.options) > 0 {
				c.usage += " [options]"
			}
			c.examples = examples[c.path]
			m.commands = append(m.commands, c)
			walk(child)
		}
	}
	walk(app.Node)
	return m
}

// optionsOf are a command's own options, and the filters that it takes.
func optionsOf(n *kong.Node) (options, filters []described) {
	for _, f := range n.Flags {
		if f.Hidden || f.Name == "help" {
			continue
		}
		d := described{term: optionTerm(f), help: f.Help, env: strings.Join(f.Envs, ", ")}
		if f.HasDefault && !f.IsBool() && !strings.Contains(f.Help, "Default:") {
			d.value = cmp.Or(f.Default, `""`)
		}
		if f.Group != nil && f.Group.Key == filterGroup {
			filters = append(filters, d)
		} else {
			options = append(options, d)
		}
	}
	return options, filters
}

// optionTerm is how an option is written: -o, --output=FILE.
func optionTerm(f *kong.Flag) string {
	term := "--" + f.Name
	if f.Short != 0 {
		term = "-" + string(f.Short) + ", " + term
	}
	if f.IsBool() {
		return term
	}
	return term + "=" + cmp.Or(f.PlaceHolder, strings.ReplaceAll(f.Enum, ",", "|"), strings.ToUpper(f.Name))
}

// files is what the program reads and writes beside its options.
var files = []described{
	{term: "DIR/admin.token", help: "The token that may do everything, which the first serve writes. Commands on the same machine read it."},
	{term: "DIR/http.addr", help: "Where the API listens."},
	{term: "DIR/publisher.token, DIR/nats.addr", help: "The password of the NATS user publisher, and where the NATS server in the process listens."},
}

// statuses are the exit statuses.
var statuses = []described{
	{term: strconv.Itoa(statusDone), help: "Done."},
	{term: strconv.Itoa(statusFailed), help: "Failed, which standard error explains; or something is not as it should be (check, archive verify)."},
	{term: strconv.Itoa(statusUsage), help: "Wrong use: an unknown option, or a value that means nothing."},
}

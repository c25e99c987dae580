// Command actionlog is the only binary of Action Log: the service and its
// command line. It wires and speaks with people; it holds no logic of the
// product: what a filter means is decided by the service, what a document must
// have by package actionlog.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/alecthomas/kong"
)

// Exit statuses.
const (
	statusDone   = 0
	statusFailed = 1
	statusUsage  = 2 // wrong use: unknown options, values that mean nothing
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// commands is the whole command line.
type commands struct {
	settings

	Serve      serveCmd      `cmd:"" help:"Run the service."`
	Publish    publishCmd    `cmd:"" help:"Publish NDJSON files, over NATS or HTTP."`
	Search     searchCmd     `cmd:"" help:"Find actions, newest first."`
	Export     exportCmd     `cmd:"" help:"Export every action that the filters find, and check that the export is whole."`
	Exports    exportsCmd    `cmd:"" help:"List, show, download and drop export jobs, which export --job makes."`
	Feed       feedCmd       `cmd:"" help:"Follow the log in the order in which the service took it, and remember where one is."`
	Webhook    webhookCmd    `cmd:"" help:"Have actions sent to an address as they come, signed, for as long as it takes."`
	Saved      savedCmd      `cmd:"" help:"Name searches for everybody in the institution, and have an alert raised by what they find."`
	Get        getCmd        `cmd:"" help:"Show one action with every detail."`
	People     peopleCmd     `cmd:"" help:"Look up people by name, e-mail address or ID."`
	Courses    coursesCmd    `cmd:"" help:"Look up courses by title or ID."`
	Classes    classesCmd    `cmd:"" help:"Look up classes by title or ID."`
	Dead       deadCmd       `cmd:"" help:"List, show, replay and drop dead letters."`
	Usage      usageCmd      `cmd:"" help:"Say how many actions each institution has, by day, month or in all."`
	Token      tokenCmd      `cmd:"" help:"Create, list and revoke tokens."`
	Archive    archiveCmd    `cmd:"" help:"Look at an archive, and prove that it is whole."`
	Restore    restoreCmd    `cmd:"" help:"Bring back actions that are older than what is searchable, for a while."`
	Reindex    reindexCmd    `cmd:"" help:"Make days of the store anew from the archive: damaged ones, or all after the store was lost."`
	Copy       copyCmd       `cmd:"" help:"Copy a store into another, day by day, and verify each: from a folder to a cluster, or back."`
	Dashboards dashboardsCmd `cmd:"" help:"Dashboards for compliance, for Kibana and OpenSearch Dashboards."`
	Doctor     doctorCmd     `cmd:"" help:"Look at a set-up, with the options that serve would have, and say what is wrong. It changes nothing."`
	Backup     backupCmd     `cmd:"" help:"Copy what the service cannot be made anew without, while it runs."`
	NATSConfig natsConfigCmd `cmd:"" name:"nats-config" help:"Write the configuration of a NATS server: TLS, and what each publisher may."`
	Generate   generateCmd   `cmd:"" help:"Invent believable actions, as the demo does, and write them as NDJSON."`
	Check      checkCmd      `cmd:"" help:"Ask the service whether it is ready, and what is missing."`
	Completion completionCmd `cmd:"" help:"Write the completion of a shell."`
	Man        manCmd        `cmd:"" help:"Write the manual's pages."`
	Version    versionCmd    `cmd:"" help:"Print the version."`
}

// console is where a command reads and writes.
type console struct {
	in       io.Reader
	out, err io.Writer
}

// say writes a remark for people to standard error.
func (c *console) say(format string, args ...any) { fmt.Fprintf(c.err, format+"\n", args...) }

// usageError is a mistake in how the program was called.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errReported ends a command that has said already what went wrong.
var errReported = errors.New("reported")

// run is the program: it returns the exit status. It reads the environment
// (ACTIONLOG_…), and ends what it does at the first SIGINT or SIGTERM; the
// second one ends the process.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (status int) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case exit:
			status = int(e)
		default:
			panic(e)
		}
	}()
	ctx, release := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer release()
	context.AfterFunc(ctx, release)
	out := &console{in: stdin, out: stdout, err: stderr}
	var cli commands
	parser, err := newParser(&cli, out, kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		out.say("actionlog: %v", err)
		return statusFailed
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		out.say("actionlog: %v\nactionlog --help says more.", err)
		return statusUsage
	}
	return out.conclude(ctx, parsed.Run())
}

func newParser(cli *commands, out *console, more ...kong.Option) (*kong.Kong, error) {
	parser, err := kong.New(cli, append(more,
		kong.Name("actionlog"),
		kong.Description("The action log: who did what, to whom, and when.\n\nAn option that has an environment variable beside it can be set by that; all but filters also in the file given by --config."),
		kong.Writers(out.out, out.err),
		kong.Exit(func(code int) { panic(exit(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.ExplicitGroups([]kong.Group{{Key: filterGroup, Title: "Filters:", Description: "All can be combined and most repeated. A leading minus excludes: --action=-course.learner.added"}}),
		kong.DefaultEnvars("ACTIONLOG"),
		kong.Vars{"maxLine": strconv.Itoa(defaultMaxLine)},
		kong.Bind(&cli.settings, out),
	)...)
	if err == nil {
		addExamples(parser.Model)
	}
	return parser, err
}

// exit carries kong's wish to end (after --help) up to run.
type exit int

func (c *console) conclude(ctx context.Context, err error) int {
	var usage usageError
	switch {
	case err == nil:
		return statusDone
	case errors.Is(err, errReported):
		return statusFailed
	case errors.As(err, &usage):
		c.say("actionlog: %v", err)
		return statusUsage
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		c.say("actionlog: interrupted")
		return statusFailed
	}
	c.say("actionlog: %v", err)
	return statusFailed
}

package main

import (
	"fmt"
	"iter"
	"strings"
	"time"
)

// pages are the manual's pages by the names of their files: one of the program, and one of
// each command with all that is below it.
func (m manual) pages(date time.Time) iter.Seq2[string, string] {
	return func(yield func(name, page string) bool) {
		if !yield("actionlog.1", m.programPage(date)) {
			return
		}
		for i, c := range m.commands {
			if strings.Contains(c.path, " ") {
				continue
			}
			below := 0
			for _, d := range m.commands[i+1:] {
				if !strings.HasPrefix(d.path, c.path+" ") {
					break
				}
				below++
			}
			if !yield("actionlog-"+c.path+".1", m.commandPage(m.commands[i:i+1+below], date)) {
				return
			}
		}
	}
}

// roff is a page in the language of man(7).
type roff struct{ strings.Builder }

func newRoff(name, summary string, date time.Time) *roff {
	r := &roff{}
	fmt.Fprintf(r, ".TH %s 1 %s \"Action Log\" \"Action Log Manual\"\n", strings.ToUpper(escape(name)), date.Format(time.DateOnly))
	r.section("NAME")
	fmt.Fprintf(r, "%s \\- %s\n", escape(name), escape(strings.TrimSuffix(summary, ".")))
	return r
}

func (r *roff) section(title string) { fmt.Fprintf(r, ".SH %s\n", title) }

func (r *roff) text(s string) { fmt.Fprintln(r, escape(s)) }

func (r *roff) list(title string, items []described) {
	if len(items) == 0 {
		return
	}
	r.section(title)
	for _, d := range items {
		fmt.Fprintf(r, ".TP\n.B %s\n%s\n", escape(d.term), escape(d.sentence()))
	}
}

// literal shows lines as they are.
func (r *roff) literal(title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	r.section(title)
	for i, line := range lines {
		if i > 0 {
			r.WriteString(".PP\n")
		}
		fmt.Fprintf(r, ".nf\n%s\n.fi\n", escape(line))
	}
}

// sentence is all that is said of an option.
func (d described) sentence() string {
	s := d.help
	if d.value != "" {
		s += " Default: " + d.value + "."
	}
	if d.env != "" {
		s += " Environment: " + d.env + "."
	}
	return strings.TrimSpace(s)
}

func (m manual) programPage(date time.Time) string {
	about, more, _ := strings.Cut(m.about, "\n\n")
	r := newRoff("actionlog", about, date)
	r.section("SYNOPSIS")
	r.WriteString(".B actionlog\n.I command\n[options]\n")
	r.section("DESCRIPTION")
	r.text(more)
	var list []described
	for _, c := range m.commands {
		if !strings.Contains(c.path, " ") {
			list = append(list, described{term: c.path, help: c.help + " See actionlog-" + c.path + "(1)."})
		}
	}
	r.list("COMMANDS", list)
	r.list("OPTIONS OF ALL COMMANDS", m.shared)
	r.list("FILES", files)
	r.list("EXIT STATUS", statuses)
	return r.String()
}

// commandPage is the page of a command, which comes first, with those below it.
func (m manual) commandPage(list []command, date time.Time) string {
	top := list[0]
	r := newRoff("actionlog-"+top.path, top.help, date)
	r.section("SYNOPSIS")
	first := true
	for _, c := range list {
		if c.group {
			continue
		}
		if !first {
			r.WriteString(".br\n")
		}
		first = false
		fmt.Fprintf(r, ".B %s\n", escape(c.usage))
	}
	r.section("DESCRIPTION")
	r.text(top.help)
	r.list("ARGUMENTS", top.arguments)
	r.list("OPTIONS", top.options)
	r.literal("EXAMPLES", top.examples)
	filtered := top.filtered
	for _, c := range list[1:] {
		r.section(strings.ToUpper(escape(c.path)))
		r.text(c.help)
		for _, d := range append(c.arguments[:len(c.arguments):len(c.arguments)], c.options...) {
			fmt.Fprintf(r, ".TP\n.B %s\n%s\n", escape(d.term), escape(d.sentence()))
		}
		for _, line := range c.examples {
			fmt.Fprintf(r, ".PP\n.nf\n%s\n.fi\n", escape(line))
		}
		filtered = filtered || c.filtered
	}
	if filtered {
		r.list("FILTERS", m.filters)
	}
	r.section("SEE ALSO")
	r.WriteString(".BR actionlog (1),\nwhich has the options of all commands.\n")
	return r.String()
}

var roffEscapes = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "…", `...`, "⟩", ">", "~", `\(ti`, "^", `\(ha`, "`", `\(ga`)

// escape makes text mean itself: no line of it is a request.
func escape(s string) string {
	s = roffEscapes.Replace(strings.Join(strings.Fields(s), " "))
	if strings.HasPrefix(s, ".") {
		s = `\&` + s
	}
	return s
}

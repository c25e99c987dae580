package main

import (
	"fmt"
	"strings"
)

// markdown is docs/cli.md.
func (m manual) markdown() string {
	var b strings.Builder
	b.WriteString("# The command line\n\nMade from the program (`make docs`); do not edit. `man actionlog` and `actionlog COMMAND --help` say the same.\n\n")
	_, more, _ := strings.Cut(m.about, "\n\n")
	fmt.Fprintf(&b, "%s\n\n", more)
	b.WriteString("| command | |\n| --- | --- |\n")
	for _, c := range m.commands {
		if !c.group {
			fmt.Fprintf(&b, "| [`%s`](#actionlog-%s) | %s |\n", c.path, strings.ReplaceAll(c.path, " ", "-"), cell(c.help))
		}
	}
	b.WriteString("\n## Options of all commands\n\n")
	options(&b, m.shared)
	b.WriteString("\n## Filters\n\nOf `search`, `export` and whatever else takes them. All can be combined and most repeated; a leading minus excludes: `--action=-course.learner.added`. Never read from the environment or a file.\n\n")
	options(&b, m.filters)
	b.WriteString("\n## Exit status\n\n| status | |\n| --- | --- |\n")
	for _, d := range statuses {
		fmt.Fprintf(&b, "| %s | %s |\n", d.term, cell(d.help))
	}
	b.WriteString("\n## Files\n\n| file | |\n| --- | --- |\n")
	for _, d := range files {
		fmt.Fprintf(&b, "| `%s` | %s |\n", d.term, cell(d.help))
	}
	for _, c := range m.commands {
		if !c.group {
			section(&b, c)
		}
	}
	return b.String()
}

func section(b *strings.Builder, c command) {
	fmt.Fprintf(b, "\n## actionlog %s\n\n%s\n\n```\n%s\n```\n", c.path, c.help, c.usage)
	if all := append(c.arguments[:len(c.arguments):len(c.arguments)], c.options...); len(all) > 0 {
		b.WriteString("\n")
		options(b, all)
	}
	if c.filtered {
		b.WriteString("\nAnd the [filters](#filters).\n")
	}
	if len(c.examples) > 0 {
		fmt.Fprintf(b, "\n```\n%s\n```\n", strings.Join(c.examples, "\n"))
	}
}

func options(b *strings.Builder, list []described) {
	b.WriteString("| option | | default | environment |\n| --- | --- | --- | --- |\n")
	for _, d := range list {
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", strings.ReplaceAll(d.term, "|", `\|`), cell(d.help), code(d.value), code(d.env))
	}
}

func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`, "_", `\_`).Replace(strings.Join(strings.Fields(s), " "))
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + strings.ReplaceAll(s, "|", `\|`) + "`"
}

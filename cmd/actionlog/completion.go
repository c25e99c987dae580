package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// completionCmd writes a shell's completion. The libraries for kong that do so
// have not been kept since 2023; a script made of the model needs none.
type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Run writes the script.
func (c *completionCmd) Run(out *console, parsed *kong.Context) error {
	commands := completions(parsed.Model)
	var b strings.Builder
	switch c.Shell {
	case "fish":
		writeFish(&b, commands)
	case "zsh":
		b.WriteString("#compdef actionlog\nautoload -U +X bashcompinit && bashcompinit\n")
		writeBash(&b, commands)
	default:
		writeBash(&b, commands)
	}
	_, err := io.WriteString(out.out, b.String())
	return err
}

// completable is a command, or with path "" the program, and what may follow it.
type completable struct {
	path     string // as "dead list"
	commands []word
	flags    []word
}

// word is one that may stand in a command line.
type word struct {
	text, help string
	values     []string // of a flag; nil: any, and a file's name
	bare       bool     // a flag without a value
}

// valuesOf are values that the model does not know as an enumeration, because the
// service judges them.
var valuesOf = map[string][]string{
	"category": {"institution", "course", "api"}, "outcome": {"success", "failure", "unknown"},
	"actor-kind": {"user", "staff", "api_key", "system", "anonymous"}, "user-role": {"actor", "target", "on_behalf_of", "any"},
	"near": {"auto", "include", "exclude"}, "range": {"7d", "30d", "90d"}, "response-code": {"2xx", "3xx", "4xx", "5xx"},
	"request-method": {"GET", "POST", "PUT", "PATCH", "DELETE"},
}

func completions(app *kong.Application) (list []completable) {
	var walk func(n *kong.Node, inherited []*kong.Flag)
	walk = func(n *kong.Node, inherited []*kong.Flag) {
		flags := append(slices.Clone(inherited), n.Flags...)
		c := completable{path: commandPath(n)}
		for _, f := range flags {
			if f.Hidden {
				continue
			}
			values := valuesOf[f.Name]
			if f.Enum != "" {
				values = strings.Split(f.Enum, ",")
			}
			c.flags = append(c.flags, word{"--" + f.Name, f.Help, values, f.IsBool()})
		}
		for _, child := range n.Children {
			c.commands = append(c.commands, word{text: child.Name, help: child.Help})
			walk(child, flags)
		}
		if p := n.Positional; len(p) > 0 && p[0].Enum != "" {
			for v := range strings.SplitSeq(p[0].Enum, ",") {
				c.commands = append(c.commands, word{text: v})
			}
		}
		list = append(list, c)
	}
	walk(app.Node, nil)
	return list
}

func texts(words []word) string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = w.text
	}
	return strings.Join(list, " ")
}

func writeBash(b *strings.Builder, commands []completable) {
	b.WriteString("_actionlog() {\n  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path= w\n" +
		"  for w in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n    case \"$path $w\" in\n")
	for _, c := range commands {
		typed := c.path
		if !strings.Contains(typed, " ") {
			typed = " " + typed // behind the empty path
		}
		if c.path != "" {
			fmt.Fprintf(b, "      %q) path=%q ;;\n", typed, c.path)
		}
	}
	b.WriteString("    esac\n  done\n  [ \"$prev\" = \"=\" ] && prev=${COMP_WORDS[COMP_CWORD-2]}\n  [ \"$cur\" = \"=\" ] && { prev=${COMP_WORDS[COMP_CWORD-1]}; cur=; }\n  case \"$path $prev\" in\n")
	for _, c := range commands {
		for _, f := range c.flags {
			if f.values != nil {
				fmt.Fprintf(b, "    %q) COMPREPLY=($(compgen -W %q -- \"$cur\")); return ;;\n", c.path+" "+f.text, strings.Join(f.values, " "))
			}
		}
	}
	b.WriteString("  esac\n  case \"$path\" in\n")
	for _, c := range commands {
		fmt.Fprintf(b, "    %q) COMPREPLY=($(compgen -W %q -- \"$cur\")) ;;\n", c.path, strings.TrimSpace(texts(c.commands)+" "+texts(c.flags)))
	}
	b.WriteString("  esac\n}\ncomplete -o default -F _actionlog actionlog\n")
}

func writeFish(b *strings.Builder, commands []completable) {
	quote := func(s string) string {
		return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
	}
	b.WriteString("complete -c actionlog -f\n")
	for _, c := range commands {
		when := "__fish_use_subcommand"
		if c.path != "" {
			var seen []string
			for part := range strings.SplitSeq(c.path, " ") {
				seen = append(seen, "__fish_seen_subcommand_from "+part)
			}
			when = strings.Join(seen, "; and ")
		}
		for _, w := range c.commands {
			fmt.Fprintf(b, "complete -c actionlog -n %s -a %s -d %s\n", quote(when), w.text, quote(w.help))
		}
		for _, f := range c.flags {
			fmt.Fprintf(b, "complete -c actionlog -n %s -l %s -d %s", quote(when), strings.TrimPrefix(f.text, "--"), quote(f.help))
			switch {
			case f.values != nil:
				fmt.Fprintf(b, " -x -a %s", quote(strings.Join(f.values, " ")))
			case !f.bare:
				b.WriteString(" -r -F")
			}
			b.WriteString("\n")
		}
	}
}

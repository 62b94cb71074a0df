package medusa

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// Command is one simple command that is run.
type Command struct {
	Words []string
	Via   string // what leads to it: "script start of package.json", a file; empty: it stands where it was asked for
}

// Is reports whether the command is `medusa NAME`, however it is called.
func (c Command) Is(name string) bool {
	for i, w := range c.Words[:max(0, len(c.Words)-1)] {
		base := path.Base(w)
		if (base == "medusa" || base == "cli.js" && strings.Contains(w, "@medusajs/cli")) && c.Words[i+1] == name {
			return true
		}
	}
	return false
}

// Has reports whether one of the words is this.
func (c Command) Has(word string) bool { return slices.Contains(c.Words, word) }

// deepestScript is how many scripts may call each other.
const deepestScript = 8

// Commands gives the commands that a process runs: those of a shell, and of the scripts in package.json and beside it
// that it calls.
func (a App) Commands(argv []string) []Command { return a.follow(argv, "", deepestScript) }

// ShellCommands gives the commands of a shell's script.
func (a App) ShellCommands(script string) []Command { return a.shell(script, "", deepestScript) }

// wrappers are programs that run what follows them.
var wrappers = []string{"exec", "tini", "dumb-init", "npx", "docker-entrypoint.sh", "env", "su-exec", "gosu", "node", "corepack", "cross-env", "dotenv"}

func (a App) follow(argv []string, via string, depth int) []Command {
	if depth == 0 {
		return nil
	}
	found := []Command{{argv, via}}
	rest := argv
	for len(rest) > 0 && (slices.Contains(wrappers, path.Base(rest[0])) || strings.HasPrefix(rest[0], "-") || strings.Contains(rest[0], "=")) {
		rest = rest[1:]
	}
	if len(rest) == 0 {
		return found
	}
	switch name := path.Base(rest[0]); {
	case slices.Contains([]string{"sh", "bash", "ash", "dash"}, name):
		for i, w := range rest[1:] {
			switch {
			case strings.HasPrefix(w, "-") && strings.HasSuffix(w, "c") && i+2 < len(rest):
				return append(found, a.shell(rest[i+2], via, depth-1)...)
			case !strings.HasPrefix(w, "-"):
				return append(found, a.file(w, depth)...)
			}
		}
	case slices.Contains([]string{"npm", "yarn", "pnpm", "bun"}, name):
		return append(found, a.script(name, rest[1:], depth)...)
	default:
		return append(found, a.file(rest[0], depth)...)
	}
	return found
}

// script gives the commands of the package.json script that a package manager is to run. With npm those that are named as
// before and after it are run, too; of the others not all do that.
func (a App) script(manager string, args []string, depth int) []Command {
	for _, w := range args {
		if strings.HasPrefix(w, "-") || w == "run" || w == "run-script" {
			continue
		}
		var found []Command
		names := []string{w}
		if manager == "npm" {
			names = []string{"pre" + w, w, "post" + w}
		}
		for _, name := range names {
			if text, ok := a.Scripts[name]; ok {
				found = append(found, a.shell(text, "the script "+name+" of package.json", depth-1)...)
			}
		}
		return found
	}
	return nil
}

// file gives the commands of a shell script of the app, wherever the image has it: its name decides.
func (a App) file(name string, depth int) []Command {
	if !strings.HasSuffix(name, ".sh") {
		return nil
	}
	for _, dir := range []string{"", "docker", "scripts", "bin"} {
		short := filepath.Join(dir, path.Base(name))
		if text, err := os.ReadFile(filepath.Join(a.Dir, short)); err == nil {
			return a.shell(string(text), short, depth-1)
		}
	}
	return nil
}

// shell gives the commands of a script; none of one that no shell would take.
func (a App) shell(script, via string, depth int) []Command {
	if depth <= 0 {
		return nil
	}
	parsed, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(script), "")
	if err != nil {
		return nil
	}
	var found []Command
	syntax.Walk(parsed, func(node syntax.Node) bool {
		if call, ok := node.(*syntax.CallExpr); ok && len(call.Args) > 0 {
			words := make([]string, len(call.Args))
			for i, w := range call.Args {
				words[i] = plain(w.Parts)
			}
			found = append(found, a.follow(words, via, depth)...)
		}
		return true
	})
	return found
}

// plain is a word without its quotes; what only a shell knows is a "$".
func plain(parts []syntax.WordPart) string {
	var b strings.Builder
	for _, p := range parts {
		switch p := p.(type) {
		case *syntax.Lit:
			b.WriteString(p.Value)
		case *syntax.SglQuoted:
			b.WriteString(p.Value)
		case *syntax.DblQuoted:
			b.WriteString(plain(p.Parts))
		default:
			b.WriteByte('$')
		}
	}
	return b.String()
}

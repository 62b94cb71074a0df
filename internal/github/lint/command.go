package lint

import (
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// command is one simple command of a script, with what surrounds it as far as its exit code and its output go.
type command struct {
	step *step
	call *syntax.CallExpr
	stmt *syntax.Stmt
	// args are the words, from the program's name on: sudo, env and their like are passed.
	args []word
	// place is where the command begins in the script.
	place int
	// forgiven is the || behind the command whose right side lets the script go on as if nothing had happened.
	forgiven *syntax.BinaryCmd
	// asked: its exit code is looked at, by if, while, ! or &&'s other side.
	asked bool
	// piped: its output goes into another command, which hides its exit code; fed: its input comes from one.
	piped, fed *command
	// captured: its output becomes a value, not a part of the log.
	captured bool
}

// word is one argument.
type word struct {
	text  string // with what is known of variables and expressions put in: see symbol
	node  *syntax.Word
	start int // in the script
	end   int
}

// newCommands lists the commands of a step's script, in the order in which they are written.
func newCommands(s *step) []*command {
	if s.script == nil || s.script.file == nil {
		return nil
	}
	l := &lister{step: s, names: newNames(s), byCall: map[*syntax.CallExpr]*command{}}
	syntax.Walk(s.script.file, l.node)
	for _, pipe := range l.pipes {
		l.connect(pipe)
	}
	return l.found
}

// lister walks a script and collects its commands.
type lister struct {
	step   *step
	names  *names
	stack  []syntax.Node
	pipes  []*syntax.BinaryCmd
	found  []*command
	byCall map[*syntax.CallExpr]*command
}

func (l *lister) node(n syntax.Node) bool {
	if n == nil {
		l.stack = l.stack[:len(l.stack)-1]
		return true
	}
	switch n := n.(type) {
	case *syntax.CallExpr:
		l.call(n)
	case *syntax.DeclClause:
		for _, a := range n.Args {
			l.assign(a)
		}
	case *syntax.WordIter:
		l.names.forget(n.Name.Value)
	case *syntax.BinaryCmd:
		if n.Op == syntax.Pipe || n.Op == syntax.PipeAll {
			l.pipes = append(l.pipes, n)
		}
	}
	l.stack = append(l.stack, n)
	return true
}

func (l *lister) call(n *syntax.CallExpr) {
	for _, a := range n.Assigns {
		if len(n.Args) == 0 {
			l.assign(a)
		}
	}
	c := &command{step: l.step, call: n, place: int(n.Pos().Offset())}
	for _, w := range n.Args {
		from, to := span(w)
		c.args = append(c.args, word{text: l.names.symbol(w), node: w, start: from, end: to})
	}
	c.args = unwrap(c.args)
	l.surround(c)
	l.byCall[n] = c
	l.found = append(l.found, c)
}

// assign notes an assignment: its value is known only when it is surely made.
func (l *lister) assign(a *syntax.Assign) {
	if a.Name == nil {
		return
	}
	for _, outer := range l.stack {
		switch outer.(type) {
		case *syntax.File, *syntax.Stmt:
		default:
			l.names.forget(a.Name.Value)
			return
		}
	}
	l.names.assign(a)
}

// surround looks at what encloses the command, from the inside out.
func (l *lister) surround(c *command) {
	var inner syntax.Node = c.call
	for _, outer := range slices.Backward(l.stack) {
		switch o := outer.(type) {
		case *syntax.Stmt:
			if c.stmt == nil {
				c.stmt = o
			}
			c.asked = c.asked || o.Negated
		case *syntax.BinaryCmd:
			l.joined(c, o, inner)
		case *syntax.IfClause:
			c.asked = c.asked || slices.Contains(o.Cond, asStmt(inner))
		case *syntax.WhileClause:
			c.asked = c.asked || slices.Contains(o.Cond, asStmt(inner))
		case *syntax.CmdSubst:
			c.captured = true
		case *syntax.FuncDecl:
			return // who calls it decides
		}
		inner = outer
	}
}

func asStmt(n syntax.Node) *syntax.Stmt {
	s, _ := n.(*syntax.Stmt)
	return s
}

func (l *lister) joined(c *command, b *syntax.BinaryCmd, inner syntax.Node) {
	onLeft := b.X == asStmt(inner)
	switch {
	case b.Op == syntax.OrStmt && onLeft && forgives(b.Y):
		c.forgiven = b
	case b.Op == syntax.OrStmt && onLeft:
		c.asked = true
	}
}

// connect tells the commands of a pipe of each other.
func (l *lister) connect(pipe *syntax.BinaryCmd) {
	left, right := l.last(pipe.X), l.first(pipe.Y)
	if left == nil || right == nil {
		return
	}
	left.piped, right.fed = right, left
}

// first is the command that reads what is piped into a statement.
func (l *lister) first(s *syntax.Stmt) *command { return l.edge(s, true) }

// last is the command whose output a statement gives to a pipe.
func (l *lister) last(s *syntax.Stmt) *command { return l.edge(s, false) }

func (l *lister) edge(s *syntax.Stmt, first bool) *command {
	switch c := s.Cmd.(type) {
	case *syntax.CallExpr:
		return l.byCall[c]
	case *syntax.BinaryCmd:
		if first {
			return l.edge(c.X, first)
		}
		return l.edge(c.Y, first)
	}
	return nil
}

// forgives tells whether a statement after || ends well whatever happened: true, : and messages do.
func forgives(s *syntax.Stmt) bool {
	switch c := s.Cmd.(type) {
	case *syntax.CallExpr:
		if len(c.Args) == 0 {
			return false
		}
		switch name := c.Args[0].Lit(); name {
		case "true", ":", "echo", "printf":
			return true
		case "exit", "return":
			return len(c.Args) == 2 && c.Args[1].Lit() == "0"
		}
	case *syntax.BinaryCmd:
		return c.Op == syntax.AndStmt && forgives(c.X) && forgives(c.Y)
	case *syntax.Block:
		return !slices.ContainsFunc(c.Stmts, func(s *syntax.Stmt) bool { return !forgives(s) })
	}
	return false
}

// wrappers run the program that their arguments name; the value tells which of their options take a value.
var wrappers = map[string]string{
	"sudo": "-u -g -h -p", "env": "-u -C", "command": "", "exec": "-a", "time": "-f -o", "nice": "-n", "nohup": "", "timeout": "-s -k", "then": "", "retry": "-t -d",
}

// unwrap passes the wrappers before a program's name.
func unwrap(args []word) []word {
	for len(args) > 1 {
		options, isWrapper := wrappers[path.Base(args[0].text)]
		if !isWrapper {
			return args
		}
		name := args[0].text
		args = args[1:]
		for len(args) > 1 && strings.HasPrefix(args[0].text, "-") {
			if slices.Contains(strings.Fields(options), args[0].text) && len(args) > 2 {
				args = args[1:]
			}
			args = args[1:]
		}
		for name == "env" && len(args) > 1 && strings.Contains(args[0].text, "=") {
			args = args[1:]
		}
		if name == "timeout" && len(args) > 1 {
			args = args[1:] // how long
		}
	}
	return args
}

// name is the program, without its directory.
func (c *command) name() string {
	if len(c.args) == 0 {
		return ""
	}
	return path.Base(c.args[0].text)
}

// is tells whether the command begins with these words, options between them passed: aws --region R ecs wait.
func (c *command) is(words ...string) bool { return c.behind(words...) != nil }

// behind gives the arguments behind the words that the command begins with; nil when it begins otherwise.
func (c *command) behind(words ...string) []word {
	if c.name() != words[0] {
		return nil
	}
	rest := c.args[1:]
	for _, want := range words[1:] {
		for len(rest) > 0 && strings.HasPrefix(rest[0].text, "-") {
			if takesValue(words[0], rest[0].text) && len(rest) > 1 {
				rest = rest[1:]
			}
			rest = rest[1:]
		}
		if len(rest) == 0 || rest[0].text != want {
			return nil
		}
		rest = rest[1:]
	}
	if rest == nil {
		return []word{}
	}
	return rest
}

// globals are the options before a subcommand that take a value.
var globalOptions = map[string]string{
	"aws":    "--region --profile --output --endpoint-url --query --color --cli-read-timeout --cli-connect-timeout --ca-bundle",
	"docker": "--config -c --context -H --host -l --log-level --tlscacert --tlscert --tlskey",
	"podman": "--connection -c --log-level --root", "gh": "-R --repo", "medusa-deploy": "-t --target -o --output -c --config --local-dir",
}

func takesValue(program, option string) bool {
	return slices.Contains(strings.Fields(globalOptions[program]), option)
}

// options are the values of an option, in any of its spellings: --tag X, --tag=X, -t X, -tX.
func options(args []word, names ...string) []word {
	var values []word
	for i, a := range args {
		for _, name := range names {
			switch value, joined := strings.CutPrefix(a.text, name+"="); {
			case joined:
				values = append(values, word{text: value, node: a.node, start: a.start, end: a.end})
			case a.text == name && i+1 < len(args):
				values = append(values, args[i+1])
			case len(name) == 2 && strings.HasPrefix(a.text, name) && len(a.text) > 2 && !strings.HasPrefix(a.text, "--"):
				values = append(values, word{text: a.text[2:], node: a.node, start: a.start, end: a.end})
			}
		}
	}
	return values
}

// flagged tells whether a switch is on: --push, --push=true.
func flagged(args []word, names ...string) bool {
	return slices.ContainsFunc(args, func(a word) bool {
		name, value, _ := strings.Cut(a.text, "=")
		return slices.Contains(names, name) && value != "false"
	})
}

// written tells whether one of the words is given in any form.
func written(args []word, names ...string) bool {
	return flagged(args, names...) || len(options(args, names...)) > 0
}

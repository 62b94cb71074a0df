package lint

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Options say what is known about the repository beyond the file.
type Options struct {
	// Root is the directory of the repository: local actions, called and dispatched workflows, and .github/actionlint.yaml
	// are looked up in it. Empty: they are not looked at.
	Root string
	// Shellcheck is the program to run scripts by; empty: none.
	Shellcheck string
	// Secrets and Variables are the names that the repository and its organization have; nil: not known.
	Secrets, Variables []string
	// Environments are the names that environments have beside those, by the environment's name in lower case. Jobs with an
	// environment that is not among them are not judged.
	Environments map[string]Names
}

// Names are those of secrets and variables. Their case does not matter; nil: not known.
type Names struct{ Secrets, Variables []string }

// Problem is one thing that is wrong with a file.
type Problem struct {
	File   string
	Line   int // from 1
	Column int // from 1, in characters
	Code   string
	// Severity tells whether it breaks the deploy.
	Severity release.Severity
	Message  string // what is wrong
	Why      string // what would happen
	Cure     string
	Fix      *Fix // nil: there is no edit that is surely right
}

// Finding is the problem as every face shows it.
func (p Problem) Finding() release.Finding {
	return release.Finding{
		Code: p.Code, Severity: p.Severity, Where: fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column),
		Problem: p.Message, Why: p.Why, Cure: p.Cure,
	}
}

// checker looks at one file.
type checker struct {
	Options
	name     string
	src      *source
	workflow *workflow
	repo     *repository
	problems []*Problem
}

// Files looks at files of the file system, and gives their problems in the files' order, then by place.
// Its error is that of reading a file, of shellcheck, or of ctx.
func Files(ctx context.Context, files []string, o Options) ([]Problem, error) {
	var all []Problem
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the workflow: %w", err)
		}
		found, err := Source(ctx, file, content, o)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// Source looks at the content of one file. Its error is that of shellcheck or of ctx.
func Source(ctx context.Context, name string, content []byte, o Options) ([]Problem, error) {
	c := &checker{Options: o, name: name, src: newSource(content), repo: newRepository(o.Root)}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("check %s: %w", name, context.Cause(ctx))
	}
	document := c.parse()
	if document == nil {
		return c.sorted(), nil
	}
	c.workflow = newWorkflow(name, c.src, document)
	c.rules(document)
	if !c.workflow.action {
		if err := c.actionlint(); err != nil {
			return nil, fmt.Errorf("check %s: %w", name, err)
		}
	}
	if err := c.shellcheck(ctx); err != nil {
		return nil, fmt.Errorf("check %s: %w", name, err)
	}
	return c.sorted(), nil
}

// sorted gives the problems by place, each once.
func (c *checker) sorted() []Problem {
	all := make([]Problem, 0, len(c.problems))
	for _, p := range c.problems {
		if !c.pardoned(*p) {
			all = append(all, *p)
		}
	}
	slices.SortStableFunc(all, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Message, b.Message))
	})
	return slices.CompactFunc(all, func(a, b Problem) bool {
		return a.Line == b.Line && a.Column == b.Column && a.Code == b.Code && a.Message == b.Message
	})
}

// add records a problem at an offset of the file. The caller may still say more about it.
func (c *checker) add(code string, offset int, message string) *Problem {
	line, column := c.src.position(offset)
	rule := byCode[code]
	p := &Problem{
		File: c.name, Line: line, Column: column, Code: code, Severity: rule.Severity,
		Message: message, Why: rule.Why, Cure: rule.Cure,
	}
	c.problems = append(c.problems, p)
	return p
}

// at records a problem at a node.
func (c *checker) at(code string, n *yaml.Node, message string) *Problem {
	return c.add(code, c.src.offset(n.Line, n.Column), message)
}

// rules applies the rules of this package.
func (c *checker) rules(document *yaml.Node) {
	w := c.workflow
	if w.root == nil || w.root.Kind != yaml.MappingNode {
		return
	}
	for _, s := range w.steps {
		s.commands = newCommands(s)
		c.judgeScript(s)
		c.judgePasted(s)
		c.judgeSecretUse(s)
		c.judgeCommands(s)
		c.judgeUses(s)
	}
	c.judgeSecrets(document)
	c.judgeEnv(document)
	if w.action {
		return
	}
	c.judgeTriggers()
	c.judgeRights()
	for _, j := range w.jobs {
		c.judgeJob(j)
	}
}

// Find gives the workflow files of the repository that dir is in, and its root: .github/workflows is looked for in dir and
// the directories above.
func Find(dir string) (root string, files []string, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "", nil, fmt.Errorf("find the workflows: %w", err)
	}
	for at := dir; ; at = filepath.Dir(at) {
		found, err := os.ReadDir(filepath.Join(at, filepath.FromSlash(workflowDir)))
		if err == nil {
			for _, f := range found {
				if ext := strings.ToLower(filepath.Ext(f.Name())); !f.IsDir() && (ext == ".yml" || ext == ".yaml") {
					files = append(files, filepath.Join(at, filepath.FromSlash(workflowDir), f.Name()))
				}
			}
			return at, files, nil
		}
		if filepath.Dir(at) == at {
			return "", nil, fmt.Errorf("there is no %s in %s or in any directory above: %w", workflowDir, dir, os.ErrNotExist)
		}
	}
}

const workflowDir = ".github/workflows"
